package tcp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// hostile is a link that loses, repeats and delays segments, until a time; then
// it is perfect.
type hostile struct {
	until                 time.Duration
	delay                 time.Duration
	loss, repeat, reorder float64
	outage                time.Duration // nothing passes in the first part of each second
}

func (h hostile) link(p *pair, _ *side, _ *Segment) []time.Duration {
	if p.now >= h.until {
		return []time.Duration{p.now + h.delay}
	}
	if p.now%time.Second < h.outage || p.random.Float64() < h.loss {
		return nil
	}
	late := func() time.Duration {
		at := p.now + h.delay
		if p.random.Float64() < h.reorder {
			at += time.Duration(p.random.Int64N(int64(20*ms) + 3*int64(h.delay)))
		}
		return at
	}
	at := []time.Duration{late()}
	for p.random.Float64() < h.repeat {
		at = append(at, late())
	}
	return at
}

func drawConfig(t *rapid.T, name string) Config {
	return Config{
		MSS:          rapid.SampledFrom([]int{1460, 536, 88, 1440, 65495, 9000}).Draw(t, name+" MSS"),
		Quota:        rapid.SampledFrom([]int{Unset, 0, 1, 1000, 8192, 65536, 1 << 20}).Draw(t, name+" quota"),
		WithoutScale: rapid.Bool().Draw(t, name+" no scale"),
		WithoutSACK:  rapid.Bool().Draw(t, name+" no SACK"),
		Timestamps:   rapid.Bool().Draw(t, name+" timestamps"),
		ECN:          rapid.Bool().Draw(t, name+" ECN"),
		NoDelay:      rapid.Bool().Draw(t, name+" no delay"),
		DelayAck:     rapid.SampledFrom([]time.Duration{0, 0, 40 * ms, 200 * ms}).Draw(t, name+" delay"),
		Segmenting:   rapid.SampledFrom([]int{0, 65495}).Draw(t, name+" segmenting"),
		Lifetime:     -1, // no limit: nothing may die of the link
	}
}

func drawLink(t *rapid.T) hostile {
	return hostile{
		until:   origin + time.Duration(rapid.IntRange(0, 30).Draw(t, "until"))*time.Second,
		delay:   rapid.SampledFrom([]time.Duration{0, ms, 10 * ms, 100 * ms, 600 * ms}).Draw(t, "delay"),
		loss:    rapid.SampledFrom([]float64{0, 0.01, 0.1, 0.4}).Draw(t, "loss"),
		repeat:  rapid.SampledFrom([]float64{0, 0.05, 0.5}).Draw(t, "repeat"),
		reorder: rapid.SampledFrom([]float64{0, 0.05, 0.5}).Draw(t, "reorder"),
		outage:  rapid.SampledFrom([]time.Duration{0, 0, 300 * ms, 900 * ms}).Draw(t, "outage"),
	}
}

// bounded holds what a side may keep against what it promised.
func bounded(t require.TestingT, s *side, quota int) {
	boundedConn(t, s.Conn, s.name, max(quota, int(s.rcv.quota), 65536)+s.back)
	require.LessOrEqual(t, s.Queued(), s.limit)
}

func boundedConn(t require.TestingT, c *Conn, name string, quota int) {
	r := &c.rcv
	limit := max(quota, int(r.quota), r.least, 65536) // SO_RCVBUF unset grows
	require.LessOrEqual(t, r.queue.size+early(r), limit, "%s keeps more than its window", name)
	require.LessOrEqual(t, len(r.pieces.runs), maxPieces)
	b := &c.out.board
	pipe, lost, sacked, records, small := 0, 0, 0, 0, 0
	for i := range b.records {
		if b.records[i].size < smallSegment {
			small++
		}
		switch k := &b.records[i]; {
		case k.flags&recordSACKed != 0:
			sacked += int(k.size)
			records++
		case k.flags&recordLost != 0:
			lost += int(k.size)
		default:
			pipe += int(k.size)
		}
	}
	listed := 0
	for n := b.lost.first; n != 0; n = b.at(n).next {
		listed += int(b.at(n).size)
	}
	require.Equal(t, []int{pipe, lost, sacked, records}, []int{b.pipe, listed, b.sacked, b.sackedRecords}, "%s: pipe, lost, SACKed", name)
	require.Equal(t, small, b.smallRecords, name)
	require.LessOrEqual(t, len(c.notices), maxNotices)
	if c.State().Synchronized() {
		require.Equal(t, c.InFlight(), pipe+lost+sacked, name)
	}
}

// Two ends over an adversarial link: what is sent arrives, in order and once,
// nothing goes beyond a window, nothing is kept beyond its bound, and both ends
// come to an end.
func TestModel(t *testing.T) {
	rapid.Check(t, model)
}

func model(t *rapid.T) {
	a, b := drawConfig(t, "a"), drawConfig(t, "b")
	l := drawLink(t)
	p := newPair(t, a, b, l.link)
	p.random = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
	p.a.limit = rapid.SampledFrom([]int{1, 1000, 65536, 1 << 22}).Draw(t, "a sndbuf")
	p.b.limit = rapid.SampledFrom([]int{1, 1000, 65536, 1 << 22}).Draw(t, "b sndbuf")
	p.a.direct, p.b.direct = rapid.Bool().Draw(t, "a direct"), rapid.Bool().Draw(t, "b direct")
	p.check = func() {
		if p.steps%8 != 0 { // it looks at every record
			return
		}
		bounded(t, p.a, a.Quota)
		bounded(t, p.b, b.Quota)
	}
	up := drawData(t, p, "up", p.a, p.b)
	down := drawData(t, p, "down", p.b, p.a)
	p.a.out, p.b.out = up, down
	p.a.fickle = rapid.Bool().Draw(t, "a is fickle")
	p.b.fickle = !p.a.fickle
	p.a.close = rapid.Bool().Draw(t, "a closes")
	p.b.close = rapid.Bool().Draw(t, "b closes")
	both := func() bool { return len(p.b.got) == len(up) && len(p.a.got) == len(down) }
	for i := range rapid.IntRange(0, 6).Draw(t, "pauses") { // readers stop, and go on
		s := p.a
		if i%2 == 0 {
			s = p.b
		}
		s.paused = true
		p.run(time.Duration(rapid.IntRange(1, 4000).Draw(t, "pause"))*ms, both)
		s.paused = false
		p.run(time.Duration(rapid.IntRange(1, 4000).Draw(t, "reading"))*ms, both)
	}
	p.run(24*time.Hour, both)
	state := func() []any {
		return []any{p.a.State(), p.a.Cause(), p.b.State(), p.b.Cause(), p.now - origin, p.steps}
	}
	require.Equal(t, []uint32{uint32(len(p.a.got)), uint32(len(p.b.got))}, []uint32{p.a.Position(), p.b.Position()})
	require.True(t, bytes.Equal(up, p.b.got), "up: %d of %d bytes: %v", len(p.b.got), len(up), state())
	require.True(t, bytes.Equal(down, p.a.got), "down: %d of %d bytes: %v", len(p.a.got), len(down), state())
	p.a.Close(p.now)
	p.b.Close(p.now)
	over := func(s *side) bool { return s.State() == Closed || s.State() == TimeWait }
	p.run(24*time.Hour, func() bool { return over(p.a) && over(p.b) })
	require.True(t, over(p.a) && over(p.b), state())
	require.Zero(t, p.a.Cause())
	require.Zero(t, p.b.Cause())
	require.Zero(t, p.a.Queued()+p.b.Queued())
}

// drawData is what a side sends: less where the link or the window is narrow, as
// each case is to stay cheap.
func drawData(t *rapid.T, p *pair, name string, from, to *side) []byte {
	n := rapid.IntRange(0, 400).Draw(t, name+" segments")
	size := min(n*from.MSS(), 200_000, from.limit*500, 40*max(int(to.rcv.quota), to.rcv.least))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(p.random.Uint32())
	}
	return data
}
