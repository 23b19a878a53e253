package stack

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/transport"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
)

// sendPacket sends a message that no endpoint of
// netstack could, from a raw socket or in fragments smaller than the interface's
// MTU. It passes the loopback and, unless the header is included or it is cut up,
// the filter, like any other.
func (s *Stack) sendPacket(p *socket.OwnPacket) tcpip.Error {
	proto := header.IPv6ProtocolNumber
	if p.Remote.Unmap().Is4() {
		proto = header.IPv4ProtocolNumber
	}
	nic, hop := p.NIC, p.Remote.Unmap()
	if first := p.Extras.Hop(hop); first != hop && !p.HeaderIncluded {
		if !s.isHop(first) {
			return &tcpip.ErrHostUnreachable{}
		}
		if hop = first; !translate.Scoped(hop) {
			nic = 0 // it may be on another link
		}
	}
	r, err := s.ns.FindRoute(nic, translate.Address(p.Local), translate.Address(hop), proto, true)
	if err != nil {
		return err
	}
	defer r.Release()
	switch {
	case p.HeaderIncluded:
		return s.writeIncluded(r, p.Payload)
	case p.FragmentMTU != 0, p.Extras != nil:
		return s.writeMessage(r, p)
	}
	pkt := newPacket(r, p.Payload)
	defer pkt.DecRef()
	pkt.TransportProtocolNumber = p.Protocol
	return r.WritePacket(netstack.NetworkHeaderParams{Protocol: p.Protocol, TTL: p.TTL, TOS: p.TOS, DF: p.DF}, pkt)
}

// isHop reports an address that packets may be sent through: that of one host (RFC 1122 §3.2.1.3,
// RFC 8200 §4.4), in the form that it has on the wire.
func (s *Stack) isHop(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6() && !s.isBroadcast(a)
}

// writeSegment is transport.Hooks.Extended.
func (s *Stack) writeSegment(x *transport.Extended) tcpip.Error {
	return s.sendPacket(&socket.OwnPacket{
		NIC: x.Route.NICID(), Local: translate.Addr(x.Route.LocalAddress()), Remote: translate.Addr(x.Route.RemoteAddress()),
		Protocol: header.TCPProtocolNumber, TTL: x.TTL, TOS: x.TOS, DF: x.DF, Extras: x.Extras, Payload: x.Segment,
	})
}

// newPacket is a packet with room for headers. The payload is copied: netstack
// may keep it.
func newPacket(r *netstack.Route, payload []byte) *netstack.PacketBuffer {
	return netstack.NewPacketBuffer(netstack.PacketBufferOptions{
		ReserveHeaderBytes: int(r.MaxHeaderLength()),
		Payload:            buffer.MakeWithData(payload),
		Mark:               socket.LoopMark,
	})
}

// writeIncluded sends a packet that has its header.
func (s *Stack) writeIncluded(r *netstack.Route, packet []byte) tcpip.Error {
	pkt := newPacket(r, packet)
	defer pkt.DecRef()
	if s.hooks.wire.CountedIDs && r.NetProto() == header.IPv4ProtocolNumber {
		s.hooks.ids.identifyIncluded(pkt)
	}
	return r.WriteHeaderIncludedPacket(pkt)
}

// writeMessage sends a message in packets of at most p.FragmentMTU bytes, or of as many as the link
// takes. Each has what the socket adds to its headers: of IPv4 options later fragments have those
// that are copied (RFC 791 §3.2), of IPv6 the headers that stand before the fragment's (RFC 8200
// §4.5).
func (s *Stack) writeMessage(r *netstack.Route, p *socket.OwnPacket) tcpip.Error {
	m := newMessage(r, p)
	mtu := int(p.FragmentMTU)
	if mtu == 0 {
		mtu = int(r.MTU()) + m.fixed()
	}
	whole, limit := m.packet(fragment{}, m.payload), math.MaxUint16
	if !m.v4 {
		limit += header.IPv6MinimumSize // which the payload length doesn't count
	}
	switch {
	case len(whole) > limit:
		return &tcpip.ErrMessageTooLong{}
	case len(whole) <= mtu:
		return s.writeIncluded(r, whole)
	case m.v4 && m.DF:
		return &tcpip.ErrMessageTooLong{}
	}
	headers := len(m.packet(fragment{more: true}, nil))
	const unit = 8 // fragments but the last are multiples of it
	step := (mtu - headers) / unit * unit
	id := s.fragments.Add(1)
	if m.v4 && s.hooks.wire.CountedIDs {
		id = uint32(s.hooks.ids.take(1))
	}
	for at := 0; at < len(m.payload); at += step {
		piece := m.payload[at:min(at+step, len(m.payload))]
		f := fragment{id: id, offset: uint16(at), more: at+step < len(m.payload)}
		if err := s.writeIncluded(r, m.packet(f, piece)); err != nil {
			return err
		}
	}
	return nil
}

// A message is what packets are made of.
type message struct {
	*socket.OwnPacket
	route    *netstack.Route
	v4       bool
	protocol uint8  // of what payload begins with
	payload  []byte // over IPv6 with the header of destination options
}

func newMessage(r *netstack.Route, p *socket.OwnPacket) *message {
	m := &message{OwnPacket: p, route: r, v4: r.NetProto() == header.IPv4ProtocolNumber, protocol: uint8(p.Protocol), payload: p.Payload}
	if !m.v4 {
		var headers []byte
		if m.protocol, headers = p.Extras.Behind6(m.protocol); headers != nil {
			m.payload = append(headers, p.Payload...)
		}
	}
	return m
}

// fixed is the size of the IP header without anything added.
func (m *message) fixed() int {
	if m.v4 {
		return header.IPv4MinimumSize
	}
	return header.IPv6MinimumSize
}

// A fragment is where a piece of a message belongs; the zero value is a message in one piece.
type fragment struct {
	id     uint32
	offset uint16 // bytes
	more   bool
}

func (f fragment) whole() bool { return f.offset == 0 && !f.more }

// packet is a packet with a piece of the payload.
func (m *message) packet(f fragment, piece []byte) []byte {
	if m.v4 {
		return m.packet4(f, piece)
	}
	return m.packet6(f, piece)
}

func (m *message) packet4(f fragment, piece []byte) []byte {
	options := m.Extras.Options4(m.Remote.Unmap(), f.offset != 0)
	headers := header.IPv4MinimumSize + len(options)
	b := make([]byte, headers, headers+len(piece))
	fields := header.IPv4Fields{
		TOS: m.TOS, TotalLength: uint16(headers + len(piece)), ID: uint16(f.id), FragmentOffset: f.offset,
		TTL: m.TTL, Protocol: m.protocol, SrcAddr: m.route.LocalAddress(), DstAddr: m.route.RemoteAddress(),
	}
	switch {
	case f.more:
		fields.Flags = header.IPv4FlagMoreFragments
	case f.whole() && m.DF:
		fields.Flags = header.IPv4FlagDontFragment
	}
	if fields.ID == 0 && !f.whole() {
		fields.ID = 1 // netstack would fill in another one for each piece
	}
	header.IPv4(b).Encode(&fields)
	b[0] = header.IPv4Version<<4 | byte(headers/4)
	copy(b[header.IPv4MinimumSize:], options)
	return append(b, piece...)
}

func (m *message) packet6(f fragment, piece []byte) []byte {
	var h []byte
	next := m.protocol
	if !f.whole() {
		h = make([]byte, header.IPv6FragmentHeaderSize)
		offset := f.offset
		if f.more {
			offset |= 1
		}
		h[0] = next
		binary.BigEndian.PutUint16(h[2:], offset)
		binary.BigEndian.PutUint32(h[4:], f.id)
		next = header.IPv6FragmentHeader
	}
	next, before := m.Extras.Before6(m.Remote, next)
	b := make([]byte, header.IPv6MinimumSize, header.IPv6MinimumSize+len(before)+len(h)+len(piece))
	header.IPv6(b).Encode(&header.IPv6Fields{
		TrafficClass: m.TOS, PayloadLength: uint16(len(before) + len(h) + len(piece)),
		TransportProtocol: tcpip.TransportProtocolNumber(next), HopLimit: m.TTL,
		SrcAddr: m.route.LocalAddress(), DstAddr: m.route.RemoteAddress(),
	})
	return append(append(append(b, before...), h...), piece...)
}
