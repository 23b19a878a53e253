// Package wait is how calls wait: the waiters they wait on, the calls in progress on a
// socket, the deadlines of the net faces, and the threads of Winsock 1.1 with their
// blocking hooks. It knows nothing of sockets.
package wait

import (
	"context"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/wsa"
)

// A Waiter is what one blocking call waits on; endpoint.Waiter documents it for users.
type Waiter interface {
	// Wait returns after a Signal; one that came before Wait counts. It may
	// return without one: callers look again. reason says what is waited for.
	Wait(reason string)

	// Signal never blocks, and may come with an endpoint locked.
	Signal()
}

// A Host is what waiting needs of a stack.
type Host interface {
	Clock() tcpip.Clock

	// NewWaiter returns the waiter for one blocking call, or nil for a channel.
	NewWaiter() Waiter

	// Outside runs f, in a bubble of testing/synctest outside of it: channels
	// that the stack is to close or send on are made so. f waits for nothing.
	Outside(f func())
}

// channelWaiter is the Waiter of real time: a channel that holds one signal.
type channelWaiter chan struct{}

func (c channelWaiter) Wait(string) { <-c }

func (c channelWaiter) Signal() {
	select {
	case c <- struct{}{}:
	default: // a signal is waiting already
	}
}

// NewWaiter returns what a call on a stack waits on: a waiter of the stack's
// Config.NewWaiter, else a channel.
func NewWaiter(h Host) Waiter {
	w := h.NewWaiter()
	if w == nil {
		h.Outside(func() { w = NewChannelWaiter() })
	}
	return w
}

// NewChannelWaiter returns the default Waiter, a channel.
func NewChannelWaiter() Waiter { return make(channelWaiter, 1) }

// Outcomes of a wait that are no Winsock codes. No user sees them: the net faces turn
// them into os.ErrDeadlineExceeded and the context's error, a Thread into WSAEINTR.
const (
	ErrDeadline wsa.Errno = -1 // the deadline of the call has passed
	ErrCanceled wsa.Errno = -2 // the context of a dial has ended
)

// AfterDone calls f when ctx ends, unless the function it returns is called
// before. Contexts that offer it call f themselves, as simnet's do: package
// context would use a goroutine, whose time no virtual clock knows.
func AfterDone(ctx context.Context, f func()) (stop func() bool) {
	if c, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return c.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}
