package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// member carries out a multicast option of RFC 3678 on the interface of A.
func (h handle) member(opt int32, source netip.AddrPort, want wsa.Errno) {
	e := h.e
	const device = 2
	b := wsa.GroupReq{Interface: device, Group: e.group(0)}.Append(nil)
	if source.IsValid() {
		b = wsa.GroupSourceReq{Interface: device, Group: e.group(0), Source: source}.Append(nil)
	}
	h.as(wsa.OptionName(e.level(), opt)).setBytes(e.level(), opt, b, int32(len(b)), want)
}

var optMulticastTTL = ipOption{wsa.IP_MULTICAST_TTL, wsa.IPV6_MULTICAST_HOPS}

// multicastSent is BC-4: multicast: TTL and interface.
func multicastSent(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, kind := range messageKinds {
			s := e.open(e.P, e.Family, kind.typ, kind.protocol)
			send := func(to netip.AddrPort) trace.Packet {
				s.sayTo(to, "x")
				return trace.Parse(e.received(w))
			}
			s.setIP(optTTL, 99) // of unicast
			p := send(e.group(7))
			Equal(e, "packet", fmt.Sprint(p.Dest, p.TTL), fmt.Sprint(e.group(7).Addr(), 1))
			s.setIP(optMulticastTTL, 42)
			Equal(e, "TTL", send(e.group(7)).TTL, 42)
			index := uint32(2)
			if !e.v6() {
				index <<= 24 // in network order (C-41)
			}
			s.setIP(ipOption{wsa.IP_MULTICAST_IF, wsa.IPV6_MULTICAST_IF}, index)
			Equal(e, "source", send(e.group(7)).Source, e.Addr(1, 0).Addr())
			s.as("an interface there isn't").set(e.level(), wsa.IP_MULTICAST_IF, index*9, wsa.WSAEADDRNOTAVAIL)
			if e.v6() || kind.typ != wsa.SOCK_DGRAM {
				continue
			}
			// An AF_INET6 socket has a time to live of its own for IPv4 groups.
			both := e.open(e.P, wsa.AF_INET6, wsa.SOCK_DGRAM, 0)
			both.set(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0)
			both.set(wsa.IPPROTO_IPV6, wsa.IPV6_MULTICAST_HOPS, 9)
			both.set(wsa.IPPROTO_IP, wsa.IP_MULTICAST_TTL, 8)
			s = both
			mapped := netip.AddrPortFrom(netip.AddrFrom16(e.group(0).Addr().As16()), 7)
			Equal(e, "TTL of a mapped group", send(mapped).TTL, 8)
			both.connect(mapped)
			both.say("x")
			Equal(e, "TTL, connected", trace.Parse(e.received(w)).TTL, 8)
		}
	})
	e.Notef("TTL 1, then 42; the unicast TTL doesn't count; an AF_INET6 socket uses IP_MULTICAST_TTL for IPv4 groups")
}

// multicastReceived is BC-4: multicast: members and sources.
func multicastReceived(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, kind := range messageKinds {
			s := e.open(e.P, e.Family, kind.typ, kind.protocol)
			s.bind(e.Any(53))
			s.nonblocking(true)
			cast := func(from int, want wsa.Errno) {
				packet := simnet.EncodeUDP(e.Addr(from, 1000), e.group(53), []byte("x"))
				if kind.typ == wsa.SOCK_RAW {
					packet = simnet.EncodeIP(e.Addr(from, 0).Addr(), e.group(0).Addr(), uint8(kind.protocol), []byte("x"))
				}
				w.Inject(packet)
				e.Net.Sleep(time.Millisecond)
				s.recv1(want)
			}
			none := netip.AddrPort{}
			cast(9, wsa.WSAEWOULDBLOCK) // not a member
			s.member(wsa.MCAST_JOIN_GROUP, none, 0)
			s.member(wsa.MCAST_JOIN_GROUP, none, wsa.WSAEADDRNOTAVAIL)
			cast(9, 0)
			s.member(wsa.MCAST_BLOCK_SOURCE, e.Addr(9, 0), 0)
			cast(9, wsa.WSAEWOULDBLOCK)
			cast(8, 0)
			s.member(wsa.MCAST_UNBLOCK_SOURCE, e.Addr(9, 0), 0)
			cast(9, 0)
			s.member(wsa.MCAST_LEAVE_GROUP, none, 0)
			cast(9, wsa.WSAEWOULDBLOCK)
			s.member(wsa.MCAST_JOIN_SOURCE_GROUP, e.Addr(9, 0), 0)
			cast(9, 0)
			cast(8, wsa.WSAEWOULDBLOCK)
			s.member(wsa.MCAST_LEAVE_SOURCE_GROUP, e.Addr(9, 0), 0)
			cast(9, wsa.WSAEWOULDBLOCK)
			s.close()
		}
		Equal(e, "packets of A", w.Discard(), 0) // no reports without Config.IGMP, no errors
	})
	e.Notef("members only, blocked and chosen sources; nothing is answered")
}

// multicastLoop is BC-4: multicast: loop.
func multicastLoop(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s, other := e.datagram(), e.datagram()
		s.bind(e.Any(53))
		s.member(wsa.MCAST_JOIN_GROUP, netip.AddrPort{}, 0)
		s.nonblocking(true)
		for _, on := range []uint32{1, 0, 1} { // it is the receiver's
			s.set(e.level(), wsa.IP_MULTICAST_LOOP, on)
			other.set(e.level(), wsa.IP_MULTICAST_LOOP, 1-on)
			other.sayTo(e.group(53), "x")
			e.received(w) // it leaves all the same
			e.Net.Sleep(time.Millisecond)
			s.recv1(map[uint32]wsa.Errno{0: wsa.WSAEWOULDBLOCK}[on])
		}
	})
	e.Notef("the receiver's option decides")
}

// multicastReports: with Config.IGMP a join and a leave are told to the network.
func multicastReports(e *Env) {
	e.A = e.Net.HostConfig("a", stack.Config{Profile: e.Profile, Addresses: []netip.Prefix{e.prefix(1)}, IGMP: true})
	e.P = e.startup(e.A)
	w := e.Net.Wire(e.A, "w", e.prefix(9).Addr().String())
	e.Do(func() {
		e.Net.Sleep(time.Minute)
		w.Discard() // of the groups that every host is in
		s := e.datagram()
		reports := func(change func()) (n int) {
			before := len(e.Segments("a"))
			change()
			e.Net.Sleep(time.Minute)
			for range len(e.Segments("a")) - before {
				if e.isReport(e.received(w)) {
					n++
				}
			}
			return n
		}
		join := func() { s.member(wsa.MCAST_JOIN_GROUP, netip.AddrPort{}, 0) }
		leave := func() { s.member(wsa.MCAST_LEAVE_GROUP, netip.AddrPort{}, 0) }
		joined := reports(join)
		e.Check(joined > 0, "no report of the join")
		left := reports(leave)
		e.Check(left > 0, "no report of the leave")
		e.Check(reports(join) > 0, "no report of the second join")
		closed := reports(func() { s.close() })
		e.Check(closed > 0, "no report of a leave by closesocket")
		e.Notef("%d reports of a join, %d of a leave", joined, left)
	})
}

// isReport reports an IGMP or MLD message that names the group.
func (e *Env) isReport(packet []byte) bool {
	p := trace.Parse(packet)
	protocol := uint8(2)
	if e.v6() {
		protocol = 58
	}
	if p.Protocol != protocol || p.Transport >= len(packet) {
		return false
	}
	b, group := packet[p.Transport:], e.group(0).Addr().AsSlice()
	for i := 0; i+len(group) <= len(b); i++ {
		if string(b[i:i+len(group)]) == string(group) {
			return true
		}
	}
	return false
}
