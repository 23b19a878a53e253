package congestion

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// link is a bottleneck that drops at its tail, and the path behind it. One tick is
// the time that one segment takes.
type link struct {
	tick  time.Duration
	delay int // ticks from the bottleneck to the acknowledgement
	room  int // of the queue, in segments
	queue []segment
	ways  [][]segment // by the tick of arrival, modulo its length
	now   int
}

type segment struct {
	flow *flow
	seq  int
	sent int
	lost bool
}

// flow is a sender that always has data. It learns of a loss when the
// acknowledgement of the segment would have come.
type flow struct {
	Controller
	prr       PRR
	next      int // sequence number
	pipe      int // segments
	recover   int // recovery lasts until this one is acknowledged
	round     int // the round trip lasts until this one is
	srtt      time.Duration
	recovery  bool
	delivered int
	losses    int
	peak      int // the largest window of the first slow start
}

func newLink(tick, rtt time.Duration, room int) *link {
	delay := int(rtt / tick)
	return &link{tick: tick, delay: delay, room: room, ways: make([][]segment, delay+room+2)}
}

func (l *link) clock(tick int) time.Duration { return t0 + time.Duration(tick)*l.tick }

// run moves time on by a number of ticks. In each, arrivals are told, flows send,
// and the bottleneck serves one segment.
func (l *link) run(ticks int, flows ...*flow) {
	for range ticks {
		l.now++
		at := l.now % len(l.ways)
		arrivals := l.ways[at]
		l.ways[at] = nil
		for _, s := range arrivals {
			s.flow.arrived(l, s)
		}
		for i := range flows { // who comes first changes
			flows[(i+l.now)%len(flows)].send(l)
		}
		if len(l.queue) > 0 {
			l.arrive(l.queue[0], l.delay)
			l.queue = l.queue[1:]
		}
	}
}

func (l *link) arrive(s segment, ticks int) {
	at := (l.now + ticks) % len(l.ways)
	l.ways[at] = append(l.ways[at], s)
}

func (f *flow) send(l *link) {
	for f.may() {
		s := segment{flow: f, seq: f.next, sent: l.now}
		f.next++
		f.pipe++
		if f.recovery {
			f.prr.Sent(mss)
		}
		if len(l.queue) < l.room {
			l.queue = append(l.queue, s)
			continue
		}
		s.lost = true
		l.arrive(s, l.delay+l.room)
	}
}

func (f *flow) may() bool {
	if f.recovery {
		return f.prr.Allowance() >= mss
	}
	return (f.pipe+1)*mss <= f.Window()
}

// arrived is an acknowledgement, or the news of a loss.
func (f *flow) arrived(l *link, s segment) {
	now, flight := l.clock(l.now), f.pipe*mss
	f.pipe--
	if s.lost {
		f.losses++
		if s.seq >= f.recover {
			f.Lost(now, flight)
			f.recovery, f.recover = true, f.next
			f.prr.Begin(flight, f.Threshold())
			f.prr.Acked(0, f.pipe*mss, mss, false, true)
		}
		return
	}
	f.delivered++
	if f.recovery && s.seq >= f.recover {
		f.recovery = false
		f.Exit(f.Threshold())
	}
	if f.recovery {
		f.prr.Acked(mss, f.pipe*mss, mss, true, true)
		return
	}
	sample := l.clock(l.now) - l.clock(s.sent)
	f.srtt += (sample - f.srtt) / 8
	round := s.seq >= f.round
	if round {
		f.round = f.next
	}
	f.Acked(Ack{Now: now, Bytes: mss, RTT: sample, SRTT: f.srtt, Limited: true, Round: round})
	if f.losses == 0 && f.Threshold() > 1<<30 {
		f.peak = f.Window()
	}
}

func newFlow(a Algorithm) *flow { return &flow{Controller: New(a, mss, 10*mss)} }

// firstSlowStart runs one flow over a queue of some round trips until slow start is
// over, and until the news of all that it overflowed has come.
func firstSlowStart(a Algorithm, tick, rtt time.Duration, trips int) *flow {
	bdp := int(rtt / tick)
	l, f := newLink(tick, rtt, trips*bdp), newFlow(a)
	for f.SlowStart() && l.now < 100*bdp {
		l.run(1, f)
	}
	l.run(3*(trips+1)*bdp, f)
	return f
}

// TestHystartLeavesInTime: over a deep queue slow start ends before it overflows,
// and not before the path is full. What HyStart++ sees is a round trip old, and it
// takes five more to be sure: a queue of one round trip overflows all the same,
// but by half as much. Without HyStart++ the model overflows by as much
// as the queue holds.
func TestHystartLeavesInTime(t *testing.T) {
	for _, tt := range []struct {
		tick, rtt time.Duration
	}{
		{80 * time.Microsecond, 40 * ms},   // 100 Mbit/s
		{800 * time.Microsecond, 100 * ms}, // 10 Mbit/s
	} {
		bdp := int(tt.rtt / tt.tick)
		f, without := firstSlowStart(CUBIC, tt.tick, tt.rtt, 8), firstSlowStart(NewReno, tt.tick, tt.rtt, 8)
		assert.False(t, f.SlowStart(), tt)
		assert.Zero(t, f.losses, tt)
		assert.Greater(t, f.peak, bdp*mss, "the path was full: %v", tt)
		assert.Greater(t, without.losses, 8*bdp, "the model overflows: %v", tt)

		f, without = firstSlowStart(CUBIC, tt.tick, tt.rtt, 1), firstSlowStart(NewReno, tt.tick, tt.rtt, 1)
		assert.Less(t, float64(f.losses), 0.6*float64(without.losses), tt)
	}
}

// TestFairness: a second flow that comes 10 seconds late has its share in the end
// (RFC 9438 §5.1, §5.6), and together they use the link.
func TestFairness(t *testing.T) {
	const tick, rtt = 800 * time.Microsecond, 40 * ms // 10 Mbit/s
	ticks := func(d time.Duration) int { return int(d / tick) }
	for _, tt := range []struct {
		name          string
		first, second Algorithm
		least, most   float64 // of what the second gets for each byte of the first
	}{
		{"CUBIC beside CUBIC", CUBIC, CUBIC, 0.8, 1.25},
		{"NewReno beside NewReno", NewReno, NewReno, 0.8, 1.25},
		{"NewReno beside CUBIC", CUBIC, NewReno, 0.5, 2},
	} {
		l := newLink(tick, rtt, ticks(rtt))
		a, b := newFlow(tt.first), newFlow(tt.second)
		l.run(ticks(10*time.Second), a)
		l.run(ticks(20*time.Second), a, b)
		beforeA, beforeB := a.delivered, b.delivered
		l.run(ticks(120*time.Second), a, b)
		gotA, gotB := a.delivered-beforeA, b.delivered-beforeB
		share := float64(gotB) / float64(gotA)
		assert.True(t, tt.least <= share && share <= tt.most, "%s: the second gets %.2f of the first", tt.name, share)
		assert.Greater(t, float64(gotA+gotB), 0.97*float64(ticks(120*time.Second)), tt.name)
		t.Logf("%s: %.2f, %d and %d losses", tt.name, share, a.losses, b.losses)
	}
}
