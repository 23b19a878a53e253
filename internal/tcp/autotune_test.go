package tcp

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A stream is a pair whose first end sends all that the quota of its socket takes, over a link whose
// rate and delay may change.
type stream struct {
	*pair
	bytes int           // of the link, a second
	delay time.Duration // of the link, one way
	most  int           // the most that the sender was seen to hold
	read  int           // how much the reader has read
	edge  Seq           // the right edge of the reader's window
}

// newStream connects two ends; the handshake takes 10 ms.
func newStream(t *testing.T, bytes int, delay time.Duration, memory *Memory) *stream {
	s := &stream{bytes: bytes, delay: delay}
	cfg := Config{Quota: Unset, Memory: memory}
	s.pair = newPair(t, cfg, cfg, func(p *pair, from *side, seg *Segment) []time.Duration {
		return rate(s.bytes, max(s.bytes/25, 4<<10), s.delay)(p, from, seg) // its queue takes 40 ms, and two segments
	})
	s.a.out = make([]byte, 512<<20)
	s.edge = s.b.rcv.edge
	s.check = func() {
		s.a.limit = s.a.SendQuota(s.now)
		s.most = max(s.most, s.a.Queued())
		require.False(t, s.b.rcv.edge.Before(s.edge), "the edge has moved left")
		s.edge = s.b.rcv.edge
		s.read, s.b.got = s.read+len(s.b.got), nil
		s.a.Account()
		s.b.Account()
	}
	s.check()
	return s
}

// play plays so much time.
func (s *stream) play(d time.Duration) { s.run(d, func() bool { return false }) }

const (
	trip = 10 * time.Millisecond // of the fast path, and of the handshake
	fast = 25_000_000            // bytes a second
	slow = 12_500
	need = fast / 100 // bytes in a round trip
)

// Both buffers of a stream come up to what the path takes within a dozen round trips, and down when
// the path has become slow: the window to 64 KiB, and the send buffer to what it began with, and to
// 64 KiB while memory is tight. The windows are those on the wire.
func TestBuffersFollowThePath(t *testing.T) {
	m := NewMemory(64 << 20)
	s := newStream(t, fast, trip/2, m)
	require.Equal(t, sendStart, s.a.limit)
	require.LessOrEqual(t, s.b.Info().RcvWnd, 65536) // in units of the scale
	s.play(12 * trip)
	require.Greater(t, s.b.Info().RcvWnd, need, "the window after a dozen round trips")
	require.Greater(t, s.a.limit, need)
	before := s.read
	s.play(time.Second)
	require.Greater(t, s.read-before, fast*8/10, "bytes in a second")

	s.bytes = slow
	s.play(6 * time.Minute) // longer than it takes to use what was promised, and to send what was accepted
	require.LessOrEqual(t, s.b.Info().RcvWnd, 65535, "the window of a slow path")
	require.Equal(t, sendStart, s.a.limit)
	m.add(32 << 20) // other connections hold it
	s.play(3 * time.Minute)
	require.Equal(t, sendLeast, s.a.limit)
	before, s.most = s.read, 0
	s.play(time.Minute)
	require.Greater(t, s.read-before, slow*60*9/10, "bytes in a minute")
	require.LessOrEqual(t, s.most, sendLeast)
	require.Less(t, s.a.Held()+s.b.Held(), 80_000, "bytes, where a stream held a megabyte before")

	s.bytes = fast
	m.add(-32 << 20)
	s.play(5 * time.Second)
	before = s.read
	s.play(time.Second)
	require.Greater(t, s.read-before, fast*8/10, "bytes in a second, once the path is fast again")
}

// A reader that has become slow brings both buffers down as a path does, though the peer may first
// use what it was promised.
func TestBuffersOfASlowReader(t *testing.T) {
	s := newStream(t, fast, trip/2, nil)
	s.play(time.Second)
	require.Greater(t, s.a.limit, need)
	s.b.paused = true
	for range 10 * 120 {
		s.play(100 * time.Millisecond)
		s.b.Discard(s.now, min(slow/10, s.b.Readable()))
	}
	require.Less(t, s.b.Readable(), 140_000)
	require.LessOrEqual(t, s.b.rcv.size(), 2*autoStart)
	require.LessOrEqual(t, s.a.limit, sendStart)
}

// What a tuner does with so many bytes in so much time.
func TestTuner(t *testing.T) {
	const least, most = 1000, 16000
	for _, tt := range []struct {
		name  string
		rtt   time.Duration
		quota int32
		bytes int
		took  time.Duration
		want  int32
		stays bool // the count goes on
	}{
		{"half in two round trips", 10 * ms, 4000, 2000, 20 * ms, 8000, false},
		{"half in more", 10 * ms, 4000, 2000, 21 * ms, 4000, false},
		{"all at once, after a long time", 10 * ms, 4000, 4000, time.Minute, 8000, false},
		{"less than half", 10 * ms, 4000, 1999, 20 * ms, 4000, true},
		{"up to the limit", 10 * ms, 12000, 6000, 20 * ms, most, false},
		{"no round trip was measured", 0, 4000, 2000, time.Minute, 8000, false},
		{"a peer nearby", time.Microsecond, 4000, 2000, 2 * ms, 8000, false},
		{"a peer nearby that is slow", time.Microsecond, 4000, 2000, 3 * ms, 4000, false},
		{"little in 8 round trips", 20 * ms, 4000, 1999, 160 * ms, 2000, false},
		{"little in less", 20 * ms, 4000, 1999, 159 * ms, 4000, true},
		{"little, and no patience yet", ms, 4000, 1999, 99 * ms, 4000, true},
		{"little, and the patience is over", ms, 4000, 1999, 100 * ms, 2000, false},
		{"down to the least", 10 * ms, 1001, 0, time.Minute, least, false},
		{"at the least", 10 * ms, least, 499, time.Hour, least, false},
	} {
		tn := tuner{quota: tt.quota, mark: 5, since: origin}
		now, at := origin+tt.took, Seq(5).Add(tt.bytes)
		tn.follow(now, tt.rtt, sendPatience, at, least, most)
		want := tuner{tt.want, at, now}
		if tt.stays {
			want = tuner{tt.want, 5, origin}
		}
		require.Equal(t, want, tn, tt.name)
	}
}

// Where a send buffer begins, by the round trip of the handshake, and what is left of the memory.
func TestSendQuota(t *testing.T) {
	for _, tt := range []struct {
		trip time.Duration
		held int64
		want int
	}{
		{0, 0, sendStart}, // none was measured
		{time.Millisecond - 1, 0, sendStart},
		{time.Second, 0, sendStart},
		{time.Millisecond - 1, 1 << 19, sendLeast},
		{time.Second, 1 << 20, sendLeast},
	} {
		m := NewMemory(1 << 20)
		m.add(tt.held)
		c := New(Config{Memory: m})
		c.rtt.shortest, c.rtt.smoothed = tt.trip, tt.trip
		require.Equal(t, tt.want, c.SendQuota(origin), "%+v", tt)
	}
}

// A send buffer to a peer nearby grows where the stack holds little else, and comes down at once where
// it holds more than the caches do. One to a peer that is farther away follows its path alone.
func TestSendQuota_Nearby(t *testing.T) {
	for _, tt := range []struct {
		trip        time.Duration
		quota, want int32
		held        int64
	}{
		{time.Millisecond - 1, sendStart, 2 * sendStart, 0},
		{time.Millisecond - 1, 2 * sendStart, autoLimit, cached/2 - 1},
		{time.Millisecond - 1, autoLimit, autoLimit, 0},
		{time.Millisecond - 1, sendStart, sendStart, cached / 2},
		{time.Millisecond - 1, 2 * sendStart, 2 * sendStart, cached - 1},
		{time.Millisecond - 1, autoLimit, sendStart, cached},
		{time.Millisecond - 1, sendStart, sendStart, cached},
		{time.Millisecond, sendStart, 2 * sendStart, cached},
		{0, sendStart, 2 * sendStart, cached}, // none was measured
	} {
		m := NewMemory(8 * cached)
		m.add(tt.held)
		c := New(Config{Memory: m})
		c.rtt.shortest, c.rtt.smoothed = tt.trip, tt.trip
		c.snd.tuner = tuner{quota: tt.quota, mark: c.snd.una, since: origin}
		if tt.held >= cached && tt.want == sendStart {
			require.EqualValues(t, tt.want, c.SendQuota(origin+ms), "at once")
		}
		c.snd.una = c.snd.una.Add(int(tt.quota / 2))
		require.EqualValues(t, tt.want, c.SendQuota(origin+ms), "%+v", tt)
	}
}

// The edge of a window never moves left, whatever is read when, and whatever is left of the memory.
func TestEdgeNeverMovesLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLone()
		m := NewMemory(1 << 20)
		l.cfg.Quota, l.cfg.Memory, l.win, l.peer.Scale = Unset, m, 65535, 7
		l.become(Established)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		edge := l.rcv.edge
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch random.IntN(6) {
			case 0:
				l.Discard(l.now, random.IntN(l.Readable()+1))
			case 1:
				l.wait(time.Duration(random.Int64N(int64(6 * time.Second))))
			case 2: // another connection takes memory, or gives it back
				m.add(random.Int64N(1<<20) - m.Held())
			case 3:
				l.Discard(l.now, l.Readable())
			default:
				n := min(random.IntN(60_000), l.rcv.permitted())
				l.give(Segment{Seq: Seq(l.rcv.next.From(loneIRS)), Ack: 1, Flags: ACK, Window: l.win, Payload: payload(n), Options: l.plain()})
			}
			l.drain()
			l.Account()
			require.False(t, l.rcv.edge.Before(edge), "the edge")
			require.LessOrEqual(t, l.rcv.quota, int32(autoLimit))
			require.GreaterOrEqual(t, l.rcv.quota, int32(autoStart))
			edge = l.rcv.edge
		}
	})
}
