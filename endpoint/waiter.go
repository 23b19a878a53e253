package endpoint

import "github.com/wsstack/wsstack/internal/wait"

// A Waiter is what one blocking call waits on. stack.Config.NewWaiter supplies
// them, so that a virtual clock can know who waits; by default they are
// channels.
type Waiter interface {
	// Wait returns after a Signal; one that came before Wait counts. It may
	// return without one: callers look again. reason says what is waited for.
	Wait(reason string)

	// Signal never blocks, and may come with an endpoint locked.
	Signal()
}

// NewChannelWaiter returns the default Waiter, a channel.
func NewChannelWaiter() Waiter { return wait.NewChannelWaiter() }
