package play

import (
	"time"

	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// A Ground is what a script is played on: all of time, wire and calls. Its methods are called by one
// goroutine at a time. Times count from the beginning of the script.
type Ground interface {
	// Now is the present time.
	Now() time.Duration

	// Wait lets time pass until a time, and lets everything happen that can happen until then, that
	// time included. With early it returns as soon as a packet has come, or a call has returned,
	// that there wasn't before. An error says that the Ground itself has broken.
	Wait(until time.Duration, early bool) error

	// Send sends a packet of the peer to the stack, now.
	Send(packet []byte) error

	// Received takes the next packet that the stack has sent, and when it came.
	Received() (at time.Duration, packet []byte, ok bool)

	// Call starts a call. It may have returned when Call returns, and it may not.
	Call(c *syntax.Call) Running

	// Sockets are the sockets of the calls, for "assert".
	Sockets() vocabulary.Sockets

	// Link changes the way between the peer and the stack. The error has a hint where there is one
	// (package mistake).
	Link(l *syntax.Link) error

	// Close ends what is left, calls that still wait included.
	Close() error
}

// A Running is a call that has started.
type Running interface {
	// Outcome is how and when the call has ended; done says whether it has.
	Outcome() (o calls.Outcome, at time.Duration, done bool)
}
