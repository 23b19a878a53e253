package wait

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newContext(parent context.Context, deadline time.Time) *Context {
	return NewContext(parent, deadline, make(chan struct{}))
}

// A context of a parent that has ended has ended, too, without a goroutine of package context.
func TestContext_OfAnEndedParent(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	cancel()
	for _, p := range []context.Context{parent, newContext(parent, time.Time{})} {
		c := newContext(p, time.Time{})
		require.ErrorIs(t, c.Err(), context.Canceled)
		<-c.Done()
		ended := false
		c.AfterFunc(func() { ended = true })
		require.True(t, ended)
	}
}

// End is the moment of everything that waits for it, of derived contexts as well. It counts once,
// and a context that has ended leaves nothing with its parent.
func TestContext_End(t *testing.T) {
	parent := newContext(t.Context(), time.Time{})
	c, other := newContext(parent, time.Time{}), newContext(parent, time.Time{})
	var order []string
	c.AfterFunc(func() { order = append(order, "first") })
	stop := c.AfterFunc(func() { order = append(order, "stopped") })
	require.True(t, stop())
	require.False(t, stop())
	c.AfterFunc(func() { order = append(order, "second") })
	c.End(context.DeadlineExceeded)
	c.End(context.Canceled)
	assert.Equal(t, []string{"first", "second"}, order)
	assert.Equal(t, context.DeadlineExceeded, c.Err())
	assert.Len(t, parent.funcs, 1, "the other's")
	parent.End(context.Canceled)
	<-other.Done()
	assert.Equal(t, context.Canceled, other.Err())
	assert.Equal(t, context.DeadlineExceeded, c.Err())
}

// The deadline is the earlier of its own and its parent's.
func TestContext_Deadline(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	for _, tt := range []struct{ parent, own, want time.Time }{
		{want: time.Time{}}, {parent: early, want: early}, {own: early, want: early},
		{parent: early, own: late, want: early}, {parent: late, own: early, want: early},
	} {
		got, ok := newContext(newContext(t.Context(), tt.parent), tt.own).Deadline()
		assert.Equal(t, tt.want, got)
		assert.Equal(t, !tt.want.IsZero(), ok)
	}
}
