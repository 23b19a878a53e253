package stack

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/endpoint"
)

// SendOwn implements endpoint.Host: it sends a segment that netstack's endpoint
// knows nothing of. It passes the filter and the loopback like any other; what
// can't be sent is lost, as on a wire.
func (s *Stack) SendOwn(o endpoint.OwnSegment) {
	local, remote := endpoint.Address(o.Local.Addr()), endpoint.Address(o.Remote.Addr())
	proto := header.IPv6ProtocolNumber
	if o.Local.Addr().Unmap().Is4() {
		proto = header.IPv4ProtocolNumber
	}
	r, err := s.ns.FindRoute(0, local, remote, proto, false)
	if err != nil {
		return
	}
	defer r.Release()
	length := header.TCPMinimumSize + len(o.Options)
	pkt := netstack.NewPacketBuffer(netstack.PacketBufferOptions{
		ReserveHeaderBytes: length + int(r.MaxHeaderLength()),
		Payload:            buffer.MakeWithData(o.Payload),
	})
	defer pkt.DecRef()
	pkt.Owner = o.Debug
	t := header.TCP(pkt.TransportHeader().Push(length))
	pkt.TransportProtocolNumber = header.TCPProtocolNumber
	t.Encode(&header.TCPFields{
		SrcPort: o.Local.Port(), DstPort: o.Remote.Port(),
		SeqNum: o.Seq, AckNum: o.Ack,
		DataOffset: uint8(length), Flags: o.Flags, WindowSize: o.Window, UrgentPointer: o.Urgent,
	})
	copy(t[header.TCPMinimumSize:], o.Options)
	sum := r.PseudoHeaderChecksum(header.TCPProtocolNumber, uint16(length+len(o.Payload)))
	t.SetChecksum(^t.CalculateChecksum(checksum.Combine(sum, pkt.Data().Checksum())))
	if r.WritePacket(netstack.NetworkHeaderParams{Protocol: header.TCPProtocolNumber, TTL: o.TTL, TOS: o.TOS, DF: true}, pkt) == nil {
		s.ns.Stats().TCP.SegmentsSent.Increment()
		if o.Flags.Contains(header.TCPFlagRst) {
			s.ns.Stats().TCP.ResetsSent.Increment()
		}
	}
}
