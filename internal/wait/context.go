package wait

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Context is a context.Context that ends at the moment of a call: of End, or of whatever ends
// its parent. A context of package context ends on a goroutine of its own, at a moment that no
// virtual clock knows. Contexts that are derived from this one by package context do so, too.
//
// It is safe for concurrent use.
type Context struct {
	context.Context // the parent
	deadline        time.Time
	done            chan struct{}

	mu      sync.Mutex
	err     error
	funcs   []*func()
	release func() bool // of the parent; nil while the context is made
}

// NewContext makes a context that ends with its parent. The deadline is what the context says of
// itself: who makes the context ends it then; the zero time means none. The channel done is the
// context's from then on, which closes it at the end.
func NewContext(parent context.Context, deadline time.Time, done chan struct{}) *Context {
	c := &Context{Context: parent, deadline: deadline, done: done}
	if err := parent.Err(); err != nil {
		c.End(err)
		return c
	}
	release := AfterDone(parent, func() { c.End(parent.Err()) })
	c.mu.Lock()
	c.release = release
	c.mu.Unlock()
	return c
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && (c.deadline.IsZero() || d.Before(c.deadline)) {
		return d, true
	}
	return c.deadline, !c.deadline.IsZero()
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} { return c.done }

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc calls f at the end of the context, on the goroutine that ends it, at once if it has
// ended. Package context knows this method, and so does AfterDone.
func (c *Context) AfterFunc(f func()) (stop func() bool) {
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

// End ends the context with an error, unless it has ended.
func (c *Context) End(err error) {
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
