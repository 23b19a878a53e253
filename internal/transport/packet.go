package transport

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/tcp"
)

// A parsed says what a packet turned out to be.
type parsed uint8

const (
	valid     parsed = iota // a segment
	malformed               // a header that promises more than there is
	corrupt                 // a segment with a wrong checksum
)

// parse reads a segment. The payload of the segment refers to the packet's.
func parse(pkt *stack.PacketBuffer, s *tcp.Segment) parsed {
	h := header.TCP(pkt.TransportHeader().Slice())
	if len(h) < header.TCPMinimumSize {
		return malformed
	}
	source, destination, tos := network(pkt)
	_, right, ok := header.TCPValid(h, func() uint16 { return pkt.Data().Checksum() }, uint16(pkt.Data().Size()),
		source, destination, pkt.RXChecksumValidated)
	switch {
	case !ok:
		return malformed
	case !right:
		return corrupt
	}
	flags := tcp.Flags(h.Flags())
	*s = tcp.Segment{
		Seq: tcp.Seq(h.SequenceNumber()), Ack: tcp.Seq(h.AckNumber()), Flags: flags,
		Window: h.WindowSize(), Urgent: h.UrgentPointer(),
		Options: tcp.ParseOptions(h[header.TCPMinimumSize:h.DataOffset()], flags.Has(tcp.SYN)),
		CE:      tos&ecnMask == ecnCE,
	}
	s.Payload = pkt.Data().ToBuffer()
	return valid
}

// network reads the IP header of a packet. (pkt.Network would allocate.)
func network(pkt *stack.PacketBuffer) (source, destination tcpip.Address, tos uint8) {
	b := pkt.NetworkHeader().Slice()
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		h := header.IPv4(b)
		tos, _ = h.TOS()
		return h.SourceAddress(), h.DestinationAddress(), tos
	}
	h := header.IPv6(b)
	tos, _ = h.TOS()
	return h.SourceAddress(), h.DestinationAddress(), tos
}

// The code points of ECN in an IP header (RFC 3168 §5).
const (
	ecnMask = 3
	ecnCE   = 3
	ecnECT0 = 2
)
