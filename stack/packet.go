package stack

import (
	"encoding/binary"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/translate"

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
	local, remote := translate.Address(p.Local), translate.Address(p.Remote)
	proto := header.IPv6ProtocolNumber
	if p.Remote.Unmap().Is4() {
		proto = header.IPv4ProtocolNumber
	}
	r, err := s.ns.FindRoute(p.NIC, local, remote, proto, true)
	if err != nil {
		return err
	}
	defer r.Release()
	switch {
	case p.HeaderIncluded:
		return s.writeIncluded(r, p.Payload)
	case p.FragmentMTU != 0:
		return s.writeFragments(r, p)
	}
	pkt := newPacket(r, p.Payload)
	defer pkt.DecRef()
	pkt.TransportProtocolNumber = p.Protocol
	return r.WritePacket(netstack.NetworkHeaderParams{Protocol: p.Protocol, TTL: p.TTL, TOS: p.TOS, DF: p.DF}, pkt)
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
	s.hooks.packets.Add(1) // such packets don't pass CheckOutput
	if s.hooks.wire.CountedIDs && r.NetProto() == header.IPv4ProtocolNumber {
		s.hooks.ids.identifyIncluded(pkt)
	}
	return r.WriteHeaderIncludedPacket(pkt)
}

// writeFragments cuts a message into packets of at most p.FragmentMTU bytes.
func (s *Stack) writeFragments(r *netstack.Route, p *socket.OwnPacket) tcpip.Error {
	v4 := r.NetProto() == header.IPv4ProtocolNumber
	headers := header.IPv4MinimumSize
	if !v4 {
		headers = header.IPv6MinimumSize + header.IPv6FragmentHeaderSize
	}
	const unit = 8 // fragments but the last are multiples of it
	step := (int(p.FragmentMTU) - headers) / unit * unit
	id := s.fragments.Add(1)
	if v4 && s.hooks.wire.CountedIDs {
		id = uint32(s.hooks.ids.take(1))
	}
	for at := 0; at < len(p.Payload); at += step {
		piece := p.Payload[at:min(at+step, len(p.Payload))]
		f := fragment{id: id, offset: uint16(at), more: at+step < len(p.Payload)}
		b := make([]byte, headers, headers+len(piece))
		if v4 {
			f.header4(b, r, p, len(piece))
		} else {
			f.header6(b, r, p, len(piece))
		}
		if err := s.writeIncluded(r, append(b, piece...)); err != nil {
			return err
		}
	}
	return nil
}

// A fragment is where a piece of a message belongs.
type fragment struct {
	id     uint32
	offset uint16 // bytes
	more   bool
}

func (f fragment) header4(b []byte, r *netstack.Route, p *socket.OwnPacket, size int) {
	fields := header.IPv4Fields{
		TOS: p.TOS, TotalLength: uint16(len(b) + size), ID: uint16(f.id), FragmentOffset: f.offset,
		TTL: p.TTL, Protocol: uint8(p.Protocol), SrcAddr: r.LocalAddress(), DstAddr: r.RemoteAddress(),
	}
	if fields.ID == 0 {
		fields.ID = 1 // netstack would fill in another one for each piece
	}
	if f.more {
		fields.Flags = header.IPv4FlagMoreFragments
	}
	header.IPv4(b).Encode(&fields)
}

func (f fragment) header6(b []byte, r *netstack.Route, p *socket.OwnPacket, size int) {
	header.IPv6(b).Encode(&header.IPv6Fields{
		TrafficClass: p.TOS, PayloadLength: uint16(header.IPv6FragmentHeaderSize + size),
		TransportProtocol: header.IPv6FragmentHeader, HopLimit: p.TTL,
		SrcAddr: r.LocalAddress(), DstAddr: r.RemoteAddress(),
	})
	h := b[header.IPv6MinimumSize:]
	h[0] = uint8(p.Protocol)
	offset := f.offset
	if f.more {
		offset |= 1
	}
	binary.BigEndian.PutUint16(h[2:], offset)
	binary.BigEndian.PutUint32(h[4:], f.id)
}
