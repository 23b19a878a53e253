package congestion

import (
	"math"
	"time"
)

// A cubic is the Controller of RFC 9438; the sections in comments are its.
type cubic struct {
	curve
	saved    curve         // the curve before the last reduction
	undoable bool          // Undo brings saved back
	lastAck  time.Duration // when the acknowledgement before came
}

var _ Controller = (*cubic)(nil)

// Acked grows the window: by slow start below the threshold, else by the curve.
func (c *cubic) Acked(a Ack) {
	if a.Bytes <= 0 {
		return
	}
	c.pause(a)
	if c.SlowStart() {
		c.slowStart(a)
	} else if a.Limited {
		c.avoid(a)
	}
	c.repaired(a.Bytes)
}

// pause moves the epoch by the time in which the window could not grow, because
// the curve's t must not include that time (§4.2, §5.8): all the time since the last
// acknowledgement if the application limited the sender, and else what is longer
// than a round trip, in which nothing was in flight or recovery went on.
func (c *cubic) pause(a Ack) {
	gap := a.Now - c.lastAck
	if a.Limited {
		gap -= trip(a)
	}
	if c.epoch != 0 && gap > 0 {
		c.epoch += gap
	}
	c.lastAck = a.Now
}

// trip is a round trip time that no acknowledgement of a busy sender exceeds.
func trip(a Ack) time.Duration {
	if a.RTT == 0 && a.SRTT == 0 {
		return math.MaxInt64 // unknown
	}
	return max(a.RTT, a.SRTT)
}

// slowStart is HyStart++ until the threshold is known, and then that of RFC 5681
// with the same limit, as RFC 9406 §4.3 advises.
func (c *cubic) slowStart(a Ack) {
	growth := float64(c.limit(a.Bytes, hystartLimit))
	if c.ssthresh == math.MaxInt {
		if c.hystart.ack(a) {
			c.leaveSlowStart()
			return
		}
		if c.hystart.conservative() {
			growth /= growthDivisor
		}
	}
	if a.Limited {
		c.grow(growth, c.ssthresh)
	}
}

// leaveSlowStart enters congestion avoidance without a loss (RFC 9406 §4.2, RFC
// 9438 §4.10).
func (c *cubic) leaveSlowStart() {
	c.ssthresh, c.prior, c.plateau = c.Window(), c.cwnd, true
	c.cwnd = float64(c.ssthresh)
}

// avoid grows the window in congestion avoidance: to the larger of the curve and of
// Reno's estimate (§4.2 to §4.5). The
// RFC's increment for each acknowledgement, (target − cwnd) / cwnd, is that of one
// segment; here it is multiplied with what was delivered.
func (c *cubic) avoid(a Ack) {
	if c.epoch == 0 {
		c.begin(a.Now)
	}
	delivered := min(float64(a.Bytes), c.cwnd)
	c.wEst += c.alpha() * float64(c.mss) * delivered / c.cwnd
	t := a.Now - c.epoch
	if c.at(t) < c.wEst {
		c.grow(max(c.wEst-c.cwnd, 0), maxWindow)
		return
	}
	rtt := a.SRTT
	if rtt == 0 {
		rtt = a.RTT
	}
	target := min(max(c.at(t+rtt), c.cwnd), ceiling*c.cwnd)
	c.grow((target-c.cwnd)*delivered/c.cwnd, maxWindow)
}

// Lost reduces the window to β of the flight (§4.6).
func (c *cubic) Lost(_ time.Duration, flight int) {
	c.save()
	c.congested()
	c.reduce(c.loss(flight)*betaNum/betaDen, 2)
}

// Timeout sets the threshold to β of the flight (§4.8), but only when the data
// times out for the first time (RFC 5681 §3.1).
func (c *cubic) Timeout(_ time.Duration, flight int, again bool) {
	if !again {
		c.save()
		c.congested()
		c.outage(flight * betaNum / betaDen)
	}
	c.collapse(flight)
	c.epoch, c.plateau = 0, true
}

// CongestionExperienced reduces the window like a loss, but down to one segment (§4.6).
func (c *cubic) CongestionExperienced(_ time.Duration, flight int) {
	c.undoable = false
	c.congested()
	c.reduce(c.loss(flight)*betaNum/betaDen, 1)
}

func (c *cubic) save() { c.saved, c.undoable = c.curve, true }

// Undo brings the curve back (§4.9.2), for time-outs as well. The epoch comes back as it was; pause
// then takes out the time in between.
func (c *cubic) Undo(time.Duration) {
	if c.undoable && c.cwnd < c.saved.cwnd {
		c.saved.ssthresh = max(c.saved.ssthresh, c.ssthresh)
		c.curve = c.saved
	}
	c.undoable = false
}

// Idle restarts the window (RFC 5681 §4.1). A first slow start begins anew with its rounds, for
// which RFC 9406 §4.3 allows HyStart++ after idleness; congestion avoidance begins a new stage
// where slow start ends.
func (c *cubic) Idle(_ time.Duration, idle, rto time.Duration) {
	if c.restart(idle, rto) {
		c.epoch, c.hystart, c.undoable = 0, hystart{}, false
	}
}

// Unused reduces the window (RFC 2861 §3.1). The window of now has no place on the curve:
// congestion avoidance begins a new stage where slow start ends.
func (c *cubic) Unused(used int) {
	if c.unused(used) {
		c.epoch, c.undoable = 0, false
	}
}

// SetMSS changes the segments that the windows are counted in. The curve has
// another shape then: a new stage begins at the present window.
func (c *cubic) SetMSS(mss int) {
	c.curve.setMSS(mss)
	if c.undoable {
		c.saved.setMSS(mss)
	}
}

// Exit ends recovery. The stage of congestion avoidance begins at the next
// acknowledgement.
func (c *cubic) Exit(window int) {
	c.exit(window)
	c.epoch = 0
}
