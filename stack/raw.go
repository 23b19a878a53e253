package stack

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/socket"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/waiter"
)

// rawProtocol is a protocol that the stack knows nothing of, but that it has a
// number: netstack gives raw sockets only those protocols that are registered.
type rawProtocol struct {
	number tcpip.TransportProtocolNumber
	ns     *netstack.Stack
	hooks  *hooks
}

// isRawOnly reports a protocol number that needs a rawProtocol. 0 and 255 are
// for sending.
func isRawOnly(n int) bool {
	switch tcpip.TransportProtocolNumber(n) {
	case header.TCPProtocolNumber, header.UDPProtocolNumber, header.ICMPv4ProtocolNumber, header.ICMPv6ProtocolNumber:
		return false
	}
	return n > 0 && n < 255
}

// rawProtocols are the factories of all of them.
func (h *hooks) rawProtocols() (list []netstack.TransportProtocolFactory) {
	for n := range 256 {
		if isRawOnly(n) {
			list = append(list, func(ns *netstack.Stack) netstack.TransportProtocol {
				return rawProtocol{tcpip.TransportProtocolNumber(n), ns, h}
			})
		}
	}
	return list
}

// Number implements netstack's TransportProtocol, as the other methods do.
func (p rawProtocol) Number() tcpip.TransportProtocolNumber { return p.number }

// NewEndpoint fails: there is no transport.
func (rawProtocol) NewEndpoint(tcpip.NetworkProtocolNumber, *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return nil, &tcpip.ErrUnknownProtocol{}
}

// NewRawEndpoint makes the endpoint of a raw socket.
func (p rawProtocol) NewRawEndpoint(proto tcpip.NetworkProtocolNumber, q *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return raw.NewEndpoint(p.ns, proto, p.number, q)
}

// rawHeader is what counts as header of an unknown protocol: netstack drops what
// has none.
const rawHeader = 1

// MinimumPacketSize is one byte.
func (rawProtocol) MinimumPacketSize() int { return rawHeader }

// ParsePorts finds none.
func (rawProtocol) ParsePorts([]byte) (src, dst uint16, err tcpip.Error) { return 0, 0, nil }

// Parse takes the first byte as the header.
func (rawProtocol) Parse(pkt *netstack.PacketBuffer) bool {
	_, ok := pkt.TransportHeader().Consume(rawHeader)
	return ok
}

// HandleUnknownDestinationPacket leaves a packet without a raw socket to netstack,
// which answers as for a port: see rightError.
func (p rawProtocol) HandleUnknownDestinationPacket(_ netstack.TransportEndpointID, pkt *netstack.PacketBuffer) netstack.UnknownDestinationPacketDisposition {
	if p.hooks.raws.count(pkt.NetworkProtocolNumber, p.number).Load() > 0 {
		return netstack.UnknownDestinationPacketHandled
	}
	return netstack.UnknownDestinationPacketUnhandled
}

// SetOption and Option know no options; there is nothing to close, wait for,
// pause, resume or restore.
func (rawProtocol) SetOption(tcpip.SettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Option knows none.
func (rawProtocol) Option(tcpip.GettableTransportProtocolOption) tcpip.Error {
	return &tcpip.ErrUnknownProtocolOption{}
}

// Close does nothing.
func (rawProtocol) Close() {}

// Wait does nothing.
func (rawProtocol) Wait() {}

// Pause does nothing.
func (rawProtocol) Pause() {}

// Resume does nothing.
func (rawProtocol) Resume() {}

// Restore does nothing.
func (rawProtocol) Restore() {}

// rawCounts are the numbers of bound raw sockets by IP version and protocol.
type rawCounts [2][256]atomic.Int32

func (c *rawCounts) count(proto tcpip.NetworkProtocolNumber, n tcpip.TransportProtocolNumber) *atomic.Int32 {
	version := 0
	if proto == header.IPv6ProtocolNumber {
		version = 1
	}
	return &c[version][n&0xff]
}

// bindRaw counts a raw socket in, or with -1 out. Raw sockets have no ports, so
// nothing can be in use.
func (h *hooks) bindRaw(b *socket.Binding, n int32) {
	proto := header.IPv6ProtocolNumber
	if b.Addr.Addr().Is4() {
		proto = header.IPv4ProtocolNumber
	}
	h.raws.count(proto, tcpip.TransportProtocolNumber(b.Protocol)).Add(n)
}

// emptyRaw reports an IPv6 packet without payload for a raw socket, whose queue
// charges payload only, so that nothing would bound their number. One with nothing
// behind its extension headers is malformed to netstack.
func (h *hooks) emptyRaw(ip header.IPv6) bool {
	return ip.PayloadLength() == 0 && h.raws.count(header.IPv6ProtocolNumber, tcpip.TransportProtocolNumber(ip.NextHeader())).Load() > 0
}

// rightError turns the "port unreachable" that netstack answers for a
// rawProtocol with into what RFC 1122 §3.2.2.1 and RFC 8200 §4 want: "protocol
// unreachable", and a parameter problem with the offset of the next header.
func (h *hooks) rightError(pkt *netstack.PacketBuffer) {
	b := pkt.TransportHeader().Slice()
	if len(b) < icmpHeader {
		return
	}
	v4 := pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber
	kind := [2]byte{b[0], b[1]}
	if v4 && kind != [2]byte{3, 3} || !v4 && kind != [2]byte{1, 4} {
		return
	}
	inner := pkt.Data().AsRange().Capped(header.IPv6MinimumSize).ToSlice()
	var about int
	switch {
	case v4 && len(inner) >= header.IPv4MinimumSize:
		about = int(header.IPv4(inner).Protocol())
	case !v4 && len(inner) >= header.IPv6MinimumSize:
		about = int(header.IPv6(inner).NextHeader())
	}
	if !isRawOnly(about) {
		return
	}
	before := [icmpHeader]byte(b)
	if v4 {
		b[1] = uint8(header.ICMPv4ProtoUnreachable)
	} else {
		b[0], b[1] = uint8(header.ICMPv6ParamProblem), uint8(header.ICMPv6UnknownHeader)
		binary.BigEndian.PutUint32(b[4:], header.IPv6NextHeaderOffset)
	}
	inet.PatchChecksum(b[2:], before[:2], b[:2])
	inet.PatchChecksum(b[2:], before[4:], b[4:icmpHeader])
}
