package tun

import (
	"time"

	"github.com/wsstack/wsstack/internal/fifo"
)

// Packets are sent bit by bit: work is counted in billionths of a bit, so that a rate in bits per
// second is work per nanosecond, and no time is lost in rounding.
const workPerByte = 8e9

// maxServedRate is the rate in bits per second above which a link isn't faster.
const maxServedRate = 1 << 62

// A bottleneck is a queue in front of a link that sends one packet after another.
//
//	put ──▶ waiting ──judged by the discipline──▶ being sent ──▶ leave
//	           │                      │
//	           └──no room: refused    └──▶ dropped: judged
//
// It has no clock: advance does what has happened by a time, and next says when something happens
// next. Packets leave at exact times however late advance is called. A bottleneck is not safe for
// concurrent use. The zero bottleneck sends at once.
type bottleneck struct {
	leave  func(w waitingPacket, at time.Duration) // takes a packet that has been sent
	judged func(w waitingPacket, fate Fate)        // takes a packet that is dropped, borrows one that is marked

	rate    int64         // in bits per second; 0: see trace
	trace   *RateTrace    // nil and no rate: everything is sent at once
	start   time.Duration // when trace began
	coming  tracePosition // the first opportunity of trace that hasn't passed
	limits  queueLimits
	codels  bool // the discipline is CoDel
	ecn     bool // CoDel marks
	codel   codel
	waiting fifo.Queue[waitingPacket]
	bytes   int64         // the size of what is waiting
	largest int64         // the size of the largest packet so far
	free    time.Duration // when the link became free, or will be
	sending bool
	current waitingPacket // the packet that is being sent
	work    int64         // what is left to do for current
	since   time.Duration // when that was left; with a trace it has no meaning
}

// A waitingPacket is a packet in a bottleneck.
type waitingPacket struct {
	packet Packet
	fate   Fate          // what is to happen to the packet afterwards
	came   time.Duration // when the packet came
}

// queueLimits are what may wait in a queue.
type queueLimits struct {
	packets int   // 0: no limit
	bytes   int64 // 0: no limit
}

// set changes the rate and the discipline. What is waiting stays, in its order; of the packet that
// is being sent, the rest is sent at the new rate. A trace that is set already goes on. Nothing is
// sent before free. Precondition: advance was called for now.
func (b *bottleneck) set(m *Impairment, now, free time.Duration) {
	if b.sending && b.rate > 0 {
		b.work -= b.rate * int64(now-b.since)
	}
	b.since, b.free = now, max(b.free, free)
	if !b.sending { // what waits for an opportunity of a trace hasn't begun
		b.free = max(b.free, now)
	}
	b.rate = min(m.Rate, maxServedRate)
	if b.trace != m.RateTrace {
		b.trace, b.start = m.RateTrace, now
	}
	b.limits = m.queueLimits()
	b.codels, b.ecn = m.Discipline == CoDel, m.ECN
	if !b.codels {
		b.codel = codel{}
	}
	b.codel.target, b.codel.interval = m.codelTimes()
	b.seek(now)
}

// seek finds the opportunity of the trace that comes after now, and not before the link is free.
func (b *bottleneck) seek(now time.Duration) {
	if b.trace != nil {
		b.coming = b.trace.after(b.start, max(now, b.free-1))
	}
}

// idle reports whether there is no packet.
func (b *bottleneck) idle() bool { return !b.sending && b.waiting.Len() == 0 }

// len is the number of packets.
func (b *bottleneck) len() int {
	if b.sending {
		return b.waiting.Len() + 1
	}
	return b.waiting.Len()
}

// room reports whether a packet of this size may come now. Where it is sent at once, there always
// is room.
func (b *bottleneck) room(size int64, now time.Duration) bool {
	if b.trace == nil && b.idle() && b.free <= now {
		return true
	}
	return (b.limits.packets == 0 || b.waiting.Len() < b.limits.packets) &&
		(b.limits.bytes == 0 || b.bytes+size <= b.limits.bytes)
}

// put adds a packet that comes now. Precondition: advance was called for now.
func (b *bottleneck) put(w waitingPacket) {
	size := w.packet.Data.Size()
	b.bytes += size
	b.largest = max(b.largest, size)
	b.waiting.Push(w)
	b.advance(w.came)
}

// next is when advance has something to do next, and whether it ever has.
func (b *bottleneck) next() (time.Duration, bool) {
	switch {
	case b.idle():
		return 0, false
	case b.trace != nil:
		return b.trace.at(b.coming), true
	case b.sending:
		return b.done(), true
	}
	return b.free, true
}

// done is when the packet that is being sent has left, without a trace.
func (b *bottleneck) done() time.Duration {
	if b.work <= 0 || b.rate == 0 {
		return b.since
	}
	return b.since + time.Duration((b.work-1)/b.rate+1)
}

// advance does everything that happens by now.
func (b *bottleneck) advance(now time.Duration) {
	if b.trace != nil {
		b.advanceTrace(now)
		return
	}
	beyond := int64(0) // the work that was done in the nanosecond in which the packet before left
	for {
		if !b.sending {
			if b.waiting.Len() == 0 {
				return
			}
			begin := max(b.free, b.waiting.First().came)
			if begin > now || !b.take(begin) {
				return
			}
			b.since, b.work = begin, b.current.packet.Data.Size()*workPerByte-beyond
		}
		at := b.done()
		if at > now {
			return
		}
		if b.rate > 0 {
			beyond = b.rate*int64(at-b.since) - b.work
		}
		b.sent(at)
	}
}

// advanceTrace is advance with a trace.
func (b *bottleneck) advanceTrace(now time.Duration) {
	for at := b.trace.at(b.coming); at <= now; at = b.trace.at(b.coming) {
		if b.idle() { // nobody uses what has passed
			b.seek(now)
			return
		}
		b.coming = b.trace.next(b.coming)
		b.use(at)
	}
}

// use sends what can be sent with one opportunity.
func (b *bottleneck) use(at time.Duration) {
	for room := int64(opportunityBytes * workPerByte); room > 0; {
		if !b.sending {
			if !b.take(at) {
				return
			}
			b.work = (b.current.packet.Data.Size() + tracePacketExtra) * workPerByte
		}
		part := min(room, b.work)
		room -= part
		if b.work -= part; b.work <= 0 {
			b.sent(at)
		}
	}
}

// sent lets the packet go that was being sent.
func (b *bottleneck) sent(at time.Duration) {
	b.sending, b.free = false, at
	w := b.current
	b.current = waitingPacket{}
	b.leave(w, at)
}

// take takes the next packet that the discipline lets pass, to be sent from now on, and reports
// whether there was one.
func (b *bottleneck) take(now time.Duration) bool {
	for b.waiting.Len() > 0 {
		b.current = b.waiting.Pop()
		b.bytes -= b.current.packet.Data.Size()
		switch b.judge(&b.current, now) {
		case codelDrop:
			b.judged(b.current, QueueDropped)
			b.current = waitingPacket{}
			continue
		case codelMark:
			markCE(&b.current.packet)
			b.judged(b.current, Marked)
		}
		b.sending = true
		return true
	}
	return false
}

// judge is what the discipline says about the packet at the head of the queue.
func (b *bottleneck) judge(w *waitingPacket, now time.Duration) codelVerdict {
	if !b.codels {
		return codelPass
	}
	canMark := b.ecn && ecn(&w.packet.Data) != ecnNotECT
	return b.codel.judge(now, now-w.came, b.bytes, b.largest, canMark)
}

// close drops all packets without a word.
func (b *bottleneck) close() {
	if b.sending {
		b.current.packet.Data.Release()
	}
	for b.waiting.Len() > 0 {
		w := b.waiting.Pop()
		w.packet.Data.Release()
	}
	b.sending, b.current, b.bytes = false, waitingPacket{}, 0
}
