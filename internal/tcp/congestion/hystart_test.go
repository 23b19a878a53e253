package congestion

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const ms = time.Millisecond

// round feeds a round trip of n samples of one RTT and reports whether slow start
// is over.
func (h *hystart) round(rtt time.Duration, n int) (over bool) {
	for i := range n {
		over = h.ack(Ack{RTT: rtt, Round: i == 0}) || over
	}
	return over
}

// TestHystartThreshold is RttThresh of RFC 9406 §4.2: an eighth of the RTT of the
// round before, between 4 and 16 ms.
func TestHystartThreshold(t *testing.T) {
	for _, tt := range []struct {
		last, rtt time.Duration
		samples   int
		want      bool
	}{
		{10 * ms, 14*ms - 1, 8, false},
		{10 * ms, 14 * ms, 8, true}, // 4 ms at least
		{10 * ms, 14 * ms, 7, false},
		{80 * ms, 90*ms - 1, 8, false},
		{80 * ms, 90 * ms, 8, true}, // an eighth
		{400 * ms, 416*ms - 1, 8, false},
		{400 * ms, 416 * ms, 8, true}, // 16 ms at most
	} {
		var h hystart
		h.round(tt.last, 8)
		h.round(tt.rtt, tt.samples)
		assert.Equal(t, tt.want, h.conservative(), "%v after %v, %d samples", tt.rtt, tt.last, tt.samples)
	}
}

// TestHystartFirstRound: one round has nothing to compare with, and a round
// without samples is no measure for the next.
func TestHystartFirstRound(t *testing.T) {
	var h hystart
	h.round(500*ms, 20)
	assert.False(t, h.conservative())
	h.round(0, 20)
	h.round(900*ms, 20)
	assert.False(t, h.conservative())
}

// TestHystartTakesTheLeastSample: single late segments are no queue.
func TestHystartTakesTheLeastSample(t *testing.T) {
	var h hystart
	h.round(50*ms, 8)
	h.round(90*ms, 7)
	h.ack(Ack{RTT: 50 * ms})
	h.round(55*ms, 8) // the round before counts with its least, too
	assert.False(t, h.conservative())
}

// TestHystartRounds: five rounds of conservative slow start, of which the one that
// had begun is the first (RFC 9406 §4.2).
func TestHystartRounds(t *testing.T) {
	var h hystart
	h.round(50*ms, 8)
	h.round(60*ms, 8)
	assert.True(t, h.conservative())
	for i := 2; i <= 5; i++ {
		assert.False(t, h.round(60*ms, 8), "round %d", i)
	}
	assert.True(t, h.round(60*ms, 1))
}

// TestHystartResumes: a delay that goes away was not ours, and the five rounds
// begin anew with the next one.
func TestHystartResumes(t *testing.T) {
	var h hystart
	h.round(50*ms, 8)
	h.round(60*ms, 8)
	h.round(60*ms, 8)
	h.round(60*ms-1, 7)
	assert.True(t, h.conservative(), "too few samples")
	h.ack(Ack{RTT: 61 * ms})
	assert.False(t, h.conservative())
	h.round(70*ms, 8)
	for range 4 {
		assert.False(t, h.round(70*ms, 8))
	}
	assert.True(t, h.round(70*ms, 8))
}

// TestConservativeSlowStart: growth is a quarter (CSS_GROWTH_DIVISOR), and at its
// end the window is the threshold, on a plateau (RFC 9438 §4.10).
func TestConservativeSlowStart(t *testing.T) {
	c := New(CUBIC, mss, 10*mss).(*cubic)
	now := t0
	round := func(rtt time.Duration) {
		for i := range 8 {
			c.Acked(Ack{Now: now, Bytes: mss, RTT: rtt, SRTT: rtt, Limited: true, Round: i == 0})
			now += rtt / 8
		}
	}
	round(50 * ms)
	round(60 * ms) // the eighth sample decides, and its own growth is divided
	assert.InDelta(t, 25250, c.Window(), 1)
	for range 4 {
		round(60 * ms)
	}
	assert.InDelta(t, 33250, c.Window(), 1)
	assert.True(t, c.SlowStart())
	round(60 * ms)
	assert.False(t, c.SlowStart())
	assert.InDelta(t, 33250, c.Threshold(), 1)
	assert.Equal(t, 0.0, c.k)
	assert.InDelta(t, 33250, c.wMax, 1)
	assert.InDelta(t, 33250, c.prior, 1)
}

// TestHystartOnlyFirst: a later slow start has a threshold and needs no other end
// (RFC 9406 §4.3).
func TestHystartOnlyFirst(t *testing.T) {
	c := New(CUBIC, mss, 100*mss).(*cubic)
	c.Timeout(t0, 100*mss, false)
	for _, rtt := range []time.Duration{50 * ms, 90 * ms, 200 * ms} {
		for i := range 8 {
			c.Acked(Ack{Now: 2 * t0, Bytes: mss, RTT: rtt, SRTT: rtt, Limited: true, Round: i == 0})
		}
	}
	assert.Equal(t, 25*mss, c.Window())
	assert.Zero(t, c.hystart)
}

// TestHystartAfterIdleness: the rounds before are no measure any more.
func TestHystartAfterIdleness(t *testing.T) {
	c := New(CUBIC, mss, 10*mss).(*cubic)
	c.hystart.round(50*ms, 8)
	c.hystart.round(60*ms, 8)
	c.Idle(t0, time.Minute, time.Second)
	assert.Zero(t, c.hystart)
}
