package tun

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// kilobyte is a queue that sends a packet of 1,000 bytes in a millisecond.
var kilobyte = Impairment{Rate: 8_000_000, QueuePackets: 100}

const ms = time.Millisecond

// After any number of packets, the time is that of an exact division.
func TestQueue_DoesNotDrift(t *testing.T) {
	for _, rate := range []int64{7, 6_999_999, 3_000_000_017, 1 << 62} {
		i, p, c := newBench(t, Impairment{Rate: rate, QueuePackets: 20_000}, 1)
		const n = 10_000
		sendNumbered(t, i, c, 1, n, 20, 0)
		c.advance(10 * 24 * time.Hour)
		require.Len(t, p.times, n)
		bits := uint64(n * 20 * 8)
		want := time.Duration(float64(bits) / float64(rate) * 1e9)
		require.InDelta(t, want, p.times[n-1], 1, "at %d bits per second", rate)
	}
}

// Of the packet that is being sent, the rest leaves at the new rate, and so do those that wait.
func TestQueue_NewRateForWhatWaits(t *testing.T) {
	trace := rateTrace(t, 3, 4, 6)
	for _, c := range []struct {
		name string
		to   Impairment
		want []time.Duration
	}{
		{"faster", Impairment{Rate: 80_000_000, QueuePackets: 1}, []time.Duration{460 * ms / 1000, 560 * ms / 1000, 660 * ms / 1000}},
		{"slower", Impairment{Rate: 800_000, Discipline: CoDel}, []time.Duration{6400 * ms / 1000, 16400 * ms / 1000, 26400 * ms / 1000}},
		{"the same", Impairment{Rate: 8_000_000, Queue: 1}, []time.Duration{ms, 2 * ms, 3 * ms}},
		{"no limit", Impairment{}, []time.Duration{400 * ms / 1000, 400 * ms / 1000, 400 * ms / 1000}},
		{"no limit, but a delay", Impairment{Delay: ms}, []time.Duration{1400 * ms / 1000, 1400 * ms / 1000, 1400 * ms / 1000}},
		// 600 bytes are left, then come two packets that count as 1004: 904 of the first at 3.4 ms.
		{"a trace", Impairment{RateTrace: trace}, []time.Duration{3400 * ms / 1000, 4400 * ms / 1000, 4400 * ms / 1000}},
		{"cut", Impairment{Rate: 8_000_000, Partition: true}, []time.Duration{ms, 2 * ms, 3 * ms}},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, p, clock := newBench(t, kilobyte, 1)
			sendNumbered(t, i, clock, 1, 3, 1000, 0)
			clock.advance(400 * ms / 1000)
			require.NoError(t, i.SetOut(c.to))
			require.Equal(t, 3, i.InFlight())
			clock.advance(time.Hour)
			require.Equal(t, []int{1, 2, 3}, p.numbers)
			require.Equal(t, c.want, p.times)
			require.Zero(t, i.InFlight())
		})
	}
}

// With a queue whose limits are reached, what is new is refused; nothing that waits is lost.
func TestQueue_SmallerQueueLosesNothing(t *testing.T) {
	i, p, c := newBench(t, kilobyte, 1)
	sendNumbered(t, i, c, 1, 50, 1000, 0)
	small := kilobyte
	small.QueuePackets = 5
	require.NoError(t, i.SetOut(small))
	sendNumbered(t, i, c, 51, 52, 1000, 0)
	c.advance(46 * ms) // number 47 is being sent
	sendNumbered(t, i, c, 53, 55, 1000, 0)
	c.advance(time.Hour)
	require.Len(t, p.numbers, 52)
	require.Equal(t, []int{50, 53, 54}, p.numbers[49:])
	out, _ := i.Stats()
	require.EqualValues(t, 3, out.QueueFull)
}

// From the queue without packets of its own to the other one and back, packets stay in order, and
// the link sends no faster.
func TestQueue_KindsOfQueues(t *testing.T) {
	plain := Impairment{Rate: 8_000_000, Queue: 1 << 20}
	for _, first := range []Impairment{plain, kilobyte} {
		i, p, c := newBench(t, first, 1)
		want := make([]time.Duration, 0, 30)
		for k, m := range []Impairment{first, kilobyte, plain} {
			require.NoError(t, i.SetOut(m))
			sendNumbered(t, i, c, 10*k, 10*k+9, 1000, 100*ms/1000)
			for n := range 10 {
				want = append(want, time.Duration(10*k+n+1)*ms)
			}
		}
		c.advance(time.Hour)
		require.Equal(t, want, p.times)
		require.IsIncreasing(t, p.numbers)
	}
}

// What comes after packets whose times are settled waits for them, whatever the link is then.
func TestQueue_WaitsForWhatIsSettled(t *testing.T) {
	plain := Impairment{Rate: 8_000_000, Queue: 1 << 20}
	for _, c := range []struct {
		name string
		to   Impairment
		want time.Duration // of the packet that comes next
	}{
		{"a trace", Impairment{RateTrace: rateTrace(t, 2)}, 6 * ms}, // its opportunity at 4 ms is too early
		{"a queue", kilobyte, 6 * ms},
		{"a queue, then nothing", Impairment{}, 5 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, p, clock := newBench(t, plain, 1)
			sendNumbered(t, i, clock, 1, 5, 1000, 0)
			if c.to.perfect() {
				require.NoError(t, i.SetOut(kilobyte))
				sendNumbered(t, i, clock, 6, 6, 1000, 0)
				require.NoError(t, i.SetOut(c.to))
				sendNumbered(t, i, clock, 7, 7, 1000, 0)
			} else {
				clock.advance(2 * ms)
				require.NoError(t, i.SetOut(c.to))
				sendNumbered(t, i, clock, 6, 6, 1000, 0)
			}
			clock.advance(time.Hour)
			require.IsIncreasing(t, p.numbers)
			require.Equal(t, c.want, p.times[5])
		})
	}
}

// A discipline that is set anew has no memory.
func TestQueue_NewDisciplineBegins(t *testing.T) {
	fates := func(between ...Impairment) (list []Fate) {
		i, _, c := newBench(t, standing, 1)
		i.out.observe = func(_ Direction, _ *Packet, fate Fate) {
			if fate != 0 {
				list = append(list, fate)
			}
		}
		sendNumbered(t, i, c, 1, 50, 1000, 0)
		c.advance(2500 * ms / 1000) // it has begun to drop, and the next one is due at 3 ms
		for _, m := range between {
			require.NoError(t, i.SetOut(m))
		}
		c.advance(ms)
		return list
	}
	require.Len(t, fates(), 2)
	require.Len(t, fates(standing), 2)
	require.Len(t, fates(kilobyte, standing), 1)
}

// What a change finds due is told at once, not with what happens next.
func TestQueue_ChangeAtTheSameInstant(t *testing.T) {
	m := standing
	m.Delay = time.Second // so that nothing arrives just then
	i, _, c := newBench(t, m, 1)
	var told []time.Duration
	i.out.observe = func(_ Direction, _ *Packet, fate Fate) {
		if fate == QueueDropped {
			told = append(told, c.now)
		}
	}
	sendNumbered(t, i, c, 1, 20, 1000, 0)
	c.advance(2*ms - 1)
	c.now++ // the timer is due, and hasn't fired
	require.NoError(t, i.SetOut(kilobyte))
	require.Empty(t, told, "Filter may have called")
	c.advance(0)
	require.Equal(t, []time.Duration{2 * ms}, told)
}

// The bounds of every device hold for what waits.
func TestQueue_IsBounded(t *testing.T) {
	i, _, c := newBench(t, Impairment{Rate: 8000, QueuePackets: 1 << 30, Discipline: CoDel}, 1)
	sendNumbered(t, i, c, 1, QueuePackets+10, 20, 0)
	require.Equal(t, QueuePackets, i.InFlight())
	require.NoError(t, i.SetOut(Impairment{Rate: 8000, Queue: 1 << 40}))
	sendNumbered(t, i, c, 1, 5, 20, 0)
	require.Equal(t, QueuePackets, i.InFlight())
	require.NoError(t, i.Close())
	require.Zero(t, i.InFlight())

	i, _, c = newBench(t, Impairment{Rate: 8000, QueuePackets: 1 << 30, Queue: 1 << 40}, 1)
	sendNumbered(t, i, c, 1, QueueBytes/65_535+10, 65_535, 0)
	require.Equal(t, QueueBytes/65_535, i.InFlight())
	require.NoError(t, i.Close())
}

// Whatever is changed while packets wait, each packet arrives, in order, or is counted, and the
// link never has more packets than it was given.
func TestQueue_ChangesLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traces := []*RateTrace{rateTrace(t, 1, 1, 8), rateTrace(t, 30)}
		choices := []Impairment{
			{}, {Rate: 3_000_000}, {Rate: 3_000_000, Queue: 5000}, {Rate: 1_000_000, QueuePackets: 7}, {Rate: 90_000_001, QueuePackets: 7},
			{Rate: 2_000_000, Discipline: CoDel}, {Rate: 2_000_000, Discipline: CoDel, ECN: true, CoDelTarget: ms, CoDelInterval: ms},
			{RateTrace: traces[0], Discipline: CoDel, CoDelInterval: ms, CoDelTarget: ms}, {RateTrace: traces[1], Delay: 50 * ms}, {Delay: ms},
		}
		i, p, c := newBench(t, Impairment{}, 1)
		told := map[Fate]uint64{}
		i.out.observe = func(_ Direction, _ *Packet, fate Fate) { told[fate]++ }
		sent := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			require.NoError(t, i.SetOut(rapid.SampledFrom(choices).Draw(t, "impairment")))
			n := rapid.IntRange(0, 30).Draw(t, "packets")
			for range n {
				sent++
				one := []Packet{ipPacket(sent, 1000, sent%2 == 0)}
				require.NoError(t, i.Send(one))
				release(one)
			}
			require.LessOrEqual(t, i.InFlight(), sent)
			c.advance(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "µs")) * time.Microsecond)
		}
		c.advance(time.Hour)
		require.Zero(t, i.InFlight())
		require.Zero(t, i.out.heldBytes)
		out, _ := i.Stats()
		require.EqualValues(t, sent, out.Packets)
		require.EqualValues(t, sent, uint64(len(p.data))+out.Dropped())
		require.Equal(t, []uint64{out.QueueFull, out.QueueDropped, out.Marked}, []uint64{told[QueueFull], told[QueueDropped], told[Marked]})
		require.EqualValues(t, sent, told[0]+told[QueueFull], "each packet is observed when it comes")
		last := 0
		for _, data := range p.data {
			n := int(data[16])<<24 | int(data[17])<<16 | int(data[18])<<8 | int(data[19])
			require.Greater(t, n, last)
			last = n
		}
	})
}

// standing is an impairment that drops and marks at once: 1 ms of waiting for 1 ms is too long.
var standing = Impairment{Rate: 8_000_000, Discipline: CoDel, CoDelTarget: ms, CoDelInterval: ms}

// What happens at the head of the queue is observed when it happens, before the packet arrives; the
// packet is the one that came, with its tag.
func TestQueue_ObserveLater(t *testing.T) {
	c := &fakeClock{}
	p := &sentTo{clock: c}
	var log []string
	m := standing
	m.ECN, m.Delay, m.Duplicate = true, ms, 1
	tag := uint64(0)
	var i *Impaired
	var err error
	i, err = Impair(p, ImpairConfig{Out: m, Clock: c, Rand: rand.NewPCG(1, 1), Observe: func(_ Direction, packet *Packet, fate Fate) {
		if fate&(QueueDropped|Marked) == 0 {
			tag++
			packet.Tag = tag
		} else {
			i.out.mu.Lock()
			require.True(t, i.out.telling, "nobody else delivers meanwhile: see serveLocked")
			i.out.mu.Unlock()
		}
		log = append(log, fmt.Sprint(c.now, " ", numberIn(packet), " tag ", packet.Tag, " ", fate, ", ", ecn(&packet.Data), ", sent ", len(p.numbers)))
	}})
	require.NoError(t, err)
	for n := range 8 {
		one := []Packet{ipPacket(n, 1000, n == 4)}
		require.NoError(t, i.Send(one))
		release(one)
	}
	log = nil
	c.advance(time.Hour)
	require.Equal(t, []string{
		"2ms 2 tag 3 standing queue, 0, sent 0", // the first packet arrives just now, twice
		"3ms 4 tag 5 marked CE, 3, sent 2",
		"4ms 5 tag 6 standing queue, 0, sent 4", // 3 ms and 1/√2 ms are over
	}, log)
	var arrived []int
	for _, data := range p.data {
		arrived = append(arrived, int(data[19]))
	}
	require.Equal(t, []int{0, 0, 1, 1, 3, 3, 4, 4, 6, 6, 7, 7}, arrived)
}

// A capture has a packet that is dropped at the head of the queue once more, with the reason.
func TestQueue_Captures(t *testing.T) {
	c := &fakeClock{}
	var file bytes.Buffer
	p := &sentTo{clock: c}
	captured, err := Capture(p, NewCaptureFile(&file, c), "tun0")
	require.NoError(t, err)
	marking := standing
	marking.ECN = true
	i, err := Impair(captured, ImpairConfig{Out: standing, In: marking, Clock: c, Rand: rand.NewPCG(1, 1)})
	require.NoError(t, err)
	var in sink
	require.NoError(t, i.Start(in.receive))
	for n := range 5 {
		one := []Packet{ipPacket(n, 1000, true)}
		require.NoError(t, i.Send(one))
		release(one)
	}
	c.advance(time.Hour)
	for n := range 5 {
		p.receive([]Packet{ipPacket(n, 1000, true)})
	}
	c.advance(time.Hour)
	require.NoError(t, i.Close())
	var comments []string
	for _, packet := range readCapture(t, &file) {
		comments = append(comments, strings.Join(packet.comments, "; "))
	}
	require.Equal(t, []string{
		"", "dropped: standing queue", "", "", "", // sent, when they leave
		"", "", "", "", "", "marked CE", // received, when they come, and when one is marked
	}, comments)
}

// The real clock, in a bubble, gives the times of the virtual one.
func TestQueue_RealClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(1500)
		i, err := Impair(a, ImpairConfig{Out: kilobyte})
		require.NoError(t, err)
		var mu sync.Mutex
		var times []time.Duration
		begin := time.Now()
		require.NoError(t, i.Start(func([]Packet) {}))
		require.NoError(t, b.Start(func(packets []Packet) {
			mu.Lock()
			defer mu.Unlock()
			for range packets {
				times = append(times, time.Since(begin))
			}
			release(packets)
		}))
		for n := range 5 {
			one := []Packet{numbered(n, 1000)}
			require.NoError(t, i.Send(one))
			release(one)
		}
		time.Sleep(time.Second)
		mu.Lock()
		require.Equal(t, []time.Duration{ms, 2 * ms, 3 * ms, 4 * ms, 5 * ms}, times)
		mu.Unlock()
		require.NoError(t, i.Close())
		require.NoError(t, b.Close())
	})
}

// In real time, with senders on several goroutines, changes and an observer: each packet arrives or
// is counted, and the observer knows of each mark before the packet arrives.
func TestQueue_RealTime(t *testing.T) {
	a, b := Pipe(1500)
	m := Impairment{Rate: 400_000_000, Discipline: CoDel, ECN: true, CoDelTarget: time.Nanosecond, CoDelInterval: ms}
	var mu sync.Mutex
	marked, told := map[int]bool{}, map[Fate]uint64{}
	ia, err := Impair(a, ImpairConfig{Out: m, Observe: func(_ Direction, packet *Packet, fate Fate) {
		mu.Lock()
		defer mu.Unlock()
		told[fate]++
		if fate == Marked {
			marked[numberIn(packet)] = true
		}
	}})
	require.NoError(t, err)
	var arrived uint64
	require.NoError(t, ia.Start(func(packets []Packet) { release(packets) }))
	require.NoError(t, b.Start(func(packets []Packet) {
		mu.Lock()
		defer mu.Unlock()
		for k := range packets {
			arrived++
			if ecn(&packets[k].Data) == ecnCE && !marked[numberIn(&packets[k])] {
				t.Error("a mark that nobody knows of")
			}
		}
		release(packets)
	}))
	const each, senders = 1000, 4
	var group sync.WaitGroup
	for s := range senders {
		group.Go(func() {
			for n := range each {
				one := []Packet{ipPacket(s*each+n, 1000, n%3 > 0)}
				ia.Send(one)
				release(one)
			}
		})
	}
	for range 20 {
		faster := m
		faster.Rate *= 2
		require.NoError(t, ia.SetOut(faster))
		require.NoError(t, ia.SetOut(m))
	}
	group.Wait()
	soon(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		out, _ := ia.Stats()
		return arrived+out.Dropped() == each*senders && told[QueueDropped] == out.QueueDropped && told[Marked] == out.Marked
	}, "all arrive")
	require.NoError(t, ia.Close())
	require.NoError(t, b.Close())
}

// Close while packets wait, and while observe is being told.
func TestQueue_Close(t *testing.T) {
	i, p, c := newBench(t, kilobyte, 1)
	sendNumbered(t, i, c, 1, 5, 1000, 0)
	require.NoError(t, i.Close())
	require.Zero(t, i.InFlight())
	require.NoError(t, i.SetOut(standing))
	c.advance(time.Hour)
	require.Empty(t, p.numbers)
	for range 20 {
		a, b := Pipe(1500)
		fast := standing
		fast.Rate = 1_000_000_000
		i, err := Impair(a, ImpairConfig{Out: fast, Observe: func(Direction, *Packet, Fate) {}})
		require.NoError(t, err)
		require.NoError(t, b.Start(func(packets []Packet) { release(packets) }))
		var group sync.WaitGroup
		group.Go(func() {
			for n := range 100 {
				one := []Packet{numbered(n, 1000)}
				i.Send(one)
				release(one)
			}
		})
		require.NoError(t, i.Close())
		group.Wait()
		require.NoError(t, b.Close())
		require.Zero(t, i.InFlight())
	}
}

// A queue allocates nothing for a packet. The three allocations of any packet that is held are the
// packet in admit, its heldPacket, and the clone that the device gets.
func TestQueue_Allocations(t *testing.T) {
	for _, m := range []Impairment{{Rate: 8e12}, {Rate: 8e12, QueuePackets: 9}, {Rate: 8e12, Discipline: CoDel}, {RateTrace: rateTrace(t, 1)}} {
		clock := &fakeClock{}
		i, err := Impair(nowhere{}, ImpairConfig{Out: m, Clock: clock})
		require.NoError(t, err)
		packets := []Packet{numbered(1, 1000)}
		require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
			i.Send(packets)
			clock.advance(ms)
		}), 3.0, "%+v", m)
		release(packets)
	}
}

// BenchmarkImpaired_Send sends packets one at a time through a link with each kind of queue.
func BenchmarkImpaired_Send(b *testing.B) {
	for _, c := range []struct {
		name string
		m    Impairment
	}{
		{"nothing waits", Impairment{}},
		{"rate", Impairment{Rate: 8e12, Queue: 1 << 20}},
		{"droptail", Impairment{Rate: 8e12, QueuePackets: 1000}},
		{"codel", Impairment{Rate: 8e12, Discipline: CoDel}},
		{"trace", Impairment{RateTrace: rateTrace(b, 1)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			clock := &fakeClock{}
			i, err := Impair(nowhere{}, ImpairConfig{Out: c.m, Clock: clock})
			require.NoError(b, err)
			packets := []Packet{numbered(1, 1000)}
			b.ReportAllocs()
			for b.Loop() {
				i.Send(packets)
				clock.advance(ms)
			}
			require.Zero(b, i.InFlight())
			release(packets)
		})
	}
}

// nowhere is a device that takes what it is sent.
type nowhere struct{ Device }

func (nowhere) Send([]Packet) error { return nil }
