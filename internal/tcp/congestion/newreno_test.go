package congestion

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestNewRenoAvoidance: one segment each round trip, however the window is
// acknowledged (RFC 5681 §3.1, RFC 3465 §2.1). An implementation that adds one for
// each acknowledgement doubles, one that counts delayed ones grows by half.
func TestNewRenoAvoidance(t *testing.T) {
	for _, size := range []int{1, 100, mss, 2 * mss, 7 * mss} {
		c := avoiding(NewReno, 40)
		bytes, trips := 0, 10
		for want := range trips { // 20, 21, … segments are one round trip each
			bytes += (20 + want) * mss
		}
		for ; bytes > 0; bytes -= size {
			c.Acked(Ack{Now: t0, Bytes: min(size, bytes), RTT: rtt, SRTT: rtt, Limited: true})
		}
		assert.Equal(t, (20+trips)*mss, c.Window(), "acknowledged by %d bytes", size)
	}
}

// TestNewRenoIgnoresExcess: what claims to deliver more than a window is not
// saved for later.
func TestNewRenoIgnoresExcess(t *testing.T) {
	c := avoiding(NewReno, 20)
	c.Acked(ack(t0, 1000))
	assert.Equal(t, 11*mss, c.Window())
	c.Acked(ack(t0+time.Second, 1))
	assert.Equal(t, 11*mss, c.Window())
}

// TestNewRenoCountsAnew: what was acknowledged before a reduction doesn't count
// for the window after it.
func TestNewRenoCountsAnew(t *testing.T) {
	for _, reduce := range []func(Controller){
		func(c Controller) { c.Lost(t0, 40*mss); c.Exit(20 * mss) },
		func(c Controller) { c.CongestionExperienced(t0, 40*mss) },
		func(c Controller) { c.Exit(20 * mss); c.(*newReno).ssthresh = 20 * mss },
		func(c Controller) { c.Timeout(t0, 40*mss, false); c.Exit(20 * mss) },
		func(c Controller) { c.Idle(t0, time.Minute, time.Second); c.(*newReno).ssthresh = 10 * mss },
	} {
		c := New(NewReno, mss, 40*mss)
		c.(*newReno).ssthresh = 40 * mss
		c.Acked(ack(t0, 39))
		reduce(c)
		window := c.Window()
		c.Acked(ack(t0, 1))
		assert.Equal(t, window, c.Window())
	}
}
