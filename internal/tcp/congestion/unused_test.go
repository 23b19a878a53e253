package congestion

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What the application doesn't use goes from the window by halves, down to the
// initial one (RFC 2861 §3.1).
func TestUnused(t *testing.T) {
	for _, tt := range []struct {
		name                                    string
		window, threshold, used                 int // before; threshold 0: none known
		wantWindow, wantThreshold, wantInTheEnd int
	}{
		{"half of it", 100, 70, 50, 75, 75, 50},
		{"all of it", 100, 70, 100, 100, 70, 100},
		{"more than it", 100, 70, 120, 100, 70, 100},
		{"nothing", 100, 70, 0, 55, 75, 10},
		{"a larger threshold", 100, 90, 50, 75, 90, 50},
		{"a threshold that is unknown", 100, 0, 50, 75, math.MaxInt / mss, 50},
		{"less than the initial window", 8, 70, 1, 8, 70, 8},
	} {
		for _, a := range algorithms {
			c := New(a, mss, 10*mss)
			if tt.threshold != 0 {
				setThreshold(c, tt.threshold*mss)
			}
			c.Exit(tt.window * mss)
			c.Unused(tt.used * mss)
			assert.Equal(t, tt.wantWindow, c.Window()/mss, "%v: %s", a, tt.name)
			assert.Equal(t, tt.wantThreshold, c.Threshold()/mss, "%v: %s", a, tt.name)
			for range 30 {
				c.Unused(tt.used * mss)
			}
			assert.Equal(t, tt.wantInTheEnd, c.Window()/mss, "%v: %s", a, tt.name)
		}
	}
}

// A window that has come down is not undone, and CUBIC begins anew from it.
func TestUnusedForgets(t *testing.T) {
	for a, want := range map[Algorithm]int{CUBIC: 40, NewReno: 30} {
		c := New(a, mss, 10*mss)
		c.Exit(100 * mss)
		c.Lost(t0, 100*mss)
		c.Unused(0)
		assert.Equal(t, want*mss, c.Window(), a)
		c.Undo(2 * t0)
		assert.Equal(t, want*mss, c.Window(), a)
	}
	c := New(CUBIC, mss, 10*mss).(*cubic)
	c.Lost(t0, 10*mss)
	c.Exit(100 * mss)
	c.Acked(ack(t0, 1))
	assert.NotZero(t, c.epoch)
	c.Unused(0)
	assert.Zero(t, c.epoch)
}
