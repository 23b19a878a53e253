package trace

import (
	"strconv"
)

// appendPacket appends what a line says of a packet behind the hosts; ports says whether a TCP
// segment is shown with its ports.
func (t *Tracer) appendPacket(dst []byte, packet []byte, p Packet, ports bool) []byte {
	switch p.Kind {
	case TCP:
		if ports {
			dst = append(appendPorts(dst, &p), ' ')
		}
		s, window := t.Relative(&p)
		dst = AppendSegment(dst, s, window)
	case UDP:
		dst = append(dst, "udp "...)
		dst = appendPorts(dst, &p)
		dst = appendInt(dst, " len ", p.Len)
	case ICMP:
		dst = appendICMP(dst, packet, &p)
	case Fragment:
		dst = appendInt(dst, "proto ", int(p.Protocol))
	case Other:
		dst = appendInt(dst, "proto ", int(p.Protocol))
		dst = appendInt(dst, " len ", p.Len)
	default:
		dst = append(dst, "malformed: "...)
		dst = append(dst, p.Reason...)
		dst = appendInt(dst, ", ", len(packet))
		dst = append(dst, " bytes"...)
	}
	if p.Fragmented() && p.Kind != Malformed {
		dst = appendInt(dst, " frag ", p.FragmentOffset)
		dst = appendInt(dst, ":", p.FragmentOffset+p.Len+p.Payload-p.Transport)
		if p.MoreFragments {
			dst = append(dst, '+')
		}
	}
	return dst
}

// appendPorts appends both ports of a packet, such as 5000>53.
func appendPorts(dst []byte, p *Packet) []byte {
	dst = strconv.AppendUint(dst, uint64(p.SourcePort), 10)
	dst = append(dst, '>')
	return strconv.AppendUint(dst, uint64(p.DestPort), 10)
}

// appendInt appends a number behind a prefix.
func appendInt(dst []byte, prefix string, n int) []byte {
	return strconv.AppendInt(append(dst, prefix...), int64(n), 10)
}

// appendUint appends a number behind a prefix.
func appendUint(dst []byte, prefix string, n uint32) []byte {
	return strconv.AppendUint(append(dst, prefix...), uint64(n), 10)
}

// AppendSegment appends a TCP segment as lines show it. window is in bytes.
func AppendSegment(dst []byte, s Segment, window int) []byte {
	dst = append(dst, '[')
	dst = s.Flags.append(dst)
	dst = append(dst, ']')
	dst = appendUint(dst, " seq ", s.Seq)
	if s.Len > 0 {
		dst = appendUint(dst, ":", s.Seq+uint32(s.Len))
	}
	if s.Flags&ACK != 0 {
		dst = appendUint(dst, " ack ", s.Ack)
	}
	if s.Len > 0 {
		dst = appendInt(dst, " len ", s.Len)
	}
	dst = appendInt(dst, " win ", window)
	if s.Flags&URG != 0 {
		dst = appendInt(dst, " urg ", int(s.Urgent))
	}
	return appendOptions(dst, s.Options)
}

// appendOptions appends options as lines show them, if there are any.
func appendOptions(dst []byte, o Options) []byte {
	before := len(dst)
	sep := " <"
	next := func() {
		dst = append(dst, sep...)
		sep = ","
	}
	if o.MSS != 0 {
		next()
		dst = appendInt(dst, "mss ", o.MSS)
	}
	if o.SACKOK {
		next()
		dst = append(dst, "sackOK"...)
	}
	if o.Timestamps {
		next()
		dst = appendUint(dst, "ts ", o.TSVal)
		dst = appendUint(dst, " ", o.TSEcr)
	}
	if o.WS >= 0 {
		next()
		dst = appendInt(dst, "wscale ", o.WS)
	}
	for i, b := range o.SACK[:o.Blocks] {
		if i == 0 {
			next()
			dst = append(dst, "sack"...)
		}
		dst = appendUint(dst, " ", b[0])
		dst = appendUint(dst, ":", b[1])
	}
	if o.Unknown > 0 {
		next()
		dst = appendInt(dst, "unknown ", o.Unknown)
	}
	if o.Bad {
		next()
		dst = append(dst, "bad"...)
	}
	if o.Cut {
		next()
		dst = append(dst, "cut off"...)
	}
	if len(dst) > before {
		dst = append(dst, '>')
	}
	return dst
}

// The names of ICMP messages, by type, and of errors about unreachable destinations, by code.
var (
	icmp4Types = map[uint8]string{0: "echo reply", 3: "unreachable", 4: "source quench", 5: "redirect", 8: "echo request", 11: "time exceeded", 12: "parameter problem"}
	icmp6Types = map[uint8]string{1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem", 128: "echo request", 129: "echo reply",
		130: "listener query", 131: "listener report", 132: "listener done", 133: "router solicitation", 134: "router advertisement",
		135: "neighbor solicitation", 136: "neighbor advertisement", 137: "redirect", 143: "listener report v2"}
	icmp4Unreachable = map[uint8]string{0: "net", 1: "host", 2: "protocol", 3: "port", 4: "fragmentation needed", 9: "net prohibited", 10: "host prohibited", 13: "prohibited"}
	icmp6Unreachable = map[uint8]string{0: "no route", 1: "prohibited", 2: "scope", 3: "address", 4: "port", 5: "source policy", 6: "reject route"}
)

// appendICMP appends an ICMP message.
func appendICMP(dst, packet []byte, p *Packet) []byte {
	types, codes, unreachable := icmp4Types, icmp4Unreachable, uint8(3)
	dst = append(dst, "icmp"...)
	if p.Protocol == protoICMPv6 {
		types, codes, unreachable = icmp6Types, icmp6Unreachable, 1
		dst = append(dst, '6')
	}
	dst = append(dst, ' ')
	name, known := types[p.ICMPType]
	if known {
		dst = append(dst, name...)
	} else {
		dst = appendInt(dst, "type ", int(p.ICMPType))
	}
	code, named := codes[p.ICMPCode]
	switch {
	case p.ICMPType == unreachable && named:
		dst = append(append(dst, ' '), code...)
	case p.ICMPCode != 0 || !known:
		dst = appendInt(dst, " code ", int(p.ICMPCode))
	}
	switch name {
	case "echo request", "echo reply":
		dst = appendInt(dst, " id ", int(p.ICMPRest>>16))
		dst = appendInt(dst, " seq ", int(p.ICMPRest&0xffff))
		return appendInt(dst, " len ", p.Len)
	case "unreachable", "time exceeded", "packet too big", "parameter problem":
		if p.ICMPType == 3 && p.ICMPCode == 4 && p.Protocol == protoICMP {
			dst = appendInt(dst, " mtu ", int(p.ICMPRest&0xffff))
		} else if name == "packet too big" {
			dst = appendUint(dst, " mtu ", p.ICMPRest)
		}
		return appendQuoted(dst, packet[min(p.Payload, len(packet)):])
	}
	return dst
}

// appendQuoted appends the protocol and the ports of the packet that an ICMP error quotes. The
// packet may be cut off after eight bytes of its transport header (RFC 792).
func appendQuoted(dst, packet []byte) []byte {
	q := Parse(packet)
	if q.Kind == Malformed && q.Reason == "short TCP header" && len(packet) >= q.Payload+4 {
		h := packet[q.Payload:]
		q.Kind = TCP
		q.SourcePort, q.DestPort = uint16(h[0])<<8|uint16(h[1]), uint16(h[2])<<8|uint16(h[3])
	}
	switch q.Kind {
	case TCP:
		return appendPorts(append(dst, " for tcp "...), &q)
	case UDP:
		return appendPorts(append(dst, " for udp "...), &q)
	case Malformed:
		return dst
	}
	return appendInt(dst, " for proto ", int(q.Protocol))
}
