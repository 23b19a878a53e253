package stack

import (
	"encoding/binary"
	"net/netip"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/translate"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/wsa"
)

// icmpHeader is the length of the header of an ICMP error of either version.
const icmpHeader = 8

// quoted is how much of an ICMP error is looked at: its header, the longest IP
// header with what may be between it and the transport header, 8 bytes of that,
// and the start of a datagram's payload. Few have what quotedExtensions is for: the headers that a
// socket over IPv6 may add.
const (
	quoted           = icmpHeader + header.IPv4MaximumHeaderSize + 8 + socket.MaxQuote
	quotedExtensions = 3 * 256
)

// A quote is an ICMP error, with the packet of ours that it is about.
type quote struct {
	v4            bool
	kind, code    uint8  // of the ICMP message
	mtu           uint32 // of a message that says "too big"
	protocol      tcpip.TransportProtocolNumber
	local, remote netip.AddrPort
	seq           uint32 // of a segment; the number of an echo request
	payload       []byte // of a datagram or an echo request, as far as it is quoted
}

// echo reports a message about an echo request.
func (q *quote) echo() bool { return isICMP(q.protocol, q.v4) }

// isICMP reports the ICMP of an IP version.
func isICMP(p tcpip.TransportProtocolNumber, v4 bool) bool {
	return v4 && p == header.ICMPv4ProtocolNumber || !v4 && p == header.ICMPv6ProtocolNumber
}

// icmp looks at an ICMP packet that came in, and says what becomes of it. Raw
// sockets have it already.
func (h *hooks) icmp(pkt *netstack.PacketBuffer) verdict {
	if h.echoToMany(pkt) {
		return taken
	}
	if h.echoes.count.Load() > 0 {
		h.echoReply(pkt)
	}
	q, ok := readError(pkt)
	q.local, q.remote = zonedAddrPort(q.local, pkt.NICID), zonedAddrPort(q.remote, pkt.NICID)
	switch {
	case !ok:
		return pass
	case q.impossible():
		return refuse
	case q.protocol == header.TCPProtocolNumber:
		return h.forSegment(&q, pkt)
	case q.echo():
		h.echoError(&q, pkt)
		return pass
	}
	if !h.stack.own.Load().has(q.local.Addr()) {
		return pass // a wildcard has sent from an address of ours
	}
	e := socket.ICMPError{
		Local: q.local, Remote: q.remote,
		Protocol: wsa.IPPROTO_ICMP, Type: q.kind, Code: q.code, MTU: q.mtu, Payload: q.payload,
	}
	if !q.v4 {
		e.Protocol = wsa.IPPROTO_ICMPV6
	}
	h.stack.ports.each(q.local, func(s *socket.Socket) { s.ICMPError(e) })
	return pass
}

// forSegment tells the connection whose segment is quoted. What no connection
// believes is forged or too late (RFC 5927 §4.1 and §7).
func (h *hooks) forSegment(q *quote, pkt *netstack.PacketBuffer) verdict {
	id := transport.ID{
		LocalPort: q.local.Port(), LocalAddress: translate.Address(q.local.Addr()),
		RemotePort: q.remote.Port(), RemoteAddress: translate.Address(q.remote.Addr()),
		Zone: max(translate.Zone(q.local.Addr()), translate.Zone(q.remote.Addr())),
	}
	r := transport.Report{Quoted: tcp.Seq(q.seq), Info: q.info(pkt)}
	if q.tooBig() {
		r.MTU = int(q.mtu)
	}
	if !h.stack.tcp.Report(id, r) {
		return refuse
	}
	return taken
}

// info is what TCP_ICMP_ERROR_INFO tells of the message.
func (q *quote) info(pkt *netstack.PacketBuffer) wsa.ICMPErrorInfo {
	source, _ := addresses(pkt)
	info := wsa.ICMPErrorInfo{Source: netip.AddrPortFrom(zonedAddr(source, pkt.NICID), 0), Protocol: wsa.IPPROTO_ICMPV6, Type: q.kind, Code: q.code}
	if q.v4 {
		info.Protocol = wsa.IPPROTO_ICMP
	}
	return info
}

// unreachable reports a destination unreachable.
func (q *quote) unreachable() bool {
	if q.v4 {
		return q.kind == uint8(header.ICMPv4DstUnreachable)
	}
	return q.kind == uint8(header.ICMPv6DstUnreachable)
}

// readError reads an ICMP error that quotes a segment or a datagram. Its checksum
// must be right: hooks see packets before netstack verifies it.
func readError(pkt *netstack.PacketBuffer) (q quote, ok bool) {
	head := pkt.TransportHeader().Slice()
	b := append(make([]byte, 0, quoted), head...)
	more := quoted
	if pkt.NetworkProtocolNumber == header.IPv6ProtocolNumber {
		more += quotedExtensions
	}
	b = append(b, pkt.Data().AsRange().Capped(more).ToSlice()...)
	if len(b) < icmpHeader {
		return q, false
	}
	q = quote{v4: pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber, kind: b[0], code: b[1]}
	if !q.isError(b) || !validICMP(pkt, head) {
		return q, false
	}
	if q.v4 {
		return q, q.read4(b[icmpHeader:])
	}
	return q, q.read6(b[icmpHeader:])
}

// reports reports a message of a kind that quotes a packet: RFC 792, RFC 4443 §2.1.
func (q *quote) reports() bool {
	if !q.v4 {
		return q.kind < uint8(header.ICMPv6EchoRequest)
	}
	switch header.ICMPv4Type(q.kind) {
	case header.ICMPv4DstUnreachable, header.ICMPv4SrcQuench, header.ICMPv4Redirect, header.ICMPv4TimeExceeded, header.ICMPv4ParamProblem:
		return true
	}
	return false
}

// isError reads the header.
func (q *quote) isError(b []byte) bool {
	switch {
	case q.tooBig() && q.v4:
		q.mtu = uint32(header.ICMPv4(b).MTU())
		return true
	case q.tooBig():
		q.mtu = header.ICMPv6(b).MTU()
		return true
	case q.v4:
		return q.unreachable() || q.kind == uint8(header.ICMPv4TimeExceeded) || q.kind == uint8(header.ICMPv4ParamProblem)
	}
	return q.kind >= uint8(header.ICMPv6DstUnreachable) && q.kind <= uint8(header.ICMPv6ParamProblem)
}

// tooBig reports a message that names an MTU.
func (q *quote) tooBig() bool {
	if q.v4 {
		return q.unreachable() && header.ICMPv4Code(q.code) == header.ICMPv4FragmentationNeeded
	}
	return q.kind == uint8(header.ICMPv6PacketTooBig)
}

// impossible reports a message that names an MTU which no link has. RFC 791 wants 68 bytes of
// every link, RFC 8201 §4 has messages with less than 1,280 discarded. Routers
// older than RFC 1191 say 0; they aren't believed, either.
func (q *quote) impossible() bool {
	if q.v4 {
		return q.tooBig() && q.mtu < inet.MinMTU4
	}
	return q.tooBig() && q.mtu < inet.MinMTU6
}

// validICMP verifies the checksum of a message whose header may be parsed.
func validICMP(pkt *netstack.PacketBuffer, head []byte) bool {
	sum := checksum.Checksum(head, pkt.Data().Checksum())
	if pkt.NetworkProtocolNumber == header.IPv6ProtocolNumber {
		source, destination := addresses(pkt)
		length := uint16(len(head) + pkt.Data().Size())
		sum = checksum.Combine(sum, header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, source, destination, length))
	}
	return sum == 0xffff
}

// read4 reads the packet that an ICMPv4 error quotes.
func (q *quote) read4(ip []byte) bool {
	if len(ip) < header.IPv4MinimumSize {
		return false
	}
	h := header.IPv4(ip)
	at := int(h.HeaderLength())
	if at < header.IPv4MinimumSize || at > len(ip) || h.FragmentOffset() != 0 {
		return false
	}
	q.protocol = h.TransportProtocol()
	return q.readTransport(h.SourceAddressSlice(), h.DestinationAddressSlice(), ip[at:])
}

// read6 reads the packet that an ICMPv6 error quotes. A packet of ours has the extension headers
// that a socket adds, and that of a fragment between them.
func (q *quote) read6(ip []byte) bool {
	if len(ip) < header.IPv6MinimumSize {
		return false
	}
	h := header.IPv6(ip)
	next, rest, ok := skipExtensions(h.NextHeader(), ip[header.IPv6MinimumSize:])
	if ok && next == header.IPv6FragmentHeader {
		if len(rest) < header.IPv6FragmentHeaderSize || header.IPv6Fragment(rest).FragmentOffset() != 0 {
			return false
		}
		next, rest, ok = skipExtensions(rest[0], rest[header.IPv6FragmentHeaderSize:])
	}
	if !ok {
		return false
	}
	q.protocol = tcpip.TransportProtocolNumber(next)
	return q.readTransport(h.SourceAddressSlice(), h.DestinationAddressSlice(), rest)
}

func (q *quote) readTransport(source, destination, b []byte) bool {
	if len(b) < 8 || q.protocol != header.TCPProtocolNumber && q.protocol != header.UDPProtocolNumber && !q.echo() {
		return false
	}
	local, _ := netip.AddrFromSlice(source)
	remote, _ := netip.AddrFromSlice(destination)
	if q.echo() {
		q.local, q.remote = netip.AddrPortFrom(local, 0), netip.AddrPortFrom(remote, 0)
		q.seq, q.payload = binary.BigEndian.Uint32(b[4:]), b[8:]
		return q.v4 && b[0] == uint8(header.ICMPv4Echo) || !q.v4 && b[0] == uint8(header.ICMPv6EchoRequest)
	}
	q.local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(b))
	q.remote = netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[2:]))
	if q.protocol == header.TCPProtocolNumber {
		q.seq = binary.BigEndian.Uint32(b[4:])
		return true
	}
	q.payload = b[8:min(len(b), 8+socket.MaxQuote)]
	if length := int(binary.BigEndian.Uint16(b[4:])); length >= 8 {
		q.payload = q.payload[:min(len(q.payload), length-8)] // what follows is padding
	}
	return true
}
