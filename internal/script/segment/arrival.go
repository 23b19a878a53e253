package segment

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// An arrival is a packet that has been read.
type arrival struct {
	trace.Packet
	data []byte

	class uint8  // the traffic class, or type of service
	label uint32 // the flow label of IPv6

	// Of TCP.
	flags    flags
	reserved uint8 // the three bits between data offset and AE
	seq, ack uint32
	options  []byte

	payload []byte // behind the headers; shorter than Len if the packet was cut off
}

// read reads the headers of a packet.
func read(data []byte) *arrival {
	a := &arrival{Packet: trace.Parse(data), data: data}
	if a.Kind == trace.Malformed {
		return a
	}
	if a.ipv6() {
		first := binary.BigEndian.Uint32(data)
		a.class, a.label = uint8(first>>20), first&0xfffff
	} else {
		a.class = data[1]
	}
	if a.Kind == trace.TCP {
		h := data[a.Transport:]
		a.flags = flags(binary.BigEndian.Uint16(h[12:]) & 0x1ff)
		a.reserved = h[12] >> 1 & 7
		a.seq, a.ack = a.Segment.Seq, a.Segment.Ack
		a.options = h[20:min(a.Payload-a.Transport, len(h))]
	}
	if from := min(a.Payload, len(data)); a.Len > 0 {
		a.payload = data[from:min(a.Payload+a.Len, len(data))]
	}
	return a
}

// ipv6 reports whether the packet is one of IPv6.
func (a *arrival) ipv6() bool { return a.Source.Is6() }

// outbound is the flow of a packet from the stack, inbound that of one from the peer.
func (a *arrival) outbound() tuple {
	return tuple{
		protocol: a.Protocol,
		local:    netip.AddrPortFrom(a.Source, a.SourcePort),
		remote:   netip.AddrPortFrom(a.Dest, a.DestPort),
	}
}

func (a *arrival) inbound() tuple {
	t := a.outbound()
	t.local, t.remote = t.remote, t.local
	return t
}

// checksumsFit reports whether all checksums of the packet are right.
func (a *arrival) checksumsFit() bool {
	if !a.ipv6() && !inet.SumsUp(a.data[:int(a.data[0]&15)*4]) {
		return false
	}
	if a.Fragmented() {
		return true
	}
	end := min(a.Payload+a.Len, len(a.data))
	h := inet.Header{Source: a.Source, Dest: a.Dest, Protocol: a.Protocol}
	return h.ChecksumFits(a.data[a.Transport:end])
}

// packet is the packet in the words and numbers of a script, and what is wrong with it that a
// script can't say. f is its flow; quoted finds the flow of what an ICMP error quotes.
func (a *arrival) packet(f *flow, inbound bool, quoted func(tuple) *flow) (*syntax.Packet, string) {
	p := &syntax.Packet{Inbound: inbound}
	if a.class&3 != 0 {
		p.IP.ECN = map[uint8]syntax.ECN{1: syntax.ECT1, 2: syntax.ECT0, 3: syntax.CE}[a.class&3]
	}
	if a.Kind == trace.Malformed {
		return nil, a.Reason
	}
	if a.Fragmented() {
		return nil, fmt.Sprintf("a fragment of length %d at %d", a.Len, a.FragmentOffset)
	}
	switch a.Kind {
	case trace.TCP:
		p.TCP = a.tcp(f, inbound)
	case trace.UDP:
		p.UDP = &syntax.Datagram{Length: a.Len}
	case trace.ICMP:
		p.ICMP = a.icmp(inbound, quoted)
	default:
		return nil, fmt.Sprintf("a packet of protocol %d and length %d", a.Protocol, a.Len)
	}
	return p, ""
}

// tcp is the segment in the numbers of its flow.
func (a *arrival) tcp(f *flow, inbound bool) *syntax.Segment {
	own, other := f.local, f.remote
	if inbound {
		own, other = other, own
	}
	isSYN := a.flags&syn != 0
	if isSYN && !own.known {
		own = numbers{first: a.seq}
	}
	window := int(a.Segment.Window)
	s := &syntax.Segment{
		Flags: a.flags.String(), HasRange: true,
		Start: own.relative(a.seq, isSYN), Length: a.Len,
		Window: &window,
	}
	s.End = s.Start + uint32(a.Len)
	if a.flags&ack != 0 {
		number := other.relative(a.ack, isSYN)
		s.Ack = &number
	}
	if a.flags&flags(trace.URG) != 0 {
		s.Urgent = &a.Segment.Urgent
	}
	options, _ := decodeOptions(a.options)
	s.Options = mapSACK(options, func(n uint32) uint32 { return other.relative(n, isSYN) })
	if o := stampOf(s.Options); o != nil && f.stamps.seen != nil {
		switch {
		case !inbound:
			o.Values[0] = f.stamps.relative(o.Values[0])
		case s.Ack != nil: // without, the echo says nothing (RFC 7323 §3.2)
			o.Values[1] = f.stamps.echoed(o.Values[1])
		}
	}
	return s
}
