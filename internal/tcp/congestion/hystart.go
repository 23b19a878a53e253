package congestion

import "time"

// The constants of RFC 9406 §4.3, for a sender that doesn't pace.
const (
	minRTTThresh  = 4 * time.Millisecond
	maxRTTThresh  = 16 * time.Millisecond
	minRTTDivisor = 8
	rttSamples    = 8
	growthDivisor = 4 // of slow start's growth, in Conservative Slow Start
	cssRounds     = 5
	hystartLimit  = 8 // L: segments that one acknowledgement may add
)

// A hystart notices in the first slow start that a queue builds up, before the queue
// overflows (RFC 9406). A time-out or a loss ends the hystart for good.
//
//	              RTT has grown                  5 rounds
//	slow start ────────────────▶ conservative ──────────────▶ congestion avoidance
//	           ◀────────────────
//	             RTT is below what it was on entering
//
// The zero hystart is in slow start and has seen nothing. A time of 0 is the
// RFC's infinity.
type hystart struct {
	last     time.Duration // the least sample of the round before
	current  time.Duration // the least sample of this round
	baseline time.Duration // the least sample when conservative slow start began; 0: it hasn't
	samples  uint8         // how many samples this round has had, rttSamples at most
	rounds   uint8         // how many rounds have begun in this conservative slow start
}

// ack takes what an acknowledgement says and reports whether slow start is over
// (RFC 9406 §4.2). A sample that comes with the end of a round belongs to the next.
func (h *hystart) ack(a Ack) (over bool) {
	if a.Round {
		h.last, h.current, h.samples = h.current, 0, 0
		if h.conservative() {
			if h.rounds == cssRounds {
				return true
			}
			h.rounds++
		}
	}
	h.sample(a.RTT)
	return false
}

// sample takes an RTT and decides once a round has enough of them.
func (h *hystart) sample(rtt time.Duration) {
	if rtt <= 0 {
		return
	}
	if h.current == 0 || rtt < h.current {
		h.current = rtt
	}
	h.samples = min(h.samples+1, rttSamples)
	switch {
	case h.samples < rttSamples:
	case h.conservative():
		if h.current < h.baseline {
			h.becomeStandard()
		}
	case h.last != 0 && h.current >= h.last+threshold(h.last):
		h.becomeConservative()
	}
}

// threshold is RttThresh of RFC 9406 §4.2.
func threshold(last time.Duration) time.Duration {
	return max(minRTTThresh, min(last/minRTTDivisor, maxRTTThresh))
}

// conservative reports whether the hystart is in conservative slow start, where growth is
// divided.
func (h *hystart) conservative() bool { return h.baseline != 0 }

// becomeConservative counts the round that has begun already as one of the five.
func (h *hystart) becomeConservative() { h.baseline, h.rounds = h.current, 1 }

// becomeStandard resumes slow start: no queue of ours was the cause of the delay.
func (h *hystart) becomeStandard() { h.baseline = 0 }
