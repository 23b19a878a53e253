package congestion

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// fixed are acknowledgements of n bytes over a path of a fixed RTT.
func fixed(rtt time.Duration, bytes int) Ack {
	return Ack{Bytes: bytes, RTT: rtt, SRTT: rtt, Limited: true}
}

// run acknowledges what a full window of c delivers over a path of fixed RTT, in
// acknowledgements like a, until the time end. It calls each after every one, with
// the time since the first.
func run(c Controller, a Ack, rtt, start, end time.Duration, each func(t time.Duration)) {
	for a.Now = start; a.Now < end; {
		c.Acked(a)
		each(a.Now - start)
		a.Now += time.Duration(float64(rtt) * float64(a.Bytes) / float64(c.Window()))
	}
}

// TestCubicCurve holds the window against W_cubic(t) = C (t − K)³ + W_max of RFC
// 9438 §4.2, from the loss over the plateau and as long beyond it, for several
// patterns of acknowledgements. The fractions of a byte of each increment count:
// with 100 bytes acknowledged at a time nearly all increments are below one.
func TestCubicCurve(t *testing.T) {
	const wMax = 1000.0 // segments
	k := math.Cbrt(wMax * (1 - 0.7) / 0.4)
	for _, a := range []Ack{
		fixed(rtt, 100), fixed(rtt, mss), fixed(rtt, 2*mss), fixed(rtt, 45*mss),
		{Bytes: mss, RTT: rtt, Limited: true},  // not smoothed yet
		{Bytes: mss, SRTT: rtt, Limited: true}, // no sample (Karn)
	} {
		c := avoiding(CUBIC, wMax)
		worst := 0.0
		run(c, a, rtt, t0, t0+time.Duration(2*k*float64(time.Second)), func(at time.Duration) {
			want := 0.4*math.Pow(at.Seconds()-k, 3) + wMax
			worst = max(worst, math.Abs(float64(c.Window())/mss-want))
		})
		assert.Less(t, worst, 1.0, "segments off the curve, acknowledged by %+v", a)
		assert.Greater(t, c.Window(), 1200*mss, "the convex region was reached: %+v", a)
	}
}

// TestCubicStage has K and W_max of RFC 9438 §4.2 and §4.7 for given losses.
func TestCubicStage(t *testing.T) {
	for _, tt := range []struct {
		name        string
		before      func(c Controller)
		wMax, cwnd  float64 // segments
		wantK, tolK float64
	}{
		{"a loss", func(c Controller) { c.Lost(t0, 100*mss); c.Exit(c.Threshold()) }, 100, 70, math.Cbrt(30 / 0.4), 1e-9},
		{"a smaller flight", func(c Controller) { c.Lost(t0, 50*mss); c.Exit(c.Threshold()) }, 100, 35, math.Cbrt(65 / 0.4), 1e-9},
		{"a mark", func(c Controller) { c.CongestionExperienced(t0, 100*mss) }, 100, 70, math.Cbrt(30 / 0.4), 1e-9},
		// §4.7: 70 segments are lost before W_max is reached again: 70 × 0.85.
		{"a second loss", func(c Controller) {
			c.Lost(t0, 100*mss)
			c.Exit(c.Threshold())
			c.Lost(t0, 70*mss)
			c.Exit(c.Threshold())
		}, 59.5, 49, math.Cbrt(10.5 / 0.4), 1e-9},
		// §4.8: K = 0, W_max is the window when congestion avoidance begins.
		{"a time-out", func(c Controller) { c.Timeout(t0, 100*mss, false); c.Exit(70 * mss) }, 70, 70, 0, 0},
		{"a time-out again", func(c Controller) {
			c.Timeout(t0, 100*mss, false)
			c.Timeout(t0, mss, true)
			c.Exit(70 * mss)
		}, 70, 70, 0, 0},
		{"a loss after a time-out", func(c Controller) {
			c.Timeout(t0, 100*mss, false)
			c.Exit(70 * mss)
			c.Acked(ack(t0, 1))
			c.Lost(t0, 70*mss)
			c.Exit(c.Threshold())
		}, 70, 49, math.Cbrt(21 / 0.4), 0.01},
	} {
		c := New(CUBIC, mss, 100*mss).(*cubic)
		tt.before(c)
		c.Acked(Ack{Now: 2 * t0, Bytes: 1, RTT: rtt, SRTT: rtt, Limited: true})
		assert.InDelta(t, tt.wMax*mss, c.wMax, 20, "W_max: %s", tt.name)
		assert.InDelta(t, tt.cwnd*mss, c.cwnd, 20, "cwnd: %s", tt.name)
		assert.InDelta(t, tt.wantK, c.k, tt.tolK, "K: %s", tt.name)
		assert.Equal(t, 2*t0, c.epoch, "t_epoch: %s", tt.name)
		assert.False(t, c.plateau, "one stage only: %s", tt.name)
	}
}

// TestCubicTarget: the window grows by half at most in a round trip (§4.2).
func TestCubicTarget(t *testing.T) {
	c := avoiding(CUBIC, 10).(*cubic)
	c.Acked(ack(t0, 1))
	late := 10 * time.Second // a round trip of ten seconds: the curve is far beyond
	window := c.cwnd
	c.Acked(Ack{Now: t0 + late, Bytes: 10 * int(window), RTT: late, SRTT: late, Limited: true})
	assert.Less(t, c.cwnd, 1.5*window+1)
	assert.Greater(t, c.cwnd, 1.4*window)
}

// TestCubicAboveTheCurve: a window that is larger than the target stays (§4.2).
func TestCubicAboveTheCurve(t *testing.T) {
	c := avoiding(CUBIC, 1000).(*cubic)
	c.Acked(ack(t0, 1))
	c.cwnd += 200 * mss
	window := c.Window()
	c.Acked(ack(t0+rtt, 1))
	assert.Equal(t, window, c.Window())
}

// TestCubicWithoutTimes: the curve goes on where nobody knows the RTT.
func TestCubicWithoutTimes(t *testing.T) {
	c := avoiding(CUBIC, 1000)
	run(c, Ack{Bytes: mss, Limited: true}, rtt, t0, t0+8*time.Second, func(time.Duration) {})
	assert.InDelta(t, 1000, c.Window()/mss, 10)
}

// TestCubicNewStage: another window or another segment is another curve.
func TestCubicNewStage(t *testing.T) {
	for _, change := range []func(c Controller){
		func(c Controller) { c.SetMSS(mss / 2) },
		func(c Controller) { c.Exit(c.Window() - mss) },
	} {
		c := avoiding(CUBIC, 1000).(*cubic)
		c.ssthresh = 500 * mss
		run(c, fixed(rtt, mss), rtt, t0, t0+time.Second, func(time.Duration) {})
		c.SetMSS(mss) // no change
		assert.Equal(t, t0, c.epoch)
		change(c)
		c.Acked(ack(t0+time.Second, 1))
		assert.Equal(t, t0+time.Second, c.epoch)
	}
}

// TestCubicRenoFriendly: on a short path the window is W_est of RFC 9438 §4.3:
// α = 9/17 of a segment each round trip until the window before the loss, then one.
func TestCubicRenoFriendly(t *testing.T) {
	const short = 10 * time.Millisecond
	c := avoiding(CUBIC, 40)
	alpha := 3 * 0.3 / 1.7
	to40 := time.Duration(12 / alpha * float64(short))
	run(c, fixed(short, mss), short, t0, t0+20*to40/12, func(at time.Duration) {
		trips := float64(at) / float64(short)
		want := 28 + alpha*trips
		if at > to40 {
			want = 40 + float64(at-to40)/float64(short)
		}
		assert.InDelta(t, want, float64(c.Window())/mss, 1, "segments after %v", at)
	})
	assert.Greater(t, c.Window(), 52*mss)
}

// TestCubicSmallWindowGrows is the fault of a sender that keeps whole segments
// only: ten segments must not stay ten for seconds.
func TestCubicSmallWindowGrows(t *testing.T) {
	c := avoiding(CUBIC, 10)
	window := c.Window()
	run(c, fixed(rtt, mss), rtt, t0, t0+rtt, func(time.Duration) {})
	assert.Greater(t, c.Window(), window+mss/4)
}

// TestCubicPause: the curve's t has no time in which the window couldn't grow (RFC
// 9438 §4.2, §5.8), of whatever kind.
func TestCubicPause(t *testing.T) {
	const pause = 20 * time.Second
	for _, tt := range []struct {
		name string
		rest func(c Controller, now time.Duration) // until now + pause
	}{
		{"the application wrote little", func(c Controller, now time.Duration) {
			for at := rtt; at <= pause; at += rtt {
				a := ack(now+at, 1)
				a.Limited = false
				c.Acked(a)
			}
		}},
		{"nothing was in flight", func(Controller, time.Duration) {}},
		{"a spurious recovery", func(c Controller, now time.Duration) {
			c.Lost(now+rtt, c.Window())
			c.Undo(now + pause)
		}},
	} {
		c, same := avoiding(CUBIC, 1000), avoiding(CUBIC, 1000)
		run(c, fixed(rtt, mss), rtt, t0, t0+4*time.Second, func(time.Duration) {})
		run(same, fixed(rtt, mss), rtt, t0, t0+4*time.Second, func(time.Duration) {})
		tt.rest(c, t0+4*time.Second)
		run(c, fixed(rtt, mss), rtt, t0+4*time.Second+pause, t0+8*time.Second+pause, func(time.Duration) {})
		run(same, fixed(rtt, mss), rtt, t0+4*time.Second, t0+8*time.Second, func(time.Duration) {})
		assert.InDelta(t, same.Window(), c.Window(), 5*mss, tt.name) // a round trip's growth at most
	}
}

// TestCubicUndoRestoresTheCurve is RFC 9438 §4.9.2.
func TestCubicUndoRestoresTheCurve(t *testing.T) {
	c := avoiding(CUBIC, 1000).(*cubic)
	run(c, fixed(rtt, mss), rtt, t0, t0+2*time.Second, func(time.Duration) {})
	before := c.curve
	c.Lost(4*t0, c.Window())
	assert.NotEqual(t, before, c.curve)
	c.Undo(5 * t0)
	assert.Equal(t, before, c.curve)
}
