package trace

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
)

// A Kind says how far a packet could be understood.
type Kind uint8

// The kinds of packets.
const (
	Malformed Kind = iota // no IP packet, or the headers promise more than there is
	TCP
	UDP
	ICMP     // a message of either version of ICMP
	Fragment // a fragment that isn't the first one: there is no transport header
	Other    // a packet of another protocol
)

// IP protocol numbers.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoICMPv6   = 58
	protoDestOpts = 60
)

// A Packet is what the headers of an IP packet say. It holds offsets into the bytes that it was
// parsed from, and no reference to them.
type Packet struct {
	Kind     Kind
	Reason   string     // what is wrong with a packet that is Malformed
	Source   netip.Addr // the source address
	Dest     netip.Addr // the destination address
	Protocol uint8      // the protocol of the last header that was reached

	ID             uint32 // the identification of the IPv4 header, or of the fragment header of IPv6
	FragmentOffset int    // where the fragment stands in the whole packet, in bytes
	MoreFragments  bool   // the fragment isn't the last one
	DontFragment   bool   // routers must not cut up the packet
	TTL            uint8  // time to live, or hop limit

	SourcePort uint16  // of TCP and UDP
	DestPort   uint16  // of TCP and UDP
	Segment    Segment // of TCP

	ICMPType uint8
	ICMPCode uint8
	ICMPRest uint32 // the second word of the ICMP header

	Transport int // the offset of what follows the IP headers
	Payload   int // the offset of what follows the last header that was understood
	Len       int // the length of the payload by the headers; a truncated capture holds less
}

// Fragmented reports whether the packet is a fragment of a larger one.
func (p *Packet) Fragmented() bool { return p.FragmentOffset != 0 || p.MoreFragments }

// Identity is a number that a packet keeps on its way through routers, and that others most likely
// don't have. It comes from all that routers leave alone. b is what the packet was parsed from.
func (p *Packet) Identity(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(p.Source.AsSlice())
	h.Write(p.Dest.AsSlice())
	var fixed [13]byte
	binary.BigEndian.PutUint32(fixed[:], p.ID)
	binary.BigEndian.PutUint64(fixed[4:], uint64(p.FragmentOffset))
	fixed[12] = p.Protocol
	h.Write(fixed[:])
	h.Write(b[min(p.Transport, len(b)):])
	return h.Sum64()
}

// Parse reads the headers of an IP packet. The packet may be cut off behind the headers.
func Parse(b []byte) Packet {
	if len(b) == 0 {
		return Packet{Reason: "empty"}
	}
	switch b[0] >> 4 {
	case 4:
		return parse4(b)
	case 6:
		return parse6(b)
	}
	return Packet{Reason: "not IP"}
}

// parse4 is Parse for IPv4.
func parse4(b []byte) Packet {
	if len(b) < 20 {
		return Packet{Reason: "short IPv4 header"}
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	flags := binary.BigEndian.Uint16(b[6:])
	p := Packet{
		Source: netip.AddrFrom4([4]byte(b[12:16])), Dest: netip.AddrFrom4([4]byte(b[16:20])),
		Protocol: b[9], TTL: b[8], ID: uint32(binary.BigEndian.Uint16(b[4:])),
		FragmentOffset: int(flags&0x1fff) * 8, MoreFragments: flags&0x2000 != 0, DontFragment: flags&0x4000 != 0,
		Payload: header, Len: total - header,
	}
	if header < 20 || header > len(b) || total < header {
		return p.malformed("IPv4 lengths")
	}
	return p.transport(b)
}

// parse6 is Parse for IPv6.
func parse6(b []byte) Packet {
	if len(b) < 40 {
		return Packet{Reason: "short IPv6 header"}
	}
	p := Packet{
		Source: netip.AddrFrom16([16]byte(b[8:24])), Dest: netip.AddrFrom16([16]byte(b[24:40])),
		Protocol: b[6], TTL: b[7], DontFragment: true,
		Payload: 40, Len: int(binary.BigEndian.Uint16(b[4:])),
	}
	for p.FragmentOffset == 0 {
		var size int
		switch p.Protocol {
		case protoHopByHop, protoRouting, protoDestOpts:
			if len(b) < p.Payload+8 {
				return p.malformed("short IPv6 extension header")
			}
			size = 8 + 8*int(b[p.Payload+1])
		case protoFragment:
			if len(b) < p.Payload+8 {
				return p.malformed("short IPv6 fragment header")
			}
			h := b[p.Payload:]
			offset := binary.BigEndian.Uint16(h[2:])
			p.FragmentOffset, p.MoreFragments = int(offset&^7), offset&1 != 0
			p.ID = binary.BigEndian.Uint32(h[4:])
			p.DontFragment, size = false, 8
		default:
			return p.transport(b)
		}
		if size > p.Len || p.Payload+size > len(b) {
			return p.malformed("IPv6 extension header lengths")
		}
		p.Protocol = b[p.Payload]
		p.Payload += size
		p.Len -= size
	}
	return p.transport(b)
}

// malformed is the packet as one that is Malformed.
func (p Packet) malformed(reason string) Packet {
	p.Kind, p.Reason = Malformed, reason
	return p
}

// transport reads the header behind p.Payload.
func (p Packet) transport(b []byte) Packet {
	p.Transport = p.Payload
	if p.FragmentOffset != 0 {
		p.Kind = Fragment
		return p
	}
	h := b[p.Payload:]
	if len(h) > p.Len {
		h = h[:p.Len] // bytes behind the packet are padding
	}
	switch p.Protocol {
	case protoTCP:
		return p.tcp(h)
	case protoUDP:
		if len(h) < 8 {
			return p.malformed("short UDP header")
		}
		p.Kind = UDP
		p.SourcePort, p.DestPort = binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
		p.Payload, p.Len = p.Payload+8, p.Len-8
	case protoICMP, protoICMPv6:
		if len(h) < 8 {
			return p.malformed("short ICMP header")
		}
		p.Kind = ICMP
		p.ICMPType, p.ICMPCode, p.ICMPRest = h[0], h[1], binary.BigEndian.Uint32(h[4:])
		p.Payload, p.Len = p.Payload+8, p.Len-8
	default:
		p.Kind = Other
	}
	return p
}

// tcp reads a TCP header.
func (p Packet) tcp(h []byte) Packet {
	if len(h) < 20 {
		return p.malformed("short TCP header")
	}
	p.SourcePort, p.DestPort = binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	s := &p.Segment
	s.Seq, s.Ack = binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
	s.Flags, s.Window = Flags(h[13]), binary.BigEndian.Uint16(h[14:])
	s.Urgent = binary.BigEndian.Uint16(h[18:])
	size := int(h[12]>>4) * 4
	if size < 20 || size > p.Len {
		return p.malformed("TCP data offset")
	}
	p.Kind = TCP
	s.Options = ParseOptions(h[20:min(size, len(h))])
	if size > len(h) {
		s.Options.Bad, s.Options.Cut = false, true
	}
	p.Payload, p.Len = p.Payload+size, p.Len-size
	s.Len = p.Len
	return p
}
