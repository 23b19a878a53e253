package simnet

import (
	"context"
	"slices"
	"sync"
	"time"
)

// WithCancel is context.WithCancel for calls in virtual time. A context of
// package context ends in a goroutine of its own, whose moment nobody knows;
// this one ends at the call of cancel. Contexts derived from it don't.
func (n *Network) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	c := n.newContext(parent)
	return c, func() { c.end(context.Canceled) }
}

// WithTimeout is context.WithTimeout with the time of the network.
func (n *Network) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	c := n.newContext(parent)
	c.deadline = n.Time().Add(d)
	timer := n.wall.AfterFunc(d, func() { c.end(context.DeadlineExceeded) })
	return c, func() {
		timer.Stop()
		c.end(context.Canceled)
	}
}

func (n *Network) newContext(parent context.Context) *netContext {
	c := &netContext{Context: parent, done: make(chan struct{})}
	end := func() { c.end(parent.Err()) }
	var release func() bool
	switch p := parent.(type) {
	case *netContext:
		release = p.AfterFunc(end)
	default:
		release = context.AfterFunc(parent, end)
	}
	c.mu.Lock()
	c.release = release
	c.mu.Unlock()
	return c
}

// netContext is a context.Context whose end is synchronous.
type netContext struct {
	context.Context
	deadline time.Time
	done     chan struct{}

	mu      sync.Mutex
	err     error
	funcs   []*func()
	release func() bool // of the parent; nil while the context is made
}

// Deadline implements context.Context.
func (c *netContext) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && (c.deadline.IsZero() || d.Before(c.deadline)) {
		return d, true
	}
	return c.deadline, !c.deadline.IsZero()
}

// Done implements context.Context.
func (c *netContext) Done() <-chan struct{} { return c.done }

// Err implements context.Context.
func (c *netContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc calls f at the end of the context, on the goroutine that ends it.
// Package context knows this method, and so does package endpoint.
func (c *netContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		f()
		return func() bool { return false }
	}
	entry := &f
	c.funcs = append(c.funcs, entry)
	c.mu.Unlock()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		before := len(c.funcs)
		c.funcs = slices.DeleteFunc(c.funcs, func(o *func()) bool { return o == entry })
		return len(c.funcs) < before
	}
}

func (c *netContext) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	close(c.done)
	funcs, release := c.funcs, c.release
	c.funcs = nil
	c.mu.Unlock()
	if release != nil {
		release()
	}
	for _, f := range funcs {
		(*f)()
	}
}
