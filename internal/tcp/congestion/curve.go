package congestion

import (
	"math"
	"time"
)

// The constants of RFC 9438 §4.1.1 and §4.6. beta is 7/10, in whole numbers.
const (
	cubicC    = 0.4 // segments per second cubed
	betaNum   = 7
	betaDen   = 10
	alphaReno = 3 * (1 - 0.7) / (1 + 0.7) // α of §4.3
	slowdown  = (1 + 0.7) / 2             // of W_max, for fast convergence (§4.7)
	ceiling   = 1.5                       // of the window, for the target of one round trip (§4.2)
)

// A curve is the part of a cubic that Undo brings back (RFC 9438 §4.9.2): the window, and
// how it grows with time. Windows are in bytes.
type curve struct {
	window
	prior   float64       // cwnd_prior: the window when the threshold was last set
	wMax    float64       // W_max: the window before the last reduction, or less (§4.7)
	wEst    float64       // W_est: what Reno's window would be (§4.3)
	k       float64       // K: the seconds from epoch until the curve is at wMax (§4.2)
	epoch   time.Duration // when this stage began, moved by all idleness; 0: it hasn't begun
	plateau bool          // the next stage begins at its W_max: after a time-out (§4.8) or HyStart++ (§4.10)
	hystart hystart       // the end of the first slow start
}

// begin starts a stage of congestion avoidance at the present window (§4.2). A
// window at or beyond W_max has no plateau to return to, and begins on one.
func (c *curve) begin(now time.Duration) {
	c.epoch, c.wEst = now, c.cwnd
	if c.plateau || c.wMax <= c.cwnd {
		c.wMax, c.plateau = c.cwnd, false
	}
	c.k = math.Cbrt((c.wMax - c.cwnd) / (cubicC * float64(c.mss)))
}

// at is the window that the curve has a time t after the epoch: W_cubic(t) of §4.2, figure 1.
func (c *curve) at(t time.Duration) float64 {
	d := t.Seconds() - c.k
	return cubicC*float64(c.mss)*d*d*d + c.wMax
}

// alpha is α_cubic, the growth of Reno's estimate: Reno's own once the estimate has reached
// the window before the reduction, and less until then (§4.3).
func (c *curve) alpha() float64 {
	if c.wEst >= c.prior {
		return 1
	}
	return alphaReno
}

// congested remembers the window before a reduction, as the one that the next stage returns
// to; less of it where the window hasn't reached the last one, so that a newer flow finds
// room (fast convergence, §4.7).
func (c *curve) congested() {
	c.prior = c.cwnd
	if c.cwnd < c.wMax {
		c.wMax = c.cwnd * slowdown
	} else {
		c.wMax = c.cwnd
	}
	c.epoch, c.plateau = 0, false
}

// setMSS ends the stage when its shape was for other segments.
func (c *curve) setMSS(mss int) {
	if mss != c.mss {
		c.window.setMSS(mss)
		c.epoch = 0
	}
}
