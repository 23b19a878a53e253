package segment

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// Protocol numbers of IP.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// The largest quotation in an ICMP error, so that the whole packet fits in the smallest one that
// everybody takes (RFC 1812 §4.3.2.3, RFC 4443 §2.4).
const (
	maxQuote4 = 576 - 20 - 8
	maxQuote6 = 1280 - 40 - 8
)

// icmpHeader is how many bytes stand before the quotation.
const icmpHeader = 8

// encodeICMP is the message of ICMP that the script has the peer send.
func (p *Peer) encodeICMP(m *syntax.ICMP) ([]byte, error) {
	kind, number, err := icmpNumbers(p.ipv6(), m.Type, m.Code)
	if err != nil {
		return nil, err
	}
	b := make([]byte, icmpHeader)
	b[0], b[1] = kind, number
	switch {
	case m.MTU != nil && p.ipv6():
		binary.BigEndian.PutUint32(b[4:], *m.MTU)
	case m.MTU != nil:
		binary.BigEndian.PutUint16(b[6:], uint16(*m.MTU))
	case m.EchoID != nil:
		binary.BigEndian.PutUint16(b[4:], *m.EchoID)
	}
	if m.Quoted == nil && isEcho(p.ipv6(), kind) {
		return b, nil
	}
	quote, err := p.quote(m.Quoted)
	return append(b, quote...), err
}

// quote is what an error quotes; nil: the last packet of the stack.
func (p *Peer) quote(q *syntax.Quotation) ([]byte, error) {
	limit := maxQuote4
	if p.ipv6() {
		limit = maxQuote6
	}
	switch {
	case q == nil && p.lastSent == nil:
		return nil, mistake.Errorf("quote something, such as [1:1001(1000)] or [udp (100)]",
			"the stack hasn't sent a packet that the error could be about")
	case q == nil:
		return p.lastSent[:min(len(p.lastSent), limit)], nil
	case !q.TCP && !q.UDP:
		return make([]byte, max(q.Length-icmpHeader, 0)), nil
	}
	f, err := p.quotedFlow(q)
	if err != nil {
		return nil, err
	}
	return f.quote(q), nil
}

// quotedFlow is the flow of a quotation: the one with its ports, else the last one.
func (p *Peer) quotedFlow(q *syntax.Quotation) (*flow, error) {
	protocol := uint8(protoUDP)
	if q.TCP {
		protocol = protoTCP
	}
	if q.Ports != nil {
		return p.flow(p.ports(protocol, q.Ports[0], q.Ports[1])), nil
	}
	if f := p.last[protocol]; f != nil {
		return f, nil
	}
	return nil, mistake.Errorf("write the ports, the stack's first: [5000 > 80 1:1001(1000)], or put the error later",
		"the quotation is of no connection: there has been none")
}

// quote is an IP header of the stack and the 8 bytes behind it, which all errors have (RFC 792).
func (f *flow) quote(q *syntax.Quotation) []byte {
	const first = 8
	header := inet.Header{Source: f.tuple.local.Addr(), Dest: f.tuple.remote.Addr(), Protocol: f.protocol, TTL: defaultTTL}
	size := 8 + q.Length // of a datagram
	if q.TCP {
		size = 20 + q.Length
	}
	transport := make([]byte, max(size, first))
	binary.BigEndian.PutUint16(transport, f.tuple.local.Port())
	binary.BigEndian.PutUint16(transport[2:], f.tuple.remote.Port())
	if q.TCP {
		binary.BigEndian.PutUint32(transport[4:], f.local.wire(q.Start, false))
	} else {
		binary.BigEndian.PutUint16(transport[4:], uint16(size))
	}
	whole := header.Encode(transport)
	return whole[:len(whole)-len(transport)+first]
}

// icmp is the message in a script's words.
func (a *arrival) icmp(inbound bool, quoted func(tuple) *flow) *syntax.ICMP {
	m := &syntax.ICMP{}
	m.Type, m.Code = icmpWords(a.ipv6(), a.ICMPType, a.ICMPCode)
	switch {
	case isEcho(a.ipv6(), a.ICMPType):
		id := uint16(a.ICMPRest >> 16)
		m.EchoID = &id
		m.Quoted = &syntax.Quotation{Length: icmpHeader + a.Len}
		return m
	case a.ipv6() && a.ICMPType == tooBig:
		m.MTU = &a.ICMPRest
	case !a.ipv6() && a.ICMPType == unreachable4 && a.ICMPCode == fragNeeded:
		mtu := a.ICMPRest & math.MaxUint16
		m.MTU = &mtu
	}
	if t, inner, ok := a.quotes(inbound); ok {
		m.Quoted = inner.quotation(quoted(t), !inbound)
	}
	return m
}

// quotes reads the packet in an ICMP error. inbound says that the error is the peer's, about a
// packet of the stack.
func (a *arrival) quotes(inbound bool) (tuple, *arrival, bool) {
	if a.Kind != trace.ICMP || len(a.payload) < 20 || isEcho(a.ipv6(), a.ICMPType) {
		return tuple{}, nil, false
	}
	inner := &arrival{Packet: trace.Parse(a.payload), data: a.payload}
	if inner.Transport == 0 || len(a.payload) < inner.Transport+8 || inner.ipv6() != a.ipv6() ||
		inner.Protocol != protoTCP && inner.Protocol != protoUDP {
		return tuple{}, nil, false
	}
	h := a.payload[inner.Transport:]
	inner.SourcePort, inner.DestPort = binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	inner.seq, inner.flags = binary.BigEndian.Uint32(h[4:]), flags(inner.Segment.Flags)
	if inbound {
		return inner.outbound(), inner, true
	}
	return inner.inbound(), inner, true
}

// quotation is a quoted packet in the numbers of its flow, with its ports. inbound says that it was
// the peer's.
func (a *arrival) quotation(f *flow, inbound bool) *syntax.Quotation {
	ports := &[2]uint16{a.SourcePort, a.DestPort}
	if a.Protocol == protoUDP {
		return &syntax.Quotation{UDP: true, Ports: ports, Length: int(binary.BigEndian.Uint16(a.data[a.Transport+4:])) - 8}
	}
	own := f.local
	if inbound {
		own = f.remote
	}
	q := &syntax.Quotation{TCP: true, Ports: ports, Start: own.relative(a.seq, a.flags&syn != 0)}
	if a.Kind == trace.TCP {
		q.Length = a.Len
	} else {
		q.Length = max(a.Len-20, 0) // cut off in the header
	}
	q.End = q.Start + uint32(q.Length)
	return q
}

// ports is the flow between two ports of the script's hosts, the stack's first.
func (p *Peer) ports(protocol uint8, local, remote uint16) tuple {
	return tuple{
		protocol: protocol,
		local:    netip.AddrPortFrom(p.cfg.Local, local),
		remote:   netip.AddrPortFrom(p.cfg.Remote, remote),
	}
}
