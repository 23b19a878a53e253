package stack_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A reader is a peer that asks for small segments and a window of a gigabyte.
type reader struct {
	t     testing.TB
	s     *stack.Stack
	d     *tun.Func
	clock *faketime.ManualClock
	c     *endpoint.Conn

	mu       sync.Mutex
	iss, end uint32 // of the stream that it is sent: the first byte has iss+1
	segment  int    // the payload of the first segment with any

	una uint32 // what it has acknowledged
}

func newReader(t testing.TB, mss uint16) *reader {
	r := &reader{t: t, clock: faketime.NewManualClock()}
	r.d = tun.NewFunc(1500, r.receive)
	s, err := stack.New(stack.Config{Device: r.d, Clock: r.clock, Addresses: prefixes("10.0.0.1/24")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r.s = s
	l, err := s.Listen("tcp", ":80")
	require.NoError(t, err)
	options := []byte{2, 4, byte(mss >> 8), byte(mss), 4, 2, 3, 3, 14, 0, 0, 0}
	r.send(header.TCPFlagSyn, 0, options)
	s.Settle()
	r.una = r.iss + 1
	r.send(header.TCPFlagAck, r.una, nil)
	c, err := l.Accept()
	require.NoError(t, err)
	r.c = c.(*endpoint.Conn)
	return r
}

func (r *reader) receive(packet []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tcp := header.TCP(header.IPv4(packet).Payload())
	n := len(tcp.Payload())
	switch {
	case tcp.Flags().Contains(header.TCPFlagSyn):
		r.iss = tcp.SequenceNumber()
		r.end = r.iss + 1
	case n > 0 && r.segment == 0:
		r.segment = n
	}
	if end := tcp.SequenceNumber() + uint32(n); n > 0 && int32(end-r.end) > 0 {
		r.end = end
	}
}

func (r *reader) send(flags header.TCPFlags, ack uint32, options []byte) {
	seq := uint32(2)
	if flags == header.TCPFlagSyn {
		seq = 1
	}
	r.d.Inject(segment(them, us, 1000, 80, seq, ack, flags, options, nil))
}

// inFlight is the number of segments that aren't acknowledged.
func (r *reader) inFlight() int {
	r.s.Settle()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.segment == 0 {
		return 0
	}
	return (int(r.end-r.una) + r.segment - 1) / r.segment
}

// acknowledge takes two segments after the other, until all of a flight is.
func (r *reader) acknowledge() {
	r.mu.Lock()
	stop, step := r.end, uint32(2*r.segment)
	r.mu.Unlock()
	for n := 0; r.una != stop; n++ {
		r.una += min(step, stop-r.una)
		r.send(header.TCPFlagAck, r.una, nil)
		if n%1000 == 0 {
			r.s.Settle()
		}
	}
}

// sack acknowledges one segment beyond a hole.
func (r *reader) sack(n int) {
	options := []byte{1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(options[4:], r.una+uint32(n*r.segment))
	binary.BigEndian.PutUint32(options[8:], r.una+uint32((n+1)*r.segment))
	r.send(header.TCPFlagAck, r.una, options)
}

// grow acknowledges a dozen flights, or until so many segments are in flight, or
// all is sent.
func (r *reader) grow(until int) (most int) {
	for range 12 {
		n := r.inFlight()
		most = max(most, n)
		if n == 0 || n >= until {
			break
		}
		r.acknowledge()
	}
	return most
}

// What a peer can make the stack keep, and look at for each of its packets, is so
// many segments, however small it wants them and however large its window is.
func TestHostileReader(t *testing.T) {
	const most = 2048
	for _, mss := range []uint16{1, 100, 536} {
		t.Run(fmt.Sprint("MSS ", mss), func(t *testing.T) {
			r := newReader(t, mss)
			const size = 1 << 19
			_, err := r.c.Write(make([]byte, size))
			require.NoError(t, err)
			n := r.grow(2 * most)
			require.Greater(t, n, 200, "in flight: the peer has done what it could")
			require.LessOrEqual(t, n, most)
			before := r.s.Stats()
			for i := 1; i < r.inFlight() && i < 400; i += 2 {
				r.sack(i)
			}
			require.LessOrEqual(t, r.inFlight(), most)
			after := r.s.Stats()
			require.LessOrEqual(t, after.SegmentsOut-before.SegmentsOut, uint64(most), "answers to 200 SACK blocks")
			for r.inFlight() > 0 {
				r.acknowledge()
				require.LessOrEqual(t, r.inFlight(), most)
			}
			require.Equal(t, uint32(size), r.end-r.iss-1, "all of it arrives")
		})
	}
}

// BenchmarkSACKFlood is what a packet with a SACK block costs while so many
// segments are in flight; B/flight is the memory that these take, each.
func BenchmarkSACKFlood(b *testing.B) {
	for _, flight := range []int{100, 400, 1600} {
		b.Run(fmt.Sprint("flight=", flight), func(b *testing.B) {
			r := newReader(b, 100)
			before := heap()
			_, err := r.c.Write(make([]byte, 1<<20))
			require.NoError(b, err)
			n := r.grow(flight)
			memory := float64(heap()-before-1<<20) / float64(n)
			i := 0
			for b.Loop() {
				r.sack(1 + 2*i%(n-1))
				r.s.Settle()
				i++
			}
			b.ReportMetric(memory, "B/flight")
			b.ReportMetric(float64(n), "flight")
		})
	}
}
