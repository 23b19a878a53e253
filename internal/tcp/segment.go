package tcp

import "gvisor.dev/gvisor/pkg/buffer"

// Flags are the control bits of a segment (RFC 9293 §3.1).
type Flags uint8

// The control bits, as they stand in the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all of these bits are set.
func (f Flags) Has(bits Flags) bool { return f&bits == bits }

// A Segment is one TCP segment. Whoever has a Segment owns its payload.
type Segment struct {
	Seq     Seq           // SEG.SEQ: the number of the first byte, or of the SYN
	Ack     Seq           // SEG.ACK: the next number that the sender expects; valid with ACK
	Flags   Flags         // the control bits
	Window  uint16        // SEG.WND as it stands in the header, not scaled
	Urgent  uint16        // the urgent pointer; valid with URG
	Options Options       // the options of the header
	Payload buffer.Buffer // the data

	// Cut is the size of the payloads, in bytes, that the device cuts a larger payload
	// into. Segments that come in may be uncut as well; the field isn't used then.
	Cut int

	// CE says of a segment that came in that its IP header carried the mark Congestion
	// Experienced (RFC 3168).
	CE bool

	// ECNCapable says of a segment that leaves that its IP header says so: ECT(0) of RFC
	// 3168 §5.
	ECNCapable bool

	// Resent says of a segment that leaves that its sequence numbers were sent before. The
	// octet of a keep-alive probe doesn't count.
	Resent bool
}

// Len is how many numbers the segment takes of the sequence space: those of its payload,
// and one each for SYN and FIN (RFC 9293 §3.4).
func (s *Segment) Len() int {
	n := int(s.Payload.Size())
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return n
}

// End is the sequence number behind the segment.
func (s *Segment) End() Seq { return s.Seq.Add(s.Len()) }

// Reset is the RST that answers a segment which belongs to no connection (RFC 9293
// §3.10.7.1). ok is false where the segment is a RST itself, which is never answered.
func (s *Segment) Reset() (_ Segment, ok bool) {
	switch {
	case s.Flags&RST != 0:
		return Segment{}, false
	case s.Flags&ACK != 0:
		return Segment{Seq: s.Ack, Flags: RST}, true
	}
	return Segment{Ack: s.End(), Flags: RST | ACK}, true
}
