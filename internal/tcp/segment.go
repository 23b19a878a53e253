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

// Has reports that all of these bits are set.
func (f Flags) Has(bits Flags) bool { return f&bits == bits }

// A Segment is one TCP segment. Whoever has it owns its payload.
type Segment struct {
	Seq     Seq
	Ack     Seq // valid with ACK
	Flags   Flags
	Window  uint16 // as in the header, not scaled
	Urgent  uint16 // the urgent pointer, valid with URG
	Options Options
	Payload buffer.Buffer

	// Cut is the payload size, in bytes, that the device cuts a larger payload
	// into. Segments that come in may be uncut as well; the field is then not
	// used.
	Cut int

	CE  bool // in: the IP header carried Congestion Experienced (RFC 3168)
	ECT bool // out: the IP header is marked ECN-capable

	Resent bool // out: the segment carries sequence numbers that were sent before; the octet of a keep-alive probe doesn't count
}

// Len is what the segment takes of the sequence space: its payload, and one
// each for SYN and FIN (RFC 9293 §3.4).
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

// Reset is the RST that answers a segment which belongs to no connection (RFC
// 9293 §3.10.7.1). ok is false for a RST, which is never answered.
func (s *Segment) Reset() (_ Segment, ok bool) {
	switch {
	case s.Flags&RST != 0:
		return Segment{}, false
	case s.Flags&ACK != 0:
		return Segment{Seq: s.Ack, Flags: RST}, true
	}
	return Segment{Ack: s.End(), Flags: RST | ACK}, true
}
