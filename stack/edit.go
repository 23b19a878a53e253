package stack

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/endpoint"
)

// queueEdited hands netstack a segment of which it mustn't see everything.
func (t *tcpProtocol) queueEdited(ep netstack.TransportEndpoint, id netstack.TransportEndpointID, pkt *netstack.PacketBuffer, fate endpoint.Fate, w *endpoint.Wire) {
	switch {
	case fate&endpoint.Ignore != 0:
		return
	case fate&endpoint.Reject != 0:
		t.HandleUnknownDestinationPacket(id, pkt)
		return
	}
	if fate&endpoint.OnlyFIN != 0 {
		t.queueCopy(ep, id, pkt, false, func(h header.TCP) {
			h.SetSequenceNumber(h.SequenceNumber() + uint32(pkt.Data().Size()))
			if fate&endpoint.Veil != 0 {
				h.SetWindowSize(0)
			}
		})
		return
	}
	refuse := fate&endpoint.Refuse != 0
	t.queueCopy(ep, id, pkt, !refuse, func(h header.TCP) {
		if fate&endpoint.Veil != 0 {
			h.SetWindowSize(0)
		}
		if refuse { // a FIN behind data that isn't taken isn't either
			h.SetFlags(uint8(h.Flags() &^ header.TCPFlagFin))
		}
	})
	if !refuse {
		return
	}
	// The same data, as if it were old: netstack answers it with an
	// acknowledgement, and does nothing else (RFC 9293 §3.10.7.4).
	t.queueCopy(ep, id, pkt, true, func(h header.TCP) {
		h.SetSequenceNumber(w.RcvNxt() - uint32(pkt.Data().Size()))
		h.SetFlags(uint8(h.Flags() &^ header.TCPFlagFin))
	})
}

// queueCopy hands netstack a copy of a segment whose checksum was verified,
// with another header: packets that came in may be shared. The payload is
// shared, or left out.
func (t *tcpProtocol) queueCopy(ep netstack.TransportEndpoint, id netstack.TransportEndpointID, pkt *netstack.PacketBuffer, payload bool, edit func(header.TCP)) {
	ip, seg := pkt.NetworkHeader().Slice(), pkt.TransportHeader().Slice()
	b := buffer.MakeWithData(ip)
	tail := buffer.MakeWithData(seg)
	b.Merge(&tail)
	if payload {
		data := pkt.Data().ToBuffer()
		b.Merge(&data)
	}
	c := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: b})
	defer c.DecRef()
	c.NetworkHeader().Consume(len(ip))
	c.TransportHeader().Consume(len(seg))
	c.NetworkProtocolNumber, c.TransportProtocolNumber = pkt.NetworkProtocolNumber, pkt.TransportProtocolNumber
	c.PktType, c.NICID, c.NetworkPacketInfo = pkt.PktType, pkt.NICID, pkt.NetworkPacketInfo
	c.RXChecksumValidated = true
	edit(header.TCP(c.TransportHeader().Slice()))
	t.inner.QueuePacket(ep, id, c)
}

// Inject implements endpoint.Host: netstack's endpoint gets a segment that the
// peer could have sent. It is queued like any other.
func (s *Stack) Inject(ep tcpip.Endpoint, o endpoint.OwnSegment) {
	info, ok := ep.Info().(*netstack.TransportEndpointInfo)
	if !ok {
		return
	}
	proto, network := header.IPv4ProtocolNumber, header.IPv4MinimumSize
	if info.ID.LocalAddress.BitLen() != header.IPv4AddressSizeBits {
		proto, network = header.IPv6ProtocolNumber, header.IPv6MinimumSize
	}
	length := header.TCPMinimumSize + len(o.Options)
	b := make([]byte, network+length)
	if proto == header.IPv4ProtocolNumber {
		header.IPv4(b).Encode(&header.IPv4Fields{
			TotalLength: uint16(len(b)), TTL: defaultTTL, Protocol: uint8(header.TCPProtocolNumber),
			SrcAddr: info.ID.RemoteAddress, DstAddr: info.ID.LocalAddress,
		})
	} else {
		header.IPv6(b).Encode(&header.IPv6Fields{
			PayloadLength: uint16(length), TransportProtocol: header.TCPProtocolNumber, HopLimit: defaultTTL,
			SrcAddr: info.ID.RemoteAddress, DstAddr: info.ID.LocalAddress,
		})
	}
	t := header.TCP(b[network:])
	t.Encode(&header.TCPFields{
		SrcPort: info.ID.RemotePort, DstPort: info.ID.LocalPort, SeqNum: o.Seq, AckNum: o.Ack,
		DataOffset: uint8(length), Flags: o.Flags, WindowSize: o.Window,
	})
	copy(t[header.TCPMinimumSize:], o.Options)
	pkt := netstack.NewPacketBuffer(netstack.PacketBufferOptions{Payload: buffer.MakeWithData(b)})
	defer pkt.DecRef()
	pkt.NetworkHeader().Consume(network)
	pkt.TransportHeader().Consume(length)
	pkt.NetworkProtocolNumber, pkt.TransportProtocolNumber = proto, header.TCPProtocolNumber
	pkt.RXChecksumValidated = true
	s.hooks.packets.Add(1)
	s.hooks.hops.Store(true)
	s.hooks.tcp.QueuePacket(ep.(*tcp.Endpoint), info.ID, pkt)
}
