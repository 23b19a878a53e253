package tcp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// A side is one end of a pair.
type side struct {
	*Conn
	name   string
	out    []byte // what is to be sent yet
	got    []byte // what was read
	limit  int    // of bytes queued: SO_SNDBUF
	paused bool   // reads nothing
	close  bool   // closes when all is queued
	events Events // all that came
	edge   Seq    // how far the peer may send, as the segments say; valid with told
	told   bool
	fickle bool // puts a part of what it has read back, now and then, and reads that later
	back   int  // the most that was put back at once, bytes
	direct bool // sends by Fill and reads by Lend
	high   Seq  // behind the highest number that was sent
}

// A flight is a segment under way.
type flight struct {
	at  time.Duration
	to  *side
	seg Segment
}

// A link says what becomes of a segment: when it comes, zero or more times.
type link func(p *pair, from *side, s *Segment) []time.Duration

// tester is what the tests of a pair need of a testing.T or a rapid.T.
type tester interface {
	require.TestingT
	Helper()
}

// A pair is two ends over a link, in virtual time.
type pair struct {
	t      tester
	now    time.Duration
	a, b   *side
	link   link
	wire   []flight
	lines  []string // a trace, where traced
	traced bool
	steps  int
	free   map[*side]time.Duration // when the link is free, for links with a rate
	random *rand.Rand
	check  func()
}

const origin = time.Hour

func newPair(t tester, a, b Config, l link) *pair {
	p := &pair{t: t, now: origin, link: l, free: map[*side]time.Duration{}, random: rand.New(rand.NewPCG(1, 2))}
	if a.MSS == 0 {
		a.MSS = 1460
	}
	if b.MSS == 0 {
		b.MSS = 1460
	}
	a.ISS, b.ISS = 1000, 0xffff_f000
	p.a = &side{Conn: New(a), name: "a", limit: 1 << 22}
	p.b = &side{Conn: nil, name: "b", limit: 1 << 22}
	p.a.Open(p.now)
	p.connect(b)
	return p
}

// connect plays the handshake without losses: its round trip is 10 ms.
func (p *pair) connect(cfg Config) {
	var s Segment
	require.True(p.t, p.a.Output(p.now, &s))
	h := NewHalfOpen(cfg.ISS, &s)
	answer := h.SynAck(p.now, cfg)
	p.now += 10 * time.Millisecond
	p.a.Segment(p.now, &answer)
	require.True(p.t, p.a.Output(p.now, &s))
	v, _ := h.Segment(&s, 65535)
	require.Equal(p.t, Complete, v)
	p.b.Conn = h.Conn(p.now, cfg)
	p.b.Segment(p.now, &s)
	require.Equal(p.t, Established, p.a.State())
	require.Equal(p.t, Established, p.b.State())
	p.a.high, p.b.high = p.a.snd.next, p.b.snd.next
}

// delay is a perfect link.
func delay(d time.Duration) link {
	return func(p *pair, _ *side, _ *Segment) []time.Duration { return []time.Duration{p.now + d} }
}

// rate is a link of bytes a second with a queue of so many bytes, and a delay.
func rate(bytes int, queue int, d time.Duration) link {
	return func(p *pair, from *side, s *Segment) []time.Duration {
		size := time.Duration(s.Payload.Size() + 40)
		start := max(p.free[from], p.now)
		if int((start-p.now)*time.Duration(bytes)/time.Second) > queue {
			return nil
		}
		p.free[from] = start + size*time.Second/time.Duration(bytes)
		return []time.Duration{p.free[from] + d}
	}
}

// lossy loses a part of what goes over a link.
func lossy(part float64, l link) link {
	return func(p *pair, from *side, s *Segment) []time.Duration {
		if p.random.Float64() < part {
			return nil
		}
		return l(p, from, s)
	}
}

func (p *pair) peer(s *side) *side {
	if s == p.a {
		return p.b
	}
	return p.a
}

// send gives a segment to the link.
func (p *pair) send(from *side, seg Segment) {
	p.trace(from, &seg)
	p.window(from, &seg)
	from.high = again(p.t, from.high, &seg)
	for _, at := range p.link(p, from, &seg) {
		s := seg
		s.Payload = seg.Payload.Clone()
		i := len(p.wire)
		for i > 0 && p.wire[i-1].at > at {
			i--
		}
		p.wire = slices.Insert(p.wire, i, flight{at: at, to: p.peer(from), seg: s})
	}
	seg.Payload.Release()
}

// again looks whether a segment says rightly that it was sent before, all of it.
func again(t require.TestingT, high Seq, s *Segment) Seq {
	if s.Len() == 0 {
		require.False(t, s.Resent, describe(s))
		return high
	}
	old := s.Seq.Before(high)
	require.Equal(t, old, s.Resent, "sent again: %s", describe(s))
	require.False(t, old && s.End().After(high), "some of it is new: %s", describe(s))
	return later(high, s.End())
}

// window watches that no side sends beyond what the other has promised. What is
// told in a segment counts from when it leaves, though it comes later or never.
func (p *pair) window(from *side, s *Segment) {
	to := p.peer(from)
	if to.told && s.Payload.Size() > 0 {
		require.False(p.t, s.Seq.Add(int(s.Payload.Size())).After(to.edge), "%s sends beyond the window", from.name)
	}
	if s.Flags&ACK != 0 && s.Flags&(SYN|RST) == 0 {
		edge := s.Ack.Add(int(s.Window) << from.Conn.rcv.shift)
		if !from.told {
			edge = later(edge, s.Ack.Add(65535))
		}
		if !from.told || edge.After(from.edge) {
			from.edge, from.told = edge, true
		}
	}
}

func (p *pair) trace(from *side, s *Segment) {
	if p.traced {
		p.lines = append(p.lines, fmt.Sprintf("%8.3f %s %s", (p.now-origin).Seconds()*1000, from.name, describe(s)))
	}
}

func describe(s *Segment) string {
	var b strings.Builder
	for i, c := range "FSRPAUEC" {
		if s.Flags&(1<<i) != 0 {
			b.WriteRune(c)
		}
	}
	fmt.Fprintf(&b, " %d+%d ack %d win %d", s.Seq, s.Payload.Size(), s.Ack, s.Window)
	for _, k := range s.Options.Blocks[:s.Options.Count] {
		fmt.Fprintf(&b, " [%d,%d)", k.Start, k.End)
	}
	return b.String()
}

// serve does for a side what its caller would.
func (p *pair) serve(s *side) {
	for again := true; again; {
		again = false
		if n := min(len(s.out), s.limit-s.Queued()); n > 0 && s.direct {
			n, _ = s.Fill(n, func(room []byte) int {
				require.LessOrEqual(p.t, len(room), n)
				return copy(room[:1+p.random.IntN(len(room))], s.out)
			})
			s.out = s.out[n:]
		} else if n > 0 && s.Send(p.now, s.out[:n]) {
			s.out = s.out[n:]
		}
		if s.close && len(s.out) == 0 {
			s.close = false
			s.Close(p.now)
		}
		p.read(s)
		var seg Segment
		for s.Output(p.now, &seg) {
			p.send(s, seg)
			again = true
		}
	}
	s.events |= s.TakeEvents()
	if p.check != nil {
		p.check()
	}
}

// read reads what there is, a fickle side in pieces.
func (p *pair) read(s *side) {
	for n := s.Readable(); n > 0 && !s.paused; n = s.Readable() {
		if s.fickle {
			n = 1 + p.random.IntN(n)
		}
		if s.direct {
			p.lend(s, n)
			continue
		}
		s.got = slices.Grow(s.got, n)
		n = s.Read(p.now, s.got[len(s.got):len(s.got)+n], 0, false)
		s.got = s.got[:len(s.got)+n]
		if s.fickle && p.random.IntN(4) == 0 {
			back := p.random.IntN(n + 1)
			s.Restore(s.got[len(s.got)-back:])
			s.got, s.back = s.got[:len(s.got)-back], max(s.back, back)
			if len(p.wire) > 0 {
				return
			}
		}
	}
}

// lend reads a part of at most n bytes by Lend.
func (p *pair) lend(s *side, n int) {
	var list [3][]byte
	s.Lend(p.now, n, list[:], func(pieces [][]byte) int {
		b := bytes.Join(pieces, nil)
		require.NotEmpty(p.t, b)
		require.LessOrEqual(p.t, len(b), n)
		b = b[:1+p.random.IntN(len(b))]
		s.got = append(s.got, b...)
		return len(b)
	})
}

// step plays what comes next, and reports whether there was something.
func (p *pair) step(until time.Duration) bool {
	p.serve(p.a)
	p.serve(p.b)
	next := time.Duration(0)
	sooner := func(d time.Duration) {
		if d != 0 && (next == 0 || d < next) {
			next = d
		}
	}
	if len(p.wire) > 0 {
		sooner(p.wire[0].at)
	}
	sooner(p.a.Deadline())
	sooner(p.b.Deadline())
	if next == 0 || next > until {
		p.now = max(p.now, until)
		return false
	}
	p.now = max(p.now, next)
	p.steps++
	if len(p.wire) > 0 && p.wire[0].at <= p.now {
		f := p.wire[0]
		p.wire = p.wire[1:]
		f.to.Segment(p.now, &f.seg)
	}
	p.a.Timer(p.now)
	p.b.Timer(p.now)
	return true
}

// run plays until done, or for so long.
func (p *pair) run(limit time.Duration, done func() bool) time.Duration {
	begin := p.now
	for until := p.now + limit; !done() && p.step(until); {
	}
	return p.now - begin
}

// transfer sends so many bytes from a to b and returns how long it took.
func (p *pair) transfer(n int, limit time.Duration) time.Duration {
	p.t.Helper()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(p.random.Uint32())
	}
	p.a.out = data
	p.b.got = nil
	took := p.run(limit, func() bool { return len(p.b.got) >= n })
	require.Equal(p.t, n, len(p.b.got), "after %v: %v %v, in flight %d, window %d", took, p.a.State(), p.a.Cause(), p.a.InFlight(), p.a.snd.window)
	require.True(p.t, bytes.Equal(data, p.b.got))
	return took
}
