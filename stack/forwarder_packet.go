package stack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/tun"
)

// An upper is what a packet carries, behind the extension headers of IPv6: a transport protocol, or
// a fragment of it.
type upper struct {
	protocol uint8 // of a fragment, what the header of the first one says
	at       int   // where the transport header, or the fragment's data, begins
	fragment bool  // the packet is a part of what it carries
	more     bool  // the part isn't the last one
	offset   int   // where the part belongs, in bytes
	id       uint32
}

// upper finds what a packet carries. The protocol is 0, which none has, where that can't be found
// in as much of it as an error could quote.
func (t *transit) upper(p *tun.Packet) upper {
	if t.source.Is4() {
		h := header.IPv4(t.header)
		return upper{
			protocol: t.protocol, at: len(h), fragment: t.fragment, more: h.More(), offset: t.offset,
			id: uint32(h.ID()),
		}
	}
	u := upper{protocol: t.protocol, at: len(t.header)}
	for u.at < min(t.size, maxError6) {
		var b [header.IPv6FragmentHeaderSize]byte
		n, _ := p.Data.ReadAt(b[:], int64(u.at))
		size, extension := extensionSize(u.protocol, [4]byte(b[:4]))
		if !extension {
			return u
		}
		if n < len(b) || u.at+size > t.size {
			break
		}
		if u.protocol == header.IPv6FragmentHeader {
			h := header.IPv6Fragment(b[:])
			u.offset, u.more, u.id = int(h.FragmentOffset())*fragmentUnit, h.More(), h.ID()
			u.fragment = u.more || u.offset != 0 // else it is a packet in one piece (RFC 6946)
		}
		u.protocol, u.at = b[0], u.at+size
		if u.fragment {
			return u
		}
	}
	return upper{}
}

// receive decides about a packet for another host, if there is a Forwarder or
// connections of one: it is dropped (refuse), the Forwarder has it (taken), or it passes, to
// netstack if it is ours. What others may not have (passes) isn't for who stands in for them.
func (s *Stack) receive(in *nic, t *transit, p *tun.Packet, passes bool) (v verdict, ours bool) {
	known := s.adopted.touch(t.destination, s.clock.NowMonotonic())
	f := s.anywhere.Load()
	if f != nil && !f.takes(t.destination) {
		f = nil
	}
	switch {
	case passes:
	case f != nil && t.destination.Is4() && t.destination.IsLinkLocalUnicast() && s.travels(t.source):
		s.sendError(in, t, p, prohibited, netip.Addr{}) // for ever (RFC 3927 §2.6.2), so nobody needs to wait
		return refuse, false
	case known:
		return refuse, false
	default:
		return pass, false
	}
	u := t.upper(p)
	switch {
	case u.protocol == uint8(header.TCPProtocolNumber):
		return s.receiveSegment(f, in, t, p, &u, known)
	case f != nil && f.wants(t, p, &u):
		return f.receive(in, t, p, &u), true
	case t.reportsError(p):
		if f != nil {
			f.reported(t, p)
		}
		return pass, known
	case known && !s.cfg.Forwarding:
		return refuse, false // netstack would answer it
	}
	return pass, false
}

// receiveSegment is receive for TCP.
func (s *Stack) receiveSegment(f *Forwarder, in *nic, t *transit, p *tun.Packet, u *upper, known bool) (v verdict, ours bool) {
	var b [header.TCPMinimumSize]byte
	n, _ := p.Data.ReadAt(b[:], int64(u.at))
	if f == nil || u.fragment || n < len(b) {
		return pass, known
	}
	h := header.TCP(b[:])
	const opens = header.TCPFlagSyn | header.TCPFlagAck | header.TCPFlagRst
	flags := h.Flags()
	asked := f.cfg.Connect != nil && (flags&opens == header.TCPFlagSyn || flags.Contains(header.TCPFlagRst))
	if asked && !t.sound(p, u) {
		return pass, known // netstack counts it, if it is ours
	}
	if flags.Contains(header.TCPFlagRst) && asked {
		of := flow{netip.AddrPortFrom(t.source, h.SourcePort()), netip.AddrPortFrom(t.destination, h.DestinationPort())}
		f.connects.reset(of, h.SequenceNumber())
	}
	if flags&opens != header.TCPFlagSyn {
		return pass, true // of a connection; else netstack drops it, or answers with a RST
	}
	return f.knock(in, t, p, h), true
}

// sound verifies the checksum of a packet that isn't a fragment, unless a local sender has left it
// to us.
func (t *transit) sound(p *tun.Packet, u *upper) bool {
	if p.GSO.NeedsCsum {
		return true
	}
	b := opening(p, t.size, t.size)
	return len(b) == t.size && t.sum(u.protocol, b[u.at:]) == 0xffff
}

// sum is the sum of a transport header and what follows, with that of the pseudo-header.
func (t *transit) sum(protocol uint8, b []byte) uint16 {
	sum := uint16(0)
	if protocol != uint8(header.ICMPv4ProtocolNumber) {
		sum = header.PseudoHeaderChecksum(tcpip.TransportProtocolNumber(protocol),
			translate.Address(t.source), translate.Address(t.destination), uint16(len(b)))
	}
	return checksum.Checksum(b, sum)
}

// wants reports a datagram, an echo request, or a fragment of one, that the Forwarder has a
// function for.
func (f *Forwarder) wants(t *transit, p *tun.Packet, u *upper) bool {
	switch {
	case u.protocol == uint8(header.UDPProtocolNumber):
		return f.cfg.UDP != nil
	case !isICMP(tcpip.TransportProtocolNumber(u.protocol), t.source.Is4()) || f.cfg.Echo == nil:
		return false
	case u.fragment:
		return true
	}
	b, ok := peek(p, u.at)
	return ok && isEcho(t.source.Is4(), b[0])
}

// isEcho reports the type of an echo request.
func isEcho(v4 bool, typ uint8) bool {
	if v4 {
		return typ == uint8(header.ICMPv4Echo)
	}
	return typ == uint8(header.ICMPv6EchoRequest)
}

// receive takes a datagram or an echo request, or a fragment.
func (f *Forwarder) receive(in *nic, t *transit, p *tun.Packet, u *upper) verdict {
	var message []byte
	if u.fragment {
		whole, v := f.pieces.add(f.now(), t, p, u)
		if whole == nil {
			return v
		}
		message = whole
	}
	if u.protocol == uint8(header.UDPProtocolNumber) {
		return f.sessions.receive(in, t, p, u, message)
	}
	return f.receiveEcho(in, t, p, u, message)
}

// reportsError reports an ICMP error.
func (t *transit) reportsError(p *tun.Packet) bool {
	b, ok := peek(p, len(t.header))
	switch {
	case !ok:
		return false
	case t.source.Is4():
		typ := header.ICMPv4Type(b[0])
		return t.protocol == uint8(header.ICMPv4ProtocolNumber) && !t.fragment &&
			(typ == header.ICMPv4DstUnreachable || typ == header.ICMPv4TimeExceeded || typ == header.ICMPv4ParamProblem)
	}
	return t.protocol == uint8(header.ICMPv6ProtocolNumber) && b[0]&0x80 == 0
}

// reported reads an ICMP error about a datagram of a session: where its source has nobody who takes
// it, the session ends.
func (f *Forwarder) reported(t *transit, p *tun.Packet) {
	if f.cfg.UDP == nil {
		return
	}
	b := opening(p, t.size, min(t.size, maxError6))[len(t.header):]
	if len(b) < icmpHeader || len(t.header)+len(b) < t.size || t.sum(t.protocol, b) != 0xffff {
		return
	}
	q := quote{v4: t.source.Is4(), kind: b[0], code: b[1]}
	read := q.read6
	if q.v4 {
		read = q.read4
	}
	if q.unreachable() && !q.tooBig() && read(b[icmpHeader:]) && q.protocol == header.UDPProtocolNumber {
		f.sessions.end(flow{source: q.remote, destination: q.local})
	}
}
