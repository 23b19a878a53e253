package tun

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/inet"
)

// modelPacket is a packet of the model: what is known before, and what becomes of it.
type modelPacket struct {
	came int64 // nanoseconds
	size int64 // bytes
	ect  bool

	left   int64 // when it left; -1: never
	fate   Fate
	judged int64 // when the queue dropped or marked it
}

// A model is a slow and literal simulation of a queue: packets in a list, exact fractions, the loop
// of RFC 8289 §5.
type model struct {
	m       Impairment
	queue   []*modelPacket
	current *modelPacket

	busySince int64   // when the link began to send without a pause
	busyBytes int64   // what it has sent since, the current packet included
	leaves    int64   // when the current packet leaves, at a constant rate
	missing   int64   // bytes of the current packet that haven't left, with a trace
	trace     []int64 // all opportunities, in ns

	firstAbove, dropNext int64 // 0: not set
	count, lastCount     int64
	dropping             bool
	largest              int64
}

func (s *model) bytes() (sum int64) {
	for _, p := range s.queue {
		sum += p.size
	}
	return sum
}

// doDequeue is the function of that name in RFC 8289.
func (s *model) doDequeue(now int64) (p *modelPacket, okToDrop bool) {
	if len(s.queue) == 0 {
		s.firstAbove = 0
		return nil, false
	}
	p, s.queue = s.queue[0], s.queue[1:]
	target, interval := s.m.codelTimes()
	switch {
	case now-p.came < int64(target) || s.bytes() <= s.largest:
		s.firstAbove = 0
	case s.firstAbove == 0:
		s.firstAbove = now + int64(interval)
	case now >= s.firstAbove:
		okToDrop = true
	}
	return p, okToDrop
}

func (s *model) law(t int64) int64 {
	_, interval := s.m.codelTimes()
	return t + int64(float64(interval)/math.Sqrt(float64(s.count)))
}

// signal drops a packet, or marks it if it can.
func (s *model) signal(p *modelPacket, now int64) (marked bool) {
	p.judged, p.fate = now, QueueDropped
	if s.m.ECN && p.ect {
		p.fate = Marked
	}
	return p.fate == Marked
}

// dequeue takes the next packet to send, by the function deque of RFC 8289.
func (s *model) dequeue(now int64) *modelPacket {
	p, ok := s.doDequeue(now)
	if s.m.Discipline != CoDel {
		return p
	}
	_, interval := s.m.codelTimes()
	if s.dropping {
		if !ok {
			s.dropping = false
		}
		for now >= s.dropNext && s.dropping {
			s.count++
			if s.signal(p, now) {
				s.dropNext = s.law(s.dropNext)
				return p
			}
			if p, ok = s.doDequeue(now); !ok {
				s.dropping = false
			} else {
				s.dropNext = s.law(s.dropNext)
			}
		}
	} else if ok {
		if !s.signal(p, now) {
			p, _ = s.doDequeue(now)
		}
		s.dropping = true
		delta := s.count - s.lastCount
		s.count = 1
		if delta > 1 && now-s.dropNext < 16*int64(interval) {
			s.count = delta
		}
		s.dropNext = s.law(now)
		s.lastCount = s.count
	}
	return p
}

// arrive adds a packet, or refuses it.
func (s *model) arrive(p *modelPacket) {
	l := s.m.queueLimits()
	atOnce := s.trace == nil && s.current == nil
	if !atOnce && (l.packets > 0 && len(s.queue) >= l.packets || l.bytes > 0 && s.bytes()+p.size > l.bytes) {
		p.fate = QueueFull
		return
	}
	s.largest = max(s.largest, p.size)
	s.queue = append(s.queue, p)
	if atOnce {
		s.busySince, s.busyBytes = p.came, 0
		s.begin(p.came)
	}
}

// begin sends the next packet at a constant rate.
func (s *model) begin(now int64) {
	if s.current = s.dequeue(now); s.current == nil {
		return
	}
	s.busyBytes += s.current.size
	bits := new(big.Int).Mul(big.NewInt(s.busyBytes), big.NewInt(8_000_000_000))
	rate := big.NewInt(s.m.Rate)
	bits.Add(bits, rate).Sub(bits, big.NewInt(1)).Quo(bits, rate) // rounded up
	s.leaves = s.busySince + bits.Int64()
}

// opportunity sends up to 1,504 bytes.
func (s *model) opportunity(now int64) {
	for room := int64(1504); room > 0; {
		if s.current == nil {
			if s.current = s.dequeue(now); s.current == nil {
				return
			}
			s.missing = s.current.size + 4
		}
		n := min(room, s.missing)
		room, s.missing = room-n, s.missing-n
		if s.missing == 0 {
			s.current.left, s.current = now, nil
		}
	}
}

// run plays the packets, which are in the order in which they come.
func (s *model) run(packets []*modelPacket) {
	for i := 0; ; {
		comes := int64(math.MaxInt64)
		if i < len(packets) {
			comes = packets[i].came
		}
		switch {
		case len(s.trace) > 0 && s.trace[0] <= comes:
			s.opportunity(s.trace[0])
			s.trace = s.trace[1:]
		case s.trace == nil && s.current != nil && s.leaves <= comes:
			s.current.left = s.leaves
			s.begin(s.leaves)
		case i < len(packets):
			s.arrive(packets[i])
			i++
		default:
			return
		}
	}
}

// ipPacket makes an IPv4 packet with a number, which the sender can have marked if ect.
func ipPacket(n, size int, ect bool) Packet {
	b := make([]byte, size)
	b[0] = 0x45
	if ect {
		b[1] = 2
	}
	b[16], b[17], b[18], b[19] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	inet.PutChecksum(b[ip4Checksum:], checksumOf(b[:ip4Size]), false)
	return Packet{Data: buffer.MakeWithData(b)}
}

func numberIn(p *Packet) int {
	b := p.Data.Flatten()
	return int(b[16])<<24 | int(b[17])<<16 | int(b[18])<<8 | int(b[19])
}

// Whatever comes, an Impaired does to packets what the model does, at the same times.
func TestBottleneck_IsAsTheModel(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) { checkAgainstModel(t, seen) })
	for _, what := range []string{"QueueFull", "QueueDropped", "Marked", "left", "dropping again"} {
		require.NotZero(t, seen[what], "%s never happened: %v", what, seen)
	}
}

func checkAgainstModel(t *rapid.T, seen map[string]int) {
	s := &model{m: Impairment{
		QueuePackets:  rapid.SampledFrom([]int{0, 3, 40, 2000}).Draw(t, "packets"),
		Queue:         rapid.SampledFrom([]int{0, 0, 3000, 60_000}).Draw(t, "bytes"),
		Discipline:    rapid.SampledFrom([]Discipline{DropTail, CoDel, CoDel}).Draw(t, "discipline"),
		CoDelInterval: rapid.SampledFrom([]time.Duration{0, 10 * time.Millisecond}).Draw(t, "interval"),
		CoDelTarget:   rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(t, "target"),
	}}
	s.m.ECN = s.m.Discipline == CoDel && rapid.Bool().Draw(t, "ecn")
	if s.m.Discipline == DropTail && s.m.QueuePackets == 0 {
		s.m.QueuePackets = 10
	}
	const bytesPerSecond = 150_000 // 10 ms a packet of 1500
	if rapid.Bool().Draw(t, "trace") {
		gaps := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 10).Draw(t, "gaps")
		ms := make([]int, len(gaps))
		for i, sum := 0, 1; i < len(gaps); i++ {
			sum += gaps[i]
			ms[i] = sum
		}
		s.m.RateTrace = rateTrace(t, ms...)
		for base := 0; base < 400_000; base += ms[len(ms)-1] {
			for _, k := range ms {
				s.trace = append(s.trace, int64(base+k)*1_000_000)
			}
		}
	} else {
		s.m.Rate = 8*bytesPerSecond + rapid.Int64Range(0, 20).Draw(t, "odd")
	}
	packets := drawPackets(t)
	var got []*modelPacket
	i, p, c := newBench(t, s.m, 1)
	i.out.observe = func(_ Direction, packet *Packet, fate Fate) {
		if fate != 0 {
			n := numberIn(packet)
			got[n].fate, got[n].judged = got[n].fate|fate, int64(c.now)
		}
	}
	for n, q := range packets {
		c.advance(time.Duration(q.came) - c.now)
		clone := *q
		got = append(got, &clone)
		one := []Packet{ipPacket(n, int(q.size), q.ect)}
		require.NoError(t, i.Send(one))
		release(one)
	}
	c.advance(300 * time.Second)
	require.Zero(t, i.InFlight())
	for k, data := range p.data {
		packet := Packet{Data: buffer.MakeWithData(data)}
		n := numberIn(&packet)
		got[n].left = int64(p.times[k])
		marked := got[n].fate == Marked
		require.Equal(t, marked, data[1]&3 == 3, "packet %d", n)
		require.EqualValues(t, 0xffff, checksumOf(data[:ip4Size]), "packet %d", n)
	}
	s.run(packets)
	for n, want := range packets {
		if want.fate == QueueFull {
			want.judged = want.came
		}
		require.Equal(t, *want, *got[n], "packet %d of %+v", n, s.m)
		for f, name := range map[Fate]string{QueueFull: "QueueFull", QueueDropped: "QueueDropped", Marked: "Marked"} {
			if want.fate == f {
				seen[name]++
			}
		}
		if want.left >= 0 {
			seen["left"]++
		}
	}
	if s.lastCount > 1 {
		seen["dropping again"]++
	}
	out, _ := i.Stats()
	count := func(f Fate) (n uint64) {
		for _, q := range packets {
			if q.fate == f {
				n++
			}
		}
		return n
	}
	require.Equal(t, []uint64{count(QueueFull), count(QueueDropped), count(Marked)}, []uint64{out.QueueFull, out.QueueDropped, out.Marked})
	require.Equal(t, out.Dropped(), i.Drops())
	require.Zero(t, i.out.heldBytes)
}

// drawPackets draws bursts of packets, more than the link can send.
func drawPackets(t *rapid.T) (packets []*modelPacket) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	sizes := [][]int64{{1500}, {40, 1500}, {20, 333, 576, 1500, 9000}}[rapid.IntRange(0, 2).Draw(t, "sizes")]
	now := int64(0)
	for range rapid.IntRange(1, 12).Draw(t, "bursts") {
		now += r.Int64N(500_000_000)
		if r.IntN(3) == 0 {
			now = now / 10_000_000 * 10_000_000 // just when others leave
		}
		for range r.IntN(60) {
			now += r.Int64N(9_000_000) * int64(r.IntN(2))
			packets = append(packets, &modelPacket{came: now, size: sizes[r.IntN(len(sizes))], ect: r.IntN(4) > 0, left: -1})
		}
	}
	return packets
}

// The model can tell.
func TestBottleneck_ModelByHand(t *testing.T) {
	s := model{m: Impairment{Rate: 3_000_000_000, QueuePackets: 2}}
	var packets []*modelPacket
	for range 5 {
		packets = append(packets, &modelPacket{came: 7, size: 100, left: -1})
	}
	s.run(packets)
	var got []string
	for _, p := range packets {
		got = append(got, fmt.Sprint(p.left, " ", p.fate))
	}
	require.Equal(t, []string{"274 ", "541 ", "807 ", "-1 queue full", "-1 queue full"}, got) // 266⅔ ns each
	require.True(t, slices.Equal(s.queue, nil))
}
