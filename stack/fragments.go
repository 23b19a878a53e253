package stack

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/inet"
)

// maxChain is how much of a first fragment is looked at for its headers: what a
// packet that fits every IPv6 path holds (RFC 7112 §5 lets a host say no to
// more).
const maxChain = inet.MinMTU6

// cutHeader reports the first fragment of a packet that doesn't hold the whole
// transport header, and over IPv6 every header before it. RFC 7112 §5 has IPv6
// hosts discard these, RFC 1858 §3 advises it for TCP over IPv4: only who hides
// ports and flags from a filter sends them, as a path of 68 bytes, the least there
// is, takes a TCP header with 28 bytes of options. Without its first fragment a
// packet is never complete; netstack forgets what has come of it.
func cutHeader(pkt *netstack.PacketBuffer) bool {
	b := pkt.NetworkHeader().Slice()
	if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
		ip := header.IPv4(b)
		if !ip.More() || ip.FragmentOffset() != 0 {
			return false
		}
		return !holdsHeader(ip.TransportProtocol(), pkt.Data().AsRange().Capped(header.TCPHeaderMaximumSize).ToSlice())
	}
	next, first := firstFragment(b)
	if !first {
		return false
	}
	rest := pkt.Data().AsRange().Capped(maxChain).ToSlice()
	next, rest, ok := skipExtensions(next, rest)
	return !ok || !holdsHeader(tcpip.TransportProtocolNumber(next), rest)
}

// firstFragment reports whether the headers that netstack has parsed, which end
// with that of the fragment, are of a first one, and the header that follows.
func firstFragment(b []byte) (next uint8, first bool) {
	if header.IPv6(b).NextHeader() != header.IPv6FragmentHeader && len(b) == header.IPv6MinimumSize {
		return 0, false // nearly every packet
	}
	next, rest, ok := skipExtensions(header.IPv6(b).NextHeader(), b[header.IPv6MinimumSize:])
	for ok && next == header.IPv6FragmentHeader && len(rest) >= header.IPv6FragmentHeaderSize {
		f := header.IPv6Fragment(rest)
		if f.More() || f.FragmentOffset() != 0 {
			return f.NextHeader(), f.FragmentOffset() == 0
		}
		next, rest, ok = skipExtensions(f.NextHeader(), rest[header.IPv6FragmentHeaderSize:]) // atomic (RFC 6946)
	}
	return 0, false
}

// skipExtensions returns what follows the extension headers that netstack knows,
// but for those of fragments: not ok when b ends first.
func skipExtensions(next uint8, b []byte) (uint8, []byte, bool) {
	for {
		switch header.IPv6ExtensionHeaderIdentifier(next) {
		case header.IPv6HopByHopOptionsExtHdrIdentifier, header.IPv6RoutingExtHdrIdentifier,
			header.IPv6DestinationOptionsExtHdrIdentifier, header.IPv6ExperimentExtHdrIdentifier:
		default:
			return next, b, true
		}
		if len(b) < 2 {
			return 0, nil, false
		}
		length := (int(b[1]) + 1) * 8 // RFC 8200 §4.3
		if header.IPv6ExtensionHeaderIdentifier(next) == header.IPv6ExperimentExtHdrIdentifier {
			length = header.IPv6ExperimentHdrLength
		}
		if len(b) < length {
			return 0, nil, false
		}
		next, b = b[0], b[length:]
	}
}

// holdsHeader reports that the start of a packet's payload holds the transport
// header: of an unknown protocol, anything. An ICMP error never comes in fragments
// (RFC 1812 §4.3.2.3 and RFC 4443 §2.4 keep it small): we read it only whole, so
// one in parts would reach netstack unread.
func holdsHeader(protocol tcpip.TransportProtocolNumber, b []byte) bool {
	switch protocol {
	case header.TCPProtocolNumber:
		return len(b) >= header.TCPMinimumSize && len(b) >= int(header.TCP(b).DataOffset())
	case header.UDPProtocolNumber:
		return len(b) >= header.UDPMinimumSize
	case header.ICMPv4ProtocolNumber:
		return len(b) >= icmpHeader && !(&quote{v4: true, kind: b[0]}).reports()
	case header.ICMPv6ProtocolNumber:
		return len(b) >= icmpHeader && !(&quote{kind: b[0]}).reports()
	case header.IPv6FragmentHeader: // inside another
		return false
	}
	return len(b) > 0
}
