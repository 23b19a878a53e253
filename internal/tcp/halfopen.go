package tcp

import "time"

// A HalfOpen is the record of a connection of a listener whose handshake isn't complete: 32 bytes.
// The caller keeps the record with the addresses, and bounds how many there are.
//
//	SYN ──▶ NewHalfOpen ──SynAck──▶ … ──ACK──▶ Complete ──▶ Conn
type HalfOpen struct {
	ISS    Seq           // our initial sequence number
	IRS    Seq           // the peer's initial sequence number
	SentAt time.Duration // when the SYN-ACK left first; 0: it hasn't left
	TSVal  uint32        // the timestamp of the SYN
	MSS    uint16        // the MSS of the SYN; 0: the SYN had none
	Window uint16        // the window of the SYN
	Scale  int8          // the window scale of the SYN; NoScale: the SYN had none
	Tries  uint8         // how often the SYN-ACK has left
	asked  asked         // what else the SYN offers
}

// An asked is what a SYN offers with options that have no value, or with flags.
type asked uint8

const (
	askedSACK asked = 1 << iota
	askedTimestamps
	askedECN
)

// NewHalfOpen makes the record of a SYN. iss is our initial sequence number.
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

// syn is the SYN that the record was made of.
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

// SynAck is the SYN-ACK, and counts as one of Tries. It is called each time that a SYN-ACK is due.
// cfg is what the connection will be made with.
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

// Repeat is the SYN-ACK that answers a SYN which came again, or a segment that isn't acceptable.
// Repeat doesn't count as one of Tries: anybody who knows the addresses can draw it, and mustn't
// end the record or put off its end.
func (h *HalfOpen) Repeat(now time.Duration, cfg Config) Segment {
	s := h.conn(now, cfg).synSegment(now)
	s.Resent = true
	return s
}

// Next is when the SYN-ACK is due again (RFC 6298 §5.5).
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
	Stays     HalfOpenVerdict = iota // the record stays; the answer, if it has flags, leaves
	SynRepeat                        // Repeat answers: the SYN came again, or what isn't acceptable
	Complete                         // the handshake is complete: Conn takes the segment
	Ends                             // the peer has reset the connection
)

// Segment judges a segment of the four-tuple (RFC 9293 §3.10.7.4, for SYN-RECEIVED). An answer with
// flags is a RST that is to leave. size is the window that the SYN-ACK has offered, in bytes.
func (h *HalfOpen) Segment(s *Segment, size int) (v HalfOpenVerdict, answer Segment) {
	next := h.IRS + 1
	inWindow := s.Seq == next || s.Seq.In(next, size)
	switch {
	case s.Flags&RST != 0:
		// Another number in the window draws nothing: there is no state to lose (RFC 5961 §3.2
		// is for connections).
		if s.Seq == next {
			return Ends, Segment{}
		}
		return Stays, Segment{}
	case s.Flags&SYN != 0 && s.Flags&ACK == 0 && s.Seq == h.IRS:
		return SynRepeat, Segment{}
	case !inWindow:
		return SynRepeat, Segment{} // it draws an acknowledgement, and the SYN-ACK is one
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

// Conn makes the connection, which is Established and has the event Connected. The segment that
// completes the handshake is to be given to the connection next.
func (h *HalfOpen) Conn(now time.Duration, cfg Config) *Conn {
	c := h.conn(now, cfg)
	ack := Segment{Seq: c.rcv.next, Ack: h.ISS + 1, Flags: ACK}
	c.establish(now, &ack)
	return c
}
