package tcp

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// newCrowd makes n connections that share a Memory, with peers that have a window of 64 KiB.
func newCrowd(n int, m *Memory) []*Conn {
	all := make([]*Conn, n)
	syn := Segment{Seq: 999, Flags: SYN, Window: 65535, Options: Options{MSS: 1460, Scale: NoScale, SACKPermitted: true}}
	cfg := Config{MSS: 1460, Quota: Unset, Memory: m}
	for i := range all {
		h := NewHalfOpen(0, &syn)
		h.SynAck(origin, cfg)
		all[i] = h.Conn(origin+10*ms, cfg)
		drain(all[i], origin+10*ms)
	}
	return all
}

// drain does what a caller does in the end.
func drain(c *Conn, now time.Duration) {
	var s Segment
	for c.Output(now, &s) {
		s.Payload.Release()
	}
	c.Account()
}

// give gives a connection of a crowd n bytes from the offset on.
func give(c *Conn, now time.Duration, offset, n int) {
	c.Segment(now, &Segment{Seq: c.rcv.irs.Add(1 + offset), Ack: c.snd.next, Flags: ACK, Window: 65535, Payload: payload(n), Options: Options{Scale: NoScale}})
	drain(c, now)
}

// heldBy is what connections hold.
func heldBy(all []*Conn) (sum int) {
	for _, c := range all {
		sum += c.Held()
	}
	return sum
}

// free is what each connection may hold beyond the bound: the first step, which isn't told, and a
// segment each way.
const free = leastStep + 2*1460 + 128

// A crowd that holds all it can, in each way that there is, stays within the bound, and others go on.
func TestMemoryIsBounded(t *testing.T) {
	const bound = 64 << 20
	for name, fill := range map[string]func(c *Conn, now time.Duration){
		"nobody reads": func(c *Conn, now time.Duration) {
			for at := 0; at < 65536; at += 8192 {
				give(c, now, at, 8192)
			}
		},
		"holes": func(c *Conn, now time.Duration) {
			for at := 4096; at < 65536; at += 8192 {
				give(c, now, at, 4096)
			}
		},
		"holes of a byte": func(c *Conn, now time.Duration) {
			for at := 1; at < 128; at += 2 {
				give(c, now, at, 1)
			}
		},
		"nobody acknowledges": func(c *Conn, now time.Duration) {
			for {
				n := c.Afford(min(8192, c.SendQuota(now)-c.Queued()))
				if n <= 0 {
					return
				}
				c.Send(now, make([]byte, n))
				drain(c, now)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory(bound)
			crowd := newCrowd(5000, m)
			now := origin + 20*ms
			for _, c := range crowd {
				fill(c, now)
			}
			held := heldBy(crowd)
			t.Logf("%d connections hold %d bytes of %d", len(crowd), held, bound)
			require.Greater(t, held, bound*3/4, "the crowd has done what it could")
			require.LessOrEqual(t, held, bound+len(crowd)*free)
			require.GreaterOrEqual(t, m.Held(), int64(held-len(crowd)*free))
			require.Equal(t, full, m.left())

			p := newPair(t, Config{Quota: Unset, Memory: m}, Config{Quota: Unset, Memory: m}, delay(ms))
			p.check = func() {
				p.a.limit = p.a.Queued() + p.a.Afford(1<<20)
				p.a.Account()
				p.b.Account()
			}
			p.check()
			p.transfer(200_000, 10*time.Minute)
			require.LessOrEqual(t, p.a.Held()+p.b.Held(), 2*free)

			for _, c := range crowd { // and all of it is given back
				c.Abort()
				c.Account()
			}
			p.a.Account()
			p.b.Account()
			require.Zero(t, m.Held()-int64(p.a.Conn.told+p.b.Conn.told))
			require.Equal(t, plenty, m.left())
		})
	}
}

// The levels, from both sides.
func TestMemoryLevels(t *testing.T) {
	m := NewMemory(1000)
	for _, tt := range []struct {
		add  int64
		want level
	}{{499, plenty}, {1, tight}, {-1, plenty}, {500, tight}, {1, full}, {500, full}, {-501, tight}, {-500, plenty}} {
		m.add(tt.add)
		require.Equal(t, tt.want, m.left(), "%d held", m.Held())
	}
	require.Equal(t, 501, m.reserve(600))
	require.Equal(t, full, m.left())
	require.Zero(t, m.reserve(1))
	require.EqualValues(t, 1000, m.Bound())
	var none *Memory
	require.Equal(t, []any{plenty, int64(0), int64(0)}, []any{none.left(), none.Held(), none.Bound()})
}

// Sends while the memory gets scarce: all, what is left, a segment, nothing.
func TestAfford(t *testing.T) {
	m := NewMemory(1 << 20)
	c := newCrowd(1, m)[0]
	require.Equal(t, 64<<10, c.Afford(64<<10))
	require.Zero(t, m.Held(), "a little isn't reserved while there is plenty")
	require.Equal(t, 1<<20, c.Afford(4<<20), "one large send takes no more than there is")
	require.Equal(t, full, m.left())
	require.Equal(t, c.MSS(), c.Afford(4<<20), "a segment, where nothing is queued")
	require.Equal(t, 100, c.Afford(100))
	c.Send(origin, make([]byte, 100))
	require.Zero(t, c.Afford(1))
	c.Account() // what was reserved and not sent is given back
	require.Zero(t, m.Held())
	m.add(1 << 19)
	require.Equal(t, 5000, c.Afford(5000))
	require.EqualValues(t, 1<<19+5000, m.Held(), "what is left is reserved once it is tight")
}

// A packet of which little is new is copied: a reference would hold all of it.
func TestLittleOfAPacketIsCopied(t *testing.T) {
	r := receiver{next: 1, read: 1, edge: 1 << 20, tuner: tuner{quota: 1 << 20}, least: 1460}
	take := func(seq Seq) {
		b := payload(60_000)
		r.data(seq, &b)
	}
	take(100_001)
	take(98_001)
	early := r.pieces.runs[0].data
	require.Equal(t, 62_000, early.size)
	require.Less(t, early.views[early.head].Capacity(), 4096)
	take(1)
	take(2001)
	require.Equal(t, 62_000, r.queue.size)
	require.Less(t, r.queue.views[1].Capacity(), 4096)
}

// Whatever a crowd sends, reads and is sent, what it holds is bounded, and what it tells is what it
// holds, within a step.
func TestMemoryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMemory(int64(rapid.IntRange(1, 20).Draw(t, "bound")) * 50_000)
		crowd := newCrowd(rapid.IntRange(1, 30).Draw(t, "connections"), m)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		now := origin + 20*ms
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			c := crowd[random.IntN(len(crowd))]
			now += time.Duration(random.Int64N(int64(100 * ms)))
			c.Timer(now)
			switch random.IntN(7) {
			case 0:
				c.Discard(now, random.IntN(c.Readable()+1))
			case 1: // all that was sent is acknowledged
				c.Segment(now, &Segment{Seq: c.rcv.next, Ack: c.snd.next, Flags: ACK, Window: 65535, Options: Options{Scale: NoScale}})
			case 2, 3:
				c.Send(now, make([]byte, c.Afford(random.IntN(200_000))))
			default:
				room := c.rcv.permitted()
				from := random.IntN(room + 1)
				give(c, now, c.rcv.next.From(c.rcv.irs)-1+from*random.IntN(2), min(random.IntN(30_000), room-from))
			}
			drain(c, now)
			require.LessOrEqual(t, heldBy(crowd), int(m.Bound())+len(crowd)*free+64<<10)
			require.LessOrEqual(t, c.Held()-int(c.told), leastStep)
			require.LessOrEqual(t, int(c.told)-c.Held(), 2*min(max(c.Held()/8, leastStep), largestStep))
		}
		for _, c := range crowd {
			c.AbortUnread()
			c.Account()
		}
		require.Zero(t, m.Held())
	})
}

// What nobody has read of a connection that has ended gracefully counts until somebody closes it.
func TestUnreadAfterTheEnd(t *testing.T) {
	m := NewMemory(1 << 20)
	c := newCrowd(1, m)[0]
	now := origin + 20*ms
	give(c, now, 0, 30_000)
	c.Segment(now, &Segment{Seq: c.rcv.next, Ack: c.snd.next, Flags: ACK | FIN, Window: 65535, Options: Options{Scale: NoScale}})
	c.Close(now)
	drain(c, now)
	c.Segment(now, &Segment{Seq: c.rcv.next, Ack: c.snd.next, Flags: ACK, Window: 65535, Options: Options{Scale: NoScale}})
	drain(c, now)
	require.Equal(t, []any{Closed, None, 30_000}, []any{c.State(), c.Cause(), c.Readable()})
	require.GreaterOrEqual(t, m.Held(), int64(30_000))
	c.AbortUnread()
	c.Account()
	require.Zero(t, m.Held())
}

// While no memory is left a reader opens the window by a segment, and as before once there is some.
func TestWindowWhileNoMemoryIsLeft(t *testing.T) {
	m := NewMemory(1 << 20)
	c := newCrowd(1, m)[0]
	now := origin + 20*ms
	give(c, now, 0, 65_535)
	require.Zero(t, c.Info().RcvWnd)
	m.add(1 << 20)
	for read := range 3 {
		c.Discard(now, c.Readable())
		drain(c, now)
		require.Equal(t, 1460, c.Info().RcvWnd)
		give(c, now, 65_535+1460*read, 1460)
	}
	m.add(-1 << 20)
	c.Discard(now, c.Readable())
	drain(c, now)
	require.Equal(t, 65_535, c.Info().RcvWnd)
}

// While memory is tight a window that has grown falls to what it was at first with the next read.
func TestWindowWhileMemoryIsTight(t *testing.T) {
	m := NewMemory(1 << 20)
	c := newCrowd(1, m)[0]
	c.rcv.quota = autoLimit
	m.add(1<<19 - 1)
	give(c, origin+20*ms, 0, 1000)
	c.Discard(origin+20*ms, 500)
	require.EqualValues(t, autoLimit, c.rcv.quota)
	m.add(1)
	c.Discard(origin+20*ms, 500)
	require.EqualValues(t, autoStart, c.rcv.quota)
}
