package syntax

import (
	"fmt"
	"math"
	"strings"
)

// unsupported are the words of packets that packetdrill has and this package has not: what each
// means, and what to write instead.
var unsupported = map[string][2]string{
	"ipv4":   {"a tunnel over IPv4", tunnelHint},
	"ipv6":   {"a tunnel over IPv6", tunnelHint},
	"gre":    {"a tunnel of GRE", tunnelHint},
	"GREv0":  {"a tunnel of GRE", tunnelHint},
	"mpls":   {"MPLS", "write the packet without its labels"},
	"encap":  {"encapsulation with PSP", "write the packet that is inside, without its encryption"},
	"icmpv6": {`the word "icmpv6"`, `write "icmp" for both; --ip_version=ipv6 makes it ICMPv6`},
}

const (
	tunnelHint = "write the packet that is inside; the addresses of the two sides are --local_ip and --remote_ip"
	packetHint = `a packet is such as "< P. 1:11(10) ack 1 win 1000 <nop,nop,TS val 1 ecr 2>", "> udp (10)" or "< icmp unreachable port_unreachable"`
)

// packet reads a packet.
func (p *parser) packet() Action {
	k := &Packet{Pos: p.token.pos, Inbound: p.token.is("<")}
	p.move()
	if p.token.is("(") || p.token.is("[") {
		k.IP = p.ip(k.Inbound)
	}
	if u, ok := unsupported[p.token.text]; ok && p.token.kind == word {
		fail(p.token.pos, u[1], "%s isn't supported", u[0])
	}
	switch {
	case p.accept("udp"):
		k.Ports = p.ports(datagramHint)
		k.UDP = p.datagram()
	case p.accept("icmp"):
		k.ICMP = p.icmp()
	default:
		k.Ports = p.ports(`the flags come first: "S", "P.", "." or "-"; or the ports, such as "5000 > 80"`)
		k.TCP = p.segment(k.Inbound)
	}
	if at := p.token.pos; p.token.is("bad") {
		p.move()
		p.expect("checksum", `the words are "bad checksum"`)
		if k.BadChecksum = true; !k.Inbound {
			fail(at, "the stack's packets have right checksums, and others fail the script anyway", `only a packet of the peer ("<") has a bad checksum`)
		}
	}
	return k
}

const ipHint = `there are ect0, ect1, ect01, noecn, ce, "tos 0x3", "ttl 64" and "flowlabel 0x1"`

// ip reads what is said of the IP header, in parentheses or brackets.
func (p *parser) ip(inbound bool) IPInfo {
	shut := ")"
	if p.take().text == "[" {
		shut = "]"
	}
	var i IPInfo
	for {
		p.ipField(&i, inbound)
		if !p.accept(",") {
			break
		}
	}
	p.expect(shut, ipHint)
	return i
}

// ecns are the words for the ECN bits.
var ecns = map[string]ECN{"noecn": NoECN, "ect0": ECT0, "ect1": ECT1, "ce": CE, "ect01": ECT01}

// ipField reads one thing that is said of the IP header.
func (p *parser) ipField(i *IPInfo, inbound bool) {
	at := p.token.pos
	var twice bool
	switch name := p.word("what is said of the IP header", ipHint); name {
	case "tos":
		twice = i.TOS != nil || i.ECN != UnsaidECN
		i.TOS = pointer(uint8(p.integer("a type of service", math.MaxUint8, ipHint)))
	case "ttl":
		twice = i.TTL != nil
		i.TTL = pointer(uint8(p.integer("a time to live", math.MaxUint8, ipHint)))
	case "flowlabel":
		twice = i.FlowLabel != nil
		i.FlowLabel = pointer(uint32(p.integer("a flow label", 1<<20-1, ipHint)))
	default:
		ecn, ok := ecns[name]
		if !ok {
			fail(at, ipHint, "%q says nothing of the IP header", name)
		}
		if ecn == ECT01 && inbound {
			fail(at, "write ect0 or ect1", "a packet of the peer is one of ect0 and ect1")
		}
		twice = i.ECN != UnsaidECN || i.TOS != nil
		i.ECN = ecn
	}
	if twice {
		fail(at, "say it once; the ECN bits are a part of the type of service", "this is said of the IP header already")
	}
}

func pointer[T any](v T) *T { return &v }

// ports reads "5000 > 80", if it is there.
func (p *parser) ports(hint string) *[2]uint16 {
	if p.token.kind != integer {
		return nil
	}
	from := uint16(p.integer("a port", math.MaxUint16, hint))
	p.expect(">", hint)
	return &[2]uint16{from, uint16(p.integer("a port", math.MaxUint16, hint))}
}

// flagHint says which flags there are.
const flagHint = `the flags are letters of FSRP.UEWA, such as "S", "P." or ".", or "-" for none`

// flags reads the flags of a segment.
func (p *parser) flags() string {
	at := p.token
	if p.accept("-") {
		return ""
	}
	flags := ""
	if at.kind == word {
		flags = p.take().text
	}
	if p.token.is(".") || p.token.kind == float && p.token.text[0] == '.' { // ".5": "." and the ACE field
		flags += p.take().text
	}
	if flags == "" {
		p.unexpected("the flags of a segment", flagHint)
	}
	return checkFlags(flags, at)
}

// checkFlags returns flags with letters for the digit of an ACE field (RFC 9768 §3.2.2), and "."
// last.
func checkFlags(flags string, at token) string {
	seen, out := map[rune]bool{}, ""
	for _, c := range flags {
		if c >= '0' && c <= '7' {
			for i, bit := range "EWA" {
				if (c-'0')>>i&1 != 0 {
					out += string(bit)
				}
				if seen[bit] {
					fail(at.pos, "write letters or a digit", "the ACE field stands twice: %s", flags)
				}
				seen[bit] = true
			}
			continue
		}
		switch {
		case !strings.ContainsRune("FSRP.UEWA", c):
			fail(at.pos, flagHint, "%q isn't a flag of TCP: %s", c, flags)
		case seen[c]:
			fail(at.pos, flagHint, "the flag %c stands twice: %s", c, flags)
		}
		if seen[c] = true; c != '.' {
			out += string(c)
		}
	}
	if seen['.'] {
		out += "."
	}
	return out
}

// segment reads a segment of TCP.
func (p *parser) segment(inbound bool) *Segment {
	s := &Segment{Flags: p.flags()}
	if p.token.kind == integer {
		at := p.token.pos
		s.HasRange, s.Start = true, p.number32()
		s.End, s.Length = p.numbers(at, s.Start)
	} else if inbound {
		p.unexpected("sequence numbers", numbersHint)
	}
	if p.accept("ack") {
		s.Ack = pointer(uint32(p.integer("an acknowledgement number", math.MaxUint32, packetHint)))
	}
	if p.accept("win") {
		s.Window = pointer(int(p.integer("a window", math.MaxUint16, packetHint)))
	}
	if p.accept("urg") {
		s.Urgent = pointer(uint16(p.integer("an urgent pointer", math.MaxUint16, packetHint)))
	}
	if p.token.is("<") {
		p.tcpOptions(s, inbound)
	}
	if p.token.kind == text {
		s.Payload = p.payload(s.Length)
	}
	return s
}

const numbersHint = `the numbers are such as 1:11(10): the first, the one after the last, and the length`

// number32 reads a sequence number.
func (p *parser) number32() uint32 {
	return uint32(p.integer("a sequence number", math.MaxUint32, numbersHint))
}

// numbers reads the rest of "1:11(10)", after the first number.
func (p *parser) numbers(at Pos, start uint32) (end uint32, length int) {
	p.expect(":", numbersHint)
	end = p.number32()
	length = p.length(numbersHint)
	if end != start+uint32(length) {
		fail(at, fmt.Sprintf("write %d:%d(%d); SYN and FIN don't count", start, start+uint32(length), length), "the sequence numbers and the length don't go together")
	}
	return end, length
}

// length reads the length of a payload, in parentheses.
func (p *parser) length(hint string) int {
	p.expect("(", hint)
	n := p.integer("a length", MaxPayload, hint)
	p.expect(")", hint)
	return int(n)
}

// payload reads the bytes of a packet.
func (p *parser) payload(length int) []byte {
	at := p.token.pos
	t := p.texts().(*Text)
	switch {
	case t.More:
		fail(at, "write all of it, or none for any", `"..." doesn't stand after the payload of a packet`)
	case len(t.Value) != length:
		fail(at, fmt.Sprintf("write (%d) for the length", len(t.Value)), "the length of the payload is %d, and not %d", len(t.Value), length)
	}
	return []byte(t.Value)
}

const datagramHint = `a datagram is such as "< udp (10)" or "> udp 53 > 5000 (10)", with its length`

// datagram reads a datagram of UDP.
func (p *parser) datagram() *Datagram {
	d := &Datagram{Length: p.length(datagramHint)}
	if p.token.kind == text {
		d.Payload = p.payload(d.Length)
	}
	return d
}

const icmpHint = `a message is such as "< icmp unreachable frag_needed mtu 1400 [1:1461(1460)]"`

// icmp reads an ICMP message.
func (p *parser) icmp() *ICMP {
	m := &ICMP{Type: p.word("the type of the message", icmpHint)}
	if t := p.token; t.kind == word && !t.first && !t.is("mtu") && !t.is("id") && !t.is("bad") {
		m.Code = p.take().text
	}
	if p.accept("mtu") {
		m.MTU = pointer(uint32(p.integer("an MTU", math.MaxUint32, icmpHint)))
	}
	if p.accept("id") {
		m.EchoID = pointer(uint16(p.integer("the ID of an echo", math.MaxUint16, icmpHint)))
	}
	if p.accept("[") {
		m.Quoted = p.quotation()
		p.expect("]", icmpHint)
	}
	return m
}

// quotation reads what an ICMP message quotes.
func (p *parser) quotation() *Quotation {
	const hint = "what is quoted is such as [1:1461(1460)], [udp (1000)] or [raw (8)]"
	q := &Quotation{}
	switch {
	case p.accept("udp"):
		q.UDP, q.Ports, q.Length = true, p.ports(hint), p.length(hint)
		return q
	case p.accept("raw"):
		q.Length = p.length(hint)
		return q
	}
	at := p.token.pos
	q.TCP, q.Start = true, p.number32()
	if p.accept(">") {
		to := p.integer("a port", math.MaxUint16, hint)
		if q.Start > math.MaxUint16 {
			fail(at, "a port is at most 65535", "a port is too large: %d", q.Start)
		}
		q.Ports = &[2]uint16{uint16(q.Start), uint16(to)}
		at = p.token.pos
		q.Start = p.number32()
	}
	q.End, q.Length = p.numbers(at, q.Start)
	return q
}
