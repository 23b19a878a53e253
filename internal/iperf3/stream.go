package iperf3

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A stream is one connection of data, which this side sends on or receives from.
type stream struct {
	id     int
	sender bool
	conn   net.Conn
	params *Params
	resent func(net.Conn) (int64, bool)

	bytes   atomic.Int64 // moved so far, of what counts
	packets atomic.Int64 // UDP: sent, or the highest number that has come
	lost    atomic.Int64 // UDP: gaps in the numbers, of a receiver
	late    atomic.Int64 // UDP: numbers that came out of order
	jitter  atomic.Int64 // UDP: nanoseconds, of a receiver
	began   int64        // retransmissions when the counting began
}

// A run is the streams of one side of a test that is running.
type run struct {
	params  *Params
	streams []*stream
	start   time.Time
	wg      sync.WaitGroup
	stop    chan struct{} // closed by end
	full    chan struct{} // closed when as many bytes as the test is for are moved
	fill    sync.Once
	failed  atomic.Pointer[error]
}

// begin starts the streams.
func begin(params *Params, streams []*stream) *run {
	r := &run{params: params, streams: streams, start: time.Now(), stop: make(chan struct{}), full: make(chan struct{})}
	for _, s := range streams {
		s.began, _ = s.retransmissions()
		r.wg.Go(func() { r.move(s) }) // ends with end
	}
	return r
}

// move sends or receives until the stream is told to stop.
func (r *run) move(s *stream) {
	var err error
	switch {
	case s.sender:
		err = r.send(s)
	case r.params.UDP:
		err = r.receiveDatagrams(s)
	default:
		err = r.receive(s)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
		r.failed.CompareAndSwap(nil, &err)
	}
}

// end stops the streams and waits for them. It returns the time that they have had.
func (r *run) end() time.Duration {
	took := time.Since(r.start)
	close(r.stop)
	for _, s := range r.streams {
		_ = s.conn.SetDeadline(time.Unix(1, 0))
	}
	r.wg.Wait()
	return took
}

// reset forgets what has been counted, at the end of the time that doesn't count.
func (r *run) reset() {
	for _, s := range r.streams {
		s.bytes.Store(0)
		s.lost.Store(0)
		s.began, _ = s.retransmissions()
	}
	r.start = time.Now()
}

// count adds what a stream has moved, and says when the test is full. Only the sender's side ends a
// test by itself.
func (r *run) count(s *stream, n int) {
	s.bytes.Add(int64(n))
	limit := r.params.limit()
	if limit == 0 {
		return
	}
	var all int64
	for _, o := range r.streams {
		if o.sender == s.sender {
			all += o.bytes.Load()
		}
	}
	if all >= limit {
		r.fill.Do(func() { close(r.full) })
	}
}

// send writes blocks, at the rate of the parameters if they have one.
func (r *run) send(s *stream) error {
	block := make([]byte, s.params.Len)
	for i := range block {
		block[i] = byte('0' + i%75)
	}
	p := newPacer(s.params.Bandwidth)
	for {
		select {
		case <-r.full:
			return nil
		default:
		}
		if wait := p.take(len(block)); wait > 0 && !r.sleep(wait) {
			return nil
		}
		if s.params.UDP {
			s.stamp(block)
		}
		n, err := s.conn.Write(block)
		if n > 0 {
			r.count(s, n)
		}
		if err != nil {
			return err
		}
	}
}

// sleep waits for the next write, and reports false when the test is over.
func (r *run) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.full:
		return false
	case <-r.stop:
		return false
	}
}

// stamp writes the head of a datagram: the time, and its number.
func (s *stream) stamp(b []byte) {
	now := time.Now()
	binary.BigEndian.PutUint32(b, uint32(now.Unix()))
	binary.BigEndian.PutUint32(b[4:], uint32(now.Nanosecond()/1000))
	n := uint64(s.packets.Add(1))
	if s.params.Counters64 != 0 {
		binary.BigEndian.PutUint64(b[8:], n)
	} else {
		binary.BigEndian.PutUint32(b[8:], uint32(n))
	}
}

// receive reads and counts.
func (r *run) receive(s *stream) error {
	block := make([]byte, max(s.params.Len, 16<<10))
	for {
		n, err := s.conn.Read(block)
		if n > 0 {
			r.count(s, n)
		}
		if err != nil {
			return err
		}
	}
}

// receiveDatagrams reads datagrams, and counts those that are missing. The jitter is that of RFC
// 3550 §6.4.1.
func (r *run) receiveDatagrams(s *stream) error {
	block := make([]byte, maxDatagram)
	var before time.Duration // between sending and receiving the datagram before
	first := true
	for {
		n, err := s.conn.Read(block)
		if err != nil {
			return err
		}
		if n < 12 || s.params.Counters64 != 0 && n < minDatagram {
			continue // not one of iperf3, such as a hello that has come again
		}
		sent := time.Unix(int64(binary.BigEndian.Uint32(block)), int64(binary.BigEndian.Uint32(block[4:]))*1000)
		number := int64(binary.BigEndian.Uint32(block[8:]))
		if s.params.Counters64 != 0 {
			number = int64(binary.BigEndian.Uint64(block[8:]))
		}
		s.number(number)
		transit := time.Since(sent)
		if !first {
			change := max(transit-before, before-transit)
			s.jitter.Add((int64(change) - s.jitter.Load()) / 16)
		}
		before, first = transit, false
		r.count(s, n)
	}
}

// number takes the number of a datagram that has come.
func (s *stream) number(n int64) {
	switch highest := s.packets.Load(); {
	case n > highest:
		s.lost.Add(n - highest - 1)
		s.packets.Store(n)
	default:
		s.late.Add(1)
		if s.lost.Load() > 0 {
			s.lost.Add(-1)
		}
	}
}

// retransmissions are how many segments of a stream were sent again, if that is known.
func (s *stream) retransmissions() (int64, bool) {
	if !s.sender || s.params.UDP || s.resent == nil {
		return 0, false
	}
	return s.resent(s.conn)
}

// A pacer spreads writes over time.
type pacer struct {
	rate uint64 // bits a second; 0: as fast as possible
	due  time.Time
}

func newPacer(rate uint64) *pacer { return &pacer{rate: rate, due: time.Now()} }

// maxDebt is the longest time that a sender that was held up may make up for.
const maxDebt = 100 * time.Millisecond

// take says how long to wait before so many bytes may be sent.
func (p *pacer) take(bytes int) time.Duration {
	if p.rate == 0 {
		return 0
	}
	now := time.Now()
	if now.Sub(p.due) > maxDebt {
		p.due = now.Add(-maxDebt)
	}
	wait := p.due.Sub(now)
	p.due = p.due.Add(time.Duration(float64(bytes) * 8 / float64(p.rate) * float64(time.Second)))
	return wait
}
