package stack

import (
	"encoding/binary"
	"net/netip"

	"github.com/wsstack/wsstack/internal/translate"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// A transitError is why a packet can't go on, in the words of both versions of
// ICMP (RFC 792, RFC 4443).
type transitError struct {
	type4 header.ICMPv4Type
	code4 header.ICMPv4Code
	type6 header.ICMPv6Type
	code6 header.ICMPv6Code
	mtu   uint32 // of the next link, where that is the reason
}

var (
	unreachableNet = transitError{header.ICMPv4DstUnreachable, header.ICMPv4NetUnreachable,
		header.ICMPv6DstUnreachable, header.ICMPv6NetworkUnreachable, 0}
	unreachableHost = transitError{header.ICMPv4DstUnreachable, header.ICMPv4HostUnreachable,
		header.ICMPv6DstUnreachable, header.ICMPv6AddressUnreachable, 0}
	unreachablePort = transitError{header.ICMPv4DstUnreachable, header.ICMPv4PortUnreachable,
		header.ICMPv6DstUnreachable, header.ICMPv6PortUnreachable, 0}
	prohibited = transitError{header.ICMPv4DstUnreachable, header.ICMPv4AdminProhibited,
		header.ICMPv6DstUnreachable, header.ICMPv6Prohibited, 0}
	timeExceeded = transitError{header.ICMPv4TimeExceeded, header.ICMPv4TTLExceeded,
		header.ICMPv6TimeExceeded, header.ICMPv6HopLimitExceeded, 0}
)

// tooBig is that a packet doesn't fit the next link, of which it tells the MTU.
func tooBig(mtu int) transitError {
	return transitError{header.ICMPv4DstUnreachable, header.ICMPv4FragmentationNeeded,
		header.ICMPv6PacketTooBig, header.ICMPv6UnusedCode, uint32(mtu)}
}

// The sizes of ICMP errors in bytes, headers included: RFC 1812 §4.3.2.3 and
// RFC 4443 §2.4 (c). One that the link takes whole may be shorter.
const (
	maxError4 = 576
	maxError6 = 1280
)

// refuseTransit drops a packet, counts it and tells its source why, by the link
// that it came from: at netstack's rate, never about an error or a later fragment
// (RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e)).
func (s *Stack) refuseTransit(in *nic, t *transit, p *tun.Packet, e transitError) {
	s.hooks.dropped.Add(1)
	s.sendError(in, t, p, e, netip.Addr{})
}

// sendError is refuseTransit without the count. The error is from an address, which isn't valid
// where it is to be one of ours.
func (s *Stack) sendError(in *nic, t *transit, p *tun.Packet, e transitError, from netip.Addr) {
	ok := from.IsValid()
	if !ok {
		from, ok = s.errorSource(in, t.source)
	}
	if !ok || t.offset != 0 || !mayAnswer(t, p) || !s.ns.AllowICMPMessage() {
		return
	}
	var b []byte
	mtu := int(in.link.MTU())
	if t.source.Is4() {
		b = e.packet4(from, t, p, min(maxError4, mtu))
		if s.hooks.wire.CountedIDs {
			s.hooks.ids.write(b, 1)
		}
	} else {
		b = e.packet6(from, t, p, min(maxError6, mtu))
	}
	in.link.Relay(tun.Packet{Data: buffer.MakeWithData(b)})
}

// Undelivered says that a packet which has left by a device has nobody there who takes it, as where
// nobody answers ARP. If it was forwarded, its sender gets an ICMP error: host unreachable
// (RFC 1812 §5.2.7.1), address unreachable (RFC 4443 §3.1). The stack borrows the packet. A device
// that knows its neighbours, such as a switch, calls it, but never in Device.Send.
func (s *Stack) Undelivered(p *tun.Packet) {
	ours := tun.Packet{Data: p.Data.Clone(), GSO: p.GSO} // parse may move what is in pieces
	defer ours.Data.Release()
	var t transit
	if !t.parse(&ours) || !s.cfg.Forwarding || s.down.Load() || !s.passes(&t) {
		return
	}
	if back := s.nextLink(t.source); back != nil {
		s.refuseTransit(back, &t, &ours, unreachableHost)
	}
}

// errorSource is our address on the link that a packet came by, else any of its
// family.
func (s *Stack) errorSource(in *nic, to netip.Addr) (netip.Addr, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a, ok := in.source(to, to); ok {
		return a, true
	}
	for _, n := range s.nics[1:] {
		if a, ok := n.source(to, to); ok {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// mayAnswer reports a packet that is no ICMP error.
func mayAnswer(t *transit, p *tun.Packet) bool {
	if !t.source.Is4() {
		return mayAnswer6(t.protocol, len(t.header), p)
	}
	if t.protocol != uint8(header.ICMPv4ProtocolNumber) {
		return true
	}
	b, ok := peek(p, len(t.header))
	typ := header.ICMPv4Type(b[0])
	return ok && (typ == header.ICMPv4Echo || typ == header.ICMPv4EchoReply || typ >= header.ICMPv4Timestamp)
}

// mayAnswer6 is mayAnswer behind the extension headers of IPv6, as far as an error
// could quote them. It doesn't answer where it can't see what is behind.
func mayAnswer6(next uint8, at int, p *tun.Packet) bool {
	for later := false; at < maxError6; {
		b, ok := peek(p, at)
		size, extension := extensionSize(next, b)
		switch {
		case next == uint8(header.ICMPv6ProtocolNumber):
			return ok && !later && b[0]&0x80 != 0 && header.ICMPv6Type(b[0]) != header.ICMPv6RedirectMsg
		case !extension:
			return true
		case !ok || later:
			return false
		}
		later = next == uint8(header.IPv6FragmentHeader) && binary.BigEndian.Uint16(b[2:])>>3 != 0
		next, at = b[0], at+size
	}
	return false
}

// extensionSize is the size in bytes of an extension header of IPv6 that begins
// so (RFC 8200 §4, RFC 4302 §2.2).
func extensionSize(number uint8, first [4]byte) (size int, ok bool) {
	const authentication = 51
	switch number {
	case uint8(header.IPv6HopByHopOptionsExtHdrIdentifier), uint8(header.IPv6RoutingExtHdrIdentifier), uint8(header.IPv6DestinationOptionsExtHdrIdentifier):
		return (int(first[1]) + 1) * 8, true
	case uint8(header.IPv6FragmentHeader):
		return header.IPv6FragmentHeaderSize, true
	case authentication:
		return (int(first[1]) + 2) * 4, true
	}
	return 0, false
}

// peek is what a packet has at an offset; not ok where it is shorter.
func peek(p *tun.Packet, at int) (b [4]byte, ok bool) {
	n, _ := p.Data.ReadAt(b[:], int64(at))
	return b, n == len(b)
}

// opening is the beginning of a packet, for an error to quote.
func opening(p *tun.Packet, size, limit int) []byte {
	b := make([]byte, min(size, limit))
	n, _ := p.Data.ReadAt(b, 0)
	return b[:n]
}

func (e transitError) packet4(from netip.Addr, t *transit, p *tun.Packet, limit int) []byte {
	const headers = header.IPv4MinimumSize + header.ICMPv4MinimumSize
	b := append(make([]byte, headers), opening(p, t.size, limit-headers)...)
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: defaultTTL, Protocol: uint8(header.ICMPv4ProtocolNumber),
		SrcAddr: translate.Address(from), DstAddr: translate.Address(t.source),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	icmp := header.ICMPv4(b[header.IPv4MinimumSize:])
	icmp.SetType(e.type4)
	icmp.SetCode(e.code4)
	icmp.SetMTU(uint16(e.mtu))
	icmp.SetChecksum(^checksum.Checksum(icmp, 0))
	return b
}

func (e transitError) packet6(from netip.Addr, t *transit, p *tun.Packet, limit int) []byte {
	const headers = header.IPv6MinimumSize + header.ICMPv6ErrorHeaderSize
	b := append(make([]byte, headers), opening(p, t.size, limit-headers)...)
	source, destination := translate.Address(from), translate.Address(t.source)
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(b) - header.IPv6MinimumSize), TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: defaultTTL,
		SrcAddr: source, DstAddr: destination,
	})
	icmp := header.ICMPv6(b[header.IPv6MinimumSize:])
	icmp.SetType(e.type6)
	icmp.SetCode(e.code6)
	if e.mtu != 0 {
		icmp.SetMTU(e.mtu)
	}
	icmp.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: icmp, Src: source, Dst: destination}))
	return b
}
