package congestion

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestConvert: a change of the algorithm in the middle of recovery leaves the window
// and what recovery ends with, and idleness still restarts with the first window.
func TestConvert(t *testing.T) {
	for _, from := range algorithms {
		for _, to := range algorithms {
			c := New(from, mss, 10*mss)
			c.Exit(100 * mss)
			c.Lost(t0, 100*mss)
			n := Convert(c, to)
			assert.IsType(t, New(to, mss, mss), n)
			assert.Equal(t, c.Window(), n.Window())
			assert.Equal(t, c.Threshold(), n.Threshold())
			n.Undo(t0)
			assert.Equal(t, c.Window(), n.Window(), "what the other has done")
			n.Exit(n.Threshold())
			n.Acked(ack(2*t0, 1))
			assert.InDelta(t, c.Window(), n.Window(), mss)
			n.Idle(t0, time.Minute, time.Second)
			assert.Equal(t, 10*mss, n.Window())
		}
	}
}

// TestConvertInSlowStart: the threshold stays unknown.
func TestConvertInSlowStart(t *testing.T) {
	n := Convert(New(CUBIC, mss, 20*mss), NewReno)
	assert.Equal(t, math.MaxInt, n.Threshold())
	n.Acked(ack(t0, 1))
	assert.Equal(t, 21*mss, n.Window())
}
