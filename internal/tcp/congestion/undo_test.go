package congestion

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestUndo(t *testing.T) {
	lost := func(c Controller) { c.Lost(2*t0, c.Window()) }
	timeout := func(c Controller) { c.Timeout(2*t0, c.Window(), false) }
	for _, tt := range []struct {
		name    string
		event   func(Controller)
		restore bool
	}{
		{"loss", lost, true},
		{"time-out", timeout, true},
		{"loss, then a mark", func(c Controller) { lost(c); c.CongestionExperienced(2*t0, c.Window()) }, false}, // RFC 4015 §3.4
		{"a mark", func(c Controller) { c.CongestionExperienced(2*t0, c.Window()) }, false},
		{"loss, then idleness", func(c Controller) { lost(c); c.Idle(9*t0, time.Minute, time.Second) }, false},
		{"nothing", func(Controller) {}, true},
	} {
		for _, a := range algorithms {
			c := avoiding(a, 200)
			window, threshold := c.Window(), c.Threshold()
			c.(interface{ forget() }).forget()
			tt.event(c)
			reduced := c.Window()
			c.Undo(3 * t0)
			c.Undo(3 * t0)
			if tt.restore {
				assert.Equal(t, window, c.Window(), "%v: %s", a, tt.name)
				assert.Equal(t, threshold, c.Threshold(), "%v: %s", a, tt.name)
			} else {
				assert.Equal(t, reduced, c.Window(), "%v: %s", a, tt.name)
			}
		}
	}
}

// forget drops what the loss of avoiding could be undone to.
func (c *cubic) forget()   { c.undoable = false }
func (r *newReno) forget() { r.undoable = false }

// TestUndoLate: a window that has outgrown the one before the reduction stays
// (RFC 9438 §4.9.2).
func TestUndoLate(t *testing.T) {
	for _, a := range algorithms {
		c := avoiding(a, 10)
		for now := t0; c.Window() < 20*mss; now += rtt {
			c.Acked(ack(now, c.Window()/mss))
		}
		window, threshold := c.Window(), c.Threshold()
		c.Undo(time.Minute)
		assert.Equal(t, window, c.Window(), a)
		assert.Equal(t, threshold, c.Threshold(), a)
	}
}

// TestUndoOnce: what has been undone is no measure for later.
func TestUndoOnce(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 100*mss)
		c.Lost(t0, 100*mss)
		c.Undo(t0)
		c.Exit(10 * mss)
		c.Undo(t0)
		assert.Equal(t, 10*mss, c.Window(), a)
	}
}

// TestUndoKeepsALargerThreshold: congestion avoidance had gone far beyond the old
// one when the time-out set it anew.
func TestUndoKeepsALargerThreshold(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 100*mss)
		setThreshold(c, 20*mss)
		c.Timeout(t0, 100*mss, false)
		threshold := c.Threshold()
		assert.Greater(t, threshold, 20*mss, a)
		c.Undo(t0)
		assert.Equal(t, 100*mss, c.Window(), a)
		assert.Equal(t, threshold, c.Threshold(), a)
	}
}
