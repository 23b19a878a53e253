package stack

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/endpoint"
)

// quoted is how much of an ICMP error is looked at: its header, the longest
// IPv4 header, and the 8 bytes of the segment that every error has.
const quoted = header.ICMPv4MinimumSize + header.IPv4MaximumHeaderSize + 8

// forSYN reports an ICMP error for a SYN of ours, which netstack must not see:
// it would give up at some of them. With TCP_FAIL_CONNECT_ON_ICMP_ERROR any of
// them ends the attempt, without it none does, and the SYN is retransmitted
// until the time-out (NB-3).
func (h *hooks) forSYN(pkt *netstack.PacketBuffer) bool {
	b := append([]byte(nil), pkt.TransportHeader().Slice()...)
	b = append(b, pkt.Data().AsRange().Capped(quoted).ToSlice()...)
	id, seq, ok := quotedSegment(b, pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber)
	if !ok {
		return false
	}
	ep, ok := h.stack.ns.FindTransportEndpoint(pkt.NetworkProtocolNumber, header.TCPProtocolNumber, id, pkt.NICID).(*tcp.Endpoint)
	if !ok || ep.EndpointState() != tcp.StateSynSent {
		return false
	}
	if w, ok := h.wires.Load(ep); ok {
		w.(*endpoint.Wire).Unreachable(seq)
	}
	return true
}

// quotedSegment reads the connection, from our side, and the sequence number out
// of an ICMP "unreachable".
func quotedSegment(b []byte, v4 bool) (id netstack.TransportEndpointID, seq uint32, ok bool) {
	const icmp = 8 // the header of either version
	if len(b) < icmp {
		return id, 0, false
	}
	ip := b[icmp:]
	var tcpAt int
	if v4 {
		if header.ICMPv4(b).Type() != header.ICMPv4DstUnreachable || header.ICMPv4(b).Code() == header.ICMPv4FragmentationNeeded ||
			len(ip) < header.IPv4MinimumSize {
			return id, 0, false
		}
		h := header.IPv4(ip)
		tcpAt = int(h.HeaderLength())
		if h.Protocol() != uint8(header.TCPProtocolNumber) || tcpAt < header.IPv4MinimumSize {
			return id, 0, false
		}
		id.LocalAddress, id.RemoteAddress = h.SourceAddress(), h.DestinationAddress()
	} else {
		if header.ICMPv6(b).Type() != header.ICMPv6DstUnreachable || len(ip) < header.IPv6MinimumSize {
			return id, 0, false
		}
		h := header.IPv6(ip)
		if tcpip.TransportProtocolNumber(h.NextHeader()) != header.TCPProtocolNumber {
			return id, 0, false
		}
		tcpAt = header.IPv6MinimumSize
		id.LocalAddress, id.RemoteAddress = h.SourceAddress(), h.DestinationAddress()
	}
	if len(ip) < tcpAt+8 {
		return id, 0, false
	}
	ports := header.TCP(ip[tcpAt:])
	id.LocalPort = uint16(ports[0])<<8 | uint16(ports[1])
	id.RemotePort = uint16(ports[2])<<8 | uint16(ports[3])
	return id, binary.BigEndian.Uint32(ports[4:]), true
}
