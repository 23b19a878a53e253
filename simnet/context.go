package simnet

import (
	"context"
	"time"

	"github.com/wsstack/wsstack/internal/wait"
)

// WithCancel is context.WithCancel for calls in virtual time. A context of package context ends in
// a goroutine of its own, at a moment that nobody knows; the context of WithCancel ends at the call
// of cancel. Contexts that package context derives from it don't.
func (n *Network) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	c := wait.NewContext(parent, time.Time{}, make(chan struct{}))
	return c, func() { c.End(context.Canceled) }
}

// WithTimeout is context.WithTimeout with the time of the network, for calls in virtual time; see
// WithCancel.
func (n *Network) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	c := wait.NewContext(parent, n.Time().Add(d), make(chan struct{}))
	timer := n.wall.AfterFunc(d, func() { c.End(context.DeadlineExceeded) })
	return c, func() {
		timer.Stop()
		c.End(context.Canceled)
	}
}
