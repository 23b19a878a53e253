package conform

import (
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// unreachable is the ICMP error of this code for a packet of A, from the peer of the wire.
func (e *Env) unreachable(packet []byte, code byte) []byte {
	from, to := e.Addr(9, 0).Addr(), e.Addr(1, 0).Addr()
	if e.Family == wsa.AF_INET6 {
		body := append([]byte{1, code, 0, 0, 0, 0, 0, 0}, packet...)
		pseudo := append(append(append([]byte{}, from.AsSlice()...), to.AsSlice()...), 0, 0, byte(len(body)>>8), byte(len(body)), 0, 0, 0, 58)
		sum := checksum(append(pseudo, body...))
		body[2], body[3] = byte(sum>>8), byte(sum)
		return simnet.EncodeIP(from, to, 58, body)
	}
	body := append([]byte{3, code, 0, 0, 0, 0, 0, 0}, packet...)
	sum := checksum(body)
	body[2], body[3] = byte(sum>>8), byte(sum)
	return simnet.EncodeIP(from, to, 1, body)
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}

// A message is an ICMP error: its first four octets but the checksum, and the MTU that follows.
type message struct {
	kind, code byte
	mtu        uint16
}

// portUnreachable is an ICMP error of the version of the scenario, as are the next three.
func (e *Env) portUnreachable() message {
	if e.v6() {
		return message{kind: 1, code: 4}
	}
	return message{kind: 3, code: 3}
}

func (e *Env) hopsExceeded() message {
	if e.v6() {
		return message{kind: 3}
	}
	return message{kind: 11}
}

func (e *Env) hostUnreachable() message {
	if e.v6() {
		return message{kind: 1, code: 3}
	}
	return message{kind: 3, code: 1}
}

func (e *Env) tooBig(mtu uint16) message {
	if e.v6() {
		return message{kind: 2, mtu: mtu}
	}
	return message{kind: 3, code: 4, mtu: mtu}
}

// v6 reports a scenario over IPv6.
func (e *Env) v6() bool { return e.Family == wsa.AF_INET6 }

// inject answers a packet of A with an ICMP error from the hand.
func (e *Env) inject(w *simnet.Wire, m message, about []byte) {
	w.Inject(e.icmpError(m, about))
	e.Net.Sleep(time.Millisecond)
}

// icmpError is an ICMP error from the hand to A.
func (e *Env) icmpError(m message, about []byte) []byte {
	b := append([]byte{m.kind, m.code, 0, 0, 0, 0, byte(m.mtu >> 8), byte(m.mtu)}, about...)
	protocol := uint8(1)
	if e.v6() {
		protocol = 58
	}
	return simnet.EncodeIP(e.Addr(9, 0).Addr(), e.Addr(1, 0).Addr(), protocol, b)
}

// received is the next packet that A has sent to the hand.
func (e *Env) received(w *simnet.Wire) []byte {
	p, err := w.Receive(time.Second)
	e.Check(err == nil, "no packet: %v", err)
	return p.Data
}

// asked makes a datagram socket of A that has sent "hello" to the hand, connected
// or not, and returns the packet.
func (e *Env) asked(w *simnet.Wire, connected bool) (handle, []byte) {
	s := e.datagram()
	if connected {
		s.connect(e.Addr(9, 53))
	}
	to := e.Addr(9, 53)
	if connected {
		to = netip.AddrPort{}
	}
	s.sayTo(to, "hello")
	return s, e.received(w)
}

// sender is where a packet comes from.
func sender(packet []byte) netip.AddrPort {
	p := trace.Parse(packet)
	return netip.AddrPortFrom(p.Source, p.SourcePort)
}

// bools are both values.
var bools = []bool{false, true}

// level is the level of the IP options of the scenario's family.
func (e *Env) level() int32 {
	if e.v6() {
		return wsa.IPPROTO_IPV6
	}
	return wsa.IPPROTO_IP
}

// messageKinds are the sockets that send messages, with the header of theirs.
var messageKinds = []struct {
	typ, protocol int32
	header        int
}{{wsa.SOCK_DGRAM, 0, 8}, {wsa.SOCK_RAW, 200, 0}}

// An ipOption is an option that has another number at the other level.
type ipOption struct{ v4, v6 int32 }

var (
	optTTL    = ipOption{wsa.IP_TTL, wsa.IPV6_UNICAST_HOPS}
	optTOS    = ipOption{wsa.IP_TOS, wsa.IPV6_TCLASS}
	optNoFrag = ipOption{wsa.IP_DONTFRAGMENT, wsa.IPV6_DONTFRAG}
	optMTU    = ipOption{wsa.IP_USER_MTU, wsa.IPV6_USER_MTU}
)

// setIP sets an IP option of the level of the scenario's family.
func (h handle) setIP(o ipOption, value uint32) {
	e := h.e
	opt := o.v4
	if e.v6() {
		opt = o.v6
	}
	h.set(e.level(), opt, value)
}

// class is the type of service or the traffic class of a packet.
func class(packet []byte) byte {
	if packet[0]>>4 == 6 {
		return packet[0]<<4 | packet[1]>>4
	}
	return packet[1]
}

// head shows time to live and type of service, and on IPv4 the DF bit.
func head(packet []byte) string {
	p := trace.Parse(packet)
	text := fmt.Sprintf("ttl %d tos %#x", p.TTL, class(packet))
	if p.DontFragment && packet[0]>>4 == 4 {
		text += " DF"
	}
	return text
}

// withHead gives a packet of the hand's a time to live and a type of service.
func withHead(packet []byte, ttl, tos byte) []byte {
	if packet[0]>>4 == 6 {
		h := header.IPv6(packet)
		h.SetHopLimit(ttl)
		h.SetTOS(tos, 0)
		return packet
	}
	h := header.IPv4(packet)
	h.SetTTL(ttl)
	h.SetTOS(tos, 0)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
	return packet
}

// group is a multicast address of the scenario's family.
func (e *Env) group(port uint16) netip.AddrPort {
	if e.v6() {
		return netip.AddrPortFrom(netip.MustParseAddr("ff05::123"), port)
	}
	return netip.AddrPortFrom(netip.MustParseAddr("239.1.2.3"), port)
}

// ownAddresses are a loopback address and one of an interface.
func (e *Env) ownAddresses() []netip.Addr {
	if e.v6() {
		return []netip.Addr{netip.IPv6Loopback(), e.Addr(1, 0).Addr()}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.8.9.10"), e.Addr(1, 0).Addr()}
}

// noMTU are MTUs that no link of the family has.
func (e *Env) noMTU() []uint16 {
	if e.v6() {
		return []uint16{0, 1, 68, 1279}
	}
	return []uint16{0, 1, 20, 40, 67}
}

// addrOf is an address that is written out.
func addrOf(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// payload is what follows the IP header of a packet.
func payload(packet []byte) string { return string(packet[trace.Parse(packet).Transport:]) }
