package tcp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A feed gives numbers from fuzz bytes; at their end it gives zeros.
type feed struct{ b []byte }

func (f *feed) byte() int {
	if len(f.b) == 0 {
		return 0
	}
	n := f.b[0]
	f.b = f.b[1:]
	return int(n)
}

func (f *feed) word() int {
	var w [2]byte
	copy(w[:], f.b)
	f.b = f.b[min(2, len(f.b)):]
	return int(binary.BigEndian.Uint16(w[:]))
}

// near is a number around zero: most bytes are small steps, some are large ones.
func (f *feed) near() int {
	switch n := f.byte(); {
	case n < 64:
		return n - 32
	case n < 128:
		return (n - 96) * 500
	case n < 192:
		return (n - 160) << 26
	default:
		return int(int16(f.word()))
	}
}

func (f *feed) flag() bool { return f.byte()&1 != 0 }

// pick is one of the numbers.
func (f *feed) pick(list ...int) int { return list[f.byte()%len(list)] }

// FuzzSegments gives a connection in any state segments of all sorts, calls and
// time, as structured bytes say. Nothing panics, nothing is without end, and
// nothing is kept or sent beyond its bound.
func FuzzSegments(f *testing.F) {
	for seed := range uint64(90) { // ten in each state
		random := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, 50+20*seed)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		b[0] = byte(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2048 {
			return
		}
		z := newFuzzed(t, &feed{b})
		for len(z.feed.b) > 0 {
			z.act()
			z.check()
		}
		z.wind()
	})
}

// fuzzed is a lone connection under test.
type fuzzed struct {
	*lone
	*feed
	t     *testing.T
	quota int    // the largest ever
	sent  int    // bytes accepted
	high  Seq    // behind the highest number that was sent
	back  []byte // what was read last, and may be put back
}

func newFuzzed(t *testing.T, f *feed) *fuzzed {
	l := newLone()
	state, bits := State(f.byte()%int(TimeWait))+1, f.word()
	on := func(i int) bool { return bits>>i&1 != 0 }
	c := &l.cfg
	c.Timestamps, c.ECN, c.NoDelay, c.WithoutSACK, c.WithoutScale, c.Expedited = on(0), on(1), on(2), on(3), on(4), on(5)
	l.peer.Timestamps, l.peer.SACKPermitted, l.ecn = on(6), on(7), on(8)
	c.MSS = f.pick(1000, 1460, 48, 9000, 65495)
	c.Quota = f.pick(10000, 0, 1, Unset, 65536, 1<<20)
	c.DelayAck = time.Duration(f.pick(0, 40, 200)) * time.Millisecond
	c.Segmenting = f.pick(0, 65495)
	c.Lifetime = time.Duration(f.pick(0, -1, 5)) * time.Second
	l.peer.MSS = uint16(f.pick(1000, 1460, 0, 1, 48, 65535))
	l.peer.Scale = int8(f.pick(NoScale, 0, 7, 14))
	l.become(state)
	return &fuzzed{lone: l, feed: f, t: t, quota: c.Quota, high: l.snd.next}
}

// act plays one segment, call, or some time.
func (z *fuzzed) act() {
	switch z.byte() % 16 {
	case 0:
		z.send(z.pick(1, 100, 1000, 5000, 60000))
	case 1:
		z.urge()
	case 2:
		peek := z.flag()
		z.back = make([]byte, z.word())
		if z.back = z.back[:z.Read(z.now, z.back, 0, peek)]; peek {
			z.back = nil
		}
	case 3:
		z.pass(z.Deadline() - z.now)
	case 4:
		z.pass(time.Duration(z.word()) * time.Duration(z.pick(1, 1000, 1_000_000, 1_000_000_000)))
	case 5:
		z.call()
	case 6:
		quota := z.pick(0, 1, 1000, 65536, 1<<20)
		z.quota = max(z.quota, quota)
		z.SetQuota(quota)
	case 7:
		z.PathMTU(z.near(), z.snd.una.Add(z.near()))
	default:
		s := z.segment()
		z.Segment(z.now, &s)
		if z.flag() && !z.Prompt() {
			return
		}
	}
	z.empty()
}

func (z *fuzzed) send(n int) {
	if z.Queued() < 200_000 && z.Send(z.now, make([]byte, n)) {
		z.sent += n
	}
}

func (z *fuzzed) urge() {
	n := z.word() % 3000
	if z.Queued() >= 200_000 {
		return
	}
	if _, ok := z.SendUrgent(z.now, make([]byte, n), max(0, z.near())); ok {
		z.sent += n
	}
}

func (z *fuzzed) call() {
	switch z.byte() % 8 {
	case 0:
		z.Close(z.now)
	case 1:
		z.Orphan(z.now)
	case 2:
		z.SetNoDelay(z.flag())
	case 3:
		z.SetKeepAlive(z.now, z.now, z.flag(), probing(1, 1, z.byte()%4))
	case 4:
		z.SetLifetime(z.now, time.Duration(z.near())*time.Second)
	case 5:
		switch z.byte() {
		case 77:
			z.Abort()
		case 78:
			z.Expire()
		}
	case 6:
		z.set()
	case 7:
		z.Restore(z.back[:min(len(z.back), z.word())])
		z.back = nil
	}
}

// set plays the lesser calls.
func (z *fuzzed) set() {
	switch z.byte() % 8 {
	case 0:
		z.SetSynLimit(z.now, z.pick(-1, 0, 1, 3), time.Duration(z.byte())*time.Second)
	case 1:
		z.SetGarbage(z.flag())
	case 2:
		z.Deafen(z.byte() == 1)
	case 3:
		z.SetExpedited(z.flag())
	case 4:
		z.AmendUrgent(z.snd.up.Add(z.byte()&1), z.End().Add(z.near()))
	case 5:
		z.TakeNotices()
	case 6:
		z.Info()
	}
}

// pass plays time with one call of Timer, which comes late where more is due.
func (z *fuzzed) pass(d time.Duration) {
	z.now += max(0, d)
	z.Timer(z.now)
}

// segment decodes a segment around the numbers that matter.
func (z *fuzzed) segment() (s Segment) {
	shape := z.byte()
	s.Flags = ACK
	if shape&3 == 3 {
		s.Flags = Flags(z.byte())
	}
	s.Seq = [...]Seq{z.rcv.next, z.rcv.edge, z.rcv.irs, z.rcv.next}[shape>>2&3].Add(z.near())
	s.Ack = [...]Seq{z.snd.next, z.snd.una, z.cfg.ISS, z.snd.up}[shape>>4&3].Add(z.near())
	s.Window = uint16(z.word())
	if shape&64 != 0 {
		s.Payload = payload(z.pick(1, 2, 10, 100, 1000, 1460, 9000, 65535))
	}
	s.Urgent = uint16(z.near())
	o := &s.Options
	o.Scale = NoScale
	if s.Flags&SYN != 0 {
		o.MSS, o.Scale, o.SACKPermitted = uint16(z.word()), int8(z.byte()%16)-1, z.flag()
	}
	if more := z.byte(); shape&128 != 0 || z.stamps {
		o.Timestamps = more&1 == 0
		o.TSVal, o.TSEcr = z.rcv.tsRecent+uint32(z.near()), z.stamp(z.now)+uint32(z.near())
		if o.Count = more >> 1 & 7; s.Flags&SYN != 0 || o.Count > maxBlocks {
			o.Count = 0
		}
		for i := range o.Blocks[:o.Count] {
			start := z.snd.una.Add(z.near())
			o.Blocks[i] = Block{start, start.Add(z.near())}
		}
		s.CE = more&128 != 0
	}
	return s
}

// empty takes what is to be sent, and looks at it.
func (z *fuzzed) empty() {
	least := max(1, z.snd.mss/2)
	bound := 100 + 2*len(z.out.board.records) + 4*z.Queued()/least
	var s Segment
	for n := 0; z.Output(z.now, &s); n++ {
		require.Less(z.t, n, bound, "Output doesn't end")
		z.look(&s)
		s.Payload.Release()
	}
	require.False(z.t, z.Prompt())
	z.TakeEvents()
}

func (z *fuzzed) look(s *Segment) {
	n := int(s.Payload.Size())
	if n > 0 {
		require.Positive(z.t, s.Cut)
	}
	if n > s.Cut {
		require.LessOrEqual(z.t, n, z.cfg.Segmenting)
		n = s.Cut
	}
	if !z.garbage {
		z.high = again(z.t, z.high, s)
	}
	options := s.Options.Len()
	require.LessOrEqual(z.t, options, MaxOptions)
	require.Len(z.t, s.Options.Append(nil), options)
	if n > 0 {
		require.LessOrEqual(z.t, n+options, z.snd.mss+12, "larger than the path")
		require.False(z.t, s.End().After(z.snd.queue.end.Add(1)))
	}
	if s.Flags&RST == 0 && z.state != SynSent {
		require.False(z.t, s.Flags&ACK != 0 && s.Ack != z.rcv.next)
		if s.Flags&SYN == 0 {
			require.LessOrEqual(z.t, s.Ack.Add(int(s.Window)<<z.rcv.shift).From(z.rcv.edge), 0, "beyond the edge")
		}
	}
}

func (z *fuzzed) check() {
	boundedConn(z.t, z.Conn, "", z.quota)
	require.LessOrEqual(z.t, z.Queued(), z.sent)
	require.LessOrEqual(z.t, z.InFlight(), z.sent+2)
	require.LessOrEqual(z.t, len(z.out.board.records), z.sent+2)
	if z.state = z.State(); z.state == Closed {
		require.Zero(z.t, z.Deadline(), "%+v", z.timers)
	}
}

// wind lets all that is due be done: each deadline lies in the future, and without
// a segment from the peer the connection ends, or has nothing to do.
func (z *fuzzed) wind() {
	z.SetKeepAlive(z.now, z.now, false, probing(1, 1, 1))
	z.SetLifetime(z.now, time.Minute)
	z.SetSynLimit(z.now, 3, 0)
	z.empty()
	for n := 0; z.Deadline() != 0; n++ {
		require.Less(z.t, n, 2000, "deadlines without end: %v %+v %+v", z.State(), z.timers, z.snd)
		z.pass(z.Deadline() - z.now)
		z.empty()
		require.False(z.t, z.Deadline() != 0 && z.Deadline() <= z.now, "a deadline in the past: %+v", z.timers)
	}
	if z.Queued() > 0 && z.rcv.quota >= 0 {
		require.Equal(z.t, SynReceived, max(z.State(), SynReceived), "data waits for nothing")
	}
	z.check()
}
