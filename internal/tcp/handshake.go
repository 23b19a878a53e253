package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
)

// timestamp is the clock of our timestamps: milliseconds, from an offset on (RFC 7323 §5.4).
func timestamp(offset uint32, now time.Duration) uint32 {
	return offset + uint32(now/time.Millisecond)
}

// stamp is the timestamp that the connection's next segment has.
func (c *Conn) stamp(now time.Duration) uint32 { return timestamp(c.cfg.StampOffset, now) }

// synSegment is our SYN, or SYN-ACK.
func (c *Conn) synSegment(now time.Duration) Segment {
	s := Segment{Seq: c.cfg.ISS, Flags: SYN, Window: c.rcv.synWindow()}
	o := &s.Options
	*o = Options{MSS: uint16(min(c.cfg.MSS, 65535)), Scale: NoScale}
	answer := c.state == SynReceived
	if !c.cfg.WithoutScale && (!answer || c.scaled) {
		o.Scale = int8(c.rcv.shift)
	}
	o.SACKPermitted = !c.cfg.WithoutSACK && (!answer || c.sack)
	if o.Timestamps = c.cfg.Timestamps && (!answer || c.stamps); o.Timestamps {
		o.TSVal, o.TSEcr = c.stamp(now), c.rcv.tsRecent
	}
	switch {
	case answer:
		s.Flags |= ACK
		s.Ack = c.rcv.next
		if c.ecn {
			s.Flags |= ECE // RFC 3168 §6.1.1
		}
	case c.cfg.ECN && c.Counters.SynResent == 0: // a SYN may be lost for these bits (§6.1.1.1)
		s.Flags |= ECE | CWR
	}
	return s
}

// sendSyn sends our SYN, for the first time or again (RFC 6298 §2.1).
func (c *Conn) sendSyn(now time.Duration) Segment {
	c.snd.syn, c.snd.refused = false, false
	c.ack = ackNone
	again := c.snd.next != c.cfg.ISS
	if !again {
		c.snd.next++
		c.snd.sentAt = now
	}
	c.rcv.edge = later(c.rcv.edge, c.rcv.next.Add(int(c.rcv.synWindow())))
	if c.timers.resend == 0 {
		c.timers.resend = now + c.rtt.rto()
	}
	if again {
		c.Counters.Resent++
	}
	s := c.synSegment(now)
	s.Resent = again
	return s
}

// inSynSent takes a segment in SYN-SENT, in the order of RFC 9293 §3.10.7.3.
func (c *Conn) inSynSent(now time.Duration, s *Segment) {
	acks := s.Flags&ACK != 0
	if acks && s.Ack != c.snd.next || acks && c.snd.next == c.cfg.ISS {
		c.reset, _ = s.Reset() // nothing of ours: the SYN is one number
		return
	}
	switch {
	case s.Flags&RST != 0:
		if acks {
			c.inRefusal(now)
		}
		return
	case s.Flags&SYN == 0:
		return
	}
	c.peerSyn(now, s)
	if !acks { // both SYNs crossed (§3.5, figure 8)
		c.becomeSynReceived()
		c.snd.syn = true
		return
	}
	c.establish(now, s)
	c.owe(ackNow)
	c.inUrgent(s)
	c.inText(now, s)
}

// inRefusal takes a RST that answers our SYN: the SYN leaves again, or the attempt to connect has
// failed.
func (c *Conn) inRefusal(now time.Duration) {
	b := &c.snd
	if b.refused { // a copy of the RST
		return
	}
	b.refusals++
	limit := c.synLimit()
	if int(b.refusals) >= c.cfg.RefusedTries || limit > 0 && b.tries+1 >= limit {
		c.becomeClosed(Refused)
		return
	}
	b.refused = true
	c.timers.resend = now + c.cfg.RefusedPause
}

// peerSyn notes what the peer's SYN says, and takes the SYN off the segment.
func (c *Conn) peerSyn(now time.Duration, s *Segment) {
	r, o := &c.rcv, &s.Options
	r.irs, r.next = s.Seq, s.Seq+1
	r.read, r.mark, r.lastAck = r.next, r.next, r.next
	c.snd.peer = DefaultMSS
	if o.MSS != 0 {
		c.snd.peer = max(int(o.MSS), c.cfg.minMSS())
	}
	c.sack = o.SACKPermitted && !c.cfg.WithoutSACK
	c.scaled = o.Scale >= 0 && !c.cfg.WithoutScale
	if c.scaled {
		c.snd.shift = uint8(o.Scale)
	} else {
		r.shift = 0 // RFC 7323 §2.2: both sides or none
	}
	if c.stamps = o.Timestamps && c.cfg.Timestamps; c.stamps {
		r.tsRecent, r.tsAge = o.TSVal, now
	}
	if r.whole > 0 && c.state != SynSent { // there our SYN has left, with the window that it has
		r.whole = c.wholeSegment()
	}
	r.edge = r.synEdge()
	r.told = r.edge
	switch flags := s.Flags & (ACK | ECE | CWR); {
	case flags&ACK != 0:
		c.ecn = c.cfg.ECN && flags == ACK|ECE
	default:
		c.ecn = c.cfg.ECN && flags == ECE|CWR
	}
	c.setWindow(s)
	c.fit()
	s.Seq, s.Flags = s.Seq+1, s.Flags&^SYN
}

// wholeSegment is what the window of our SYN-ACK is a multiple of, in bytes; 0: of nothing, as the
// window is scaled later. Windows has no segments below DefaultMSS in mind (observed: W6 of nmap's
// fingerprints, whose probe has an MSS of 265).
func (c *Conn) wholeSegment() int {
	if c.scaled {
		return 0
	}
	segment := max(min(c.cfg.MSS, c.snd.peer), DefaultMSS)
	if c.stamps {
		segment -= stampSize
	}
	return segment
}

// setWindow takes the peer's window from a segment; that of a SYN is not scaled
// (RFC 7323 §2.2).
func (c *Conn) setWindow(s *Segment) {
	shift := c.snd.shift
	if s.Flags&SYN != 0 {
		shift = 0
	}
	c.snd.window = int(s.Window) << shift
	c.snd.largest = max(c.snd.largest, c.snd.window)
	if c.snd.wl2 = s.Ack; s.Flags&SYN != 0 || s.Seq.After(c.snd.wl1) {
		c.snd.wl1 = s.Seq
	}
}

// establish follows the acknowledgement of our SYN.
func (c *Conn) establish(now time.Duration, s *Segment) {
	c.since, c.heard = now, now
	c.snd.una = c.cfg.ISS + 1
	c.snd.wl2 = c.snd.una
	c.timers.resend = 0
	lost := c.Counters.SynResent > 0
	switch {
	case c.snd.sentAt == 0: // a SYN cookie: nobody knows
	case !lost:
		c.rtt.sample(now, now-c.snd.sentAt)
	case c.stamps && s.Options.TSEcr != 0:
		c.rtt.sample(now, time.Duration(c.stamp(now)-s.Options.TSEcr)*time.Millisecond)
	default:
		c.rtt.base, c.rtt.shift = fallbackRTO, 0 // RFC 6298 §5.7
	}
	c.begin(lost)
	if c.rcv.grows {
		c.rcv.since = now
	}
	c.becomeEstablished()
	if c.snd.fin { // Close was called in SYN-RECEIVED
		c.becomeClosing()
	}
	c.progress(now)
}

// begin starts congestion control; lost says that our SYN was lost.
func (c *Conn) begin(lost bool) {
	c.out.control = congestion.New(c.cfg.Algorithm, c.snd.mss, congestion.InitialWindow(c.snd.mss, lost))
	c.out.round, c.out.high, c.out.undone = c.snd.next, c.snd.next, c.snd.next
}
