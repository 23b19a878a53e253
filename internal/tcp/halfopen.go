package tcp

import "time"

// A HalfOpen is a connection of a listener whose handshake isn't complete: 32
// bytes. The caller keeps it with the addresses, and bounds how many there are.
//
//	SYN ──▶ NewHalfOpen ──SynAck──▶ … ──ACK──▶ Complete ──▶ Conn
type HalfOpen struct {
	ISS, IRS Seq
	SentAt   time.Duration // when the SYN-ACK left first; 0: it hasn't
	TSVal    uint32        // of the SYN
	MSS      uint16        // of the SYN; 0: it had none
	Window   uint16        // of the SYN
	Scale    int8          // of the SYN, or NoScale
	Tries    uint8         // how often the SYN-ACK has left
	asked    asked
}

// asked is what a SYN offers beyond its values.
type asked uint8

const (
	askedSACK asked = 1 << iota
	askedTimestamps
	askedECN
)

// NewHalfOpen is the record of a SYN. iss is our initial sequence number.
func NewHalfOpen(iss Seq, syn *Segment) HalfOpen {
	o := &syn.Options
	h := HalfOpen{ISS: iss, IRS: syn.Seq, MSS: o.MSS, Scale: o.Scale, TSVal: o.TSVal, Window: syn.Window}
	if o.SACKPermitted {
		h.asked |= askedSACK
	}
	if o.Timestamps {
		h.asked |= askedTimestamps
	}
	if syn.Flags.Has(ECE | CWR) {
		h.asked |= askedECN
	}
	return h
}

// syn is the SYN again.
func (h *HalfOpen) syn() Segment {
	s := Segment{Seq: h.IRS, Flags: SYN, Window: h.Window, Options: Options{
		MSS: h.MSS, Scale: h.Scale, SACKPermitted: h.asked&askedSACK != 0,
		Timestamps: h.asked&askedTimestamps != 0, TSVal: h.TSVal,
	}}
	if h.asked&askedECN != 0 {
		s.Flags |= ECE | CWR
	}
	return s
}

// conn is the connection in SYN-RECEIVED, as cfg and the SYN make it.
func (h *HalfOpen) conn(now time.Duration, cfg Config) *Conn {
	cfg.ISS = h.ISS
	c := New(cfg)
	syn := h.syn()
	c.peerSyn(now, &syn)
	c.becomeSynReceived()
	c.snd.next = h.ISS + 1
	c.snd.sentAt = h.SentAt
	if h.Tries > 1 {
		c.Counters.SynResent = h.Tries - 1
	}
	return c
}

// SynAck is the SYN-ACK, each time that it is due. cfg is what the connection
// will be made with.
func (h *HalfOpen) SynAck(now time.Duration, cfg Config) Segment {
	if h.SentAt == 0 {
		h.SentAt = now
	}
	if h.Tries < 255 {
		h.Tries++
	}
	s := h.conn(now, cfg).synSegment(now)
	s.Resent = h.Tries > 1
	return s
}

// Repeat is the SYN-ACK for a SYN that came again, or for what isn't acceptable. It
// doesn't count as one of Tries: anybody who knows the addresses draws it, and
// mustn't end the record, or put off its end.
func (h *HalfOpen) Repeat(now time.Duration, cfg Config) Segment {
	s := h.conn(now, cfg).synSegment(now)
	s.Resent = true
	return s
}

// Next is when the SYN-ACK is due again; RFC 6298 §5.5.
func (h *HalfOpen) Next() time.Duration {
	after := time.Duration(0)
	for i := range h.Tries {
		after += min(initialRTO<<min(i, 10), maxRTO)
	}
	return h.SentAt + after
}

// A HalfOpenVerdict says what becomes of a half-open connection with a segment.
type HalfOpenVerdict uint8

// The verdicts.
const (
	Stays     HalfOpenVerdict = iota // with answer, if it has flags
	SynRepeat                        // the SYN came again, or what isn't acceptable: Repeat is the answer
	Complete                         // Conn takes the segment
	Ends                             // the peer has reset it
)

// Segment judges a segment of the four-tuple (RFC 9293 §3.10.7.4, for
// SYN-RECEIVED), with the answer that a reset may be. size is the window that the
// SYN-ACK has offered, in bytes.
func (h *HalfOpen) Segment(s *Segment, size int) (v HalfOpenVerdict, answer Segment) {
	next := h.IRS + 1
	inWindow := s.Seq == next || s.Seq.In(next, size)
	switch {
	case s.Flags&RST != 0:
		if s.Seq == next { // another one in the window draws nothing: there is no state to lose (RFC 5961 §3.2 is for connections)
			return Ends, Segment{}
		}
		return Stays, Segment{}
	case s.Flags&SYN != 0 && s.Flags&ACK == 0 && s.Seq == h.IRS:
		return SynRepeat, Segment{}
	case !inWindow:
		return SynRepeat, Segment{} // what isn't acceptable draws an acknowledgement, and the SYN-ACK is one
	case s.Flags&SYN != 0: // a new SYN of an old tuple: RFC 5961 §4
		return SynRepeat, Segment{}
	case s.Flags&ACK == 0:
		return Stays, Segment{}
	case s.Ack != h.ISS+1:
		answer, _ = s.Reset()
		return Stays, answer
	}
	return Complete, Segment{}
}

// Conn is the connection, Established; the segment that completes the handshake
// is to be given to it next. It has the event Connected.
func (h *HalfOpen) Conn(now time.Duration, cfg Config) *Conn {
	c := h.conn(now, cfg)
	ack := Segment{Seq: c.rcv.next, Ack: h.ISS + 1, Flags: ACK}
	c.establish(now, &ack)
	return c
}
