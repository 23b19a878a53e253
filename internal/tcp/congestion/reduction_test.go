package congestion

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestReductions has the multiplicative decreases of RFC 5681 §3.1 (equation 4)
// and RFC 9438 §4.6 (figure 5), in segments of 1000 bytes.
func TestReductions(t *testing.T) {
	lost := func(c Controller, flight int) { c.Lost(t0, flight) }
	timeout := func(c Controller, flight int) { c.Timeout(t0, flight, false) }
	marked := func(c Controller, flight int) { c.CongestionExperienced(t0, flight) }
	for _, tt := range []struct {
		name              string
		algorithm         Algorithm
		event             func(Controller, int)
		window, flight    int
		wantWin, wantThre int
	}{
		{"loss", CUBIC, lost, 100000, 100000, 70000, 70000},
		{"loss", NewReno, lost, 100000, 100000, 50000, 50000},
		{"loss, less in flight", CUBIC, lost, 100000, 60000, 42000, 42000},
		{"loss, less in flight", NewReno, lost, 100000, 60000, 30000, 30000},
		{"loss, limited transmit", CUBIC, lost, 100000, 102000, 70000, 70000}, // RFC 5681 §3.2, step 2
		{"loss, limited transmit", NewReno, lost, 100000, 102000, 50000, 50000},
		{"loss, two segments are the least", CUBIC, lost, 2000, 2000, 2000, 2000},
		{"loss, two segments are the least", NewReno, lost, 3000, 3000, 2000, 2000},
		{"loss, odd bytes", CUBIC, lost, 9999, 9999, 6999, 6999},
		{"time-out", CUBIC, timeout, 100000, 100000, 1000, 70000},
		{"time-out", NewReno, timeout, 100000, 100000, 1000, 50000},
		{"time-out of a small flight", CUBIC, timeout, 100000, 1000, 1000, 2000},
		{"time-out of a small flight", NewReno, timeout, 100000, 1000, 1000, 2000},
		{"ECN", CUBIC, marked, 100000, 100000, 70000, 70000},
		{"ECN", NewReno, marked, 100000, 100000, 50000, 50000},
		{"ECN, one segment is the least", CUBIC, marked, 1400, 1400, 1000, 2000},
		{"ECN, one segment is the least", NewReno, marked, 2000, 2000, 1000, 2000},
	} {
		c := New(tt.algorithm, mss, tt.window)
		tt.event(c, tt.flight)
		assert.Equal(t, tt.wantWin, c.Window(), "window: %v, %s", tt.algorithm, tt.name)
		assert.Equal(t, tt.wantThre, c.Threshold(), "threshold: %v, %s", tt.algorithm, tt.name)
	}
}

// TestTimeoutAgain is RFC 5681 §3.1: the second time-out of the same data finds
// one segment in flight, and must not take that for the path's capacity.
func TestTimeoutAgain(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 100*mss)
		c.Timeout(t0, 100*mss, false)
		threshold := c.Threshold()
		c.Timeout(t0+time.Second, mss, true)
		c.Timeout(t0+3*time.Second, mss, true)
		assert.Equal(t, mss, c.Window(), a)
		assert.Equal(t, threshold, c.Threshold(), a)
		c.Undo(t0 + 4*time.Second)
		assert.Equal(t, 100*mss, c.Window(), "%v: what was before the first", a)
		assert.Equal(t, math.MaxInt, c.Threshold(), a)
	}
}

// TestTimeoutInRecovery: all that was outstanding before recovery still is. The
// threshold is computed from that and doesn't fall twice for one loss.
func TestTimeoutInRecovery(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 100*mss)
		c.Lost(t0, 100*mss)
		threshold := c.Threshold()
		c.Timeout(t0+time.Second, 100*mss, false)
		assert.Equal(t, threshold, c.Threshold(), a)
		assert.Equal(t, mss, c.Window(), a)

		c = New(a, mss, 100*mss)
		c.Lost(t0, 20*mss)
		threshold = c.Threshold()
		c.Timeout(t0+time.Second, 100*mss, false)
		assert.Equal(t, threshold, c.Threshold(), "%v: nor does it rise", a)
	}
}

// TestTimeoutInSlowStart: another segment times out while the window is still small
// after a time-out. The flight counts, not the window.
func TestTimeoutInSlowStart(t *testing.T) {
	for a, want := range map[Algorithm]int{CUBIC: 42 * mss, NewReno: 30 * mss} {
		c := New(a, mss, 200*mss)
		c.Timeout(t0, 200*mss, false)
		for range 4 {
			c.Acked(ack(2*t0, 35))
		}
		assert.Equal(t, 5*mss, c.Window(), a)
		c.Timeout(3*t0, 60*mss, false)
		assert.Equal(t, want, c.Threshold(), a)
	}
}
