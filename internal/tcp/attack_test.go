package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
)

// A victim is a connection with a lot in flight, in segments of the least size.
type victim struct {
	*Conn
	t   testing.TB
	now time.Duration
	una Seq
}

// newVictim has n segments of 48 bytes in flight.
func newVictim(t testing.TB, n int, o Options) *victim {
	v := &victim{t: t, now: origin, una: loneISS + 1}
	v.Conn = New(Config{ISS: loneISS, MSS: 1460, Quota: 1 << 20, NoDelay: true})
	v.Open(v.now)
	v.drain()
	o.MSS, o.Scale = MinMSS, MaxScale
	v.pass(10 * ms)
	v.give(Segment{Flags: SYN | ACK, Seq: loneIRS, Ack: v.una, Window: 65535, Options: o})
	v.out.control = congestion.New(congestion.CUBIC, v.MSS(), n*v.MSS())
	v.Segment(v.now, &Segment{Flags: ACK, Seq: loneIRS + 1, Ack: v.una, Window: 65535, Options: Options{Scale: NoScale}})
	v.Send(v.now, make([]byte, n*v.MSS()))
	v.drain()
	require.Equal(t, n*v.MSS(), v.InFlight())
	v.pass(10 * ms)
	return v
}

func (v *victim) pass(d time.Duration) {
	v.now += d
	v.Timer(v.now)
	v.drain()
}

func (v *victim) give(s Segment) int {
	v.Segment(v.now, &s)
	return v.drain()
}

// drain returns how many segments left.
func (v *victim) drain() (n int) {
	var s Segment
	for v.Output(v.now, &s) {
		s.Payload.Release()
		n++
	}
	return n
}

// ack is an acknowledgement with up to three blocks of segments behind SND.UNA,
// told by their first and their last.
func (v *victim) ack(blocks ...[2]int) Segment {
	s := Segment{Flags: ACK, Seq: loneIRS + 1, Ack: v.una, Window: 65535, Options: Options{Scale: NoScale}}
	for i, k := range blocks {
		s.Options.Blocks[i] = Block{v.una.Add(k[0] * v.MSS()), v.una.Add((k[1] + 1) * v.MSS())}
		s.Options.Count++
	}
	return s
}

// attacks are what a peer may do with each of its segments, i counts them.
var attacks = map[string]func(v *victim, i, n int){
	"SACK every second": func(v *victim, i, n int) { v.give(v.ack([2]int{2*i + 1, 2*i + 1})) },
	"SACK every second, backwards": func(v *victim, i, n int) {
		v.give(v.ack([2]int{n - 1 - 2*i, n - 1 - 2*i}))
	},
	"SACK the same again": func(v *victim, i, n int) {
		v.give(v.ack([2]int{n / 2, n - 2}, [2]int{1, n/2 - 2}))
	},
	"SACK, growing": func(v *victim, i, n int) { v.give(v.ack([2]int{1, 1 + i})) },
	"D-SACKs": func(v *victim, i, n int) {
		v.give(v.ack([2]int{-2, -1}, [2]int{n / 2, n / 2}))
	},
	"an acknowledgement for each byte": func(v *victim, i, n int) {
		v.una++
		v.give(v.ack())
	},
	"losses that are taken back": func(v *victim, i, n int) {
		v.now += time.Microsecond
		v.give(v.ack([2]int{n - 1 - i, n - 1 - i}))
		v.give(v.ack([2]int{0, 0}, [2]int{0, 1}))
		v.give(v.ack([2]int{i, i}, [2]int{i, i + 1}))
	},
	"windows of one byte": func(v *victim, i, n int) {
		s := v.ack()
		s.Window = uint16(i & 1)
		v.give(s)
	},
	"urgent pointers": func(v *victim, i, n int) {
		v.give(Segment{Flags: ACK | URG, Seq: loneIRS + 1, Ack: v.una, Window: 65535, Urgent: uint16(i), Options: Options{Scale: NoScale}})
	},
	"errors of the path": func(v *victim, i, n int) { v.PathMTU(1000, v.una) },
}

func BenchmarkAttack(b *testing.B) {
	const n = maxSmall
	for name, attack := range attacks {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				v := newVictim(b, n, Options{SACKPermitted: true})
				b.StartTimer()
				for i := range n / 2 {
					attack(v, i, n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n/2), "ns/segment")
		})
	}
}

// A receiver takes losses back once for each flight: this is what bounds the cost
// of a segment.
func TestUndoneOnce(t *testing.T) {
	const n = 1000
	v := newVictim(t, n, Options{SACKPermitted: true})
	before := v.out.undone
	v.give(v.ack([2]int{n - 1, n - 1}))
	v.pass(20 * ms)
	require.Equal(t, recovering, v.out.phase)
	resent := v.Counters.BytesResent / uint64(v.MSS())
	require.NotZero(t, resent)
	v.give(v.ack([2]int{0, int(resent) - 1}, [2]int{0, int(resent) - 1}))
	require.Equal(t, steady, v.out.phase, "taken back")
	require.NotEqual(t, before, v.out.undone)

	// The same again, before what was in flight is acknowledged: it stays a loss.
	v.give(v.ack([2]int{n - 2, n - 2}))
	v.pass(50 * ms)
	require.Equal(t, recovering, v.out.phase)
	all := int(v.Counters.BytesResent) / v.MSS()
	v.give(v.ack([2]int{0, all - 1}, [2]int{0, all - 1}))
	require.Equal(t, recovering, v.out.phase)
	require.False(t, v.out.undo.active)
}
