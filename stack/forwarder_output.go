package stack

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/tun"
)

// An outbound is a packet that a Forwarder sends in the place of another host.
type outbound struct {
	from, to   netip.Addr
	protocol   uint8
	checksumAt int // where the transport header has its checksum
}

// pseudo reports a checksum that the addresses are part of: ICMP's over IPv4 isn't such a one.
func (o *outbound) pseudo() bool { return o.protocol != uint8(header.ICMPv4ProtocolNumber) }

// packets are the buffers in which packets are put together: one for most, of the size of a packet
// that a link usually takes.
var packets = sync.Pool{New: func() any { b := make([]byte, 0, usualPacket); return &b }}

const usualPacket = 2048

// sendAs sends a packet by an interface, in fragments where it is too large for that. The transport
// header is in head, and gets its checksum.
func (s *Stack) sendAs(in *nic, o outbound, head, payload []byte) {
	buf := packets.Get().(*[]byte)
	defer packets.Put(buf)
	b := (*buf)[:0]
	size := header.IPv4MinimumSize
	if !o.from.Is4() {
		size = header.IPv6MinimumSize
	}
	var ip [header.IPv6MinimumSize]byte
	b = append(append(append(b, ip[:size]...), head...), payload...)
	if cap(b) == usualPacket {
		*buf = b
	}
	from, to := translate.Address(o.from), translate.Address(o.to)
	transport := b[size:]
	binary.BigEndian.PutUint16(transport[o.checksumAt:], 0)
	sum := uint16(0)
	if o.pseudo() {
		sum = header.PseudoHeaderChecksum(tcpip.TransportProtocolNumber(o.protocol), from, to, uint16(len(transport)))
	}
	udp := o.protocol == uint8(header.UDPProtocolNumber)
	inet.PutChecksum(transport[o.checksumAt:], checksum.Checksum(transport, sum), udp)
	if o.from.Is4() {
		s.send4(in, b, &header.IPv4Fields{TotalLength: uint16(len(b)), TTL: defaultTTL, Protocol: o.protocol, SrcAddr: from, DstAddr: to})
		return
	}
	header.IPv6(b).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(transport)), TransportProtocol: tcpip.TransportProtocolNumber(o.protocol), HopLimit: defaultTTL,
		SrcAddr: from, DstAddr: to,
	})
	s.send6(in, b)
}

// send4 sends a packet of IPv4 whose header is to be written.
func (s *Stack) send4(in *nic, b []byte, fields *header.IPv4Fields) {
	if s.hooks.wire.CountedIDs {
		fields.ID = s.hooks.ids.take(1)
	} else {
		fields.ID = uint16(s.fragments.Add(1))
	}
	h := header.IPv4(b)
	h.Encode(fields)
	h.SetChecksum(^h.CalculateChecksum())
	mtu := int(in.link.MTU())
	if len(b) <= mtu {
		in.link.Relay(tun.Packet{Data: buffer.MakeWithData(b)})
		return
	}
	for _, f := range fragments4(b, mtu) {
		in.link.Relay(tun.Packet{Data: buffer.MakeWithData(f)})
	}
}

// send6 sends a packet of IPv6, in fragments where it is too large (RFC 8200 §4.5).
func (s *Stack) send6(in *nic, b []byte) {
	mtu := int(in.link.MTU())
	if len(b) <= mtu {
		in.link.Relay(tun.Packet{Data: buffer.MakeWithData(b)})
		return
	}
	const headers, unit = header.IPv6MinimumSize + header.IPv6FragmentHeaderSize, 8
	id, next, payload := s.fragments.Add(1), b[header.IPv6NextHeaderOffset], b[header.IPv6MinimumSize:]
	step := max((mtu-headers)/unit, 1) * unit
	for at := 0; at < len(payload); at += step {
		piece := payload[at:min(at+step, len(payload))]
		f := make([]byte, headers, headers+len(piece))
		copy(f, b[:header.IPv6MinimumSize])
		f[header.IPv6NextHeaderOffset] = header.IPv6FragmentHeader
		header.IPv6(f).SetPayloadLength(uint16(header.IPv6FragmentHeaderSize + len(piece)))
		more := uint16(0)
		if at+step < len(payload) {
			more = 1
		}
		f[header.IPv6MinimumSize] = next
		binary.BigEndian.PutUint16(f[header.IPv6MinimumSize+2:], uint16(at)|more)
		binary.BigEndian.PutUint32(f[header.IPv6MinimumSize+4:], id)
		in.link.Relay(tun.Packet{Data: buffer.MakeWithData(append(f, piece...))})
	}
}
