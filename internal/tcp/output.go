package tcp

import (
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/nagle"
)

// sillyTimeout is the override of silly-window avoidance (RFC 1122 §4.2.3.4: 0.1
// to 1.0 s).
const sillyTimeout = 150 * time.Millisecond

// Output writes the next segment that is to leave into s, and reports whether there is one. The
// payload is the caller's.
func (c *Conn) Output(now time.Duration, s *Segment) bool {
	switch {
	case c.reset.Flags != 0:
		*s, c.reset = c.reset, Segment{}
		s.Options.Scale = NoScale
		if c.stamps && s.Flags&ACK != 0 { // RFC 7323 §3.2: a RST without one counts as well
			c.stampOptions(now, &s.Options)
		}
		return true
	case c.state == Closed:
		return false
	case c.snd.syn:
		*s = c.sendSyn(now)
		return true
	case !c.state.Synchronized():
		if c.state != SynReceived || c.ack == ackNone {
			return false
		}
		c.segment(now, s, c.snd.next, 0, 0)
		return true
	case c.state != TimeWait && (c.examine(now, s) || c.sendLost(now, s) || c.sendNew(now, s) || c.sendProbe(now, s)):
		return true
	case c.ack == ackNow || c.ack == ackSoon && !c.holdAck:
		c.segment(now, s, c.snd.next, 0, 0)
		return true
	}
	c.validate(now)
	if c.timers.resend == 0 && c.state != TimeWait {
		c.armResend(now) // a window that is closed (RFC 9293 §3.8.6.1)
	}
	return false
}

// stampOptions puts the timestamps of now into the options of a segment.
func (c *Conn) stampOptions(now time.Duration, o *Options) {
	o.Timestamps, o.TSVal, o.TSEcr = true, c.stamp(now), c.rcv.tsRecent
}

// blockSpace is how many bytes SACK blocks take in the next segment.
func (c *Conn) blockSpace() int {
	n := len(c.rcv.pieces.runs)
	if c.rcv.duplicate != (Block{}) {
		n++
	}
	if n = min(n, c.maxBlocks((c.snd.mss+1)/2)); !c.sack || n == 0 {
		return 0
	}
	return 4 + 8*n
}

// maxBlocks is how many SACK blocks fit a segment with this payload. New data
// leaves them at most half of a segment: with a small one nothing else would be
// left.
func (c *Conn) maxBlocks(payload int) int {
	most := maxBlocks
	if c.stamps {
		most--
	}
	if payload == 0 {
		return most
	}
	return min(most, max(0, c.snd.mss-payload-4)/8)
}

// segment makes a segment with the n bytes at seq, and the acknowledgement, the
// window and the options of the moment. The device cuts the payload into pieces of
// at most cut bytes.
func (c *Conn) segment(now time.Duration, s *Segment, seq Seq, n, cut int) {
	r := &c.rcv
	*s = Segment{Seq: seq, Ack: r.next, Flags: ACK, Window: r.window()}
	o := &s.Options
	o.Scale = NoScale
	if c.stamps {
		c.stampOptions(now, o)
	}
	if most := c.maxBlocks(min(n, cut)); c.sack && most > 0 {
		if r.duplicate != (Block{}) {
			o.Blocks[0], o.Count = r.duplicate, 1 // RFC 2883 §4
			r.duplicate = Block{}
		}
		o.Count += r.pieces.blocks(o.Blocks[o.Count:most])
	}
	if n > 0 {
		s.Payload = c.snd.queue.payload(seq, n)
		s.Cut = cut
	}
	if c.ecn && r.ecnEcho {
		s.Flags |= ECE
	}
	if d := c.snd.up.From(seq); c.snd.urgent && d > 0 {
		if c.cfg.Expedited {
			d--
		}
		s.Flags |= URG
		s.Urgent = uint16(min(d, 65535))
		c.snd.tell = false
	}
	c.ack, c.timers.ack, r.unackedBytes, r.unacked, r.lastAck = ackNone, 0, 0, 0, r.next
}

// examine sends new data after a time-out, whose acknowledgement tells whether
// anything was lost (RFC 5682 §2.1, step 2b). Where none may leave, be it that the
// windows or Nagle's algorithm hold it, recovery goes on as without F-RTO.
func (c *Conn) examine(now time.Duration, s *Segment) bool {
	u := &c.out.undo
	return u.doubt == examining && u.newSegments > 0 && c.snd.unsent() > 0 && c.sendNew(now, s)
}

// sendLost sends the first of what is lost again.
func (c *Conn) sendLost(now time.Duration, s *Segment) bool {
	o := &c.out
	b := &o.board
	n := b.lost.first
	if n == 0 {
		return false
	}
	r := b.at(n)
	head := n == b.base
	// What no longer fits the peer's window waits, but for the first, which asks.
	if r.payload() > c.cwndRoom() || !head && r.end().After(c.snd.una.Add(c.snd.window)) {
		return false
	}
	c.resend(now, s, n)
	if head {
		c.timers.resend = now + c.rtt.rto()
	}
	return true
}

// resend sends the segment of a record again.
func (c *Conn) resend(now time.Duration, s *Segment, n uint32) {
	o := &c.out
	r := o.board.at(n)
	size := r.payload()
	c.segment(now, s, r.seq, size, c.snd.mss)
	s.Resent = true
	if r.flags&recordFIN != 0 {
		s.Flags |= FIN
	}
	if size > 0 && r.end().From(c.snd.queue.end) >= 0 {
		s.Flags |= PSH
	}
	o.board.resend(now, n)
	o.undo.noteResent(int(r.size), c.stamp(now))
	if o.phase == recovering {
		o.prr.Sent(int(r.size))
	}
	c.Counters.BytesResent += uint64(size)
	c.Counters.Resent++
}

// sendNew sends data for the first time, as far as Nagle's algorithm, the
// windows and congestion control allow, and the FIN behind it.
func (c *Conn) sendNew(now time.Duration, s *Segment) bool {
	o, b := &c.out, &c.snd
	queued := b.unsent()
	if queued == 0 && (!b.fin || b.finSent()) {
		o.blocked = false
		return false
	}
	if c.InFlight() == 0 && b.sentAt != 0 {
		o.control.Idle(now, now-b.sentAt, c.rtt.rto())
	}
	mss := max(b.mss-c.blockSpace(), 1)
	n, room := c.windowRoom(now, mss, queued), c.cwndRoom()
	tail := o.tail.due && !o.tail.out
	if tail {
		room = mss
	}
	if few := o.board.few(n, mss); few < n {
		if n, o.blocked = few, false; n == 0 {
			return false
		}
	}
	if n > room {
		o.blocked = true
		if n = max(0, room-room%mss); n == 0 {
			return false
		}
	}
	if limit := c.cfg.Segmenting - c.cfg.Segmenting%mss; limit > mss && !tail {
		if n < limit && c.gathers(limit) {
			return false
		}
		n = min(n, limit)
	} else {
		n = min(n, mss)
	}
	fin := b.fin && n == queued && b.usable() > n
	if n == 0 && !fin {
		return false
	}
	c.transmit(now, s, n, mss, fin)
	return true
}

// gathers reports whether data that is less than the limit, what the device cuts up at once, waits
// for more of it, or for an acknowledgement: two packets that large at least are in flight, to a peer
// nearby. What a packet costs hardly depends on its size, and a stream of large writes would have a
// small packet for each of them. With TCP_NODELAY nothing waits.
func (c *Conn) gathers(limit int) bool {
	return c.InFlight() >= 2*limit && c.rtt.smoothed > 0 && c.rtt.smoothed < nearby &&
		!c.gate.NoDelay && !c.snd.fin && !c.snd.urgent
}

// windowRoom is how many of the queued bytes Nagle's algorithm and the peer's window let out. mss
// is the payload of a full segment now.
func (c *Conn) windowRoom(now time.Duration, mss, queued int) int {
	b := &c.snd
	usable := b.usable()
	if queued == 0 || usable <= 0 {
		c.out.blocked = false
		return 0
	}
	state := nagle.State{Queued: queued, InFlight: c.InFlight(), MSS: mss, Usable: usable, Largest: b.largest,
		Urgent: b.urgent && b.up.After(b.next), FIN: b.fin, Override: b.silly}
	n := c.gate.Release(state)
	if n == 0 && state.Silly() && state.InFlight == 0 && c.timers.silly == 0 {
		c.timers.silly = now + sillyTimeout
	}
	if n > usable { // full segments, and what is left of the window with the next acknowledgement
		if n = usable; n > mss {
			n -= n % mss
		} else if n < mss && state.InFlight > 0 && state.Silly() {
			n = 0
		}
	}
	if n == 0 {
		c.out.blocked = false
	}
	return n
}

// transmit sends n new bytes, in records of a segment each, and the FIN.
func (c *Conn) transmit(now time.Duration, s *Segment, n, mss int, fin bool) {
	o, b := &c.out, &c.snd
	c.segment(now, s, b.next, n, mss)
	last := n == b.unsent()
	if last && n > 0 {
		s.Flags |= PSH
	}
	if fin {
		s.Flags |= FIN
	}
	if c.ecn {
		s.ECNCapable = n > 0
		if b.cwr && n > 0 {
			s.Flags |= CWR
			b.cwr = false
		}
	}
	o.board.add(now, b.next, n, mss, fin)
	if b.next = b.next.Add(n); fin {
		b.next++
	}
	b.silly, c.timers.silly = false, 0
	b.sentAt = now
	c.awaitAnswer(now)
	c.Counters.BytesOut += uint64(n)
	if o.phase == recovering {
		o.prr.Sent(n)
	}
	if o.undo.doubt == examining && o.undo.newSegments > 0 {
		o.undo.newSegments--
	}
	if o.tail.due {
		o.tail = tailProbe{out: true, end: b.next}
		c.timers.resend = 0
	}
	if c.timers.resend == 0 {
		c.armResend(now)
	}
	c.armTailProbe(now)
}

// sendProbe sends what asks for an acknowledgement and takes no room: a tail
// loss probe of old data, a probe of a closed window, a keep-alive probe, or the
// news of urgent data.
func (c *Conn) sendProbe(now time.Duration, s *Segment) bool {
	o, b := &c.out, &c.snd
	switch {
	case o.tail.due: // RFC 8985 §7.3: nothing new can be sent
		o.tail.due = false
		last := o.board.behind() - 1
		if len(o.board.records) == 0 || o.board.at(last).flags&(recordSACKed|recordLost) != 0 {
			return false
		}
		o.board.lose(last)
		c.resend(now, s, last)
		o.tail = tailProbe{out: true, resent: true, end: b.next}
		c.timers.resend = now + c.rtt.rto()
	case b.windowProbe || b.keepAliveProbe:
		// An old number, without data: no receiver finds it acceptable, and all answer.
		seq := b.next - 1
		if b.windowProbe {
			seq = b.una - 1
		}
		octet := c.garbage && !b.windowProbe
		b.windowProbe, b.keepAliveProbe = false, false
		c.segment(now, s, seq, 0, 0)
		if octet {
			s.Payload, s.Cut = buffer.MakeWithData([]byte{0}), 1
		}
	case b.tell && b.urgent && b.up.After(b.next):
		c.segment(now, s, b.next, 0, 0) // RFC 9293 §3.8.5: whatever the window is
	default:
		return false
	}
	return true
}
