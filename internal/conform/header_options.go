package conform

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A headerOption is an option that adds to the headers of packets, with a value.
type headerOption struct {
	level, name int32
	value       []byte
}

// headerOptions are those of the scenario's family. Of the options of IPv4 the first, router alert, is
// one that every fragment has, and the second, record route, isn't.
func (e *Env) headerOptions() []headerOption {
	if !e.v6() {
		return []headerOption{{wsa.IPPROTO_IP, wsa.IP_OPTIONS, []byte{148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0}}}
	}
	segments := append([]byte{0, 2, 4, 0, 0, 0, 0, 0}, netip.MustParseAddr("fd00::7").AsSlice()...)
	return []headerOption{
		{wsa.IPPROTO_IPV6, wsa.IPV6_HOPOPTS, []byte{0, 0, 5, 2, 0, 0, 1, 0}},
		{wsa.IPPROTO_IPV6, wsa.IPV6_RTHDR, segments},
		{wsa.IPPROTO_IPV6, wsa.IPV6_DSTOPTS, []byte{0, 0, 1, 4, 1, 2, 3, 4}},
	}
}

// padded is the value as it leaves, and as get returns it: words of IPv4 are whole.
func (o headerOption) padded() []byte {
	return append(bytes.Clone(o.value), make([]byte, -len(o.value)&3)...)
}

// addAll sets header options on a socket.
func (h handle) addAll(list []headerOption) {
	for _, o := range list {
		h.setBytes(o.level, o.name, o.value, int32(len(o.value)))
	}
}

// clearAll clears them.
func (h handle) clearAll(list []headerOption) {
	for _, o := range list {
		h.setBytes(o.level, o.name, []byte{}, 0)
	}
}

// bytesOf reads a header option.
func (h handle) bytesOf(o headerOption) []byte {
	b, n := make([]byte, 256), int32(256)
	h.getBytes(o.level, o.name, b, &n)
	return b[:n]
}

// added is what header options make of a packet of a protocol: the bytes between the fixed header
// and that of the protocol, where the first byte of an extension header says what follows it.
func added(list []headerOption, protocol byte) (out []byte) {
	for i, o := range list {
		b := o.padded()
		if o.level == wsa.IPPROTO_IPV6 {
			if b[0] = protocol; i+1 < len(list) {
				b[0] = map[int32]byte{wsa.IPV6_HOPOPTS: 0, wsa.IPV6_RTHDR: 43, wsa.IPV6_DSTOPTS: 60}[list[i+1].name]
			}
		}
		out = append(out, b...)
	}
	return out
}

// between are the bytes between the fixed header of a packet and what the headers carry.
func between(packet []byte) []byte {
	fixed := 20
	if packet[0]>>4 == 6 {
		fixed = 40
	}
	return packet[fixed:trace.Parse(packet).Transport]
}

// sound ends the scenario unless the lengths and checksums of a whole packet to a destination are
// right.
func (e *Env) sound(packet []byte, destination netip.Addr) {
	p := trace.Parse(packet)
	if !e.v6() {
		h := header.IPv4(packet)
		e.Check(h.IsChecksumValid() && int(h.TotalLength()) == len(packet), "the header is wrong: % x", packet[:h.HeaderLength()])
	} else {
		Equal(e, "the payload length", int(header.IPv6(packet).PayloadLength()), len(packet)-40)
	}
	body := packet[p.Transport:]
	if p.Protocol != 6 && p.Protocol != 17 {
		return
	}
	pseudo := append(append(p.Source.AsSlice(), destination.AsSlice()...), byte(len(body)>>8), byte(len(body)), 0, p.Protocol)
	body = append(bytes.Clone(body), make([]byte, len(body)%2)...)
	Equal(e, "what is missing in the checksum", checksum(append(pseudo, body...)), 0)
}

// headerOptionsOnMessages is IO-1 on datagram and raw sockets.
func headerOptionsOnMessages(e *Env) {
	e.wired(func(w *simnet.Wire) {
		list := e.headerOptions()
		for _, k := range messageKinds {
			s := e.open(e.P, e.Family, k.typ, k.protocol)
			for _, o := range list {
				Equal(e, "of a new socket", len(s.bytesOf(o)), 0)
			}
			s.addAll(list)
			for _, o := range list {
				e.Check(bytes.Equal(s.bytesOf(o), o.padded()), "get: % x, set: % x", s.bytesOf(o), o.value)
			}
			for _, connected := range bools {
				if connected {
					s.connect(e.Addr(9, 53))
					s.say("x")
				} else {
					s.sayTo(e.Addr(9, 53), "x")
				}
				packet := e.received(w)
				want := added(list, byte(max(k.protocol, 17)))
				e.Check(bytes.Equal(between(packet), want), "added: % x, want % x", between(packet), want)
				Equal(e, "the message", payload(packet)[k.header:], "x")
				e.sound(packet, e.Addr(9, 0).Addr())
			}
			s.clearAll(list)
			s.say("x")
			Equal(e, "added after the options were cleared", len(between(e.received(w))), 0)
			for _, o := range list {
				Equal(e, "after a set of nothing", len(s.bytesOf(o)), 0)
			}
		}
	})
	e.Notef("%d bytes stand in front of each message until the options are cleared", len(added(e.headerOptions(), 0)))
}

// headerOptionsOnStreams is IO-1 and IO-2 on streams: of both sides.
func headerOptionsOnStreams(e *Env) {
	e.wired(func(w *simnet.Wire) {
		list := e.headerOptions()
		want := added(list, 6)
		peer := w.Listen(80)
		s := e.stream()
		s.addAll(list)
		s.nonblocking(true)
		s.connect(e.Addr(9, 80), wsa.WSAEWOULDBLOCK)
		next := func(segment string, size int) *simnet.Arrival {
			a, err := peer.Expect(segment)
			e.Check(err == nil, "%v", err)
			e.Check(bytes.Equal(between(a.Packet), want), "added: % x, want % x", between(a.Packet), want)
			e.sound(a.Packet, e.Addr(9, 0).Addr())
			Equal(e, "payload", len(a.Payload), size)
			return a
		}
		mss := e.ownMSS()
		// RFC 6691: what is added to our packets says nothing of the peer's.
		Equal(e, "the MSS of the SYN", next("[S]", 0).Options.MSS, mss)
		peer.Send(fmt.Sprintf("[S.] <mss %d>", mss))
		next("[.]", 0)
		full := mss - len(want)
		s.sendAll(make([]byte, 2*full), 0, nil)
		next("[.]", full)
		next("[P.]", full)
		peer.Send(fmt.Sprintf("[.] ack %d", 1+2*full))

		s.clearAll(list)
		want = nil
		s.sendAll(make([]byte, mss), 0, nil)
		next("[P.]", mss)
		peer.Send(fmt.Sprintf("[.] ack %d", 1+2*full+mss))

		s.addAll(list)
		want = added(list, 6)
		s.sendAll(make([]byte, mss), 0, nil)
		next("[.]", full)
		peer.Send(fmt.Sprintf("[.] ack %d", 1+3*full+mss))
		next("[P.]", mss-full)
		e.Notef("SYN, acknowledgements and data have %d bytes more, so that a segment takes %d of %d", len(want), full, mss)
	})
}

// headerOptionsInherited is IO-1 on an accepted socket.
func headerOptionsInherited(e *Env) {
	e.wired(func(w *simnet.Wire) {
		list := e.headerOptions()
		want := added(list, 6)
		l := e.stream()
		l.addAll(list)
		l.bind(e.Any(80))
		l.listen(5)
		peer := w.Connect(e.Addr(1, 80).String())
		peer.Send("[S] <mss 1400>")
		a, err := peer.Expect("[S.]")
		e.Check(err == nil && bytes.Equal(between(a.Packet), want), "the SYN-ACK: %v", err)
		peer.Send("[.]")
		c := l.accept()
		for _, o := range list {
			e.Check(bytes.Equal(c.bytesOf(o), o.padded()), "not inherited")
		}
		c.say("x")
		a, err = peer.Expect("[P.]")
		e.Check(err == nil && bytes.Equal(between(a.Packet), want), "data: %v", err)
		e.sound(a.Packet, e.Addr(9, 0).Addr())
		c.setLinger(1, 0)
		c.close()
		a, err = peer.Expect("[R.]")
		e.Check(err == nil && bytes.Equal(between(a.Packet), want), "the RST: %v", err)
	})
	e.Notef("SYN-ACK, data and RST of an accepted connection have the listener's options")
}

// headerOptionsInFragments is IO-3.
func headerOptionsInFragments(e *Env) {
	e.wired(func(w *simnet.Wire) {
		list := e.headerOptions()
		s := e.datagram()
		s.addAll(list)
		limit := 1500 - 28 - len(added(list, 17))
		if e.v6() {
			limit -= 20
		}
		s.setIP(optNoFrag, 1)
		s.sendTo(e.Addr(9, 53), make([]byte, limit))
		Equal(e, "the largest packet", len(e.received(w)), 1500)
		s.as("one byte more").sendTo(e.Addr(9, 53), make([]byte, limit+1), wsa.WSAEMSGSIZE)
		s.setIP(optNoFrag, 0)
		for _, mtu := range []int{1500, 1300} {
			s.setIP(optMTU, uint32(mtu))
			message := bytes.Repeat([]byte("fragment"), 500)
			s.sendTo(e.Addr(9, 53), message)
			e.reassembled(w, list, mtu, message)
		}
	})
	e.Notef("later fragments have the options that are copied, or the headers before that of the fragment")
}

// reassembled receives the fragments of a datagram with header options and compares the whole.
func (e *Env) reassembled(w *simnet.Wire, list []headerOption, mtu int, message []byte) {
	var whole []byte
	id := uint32(0)
	for more := true; more; {
		packet := e.received(w)
		p := trace.Parse(packet)
		e.Check(len(packet) <= mtu && p.FragmentOffset == len(whole) && (id == 0 || p.ID == id),
			"%d bytes at %d, ID %d", len(packet), p.FragmentOffset, p.ID)
		at := 20 + len(list[0].padded())
		if e.v6() {
			at = 40 + len(list[0].value) + len(list[1].value)
			e.Check(bytes.Equal(packet[41:at], added(list, 17)[1:at-40]) || packet[40] == 43, "headers before the fragment's: % x", packet[40:at])
			Equal(e, "the header of the fragment", [2]byte{packet[40+len(list[0].value)], packet[at]}, [2]byte{44, 60})
			at += 8
		} else if p.FragmentOffset > 0 {
			at = 24
			e.Check(bytes.Equal(packet[20:at], list[0].value[:4]), "copied: % x", packet[20:at])
		} else {
			e.Check(bytes.Equal(packet[20:at], list[0].padded()), "the first has % x", packet[20:at])
		}
		if !e.v6() {
			e.Check(header.IPv4(packet).IsChecksumValid(), "the header's checksum")
		}
		id, more = p.ID, p.MoreFragments
		whole = append(whole, packet[at:]...)
	}
	if e.v6() {
		d := list[2].value
		Equal(e, "the destination options", string(whole[:len(d)]), string(append([]byte{17}, d[1:]...)))
		whole = whole[len(d):]
	}
	Equal(e, "the datagram", string(whole[8:]), string(message))
	from, to := e.Addr(1, 0).Addr(), e.Addr(9, 0).Addr()
	e.sound(simnet.EncodeIP(from, to, 17, whole), to) // which computes the checksum anew
}

// sourceRoutes is IO-4.
func sourceRoutes(e *Env) {
	e.wired(func(w *simnet.Wire) {
		hop, end := e.Addr(9, 0).Addr(), e.Addr(77, 0).Addr()
		o, group := headerOption{wsa.IPPROTO_IP, wsa.IP_OPTIONS, []byte{131, 7, 4}}, netip.MustParseAddr("224.0.0.1")
		last := func(packet []byte) []byte { return packet[23:27] }
		if e.v6() {
			o, group = headerOption{wsa.IPPROTO_IPV6, wsa.IPV6_RTHDR, []byte{0, 2, 2, 1, 0, 0, 0, 0}}, netip.MustParseAddr("ff02::1")
			last = func(packet []byte) []byte { return packet[48:64] }
		}
		through := func(hop netip.Addr) []headerOption {
			return []headerOption{{o.level, o.name, append(slices.Clip(o.value), hop.AsSlice()...)}}
		}
		check := func(what string, packet []byte) {
			p := trace.Parse(packet)
			Equal(e, what+" goes to", p.Dest, hop)
			e.Check(bytes.Equal(last(packet), end.AsSlice()), "%s: the end of the route is % x", what, last(packet))
			e.sound(packet, end)
		}
		d := e.datagram()
		d.addAll(through(group))
		d.sayTo(netip.AddrPortFrom(end, 53), "x", wsa.WSAEHOSTUNREACH)
		d.addAll(through(hop))
		d.sayTo(netip.AddrPortFrom(end, 53), "x")
		check("a datagram", e.received(w))
		s := e.stream()
		s.addAll(through(hop))
		s.nonblocking(true)
		s.connect(netip.AddrPortFrom(end, 80), wsa.WSAEWOULDBLOCK)
		check("a SYN", e.received(w))
		Equal(e, "the peer", d.e.Addr(77, 53), netip.AddrPortFrom(end, 53))
	})
	e.Notef("the packet goes to the first hop, the route ends with the destination, whose checksum it has; nothing goes through a group")
}

// badHeaderOptions is IO-5.
func badHeaderOptions(e *Env) {
	e.wired(func(w *simnet.Wire) {
		list := e.headerOptions()
		bad := map[int32][][]byte{
			wsa.IP_OPTIONS: {bytes.Repeat([]byte{1}, 41), {7}, {7, 1, 0, 0}, {7, 9, 4, 0}, {131, 3, 4}, {131, 7, 8, 1, 2, 3, 4}},
		}
		if e.v6() {
			bad = map[int32][][]byte{
				wsa.IPV6_HOPOPTS: {{0, 1, 0, 0, 0, 0, 0, 0}, {0, 0, 5, 9, 0, 0, 0, 0}, {0, 0}, make([]byte, 9)},
				wsa.IPV6_RTHDR:   {{0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 2, 1, 0, 0, 0, 0}, make([]byte, 12)},
				wsa.IPV6_DSTOPTS: {{0, 0, 1, 7, 0, 0, 0, 0}, make([]byte, 7)},
			}
		}
		for _, s := range []handle{e.stream(), e.datagram(), e.open(e.P, e.Family, wsa.SOCK_RAW, 200)} {
			s.addAll(list)
			for _, o := range list {
				for _, b := range bad[o.name] {
					s.as(fmt.Sprintf("set of % x", b)).setBytes(o.level, o.name, b, int32(len(b)), wsa.WSAEINVAL)
					e.Check(bytes.Equal(s.bytesOf(o), o.padded()), "% x has changed the option", b)
				}
			}
		}
		d := e.datagram()
		d.addAll(list)
		d.sayTo(e.Addr(9, 53), "x")
		e.Check(bytes.Equal(between(e.received(w)), added(list, 17)), "not what was set")
	})
	e.Notef("WSAEINVAL, and what was set before stays")
}

// hostileHeaderOptions is IO-6.
func hostileHeaderOptions(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.datagram()
		s.bind(e.Any(53))
		s.nonblocking(true)
		plain := simnet.EncodeUDP(e.Addr(9, 7), e.Addr(1, 53), []byte("x"))
		for _, o := range e.hostile() {
			w.Inject(withBetween(plain, o))
			e.Net.Sleep(time.Second) // netstack's rate of ICMP errors
		}
		w.Discard()
		for len(s.receivedNow()) > 0 {
		}
		w.Inject(plain)
		e.Net.Sleep(time.Millisecond)
		Equal(e, "received afterwards", s.receivedNow(), "x")
	})
	e.Notef("%d malformed headers, and the stack goes on", len(e.hostile()))
}

// receivedNow is a datagram that waits, or nothing.
func (h handle) receivedNow() string {
	b := make([]byte, 100)
	n, err := h.p.Recv(h.s, b, 0)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// hostile are options and extension headers that make no sense, or little.
func (e *Env) hostile() (list [][]byte) {
	if !e.v6() {
		for _, kind := range []byte{0, 1, 2, 7, 68, 82, 130, 131, 137, 148, 255} {
			for _, length := range []byte{0, 1, 2, 3, 4, 7, 11, 40, 255} {
				for _, pointer := range []byte{0, 3, 4, 5, 8, 255} {
					o := make([]byte, 40)
					o[0], o[1], o[2] = kind, length, pointer
					list = append(list, o[:max(4, min(int(length)+3, 40)&^3)])
				}
			}
		}
		return list
	}
	for _, kind := range []byte{0, 43, 60} {
		for _, length := range []byte{0, 1, 2, 254, 255} {
			for _, option := range []byte{0, 1, 2, 4, 5, 0xc2, 0xff} {
				for _, rest := range []byte{0, 1, 4, 255} {
					o := make([]byte, 24)
					o[0], o[1], o[2], o[3] = 17, length, option, rest
					list = append(list, append([]byte{kind}, o...))
				}
			}
		}
	}
	return list
}

// withBetween puts options or, behind the number of its kind, an extension header into a packet.
func withBetween(packet, o []byte) []byte {
	if packet[0]>>4 == 4 {
		b := append(append(bytes.Clone(packet[:20]), o...), packet[20:]...)
		b[0] = 0x40 | byte((20+len(o))/4)
		h := header.IPv4(b)
		h.SetTotalLength(uint16(len(b)))
		h.SetChecksum(0)
		h.SetChecksum(^h.CalculateChecksum())
		return b
	}
	b := append(append(bytes.Clone(packet[:40]), o[1:]...), packet[40:]...)
	b[6] = o[0]
	header.IPv6(b).SetPayloadLength(uint16(len(b) - 40))
	return b
}

// headerOptionsScenarios are IO-1 to IO-6: what sockets add to headers.
var headerOptionsScenarios = []Scenario{
	{ID: "IO-1", Title: "messages", Source: "W-IP, HDR", Run: headerOptionsOnMessages},
	{ID: "IO-1", Title: "accepted streams", Source: "W-IP, HDR", Run: headerOptionsInherited},
	{ID: "IO-2", Title: "segments take less", Source: "RFC 9293", Run: headerOptionsOnStreams},
	{ID: "IO-3", Title: "fragments", Source: "RFC 791, RFC 8200", Run: headerOptionsInFragments},
	{ID: "IO-4", Title: "source routes", Source: "RFC 791, RFC 8200", Run: sourceRoutes},
	{ID: "IO-5", Title: "malformed values", Source: "W-IP, HDR", Run: badHeaderOptions},
	{ID: "IO-6", Title: "malformed packets", Source: "assumed", Run: hostileHeaderOptions},
}
