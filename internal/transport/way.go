package transport

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/tcp"
)

// A way is how the segments of a connection leave.
type way struct {
	route *stack.Route // the way to the peer through netstack
	id    ID           // the tuple of the connection
	headers
	hooks *Hooks
	tap   Tap // shown what leaves; nil: nobody is
}

// headers are what the IP headers of a connection's packets have.
type headers struct {
	ttl      uint8 // time to live, or hop limit; 0: the route's
	tos      uint8 // type of service, or traffic class, without the bits of ECN
	fragment bool  // routers may cut up IPv4 packets

	extras *inet.Extras // what is added to the headers; nil: nothing, and netstack writes them
}

// mss is how many bytes of payload fit a packet to the peer.
func (w *way) mss() int {
	return min(int(w.route.MTU())-header.TCPMinimumSize, 65535)
}

// configure sets the fields of a Config that depend on the way to the peer.
func (w *way) configure(cfg *tcp.Config) {
	if mss := w.mss(); cfg.MSS == 0 || cfg.MSS > mss {
		cfg.MSS = mss
	}
	cfg.Segmenting, cfg.Overhead = w.segmenting(), w.extras.Size()
}

// segmenting is how many bytes of payload the device, or the netstack below, takes at once.
func (w *way) segmenting() int {
	if !w.route.HasHostGSOCapability() && !w.route.HasGVisorGSOCapability() || w.extras != nil {
		return 0
	}
	return min(int(w.route.GSOMaxSize()), 65535) - header.IPv6MinimumSize - header.TCPMinimumSize - tcp.MaxOptions
}

// write sends a segment, and takes over its payload. An error of the network counts as a loss: TCP
// sends again.
func (w *way) write(s *tcp.Segment) {
	if w.hooks.AckInResets && s.Flags&(tcp.RST|tcp.ACK) == tcp.RST {
		s.Ack = s.Seq
	}
	w.tap.show(true, s)
	if int(s.Payload.Size()) > s.Cut && w.route.HasGVisorGSOCapability() && w.route.Loop()&stack.PacketLoop == 0 {
		w.cut(s)
		return
	}
	w.writePacket(s)
}

// cut sends a segment with a large payload as several segments.
func (w *way) cut(s *tcp.Segment) {
	whole, flags, seq := s.Payload, s.Flags, s.Seq
	for rest := int(whole.Size()); rest > 0; rest = int(whole.Size()) {
		n := min(rest, s.Cut)
		part := *s
		part.Seq = seq
		if part.Flags = flags; n < rest {
			part.Flags &^= tcp.FIN | tcp.PSH
		}
		part.Payload = whole.Clone()
		part.Payload.Truncate(int64(n))
		whole.TrimFront(int64(n))
		w.writePacket(&part)
		seq = seq.Add(n)
		flags &^= tcp.CWR
	}
	whole.Release()
}

// writePacket sends a segment as one packet.
func (w *way) writePacket(s *tcp.Segment) {
	stats := w.route.Stats().TCP
	var err tcpip.Error
	if w.extras != nil {
		err = w.sendExtended(s)
	} else {
		err = w.send(s)
	}
	if err != nil {
		stats.SegmentSendErrors.Increment()
		return
	}
	stats.SegmentsSent.Increment()
	if s.Resent {
		stats.Retransmits.Increment()
	}
	if s.Flags.Has(tcp.RST) {
		stats.ResetsSent.Increment()
	}
}

// params are the fields of the IP header of a segment.
func (w *way) params(s *tcp.Segment) stack.NetworkHeaderParams {
	p := stack.NetworkHeaderParams{Protocol: header.TCPProtocolNumber, TTL: w.ttl, TOS: w.tos, DF: !w.fragment}
	if s.ECNCapable {
		p.TOS |= ecnECT0
	}
	if p.TTL == 0 {
		p.TTL = w.route.DefaultTTL()
	}
	return p
}

// sendExtended sends a segment whose packet has more in its header than netstack can write. The
// checksum is that of a packet from end to end, whatever hops are between.
func (w *way) sendExtended(s *tcp.Segment) tcpip.Error {
	options := s.Options.Len()
	b := make([]byte, header.TCPMinimumSize+options+int(s.Payload.Size()))
	_, _ = s.Payload.ReadAt(b[header.TCPMinimumSize+options:], 0)
	s.Payload.Release()
	s.Payload = buffer.Buffer{}
	w.encodeHeader(b, s, options)
	inet.PutChecksum(b[header.TCPChecksumOffset:],
		checksum.Checksum(b, w.route.PseudoHeaderChecksum(header.TCPProtocolNumber, uint16(len(b)))), false)
	p := w.params(s)
	return w.hooks.Extended(&Extended{Route: w.route, TTL: p.TTL, TOS: p.TOS, DF: p.DF, Extras: w.extras, Segment: b})
}

// send sends a segment through netstack.
func (w *way) send(s *tcp.Segment) tcpip.Error {
	options := s.Options.Len()
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: header.TCPMinimumSize + options + int(w.route.MaxHeaderLength()),
		Payload:            s.Payload,
	})
	s.Payload = buffer.Buffer{}
	defer pkt.DecRef()
	if s.Cut > 0 && pkt.Data().Size() > s.Cut && w.route.HasHostGSOCapability() {
		pkt.GSOOptions = w.gso(s.Cut)
	}
	w.encode(pkt, s, options)
	return w.route.WritePacket(w.params(s), pkt)
}

// gso is the metadata that has the device cut a packet into payloads of size bytes, and write the
// checksums.
func (w *way) gso(size int) stack.GSO {
	g := stack.GSO{Type: stack.GSOTCPv4, L3HdrLen: header.IPv4MinimumSize, NeedsCsum: true,
		CsumOffset: header.TCPChecksumOffset, MSS: uint16(size), MaxSize: w.route.GSOMaxSize()}
	if w.route.NetProto() == header.IPv6ProtocolNumber {
		g.Type, g.L3HdrLen = stack.GSOTCPv6, header.IPv6MinimumSize
	}
	return g
}

// encode writes the header of a segment, whose options have so many bytes. For a device that cuts
// up the packet the checksum field has the sum of the pseudo-header, as with Linux's
// CHECKSUM_PARTIAL.
func (w *way) encode(pkt *stack.PacketBuffer, s *tcp.Segment, options int) {
	h := header.TCP(pkt.TransportHeader().Push(header.TCPMinimumSize + options))
	pkt.TransportProtocolNumber = header.TCPProtocolNumber
	w.encodeHeader(h, s, options)
	sum := w.route.PseudoHeaderChecksum(header.TCPProtocolNumber, uint16(pkt.Size()))
	switch {
	case pkt.GSOOptions.Type != stack.GSONone:
		h.SetChecksum(sum)
	case w.route.RequiresTXTransportChecksum():
		h.SetChecksum(^h.CalculateChecksum(checksum.Combine(sum, pkt.Data().Checksum())))
	}
}

// encodeHeader writes the header of a segment but for the checksum.
func (w *way) encodeHeader(h header.TCP, s *tcp.Segment, options int) {
	h.Encode(&header.TCPFields{
		SrcPort: w.id.LocalPort, DstPort: w.id.RemotePort, SeqNum: uint32(s.Seq), AckNum: uint32(s.Ack),
		DataOffset: uint8(header.TCPMinimumSize + options), Flags: header.TCPFlags(s.Flags),
		WindowSize: s.Window, UrgentPointer: s.Urgent,
	})
	s.Options.Append(h[header.TCPMinimumSize:header.TCPMinimumSize])
}

// reply sends a segment that is no connection's, as the answer to one that came from an origin.
func (p *Protocol) reply(a origin, s *tcp.Segment, tap Tap) {
	p.replyWith(a, s, headers{}, tap)
}

// replyWith is reply with what the IP header is to have.
func (p *Protocol) replyWith(a origin, s *tcp.Segment, h headers, tap Tap) {
	s.Options.Scale = tcp.NoScale // no SYN is sent so
	route, err := p.stack.FindRoute(a.nic, a.id.LocalAddress, a.id.RemoteAddress, a.net, false)
	if err != nil {
		return
	}
	defer route.Release()
	w := p.way(route, a, h, tap)
	w.write(s)
}

// way is the way of what goes to an origin, by a route.
func (p *Protocol) way(route *stack.Route, a origin, h headers, tap Tap) way {
	return way{route: route, id: a.id, headers: h, hooks: &p.hooks, tap: tap}
}

// find finds the way to a peer, and sets what depends on it in the settings. With the NIC 0 any
// interface will do; an empty local address is chosen.
func (p *Protocol) find(a origin, set *Settings) (way, tcpip.Error) {
	route, err := p.stack.FindRoute(a.nic, a.id.LocalAddress, a.id.RemoteAddress, a.net, false)
	if err != nil {
		return way{}, err
	}
	a.id.LocalAddress = route.LocalAddress()
	a.id = a.id.in(route.NICID())
	w := p.way(route, a, headers{set.TTL, set.TOS &^ ecnMask, set.Fragment, set.Extras}, set.Tap)
	w.configure(&set.Config)
	return w, nil
}
