package tun

import (
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/fifo"
)

// The bounds of the queue of every in-memory device, and of the link that feeds a stack. A packet
// must be within both bounds.
const (
	QueuePackets = 16384    // QueuePackets is the largest number of packets in a queue.
	QueueBytes   = 64 << 20 // QueueBytes is the largest number of bytes in the packets of a queue.
)

// A Queue is a bounded first-in first-out queue of packets, between a sender that must not wait and
// a goroutine that delivers. With a Queue, a [Device] keeps its promise that Send never calls back.
//
//	Put, PutClones ──▶ queued ──Pop, Wait──▶ taken ──Done──▶ gone
//	      │               │
//	      └──full, closed─┴─Close──▶ dropped
//
// Pending counts packets until Done says that they have arrived, so an observer never sees 0 while
// a packet is between two queues. A Queue is safe for concurrent use.
type Queue struct {
	maxPackets int
	maxBytes   int64

	dropped atomic.Uint64
	some    atomic.Bool // there are packets in queued; written with mu held

	mu       sync.Mutex
	nonEmpty sync.Cond // of mu; also signalled by Close
	queued   fifo.Queue[Packet]
	bytes    int64 // of the packets in queued
	taken    int   // packets handed out, not yet Done
	closed   bool
}

// NewQueue returns a queue that holds at most maxPackets packets and at most maxBytes bytes of
// packet data. A bound of 0 stands for QueuePackets or QueueBytes. Memory that a packet keeps alive
// beyond its own bytes, such as the rest of a shared chunk, isn't counted.
func NewQueue(maxPackets int, maxBytes int64) *Queue {
	if maxPackets == 0 {
		maxPackets = QueuePackets
	}
	if maxBytes == 0 {
		maxBytes = QueueBytes
	}
	q := &Queue{maxPackets: maxPackets, maxBytes: maxBytes}
	q.nonEmpty.L = &q.mu
	return q
}

// Put appends packets to the queue and takes ownership of their data, but not of the slice. A
// packet that doesn't fit, or comes after Close, is released and counted as dropped. first reports
// whether the queue was empty before and no longer is: the consumer then needs a signal.
func (q *Queue) Put(packets []Packet) (first bool) { return q.put(packets, false) }

// PutClones is Put for borrowed packets. The queue gets clones, which share the data.
func (q *Queue) PutClones(packets []Packet) (first bool) { return q.put(packets, true) }

// PutCarried is PutClones for those packets that a device with this Offload and this MTU takes. The
// others are counted as dropped. The lock is taken once for each run of packets.
func (q *Queue) PutCarried(packets []Packet, o Offload, mtu int) {
	for len(packets) > 0 {
		run := 0
		for run < len(packets) && o.carries(&packets[run], mtu) {
			run++
		}
		q.PutClones(packets[:run])
		if run < len(packets) {
			q.Drop(1)
			run++
		}
		packets = packets[run:]
	}
}

func (q *Queue) put(packets []Packet, borrowed bool) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.queued.Len()
	for i := range packets {
		p := packets[i] // a copy: only one of the two is used from here on
		size := p.Data.Size()
		if q.closed || q.queued.Len() >= q.maxPackets || q.bytes+size > q.maxBytes {
			q.dropped.Add(1)
			if !borrowed {
				p.Data.Release()
			}
			continue
		}
		if borrowed {
			p.Data = p.Data.Clone()
		}
		q.queued.Push(p)
		q.bytes += size
	}
	first = before == 0 && q.queued.Len() > 0
	if first {
		q.some.Store(true)
		q.nonEmpty.Signal()
	}
	return first
}

// Pop moves up to len(batch) packets into batch and returns their number, without waiting. The
// caller owns the packets, and calls Done when they have arrived. Where there are none, Pop takes no
// lock: who looks through many queues pays for those that have packets.
func (q *Queue) Pop(batch []Packet) int {
	if !q.some.Load() {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.popLocked(batch)
}

// Wait is Pop, but waits until there is a packet. ok is false once the queue is closed. One
// goroutine at a time may wait.
func (q *Queue) Wait(batch []Packet) (n int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.queued.Len() == 0 && !q.closed {
		q.nonEmpty.Wait()
	}
	return q.popLocked(batch), !q.closed
}

func (q *Queue) popLocked(batch []Packet) int {
	n := min(len(batch), q.queued.Len())
	for i := range n {
		batch[i] = q.queued.Pop()
		q.bytes -= batch[i].Data.Size()
	}
	q.taken += n
	q.some.Store(q.queued.Len() > 0)
	return n
}

// Done tells the queue that n packets from Pop or Wait have arrived.
func (q *Queue) Done(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken -= n
}

// Pending returns the number of packets that are queued, or were taken and haven't arrived yet.
func (q *Queue) Pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queued.Len() + q.taken
}

// Drop counts n packets that the caller has refused before they reached the queue.
func (q *Queue) Drop(n int) { q.dropped.Add(uint64(n)) }

// Dropped returns the number of packets that were refused, or released by Close, so far.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Close releases the packets in the queue, counts them as dropped, and ends Wait. Later packets are
// dropped. Close is idempotent.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.dropped.Add(uint64(q.queued.Len()))
	for q.queued.Len() > 0 {
		p := q.queued.Pop()
		p.Data.Release()
	}
	q.queued, q.bytes = fifo.Queue[Packet]{}, 0
	q.some.Store(false)
	q.nonEmpty.Broadcast()
}
