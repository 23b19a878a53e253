package stack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// fromSelf sees each packet that the stack sends to itself before netstack does,
// which has no prerouting hook there. It reports whether netstack may have the
// packet.
func (h *hooks) fromSelf(p *tun.Packet) bool {
	var b [header.IPv6MinimumSize + icmpHeader]byte
	n, _ := p.Data.ReadAt(b[:], 0)
	switch {
	case n < header.IPv4MinimumSize: // netstack refuses it
	case header.IPVersion(b[:]) == header.IPv4Version:
		h.answerEcho4(p, b[:n])
	case n >= header.IPv6MinimumSize:
		if h.emptyRaw(b[:]) {
			return false
		}
		h.answerEcho6(p, b[:n])
	}
	return true
}

// answerEcho4 turns an echo request to ourselves into its reply, so that raw
// sockets see only that, as on Windows (observed). Requests with IP
// options, in fragments or with a wrong checksum are left to netstack.
func (h *hooks) answerEcho4(p *tun.Packet, b []byte) {
	ip := header.IPv4(b)
	if ip.HeaderLength() != header.IPv4MinimumSize || ip.More() || ip.FragmentOffset() != 0 ||
		ip.TransportProtocol() != header.ICMPv4ProtocolNumber || len(b) < header.IPv4MinimumSize+icmpHeader ||
		header.ICMPv4(b[header.IPv4MinimumSize:]).Type() != header.ICMPv4Echo || !h.ours(ip.DestinationAddressSlice()) {
		return
	}
	packet := header.IPv4(p.Data.Flatten())
	if int(packet.TotalLength()) != len(packet) || checksum.Checksum(packet.Payload(), 0) != 0xffff {
		return
	}
	source, destination := packet.SourceAddress(), packet.DestinationAddress()
	packet.SetSourceAddress(destination)
	packet.SetDestinationAddress(source)
	packet.SetTTL(defaultTTL)
	packet.SetChecksum(0)
	packet.SetChecksum(^packet.CalculateChecksum())
	reply(p, packet, packet.Payload(), uint8(header.ICMPv4EchoReply))
}

// answerEcho6 is answerEcho4 for IPv6, where that is about extension headers.
func (h *hooks) answerEcho6(p *tun.Packet, b []byte) {
	ip := header.IPv6(b)
	if ip.NextHeader() != uint8(header.ICMPv6ProtocolNumber) || len(b) < header.IPv6MinimumSize+icmpHeader ||
		header.ICMPv6(b[header.IPv6MinimumSize:]).Type() != header.ICMPv6EchoRequest || !h.ours(ip.DestinationAddressSlice()) {
		return
	}
	packet := header.IPv6(p.Data.Flatten())
	source, destination := packet.SourceAddress(), packet.DestinationAddress()
	pseudo := header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, source, destination, packet.PayloadLength())
	if int(packet.PayloadLength()) != len(packet)-header.IPv6MinimumSize || checksum.Checksum(packet.Payload(), pseudo) != 0xffff {
		return
	}
	packet.SetSourceAddress(destination)
	packet.SetDestinationAddress(source)
	packet.SetHopLimit(defaultTTL)
	reply(p, packet, packet.Payload(), uint8(header.ICMPv6EchoReply))
}

// ours reports an address of the stack, as the destination of a packet on a loopback: a link-local
// one would have left if it weren't (reflects).
func (h *hooks) ours(address []byte) bool {
	a, _ := netip.AddrFromSlice(address)
	return a.Is6() && linkLocal(a.As16()) || h.stack.own.Load().has(a)
}

// reply replaces the packet by one whose message, a part of it, has another type.
// The sum of the addresses is the same in both directions.
func reply(p *tun.Packet, packet, message []byte, kind uint8) {
	before := [2]byte(message)
	message[0] = kind
	inet.PatchChecksum(message[2:], before[:], message[:2])
	p.Data.Release()
	p.Data = buffer.MakeWithData(packet)
}
