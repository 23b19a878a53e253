package congestion

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestSlowStart has what one acknowledgement adds: L of RFC 3465 §2.3 and of RFC
// 9406 §4.3.
func TestSlowStart(t *testing.T) {
	for _, tt := range []struct {
		name            string
		algorithm       Algorithm
		timeout         bool
		bytes, wantMore int
	}{
		{"a part of a segment", CUBIC, false, 300, 300},
		{"a part of a segment", NewReno, false, 300, 300}, // bytes, not acknowledgements (RFC 3465 §2.2)
		{"a delayed acknowledgement", NewReno, false, 2000, 2000},
		{"a stretch acknowledgement", NewReno, false, 9000, 2000},
		{"a stretch acknowledgement", CUBIC, false, 8000, 8000},
		{"a longer one", CUBIC, false, 9000, 8000},
		{"after a time-out", CUBIC, true, 9000, 1000},
		{"after a time-out", NewReno, true, 9000, 1000},
	} {
		c := New(tt.algorithm, mss, 50*mss)
		if tt.timeout {
			c.Timeout(t0, 50*mss, false)
		}
		before := c.Window()
		c.Acked(Ack{Now: 2 * t0, Bytes: tt.bytes, RTT: rtt, SRTT: rtt, Limited: true})
		assert.Equal(t, tt.wantMore, c.Window()-before, "%v: %s", tt.algorithm, tt.name)
	}
}

// TestRepairEnds: when what was outstanding at the time-out is delivered,
// acknowledgements mean again what they say (RFC 3465 §2.3).
func TestRepairEnds(t *testing.T) {
	for a, limit := range map[Algorithm]int{CUBIC: 8, NewReno: 2} {
		c := New(a, mss, 50*mss)
		c.Timeout(t0, 50*mss, false)
		for i := range 10 {
			c.Acked(ack(t0+time.Duration(i+1)*rtt, 5))
		}
		before := c.Window()
		assert.Equal(t, 11*mss, before, "%v: one segment for each", a)
		c.Acked(ack(t0+time.Minute, 10))
		assert.Equal(t, limit*mss, c.Window()-before, a)
	}
}

// TestSlowStartEndsAtTheThreshold: it doesn't run past it.
func TestSlowStartEndsAtTheThreshold(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 20*mss)
		c.Lost(t0, 20*mss)
		c.Exit(c.Threshold() - mss/2)
		assert.True(t, c.SlowStart(), a)
		c.Acked(ack(2*t0, 2))
		assert.Equal(t, c.Threshold(), c.Window(), a)
		assert.False(t, c.SlowStart(), a)
	}
}
