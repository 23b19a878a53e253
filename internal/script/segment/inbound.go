package segment

import (
	"encoding/binary"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// What an inbound packet has where the script says nothing.
const (
	defaultTTL    = 64
	defaultWindow = 65535
)

// ecnBits are the bits of what a script says of ECN.
var ecnBits = map[syntax.ECN]uint8{syntax.NoECN: 0, syntax.ECT1: 1, syntax.ECT0: 2, syntax.CE: 3}

// Inbound makes the IP packet of what the script has the peer send now. An error is one of the
// script, with a hint (package mistake).
func (p *Peer) Inbound(packet *syntax.Packet) ([]byte, error) {
	if err := Check(packet, p.ipv6()); err != nil {
		return nil, err
	}
	f, protocol, transport, err := p.transport(packet)
	if err != nil {
		return nil, err
	}
	h := inet.Header{Source: p.cfg.Remote, Dest: p.cfg.Local, Protocol: protocol, TTL: defaultTTL}
	if f != nil {
		h.Source, h.Dest = f.tuple.remote.Addr(), f.tuple.local.Addr()
	}
	put(&packet.IP, &h)
	b := h.Encode(transport)
	if packet.BadChecksum {
		spoil(b[len(b)-len(transport):], protocol)
	}
	return b, nil
}

// transport is what stands behind the IP header of an inbound packet, and its flow; nil: none.
func (p *Peer) transport(packet *syntax.Packet) (f *flow, protocol uint8, b []byte, err error) {
	switch {
	case packet.TCP != nil:
		f = p.inboundFlow(packet, protoTCP)
		b, err = p.encodeTCP(f, packet.TCP)
		return f, protoTCP, b, err
	case packet.UDP != nil:
		f = p.inboundFlow(packet, protoUDP)
		return f, protoUDP, f.encodeUDP(packet.UDP), nil
	}
	b, err = p.encodeICMP(packet.ICMP)
	if p.ipv6() {
		return nil, protoICMPv6, b, err
	}
	return nil, protoICMP, b, err
}

// encodeTCP is the segment that the script has the peer send.
func (p *Peer) encodeTCP(f *flow, s *syntax.Segment) ([]byte, error) {
	letters, err := parseFlags(s.Flags)
	if err != nil {
		return nil, err
	}
	f.sent(letters, s.Start)
	isSYN := letters&syn != 0
	number := func(n uint32) uint32 { return f.local.wire(n, isSYN) }
	list := mapSACK(s.Options, number)
	if o := stampOf(list); o != nil && letters&ack != 0 {
		if err := p.mapEcho(f, o); err != nil {
			return nil, err
		}
	}
	options, err := encodeOptions(list)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 20, 20+len(options)+s.Length)
	binary.BigEndian.PutUint16(b, f.tuple.remote.Port())
	binary.BigEndian.PutUint16(b[2:], f.tuple.local.Port())
	binary.BigEndian.PutUint32(b[4:], f.remote.wire(s.Start, isSYN))
	switch {
	case s.Ack != nil:
		binary.BigEndian.PutUint32(b[8:], number(*s.Ack))
	case letters&ack != 0:
		binary.BigEndian.PutUint32(b[8:], number(0))
	}
	binary.BigEndian.PutUint16(b[12:], uint16(20+len(options))<<10|uint16(letters))
	window := defaultWindow
	if s.Window != nil {
		window = *s.Window
	}
	binary.BigEndian.PutUint16(b[14:], uint16(window))
	if s.Urgent != nil {
		binary.BigEndian.PutUint16(b[18:], *s.Urgent)
	}
	return append(append(b, options...), body(s.Payload, s.Length)...), nil
}

// mapEcho makes the timestamp that an inbound segment echoes one of the wire.
func (p *Peer) mapEcho(f *flow, o *syntax.Option) error {
	wire, ok := f.stamps.echo(o.Values[1], p.cfg.ScaledEcho)
	if !ok {
		return mistake.Errorf("echo a val of a segment of the stack before this one, or begin the script with --tcp_ts_ecr_scaled",
			"the stack hasn't sent the timestamp that is echoed, %d", o.Values[1])
	}
	o.Values = []uint32{o.Values[0], wire}
	return nil
}

// encodeUDP is the datagram that the script has the peer send.
func (f *flow) encodeUDP(d *syntax.Datagram) []byte {
	b := make([]byte, 8, 8+d.Length)
	binary.BigEndian.PutUint16(b, f.tuple.remote.Port())
	binary.BigEndian.PutUint16(b[2:], f.tuple.local.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(8+d.Length))
	return append(b, body(d.Payload, d.Length)...)
}

// body is a payload of this length: the script's bytes, else zeros.
func body(payload []byte, length int) []byte {
	if payload != nil {
		return payload
	}
	return make([]byte, length)
}

// put puts what a script says of the IP header into one.
func put(i *syntax.IPInfo, h *inet.Header) {
	if i.TOS != nil {
		h.TrafficClass = *i.TOS
	}
	if i.ECN != syntax.UnsaidECN {
		h.TrafficClass = h.TrafficClass&^3 | ecnBits[i.ECN]
	}
	if i.TTL != nil {
		h.TTL = *i.TTL
	}
	if i.FlowLabel != nil {
		h.FlowLabel = *i.FlowLabel
	}
}

// spoil makes the checksum of the transport protocol wrong, and not into UDP's "none".
func spoil(transport []byte, protocol uint8) {
	offset, _ := inet.ChecksumOffset(protocol)
	field := transport[offset:]
	sum := binary.BigEndian.Uint16(field) + 1
	if sum == 0 || sum == 0xffff {
		sum = 1
	}
	binary.BigEndian.PutUint16(field, sum)
}
