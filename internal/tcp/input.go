package tcp

import (
	"cmp"
	"time"

	"github.com/wsstack/wsstack/internal/serial"
)

// maxChallenges is how many segments that aren't acceptable are answered in a
// second (RFC 5961 §7). Without a bound two ends that disagree answer each other
// for ever.
const maxChallenges = 10

// challenges count the answers to segments that aren't acceptable.
type challenges struct {
	since time.Duration // when the second that is counted in began; 0: none has
	count int           // how many answers were due since then
}

// challenge answers a segment that isn't acceptable, within the bound.
func (c *Conn) challenge(now time.Duration) {
	l := &c.challenges
	if l.since == 0 || now-l.since >= time.Second {
		*l = challenges{since: now}
	}
	if l.count++; l.count <= maxChallenges {
		c.owe(ackNow)
	}
}

// Segment takes a segment of the connection, and takes over its payload. What comes for a Closed
// connection the caller answers (Segment.Reset).
func (c *Conn) Segment(now time.Duration, s *Segment) {
	switch c.state {
	case Closed:
	case SynSent:
		c.inSynSent(now, s)
	case TimeWait:
		c.inTimeWait(now, s)
	default:
		c.inSynchronized(now, s)
	}
	s.Payload.Release()
}

// inSynchronized takes a segment in the order of RFC 9293 §3.10.7.4.
func (c *Conn) inSynchronized(now time.Duration, s *Segment) {
	if c.state == SynReceived && s.Flags&SYN != 0 && s.Seq == c.rcv.irs {
		if s.Flags&ACK == 0 {
			c.snd.syn = true // the peer's SYN again: it hasn't seen our SYN-ACK
			return
		}
		s.Seq, s.Flags = s.Seq+1, s.Flags&^SYN // both SYNs crossed: the SYN-ACK is the acknowledgement
		s.Window >>= c.snd.shift               // which isn't scaled (RFC 7323 §2.2)
	}
	acceptable := c.rcv.acceptable(s)
	if acceptable && !c.checkStamp(now, s) { // RFC 7323 §5.3, R1
		return
	}
	if !acceptable {
		if s.Flags&RST == 0 {
			c.inUnacceptable(now, s)
		}
		return
	}
	switch {
	case s.Flags&RST != 0: // second; RFC 5961 §3.2
		c.inReset(now, s)
		return
	case s.Flags&SYN != 0: // fourth; RFC 5961 §4.2
		c.challenge(now)
		return
	case s.Flags&ACK == 0: // fifth
		return
	}
	if !c.inAck(now, s) {
		return
	}
	if s.Len() > 0 || s.Seq != c.rcv.edge || s.Seq == c.rcv.next {
		c.hear(now)
	}
	c.inUrgent(s)
	c.inText(now, s)
}

// hear notes an acceptable segment: the idle time of keep-alive begins anew (KA-9). It isn't called
// for a segment that acknowledges what was never sent, which isn't of the connection, nor for an
// empty one at the edge of an open window, which is looked at only because a sender that has filled
// the window acknowledges from there.
func (c *Conn) hear(now time.Duration) {
	c.heard = now
	c.keepAlive.Segment(keepAliveTime(now))
}

// inUnacceptable answers a segment that is not in the window. The acknowledgement and the urgent
// pointer of the segment count while the window is closed and the segment is what comes next (RFC
// 9293 §3.10.7.4, first).
func (c *Conn) inUnacceptable(now time.Duration, s *Segment) {
	r := &c.rcv
	n := int(s.Payload.Size())
	if n > 0 && s.Flags&SYN == 0 && !s.Seq.Add(n).After(r.next) {
		r.duplicate = Block{s.Seq, s.Seq.Add(n)} // RFC 2883 §4.1
	}
	if s.Flags&(ACK|SYN) == ACK && s.Seq == r.next && c.checkStamp(now, s) {
		if !c.inAck(now, s) {
			return
		}
		c.hear(now)
		c.inUrgent(s)
	}
	if n == 0 || s.Flags&SYN != 0 {
		c.challenge(now)
		return
	}
	c.owe(ackNow)
}

// maxStampAge is how long a timestamp tells old segments from new ones (RFC
// 7323 §5.5).
const maxStampAge = 24 * 24 * time.Hour

// checkStamp reports whether a segment passes the PAWS test, which every RST does. checkStamp
// answers a segment that fails, and notes the timestamp of one that passes (RFC 7323 §4.3, §5.3),
// but not of a foreign one: a guessed timestamp would have all that the peer sends fail.
func (c *Conn) checkStamp(now time.Duration, s *Segment) bool {
	r, o := &c.rcv, &s.Options
	if !c.stamps || s.Flags&RST != 0 {
		return true
	}
	if !o.Timestamps { // §3.2: all but a RST have them
		if s.Flags&SYN != 0 { // a peer that has begun anew (RFC 5961 §4.2)
			c.challenge(now)
		}
		return false
	}
	old := serial.Before(o.TSVal, r.tsRecent)
	if old && now-r.tsAge < maxStampAge {
		c.challenge(now)
		return false
	}
	if !s.Seq.After(r.lastAck) && !c.foreign(s) {
		r.tsRecent, r.tsAge = o.TSVal, now
	}
	return true
}

// inReset takes a RST in the window, or at its edge (RFC 5961 §3.2): only a RST with the exact
// number counts, and one at the edge draws nothing.
func (c *Conn) inReset(now time.Duration, s *Segment) {
	switch {
	case s.Seq != c.rcv.next && s.Seq == c.rcv.edge:
	case s.Seq != c.rcv.next:
		c.challenge(now)
	case c.state == SynReceived:
		c.becomeClosed(Refused)
	case (c.state == Closing || c.state == LastAck) && c.Queued() == 0:
		// Nobody is told, and what was received stays (RFC 9293 §3.10.7.4): all that is missing is
		// the acknowledgement of our FIN.
		c.becomeClosed(None)
	default:
		c.becomeClosed(ResetByPeer)
	}
}

// inAck is the fifth step of RFC 9293 §3.10.7.4, with the part of each state that concerns our FIN.
// inAck reports whether the segment is to be looked at further.
func (c *Conn) inAck(now time.Duration, s *Segment) bool {
	if c.state == SynReceived {
		if s.Ack != c.snd.next {
			c.reset, _ = s.Reset()
			return false
		}
		c.establish(now, s)
		c.setWindow(s)
	}
	if c.foreign(s) {
		c.challenge(now)
		return false
	}
	if s.Ack.Before(c.snd.una) {
		return true // an old duplicate: its data may be new
	}
	moved := c.updateWindow(s)
	c.acknowledge(now, s, moved)
	if c.snd.fin && c.snd.finSent() && c.snd.una == c.snd.next {
		c.becomeFinAcked()
		c.armFinWait(now)
	}
	return c.state != Closed
}

// foreign reports whether a segment acknowledges what can't be of this connection: what was never
// sent, or what is older than the largest window (RFC 5961 §5.2).
func (c *Conn) foreign(s *Segment) bool {
	return s.Flags&ACK != 0 && (s.Ack.After(c.snd.next) || c.snd.una.From(s.Ack) > max(c.snd.largest, c.snd.mss))
}

// updateWindow takes the peer's window, unless the segment is older than the one that the window
// was taken from (RFC 9293 §3.10.7.4). A segment that acknowledges something is not older, whatever
// its number: the old window, counted from the new SND.UNA, would be more than was promised.
// updateWindow reports whether the window has changed.
func (c *Conn) updateWindow(s *Segment) (changed bool) {
	b := &c.snd
	if !(s.Ack.After(b.una) || b.wl1.Before(s.Seq) || b.wl1 == s.Seq && !s.Ack.Before(b.wl2)) {
		return false
	}
	old := b.una.Add(b.window)
	c.setWindow(s)
	return s.Ack.Add(b.window) != old
}

// inText is the seventh and the eighth step of RFC 9293 §3.10.7.4: data, and the FIN.
func (c *Conn) inText(now time.Duration, s *Segment) {
	n := int(s.Payload.Size())
	fin := s.Flags&FIN != 0
	if n == 0 && !fin {
		return
	}
	r := &c.rcv
	switch c.state {
	case Established, FinWait1, FinWait2:
	default: // the peer's FIN has come: nothing is behind it
		c.challenge(now)
		return
	}
	end := s.Seq.Add(n)
	if n > 0 && end.After(r.next) && c.refuses() {
		return
	}
	if c.ecn {
		switch { // RFC 3168 §6.1.3
		case s.CE:
			r.ecnEcho = true
		case s.Flags&CWR != 0:
			r.ecnEcho = false
		}
	}
	gap := len(r.pieces.runs) > 0 || r.hasFIN && !r.ended
	before := r.next
	if n > 0 {
		if s.Seq.After(before) {
			c.Counters.EarlySegments++
			c.Counters.EarlyBytes += uint64(n)
		}
		r.data(s.Seq, &s.Payload)
	}
	if fin && !end.After(r.edge) {
		r.offer(end)
	}
	arrived := r.next.From(before)
	if arrived > 0 {
		c.Counters.BytesIn += uint64(arrived)
		c.events |= Readable
	}
	if r.finish() {
		c.becomeFinReceived()
		c.owe(ackNow)
		return
	}
	switch {
	case arrived == 0 || gap || len(r.pieces.runs) > 0: // RFC 5681 §4.2: at once
		c.owe(ackNow)
	default:
		c.oweDelayed(now, n)
	}
}

// refuses resets the connection where nobody takes the new data that has come, and reports whether
// that is so: the socket is closed (RFC 1122 §4.2.2.13), or shut down for receiving (SH-2).
func (c *Conn) refuses() bool {
	switch {
	case c.orphan:
		c.abort(Aborted)
	case c.deaf:
		c.abort(Unwanted)
	default:
		return false
	}
	return true
}

// burstAck is how much of a burst draws an acknowledgement, in bytes: two of the
// largest packets that devices make of segments.
const burstAck = 128 << 10

// oweDelayed notes that an acknowledgement is owed for data that came in order: every second full
// segment at least draws one (RFC 9293 §3.8.6.3). In a burst, whose end draws one, segments that
// follow each other count as one large segment, as they are where a device puts them together: each
// burstAck draws an acknowledgement, or each eighth of a smaller window.
func (c *Conn) oweDelayed(now time.Duration, n int) {
	r := &c.rcv
	enough := 2 * r.least
	if c.holdAck {
		enough = max(enough, min(burstAck, r.size()/8))
	}
	r.unackedBytes += n
	r.unacked++
	switch {
	case r.unackedBytes >= enough:
		c.owe(ackNow)
	case c.cfg.DelayAck == 0, r.unacked >= cmp.Or(c.cfg.AckEvery, 2), r.unackedBytes > r.least: // two that a device has put together
		c.owe(ackSoon)
	case r.told != r.next && r.told.From(r.next) < r.least: // no room for a second one, which a sender that avoids silly windows holds
		c.owe(ackSoon)
	default:
		c.owe(ackLater)
		if c.timers.ack == 0 {
			c.timers.ack = now + c.cfg.DelayAck
		}
	}
}

// inTimeWait takes a segment in TIME-WAIT, where only the numbers of the connection are left.
func (c *Conn) inTimeWait(now time.Duration, s *Segment) {
	w := c.Remains()
	if answer, verdict := w.Segment(now, s); verdict == Answer && answer.Flags&ACK != 0 {
		c.challenge(now)
	}
}
