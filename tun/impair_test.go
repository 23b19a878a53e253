package tun

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/monotonic"
)

// fakeClock is virtual time for the tests of one goroutine.
type fakeClock struct {
	now    time.Duration
	last   uint64
	timers agenda.Agenda[*fakeTimer]
}

type fakeTimer struct {
	agenda.Slot
	c *fakeClock
	f func()
}

func (c *fakeClock) Now() time.Time { return time.Unix(0, 0).Add(c.now) }
func (c *fakeClock) NowMonotonic() tcpip.MonotonicTime {
	return monotonic.At(time.Hour + c.now)
}
func (c *fakeClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &fakeTimer{c: c, f: f}
	t.Reset(d)
	return t
}
func (t *fakeTimer) Stop() bool {
	if !t.Scheduled() {
		return false
	}
	t.c.timers.Remove(t)
	return true
}
func (t *fakeTimer) Reset(d time.Duration) {
	t.Stop()
	t.c.last++
	t.At, t.Order = t.c.now+d, t.c.last
	t.c.timers.Add(t)
}

// advance runs the timers that are due by then.
func (c *fakeClock) advance(d time.Duration) {
	end := c.now + d
	for c.timers.Len() > 0 && c.timers.First().At <= end {
		t := c.timers.Pop()
		c.now = max(c.now, t.At)
		t.f()
	}
	c.now = end
}

// sentTo is a device that notes what it is sent, and when.
type sentTo struct {
	clock   tcpip.Clock
	mu      sync.Mutex
	numbers []int
	times   []time.Duration
	data    [][]byte
	receive func([]Packet)
	closed  bool
	err     error // of Send
}

func (p *sentTo) MTU() int                           { return inet.MaxMTU }
func (p *sentTo) Offload() Offload                   { return Offload{} }
func (p *sentTo) Start(receive func([]Packet)) error { p.receive = receive; return nil }
func (p *sentTo) Close() error                       { p.closed = true; return nil }
func (p *sentTo) Send(packets []Packet) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range packets {
		p.numbers = append(p.numbers, numberOf(&packets[i]))
		p.times = append(p.times, p.clock.NowMonotonic().Sub(tcpip.MonotonicTime{}.Add(time.Hour)))
		p.data = append(p.data, packets[i].Data.Flatten())
	}
	return p.err
}

// newBench returns a device behind an impairment in virtual time.
func newBench(t require.TestingT, m Impairment, seed uint64) (*Impaired, *sentTo, *fakeClock) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	i, err := Impair(p, ImpairConfig{Out: m, Clock: c, Rand: rand.NewPCG(seed, 1)})
	require.NoError(t, err)
	return i, p, c
}

// sendNumbered sends packets first to last, gap apart.
func sendNumbered(t require.TestingT, i *Impaired, c *fakeClock, first, last, size int, gap time.Duration) {
	for n := first; n <= last; n++ {
		packets := []Packet{numbered(n, size)}
		require.NoError(t, i.Send(packets))
		release(packets)
		c.advance(gap)
	}
}

func TestImpair_ImpossibleValues(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		field string
		m     Impairment
	}{
		{"Loss", Impairment{Loss: 1.01}}, {"Loss", Impairment{Loss: -0.1}}, {"Loss", Impairment{Loss: nan}},
		{"Burst.Enter", Impairment{Burst: Burst{Enter: 2}}}, {"Burst.Leave", Impairment{Burst: Burst{Enter: 0.1}}},
		{"Burst.Loss", Impairment{Burst: Burst{Enter: 0.1, Leave: 0.1, Loss: 7}}},
		{"Duplicate", Impairment{Duplicate: 1.5}}, {"Corrupt", Impairment{Corrupt: -1}}, {"Reorder", Impairment{Reorder: 3}},
		{"Delay", Impairment{Delay: -1}}, {"Jitter", Impairment{Jitter: -1}}, {"ReorderDelay", Impairment{ReorderDelay: -1}},
		{"Delay", Impairment{Delay: 25 * time.Hour}},
		{"MTU", Impairment{MTU: 67}}, {"MTU", Impairment{MTU: 65536}}, {"MTU", Impairment{MTU: -1}},
		{"Rate", Impairment{Rate: -1}}, {"Queue", Impairment{Queue: -1}},
	} {
		p := &sentTo{}
		_, err := Impair(p, ImpairConfig{Out: c.m})
		require.ErrorContains(t, err, "impairment."+c.field+":", "%+v", c.m)
		_, err = Impair(p, ImpairConfig{In: c.m})
		require.ErrorContains(t, err, "impairment."+c.field+":")
		require.False(t, p.closed, "after an error the device is the caller's")

		i, err := Impair(p, ImpairConfig{Out: Impairment{Loss: 0.5}})
		require.NoError(t, err)
		require.ErrorContains(t, i.SetOut(c.m), c.field)
		out, _ := i.Impairments()
		require.Equal(t, 0.5, out.Loss, "a failed Set changes nothing")
	}
}

func TestImpair_ZeroPassesAtOnce(t *testing.T) {
	i, p, c := newBench(t, Impairment{}, 1)
	sendNumbered(t, i, c, 1, 3, 100, 0)
	require.Equal(t, []int{1, 2, 3}, p.numbers)
	out, _ := i.Stats()
	require.Equal(t, ImpairStats{Packets: 3, Bytes: 300}, out)
}

func TestImpair_DelayIsExact(t *testing.T) {
	i, p, c := newBench(t, Impairment{Delay: 50 * time.Millisecond}, 1)
	sendNumbered(t, i, c, 1, 3, 100, 10*time.Millisecond)
	c.advance(20*time.Millisecond - 1)
	require.Empty(t, p.numbers, "a nanosecond before")
	require.Equal(t, 3, i.InFlight())
	require.Zero(t, i.Pending(), "only the clock can bring them")
	c.advance(time.Second)
	require.Equal(t, []int{1, 2, 3}, p.numbers)
	require.Equal(t, []time.Duration{50 * time.Millisecond, 60 * time.Millisecond, 70 * time.Millisecond}, p.times)
}

// A change applies to packets sent from then on, which don't overtake.
func TestImpair_ChangeWhileRunning(t *testing.T) {
	i, p, c := newBench(t, Impairment{Delay: 50 * time.Millisecond}, 1)
	sendNumbered(t, i, c, 1, 1, 100, 0)
	require.NoError(t, i.SetOut(Impairment{}))
	sendNumbered(t, i, c, 2, 2, 100, 0)
	require.NoError(t, i.SetOut(Impairment{Partition: true}))
	sendNumbered(t, i, c, 3, 3, 100, 0)
	require.NoError(t, i.SetOut(Impairment{}))
	c.advance(time.Second)
	sendNumbered(t, i, c, 4, 4, 100, 0)
	require.Equal(t, []int{1, 2, 4}, p.numbers)
	require.Equal(t, []time.Duration{50 * time.Millisecond, 50 * time.Millisecond, time.Second}, p.times)
}

func TestImpair_Jitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delay := time.Duration(rapid.IntRange(0, 100).Draw(t, "delay")) * time.Millisecond
		jitter := time.Duration(rapid.IntRange(1, 50).Draw(t, "jitter")) * time.Millisecond
		i, p, c := newBench(t, Impairment{Delay: delay, Jitter: jitter}, rapid.Uint64().Draw(t, "seed"))
		const gap = 200 * time.Millisecond // longer than any delay: order changes nothing
		const count = 400
		sendNumbered(t, i, c, 0, count-1, 100, gap)
		require.Len(t, p.numbers, count)
		low, high := time.Hour, time.Duration(0)
		for k, n := range p.numbers {
			require.Equal(t, k, n, "packets stay in order")
			d := p.times[k] - time.Duration(k)*gap
			low, high = min(low, d), max(high, d)
		}
		require.GreaterOrEqual(t, low, max(0, delay-jitter))
		require.LessOrEqual(t, high, delay+jitter)
		require.Greater(t, high, delay+jitter*3/4, "the range is used")
	})
}

// within checks a count of n trials with probability p: five standard
// deviations are left by one run in a million.
func within(t require.TestingT, what string, got, n int, p float64) {
	mean, deviation := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	require.InDelta(t, mean, float64(got), 5*deviation+1, "%s: %d of %d, want a share of %v", what, got, n, p)
}

func TestImpair_Shares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Float64Range(0, 1).Draw(t, "share")
		seed := rapid.Uint64().Draw(t, "seed")
		const n = 1000
		for _, c := range []struct {
			what string
			m    Impairment
			got  func(*ImpairStats) uint64
		}{
			{"lost", Impairment{Loss: share}, func(s *ImpairStats) uint64 { return s.Lost }},
			{"duplicated", Impairment{Duplicate: share}, func(s *ImpairStats) uint64 { return s.Duplicated }},
			{"corrupted", Impairment{Corrupt: share}, func(s *ImpairStats) uint64 { return s.Corrupted }},
			{"reordered", Impairment{Reorder: share}, func(s *ImpairStats) uint64 { return s.Reordered }},
		} {
			i, p, clock := newBench(t, c.m, seed)
			sendNumbered(t, i, clock, 1, n, 20, 0)
			clock.advance(time.Second)
			out, _ := i.Stats()
			within(t, c.what, int(c.got(&out)), n, share)
			require.Equal(t, n-int(out.Dropped())+int(out.Duplicated), len(p.numbers))
			require.Equal(t, out.Dropped(), i.Drops())
		}
	})
}

func TestImpair_LossIsIndependent(t *testing.T) {
	const n, loss = 50_000, 0.1
	i, p, c := newBench(t, Impairment{Loss: loss}, 3)
	sendNumbered(t, i, c, 1, n, 20, 0)
	bursts, mean := lossBursts(p.numbers, n)
	within(t, "bursts", bursts, n, loss*(1-loss))
	require.InDelta(t, 1/(1-loss), mean, 0.02)
}

func TestImpair_BurstLoss(t *testing.T) {
	const n, enter, leave = 200_000, 0.02, 0.25
	i, p, c := newBench(t, Impairment{Burst: Burst{Enter: enter, Leave: leave}}, 3)
	sendNumbered(t, i, c, 1, n, 20, 0)
	lost := n - len(p.numbers)
	require.InEpsilon(t, enter/(enter+leave), float64(lost)/n, 0.1)
	_, mean := lossBursts(p.numbers, n)
	require.InEpsilon(t, 1/leave, mean, 0.1, "the mean length of a burst")

	i, p, c = newBench(t, Impairment{Burst: Burst{Enter: enter, Leave: leave, Loss: 0.5}}, 3)
	sendNumbered(t, i, c, 1, n, 20, 0)
	require.InEpsilon(t, enter/(enter+leave)/2, float64(n-len(p.numbers))/n, 0.1)
}

// lossBursts counts the runs of missing numbers and their mean length.
func lossBursts(numbers []int, n int) (bursts int, mean float64) {
	lost, last := 0, 0
	for _, k := range append(numbers, n+1) {
		if gap := k - last - 1; gap > 0 {
			bursts++
			lost += gap
		}
		last = k
	}
	return bursts, float64(lost) / float64(max(bursts, 1))
}

func TestImpair_Rate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Int64Range(10_000, 1_000_000_000).Draw(t, "rate")
		size := rapid.IntRange(20, 1500).Draw(t, "size")
		delay := time.Duration(rapid.IntRange(0, 100).Draw(t, "delay")) * time.Millisecond
		i, p, c := newBench(t, Impairment{Rate: rate, Queue: 1 << 30, Delay: delay}, 1)
		const n = 200
		sendNumbered(t, i, c, 1, n, size, 0)
		c.advance(time.Hour)
		require.Len(t, p.numbers, n)
		for k := range p.times {
			want := delay + time.Duration(float64(k+1)*float64(size)*8e9/float64(rate))
			require.InDelta(t, want, p.times[k], float64(n), "packet %d", k+1) // a nanosecond of rounding each
		}
	})
}

func TestImpair_QueueIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(20, 1500).Draw(t, "size")
		queue := rapid.IntRange(1500, 30_000).Draw(t, "queue")
		i, p, c := newBench(t, Impairment{Rate: 1_000_000, Queue: queue}, 1)
		sendNumbered(t, i, c, 1, 2_000, size, 0)
		// At one instant: the queue, and the packet that is being sent.
		waiting := i.InFlight() * size
		require.LessOrEqual(t, waiting, queue+size)
		require.Greater(t, waiting, queue-size)
		c.advance(time.Hour)
		out, _ := i.Stats()
		require.EqualValues(t, 2_000-len(p.numbers), out.QueueFull)
	})
	i, _, c := newBench(t, Impairment{Rate: 80_000_000}, 1) // 100 ms: a million bytes
	sendNumbered(t, i, c, 1, 2000, 1000, 0)
	require.InDelta(t, 1000, i.InFlight(), 2)
}

func TestImpair_DelayedPacketsAreBounded(t *testing.T) {
	i, _, c := newBench(t, Impairment{Delay: time.Second}, 1)
	sendNumbered(t, i, c, 1, QueuePackets+10, 20, 0)
	require.Equal(t, QueuePackets, i.InFlight())
	out, _ := i.Stats()
	require.EqualValues(t, 10, out.QueueFull)
}

func TestImpair_ReorderOvertakes(t *testing.T) {
	i, p, c := newBench(t, Impairment{Reorder: 0.2, ReorderDelay: 25 * time.Millisecond, Delay: 10 * time.Millisecond}, 5)
	const n = 1000
	sendNumbered(t, i, c, 0, n-1, 20, 10*time.Millisecond)
	c.advance(time.Second)
	require.Len(t, p.numbers, n)
	late := 0
	for k, number := range p.numbers {
		switch d := p.times[k] - time.Duration(number)*10*time.Millisecond; d {
		case 10 * time.Millisecond:
		case 35 * time.Millisecond:
			late++
		default:
			t.Fatalf("packet %d took %v", number, d)
		}
	}
	within(t, "late", late, n, 0.2)
}

func TestImpair_MTU(t *testing.T) {
	i, p, c := newBench(t, Impairment{MTU: 1000}, 1)
	sendNumbered(t, i, c, 1, 1, 1000, 0)
	sendNumbered(t, i, c, 2, 2, 1001, 0)
	require.Equal(t, []int{1}, p.numbers)
}

func TestImpair_CorruptFlipsOneBit(t *testing.T) {
	i, p, c := newBench(t, Impairment{Corrupt: 1}, 1)
	original := numbered(7, 50)
	want := original.Data.Flatten()
	require.NoError(t, i.Send([]Packet{original}))
	c.advance(0)
	require.Equal(t, want, original.Data.Flatten(), "the sender's packet is untouched")
	original.Data.Release()
	flipped := 0
	for k := range want {
		for b := range 8 {
			if (want[k]^p.data[0][k])>>b&1 == 1 {
				flipped++
			}
		}
	}
	require.Equal(t, 1, flipped)
}

func TestImpair_Filter(t *testing.T) {
	var i *Impaired
	seen := 0
	filter := func(packet []byte) []byte {
		seen++
		switch packet[3] {
		case 2:
			return nil
		case 3:
			packet[3] = 30
		case 4: // a filter may change the impairments
			if err := i.SetOut(Impairment{Partition: true}); err != nil {
				t.Error(err)
			}
		}
		return packet
	}
	i, p, c := newBench(t, Impairment{Filter: filter}, 1)
	sendNumbered(t, i, c, 1, 5, 20, 0)
	require.Equal(t, 4, seen)
	require.Equal(t, []int{1, 30}, p.numbers) // 4 was in the filter when the cut came
}

func TestImpair_SameSeedSameFate(t *testing.T) {
	m := Impairment{Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1, Reorder: 0.1, Jitter: time.Millisecond, Delay: 5 * time.Millisecond, Rate: 1_000_000}
	run := func(seed uint64) string {
		i, p, c := newBench(t, m, seed)
		sendNumbered(t, i, c, 1, 500, 100, time.Millisecond)
		c.advance(time.Second)
		return fmt.Sprint(p.numbers, p.times)
	}
	require.Equal(t, run(1), run(1))
	require.NotEqual(t, run(1), run(2))
}

func TestImpair_ObserveSeesEveryFate(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	var fates []string
	i, err := Impair(p, ImpairConfig{Clock: c, Rand: rand.NewPCG(1, 1), Observe: func(d Direction, packet *Packet, fate Fate) {
		fates = append(fates, fmt.Sprint(d, " ", numberOf(packet), " ", fate))
	}})
	require.NoError(t, err)
	sendNumbered(t, i, c, 1, 1, 20, 0)
	for k, m := range []Impairment{{Partition: true}, {Loss: 1}, {Filter: func([]byte) []byte { return nil }}, {MTU: 68}, {Duplicate: 1, Reorder: 1}} {
		require.NoError(t, i.SetOut(m))
		sendNumbered(t, i, c, 2+k, 2+k, 69, 0)
	}
	require.NoError(t, i.Start(func(packets []Packet) { release(packets) }))
	p.receive([]Packet{numbered(9, 20)})
	require.Equal(t, []string{"out 1 ", "out 2 partitioned", "out 3 lost", "out 4 filtered", "out 5 too big", "out 6 duplicated, reordered", "in 9 "}, fates)
}

// A packet leaves when who observes it has noted the time, and not before.
func TestImpair_LeavesAfterObserve(t *testing.T) {
	for name, m := range map[string]Impairment{
		"delay": {Delay: 10 * time.Millisecond},
		"rate":  {Rate: 16_000}, // 20 bytes in 10 ms
		"queue": {Rate: 16_000, QueuePackets: 5},
	} {
		c := &fakeClock{}
		p := &sentTo{clock: c}
		var noted time.Duration
		i, err := Impair(p, ImpairConfig{Out: m, Clock: c, Observe: func(Direction, *Packet, Fate) {
			c.now += 3 * time.Millisecond // as when the goroutine was interrupted
			noted = c.now
		}})
		require.NoError(t, err)
		one := []Packet{numbered(1, 20)}
		require.NoError(t, i.Send(one))
		release(one)
		c.advance(time.Second)
		require.Equal(t, []time.Duration{noted + 10*time.Millisecond}, p.times, name)
	}
}

func TestImpair_In(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	i, err := Impair(p, ImpairConfig{In: Impairment{Delay: time.Second}, Clock: c})
	require.NoError(t, err)
	var s sink
	require.NoError(t, i.Start(s.receive))
	p.receive([]Packet{numbered(1, 20), numbered(2, 20)})
	require.Zero(t, s.len())
	c.advance(time.Second)
	s.requireNumbers(t, 1, 2)
	require.NoError(t, i.SetIn(Impairment{}))
	p.receive([]Packet{numbered(3, 20)})
	s.requireNumbers(t, 1, 3)
}
