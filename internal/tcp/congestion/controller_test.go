package congestion

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const (
	mss = 1000
	rtt = 100 * time.Millisecond
	t0  = time.Second // an arbitrary reading of the clock
)

var algorithms = []Algorithm{CUBIC, NewReno}

// ack is an acknowledgement of n segments by a sender whose window was full.
func ack(now time.Duration, segments int) Ack {
	return Ack{Now: now, Bytes: segments * mss, RTT: rtt, SRTT: rtt, Limited: true}
}

// avoiding returns a controller in congestion avoidance after a loss, with a
// window of this many segments before it.
func avoiding(algorithm Algorithm, segments int) Controller {
	c := New(algorithm, mss, segments*mss)
	c.Lost(t0, segments*mss)
	c.Exit(c.Threshold())
	return c
}

func TestInitialWindow(t *testing.T) {
	for _, tt := range []struct {
		mss     int
		synLost bool
		want    int
	}{
		{536, false, 5360},
		{1000, false, 10000},
		{1460, false, 14600}, // the three terms of RFC 6928 §2 meet
		{1461, false, 14600},
		{7300, false, 14600},
		{8960, false, 17920},
		{65495, false, 130990},
		{1460, true, 1460}, // RFC 5681 §3.1
		{536, true, 536},
	} {
		assert.Equal(t, tt.want, InitialWindow(tt.mss, tt.synLost), "mss %d, SYN lost %v", tt.mss, tt.synLost)
	}
}

func TestNewControllerIsInSlowStart(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 10*mss)
		assert.Equal(t, 10*mss, c.Window(), a)
		assert.Equal(t, math.MaxInt, c.Threshold(), a)
		assert.True(t, c.SlowStart(), a)
	}
	assert.IsType(t, &cubic{}, New(Algorithm(0), mss, mss), "CUBIC is the default")
}

// TestLargestWindow: beyond what a peer can offer nothing grows (RFC 7323 §2.3).
func TestLargestWindow(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 1<<30-1)
		c.Acked(ack(t0, 100))
		assert.Equal(t, 1<<30, c.Window(), a)
		c.Exit(1<<30 + 1)
		assert.Equal(t, 1<<30, c.Window(), a)
	}
}

// TestUnusedWindowDoesNotGrow: only a sender whom the window limited has tested it
// (RFC 9438 §5.8, RFC 2861 §3).
func TestUnusedWindowDoesNotGrow(t *testing.T) {
	for _, a := range algorithms {
		for _, c := range []Controller{New(a, mss, 10*mss), avoiding(a, 10)} {
			window := c.Window()
			for i := range 1000 {
				unlimited := ack(t0+time.Duration(i)*rtt, 5)
				unlimited.Limited = false
				c.Acked(unlimited)
			}
			assert.Equal(t, window, c.Window(), a)
		}
	}
}

func TestIdle(t *testing.T) {
	for _, tt := range []struct {
		name               string
		idle               time.Duration
		window, threshold  int // before; threshold 0: none known
		wantWin, wantThres int
	}{
		{"not longer than the time-out", time.Second, 100, 70, 100, 70},
		{"longer", time.Second + 1, 100, 70, 10, 75}, // RFC 5681 §4.1, RFC 2861 §3.1
		{"a threshold that is larger", time.Minute, 20, 70, 10, 70},
		{"a window that is smaller", time.Minute, 4, 70, 4, 70},
		{"a threshold that is unknown", time.Minute, 100, 0, 10, math.MaxInt / mss},
	} {
		for _, a := range algorithms {
			c := New(a, mss, 10*mss)
			if tt.threshold != 0 {
				c.Exit(100 * mss)
				c.Lost(t0, 100*mss)
				setThreshold(c, tt.threshold*mss)
			}
			c.Exit(tt.window * mss)
			c.Idle(time.Minute, tt.idle, time.Second)
			assert.Equal(t, tt.wantWin, c.Window()/mss, "%v: %s", a, tt.name)
			assert.Equal(t, tt.wantThres, c.Threshold()/mss, "%v: %s", a, tt.name)
		}
	}
}

func setThreshold(c Controller, bytes int) {
	switch c := c.(type) {
	case *cubic:
		c.ssthresh = bytes
	case *newReno:
		c.ssthresh = bytes
	}
}

func TestSetMSS(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, 1460, 14600)
		c.SetMSS(536)
		assert.Equal(t, 14600, c.Window(), "%v: bytes stay", a)
		c.Exit(50000)
		c.Idle(t0, time.Minute, time.Second)
		assert.Equal(t, 5360, c.Window(), "%v: a restart has ten of the new segments (RFC 6928 §2)", a)

		c = New(a, 1460, 146000)
		c.Timeout(t0, 1460, false)
		c.SetMSS(9000)
		assert.Equal(t, 9000, c.Window(), "%v: one segment at least", a)
		assert.Equal(t, 18000, c.Threshold(), "%v: two segments at least", a)
		c.Undo(t0)
		assert.Equal(t, 146000, c.Window(), a)
		c.Lost(t0, 9000)
		assert.Equal(t, 18000, c.Window(), "%v: the new size outlasts an undo", a)
	}
}

func TestNoAllocation(t *testing.T) {
	for _, a := range algorithms {
		c := New(a, mss, 10*mss)
		now := t0
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			now += rtt
			c.Acked(ack(now, 2))
			c.Lost(now, c.Window())
			c.Exit(c.Threshold())
			c.Acked(ack(now, 2))
			c.Timeout(now, c.Window(), false)
			c.Undo(now)
			c.CongestionExperienced(now, c.Window())
			c.Idle(now, time.Minute, time.Second)
			c.SetMSS(mss)
		}), a)
	}
}
