package congestion

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// TestPRR has SndCnt of RFC 9937 §6.2, in segments of 1000 bytes.
func TestPRR(t *testing.T) {
	type step struct {
		delivered, pipe int
		advance, safe   bool
		want, send      int
	}
	for _, tt := range []struct {
		name             string
		flight, ssthresh int
		steps            []step
	}{
		{"the fast retransmit is forced", 20000, 10000, []step{
			{1000, 19000, false, false, 1000, 1000}, // the share is 500, which would not be sent
			{1000, 19000, false, false, 0, 0},       // 2000 × ½ − 1000
			{1000, 18000, false, false, 500, 0},
			{1000, 17000, false, false, 1000, 1000}, // 4000 × ½ − 1000
		}},
		{"CUBIC's seven of ten", 10000, 7000, []step{
			{1000, 9000, false, false, 1000, 1000},
			{1000, 9000, false, false, 400, 0},
			{2000, 8000, false, false, 1800, 1000}, // 4000 × 0.7 − 1000
			{1001, 8000, false, false, 1501, 0},    // 3500.7, rounded up
		}},
		{"below the threshold: conserve", 20000, 14000, []step{
			{1000, 9000, false, false, 1000, 1000}, // CRB
			{1000, 9000, true, false, 1000, 1000},  // SND.UNA moves, but a further loss is shown
			{1000, 9000, false, true, 1000, 1000},  // no further loss, but SND.UNA stays
			{1000, 9000, true, true, 2000, 2000},   // SSRB: one segment more
			{3000, 8000, true, true, 4000, 4000},
			{3000, 13500, true, true, 500, 0}, // not beyond the threshold
		}},
		{"below the threshold: what was not sent is caught up", 20000, 14000, []step{
			{5000, 10000, false, false, 4000, 0}, // ssthresh − pipe
			{1000, 4000, false, false, 6000, 0},  // prr_delivered − prr_out
		}},
		{"an acknowledgement of nothing changes nothing", 20000, 10000, []step{
			{1000, 19000, false, false, 1000, 1000},
			{3000, 16000, false, false, 1000, 0},
			{0, 5000, true, true, 1000, 0},
		}},
		{"started by a timer", 20000, 10000, []step{
			{0, 0, false, true, 1000, 1000},
			{0, 0, false, true, 0, 0},
		}},
		{"more was sent than its share", 20000, 10000, []step{
			{1000, 19000, false, false, 1000, 5000},
			{1000, 18000, false, false, 0, 0},
		}},
	} {
		var p PRR
		assert.Zero(t, p.Allowance())
		p.Begin(tt.flight, tt.ssthresh)
		for i, s := range tt.steps {
			p.Acked(s.delivered, s.pipe, mss, s.advance, s.safe)
			assert.Equal(t, s.want, p.Allowance(), "%s, step %d", tt.name, i+1)
			p.Sent(s.send)
			assert.Equal(t, max(s.want-s.send, 0), p.Allowance(), "%s, step %d, sent", tt.name, i+1)
		}
	}
}

// TestPRRBeginsAnew: an episode knows nothing of the one before.
func TestPRRBeginsAnew(t *testing.T) {
	var p, q PRR
	p.Begin(1000, 1000)
	p.Acked(1000, 0, 100, true, true)
	p.Sent(300)
	p.Begin(20000, 10000)
	q.Begin(20000, 10000)
	assert.Equal(t, q, p)
}

// TestPRRLandsOnTheThreshold: after a round trip with some losses what is in
// flight is the threshold, not more and not less than a segment, and it never
// falls below while more can be sent (RFC 9937 §1, §4).
func TestPRRLandsOnTheThreshold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flight := rapid.IntRange(20, 2000).Draw(t, "flight")
		ssthresh := flight * rapid.IntRange(5, 8).Draw(t, "tenths") / 10
		lost := rapid.IntRange(1, max(1, flight-ssthresh-2)).Draw(t, "lost")
		var p PRR
		p.Begin(flight*mss, ssthresh*mss)
		pipe := flight - lost
		for range flight - lost {
			pipe--
			p.Acked(mss, pipe*mss, mss, false, false)
			for p.Allowance() >= mss {
				p.Sent(mss)
				pipe++
			}
			must(t, pipe >= min(flight-lost, ssthresh)-2, "the flight never falls below the threshold")
		}
		must(t, pipe >= ssthresh-2 && pipe <= ssthresh+1, "the flight ends at the threshold")
	})
}

// TestPRRBounds: PRR sends no more than was delivered and one segment for each
// acknowledgement, and large numbers don't overflow.
func TestPRRBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p PRR
		big := rapid.OneOf(rapid.IntRange(0, 100*mss), rapid.IntRange(0, 1<<30))
		p.Begin(big.Draw(t, "flight"), rapid.IntRange(2*mss, 1<<30).Draw(t, "ssthresh"))
		out, delivered := 0, 0
		for i := range rapid.IntRange(1, 30).Draw(t, "acks") {
			d := big.Draw(t, "delivered")
			delivered += d
			p.Acked(d, rapid.IntRange(0, 1<<30).Draw(t, "pipe"), mss, rapid.Bool().Draw(t, "advance"), rapid.Bool().Draw(t, "safe"))
			send := rapid.IntRange(0, p.Allowance()).Draw(t, "send")
			p.Sent(send)
			out += send
			must(t, p.Allowance() >= 0, "not negative")
			if p.flight >= p.ssthresh { // the threshold of a loss is never above the flight
				must(t, out <= delivered+(i+1)*mss, "conservation")
			}
		}
	})
	p := PRR{flight: 1 << 30, ssthresh: 1 << 30, delivered: math.MaxInt64 >> 12}
	assert.Equal(t, p.delivered, p.share())
}
