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

func init() {
	bcScenarios = append(bcScenarios,
		Scenario{ID: "BC-3", Title: "sent while it is on", Source: "W-SOL", Once: true, Run: broadcastSent},
		Scenario{ID: "BC-5", Title: "received while it is on", Source: "W-SOL, C-19", Once: true, Run: broadcastReceived},
		Scenario{ID: "BC-6", Title: "streams send nothing", Source: "W-SOL, C-29", Once: true, Run: broadcastStream},
		Scenario{ID: "BC-4", Title: "multicast: TTL and interface", Source: "W-IP, W-IP6", Run: multicastSent},
		Scenario{ID: "BC-4", Title: "multicast: members and sources", Source: "W-MC", Run: multicastReceived},
		Scenario{ID: "BC-4", Title: "multicast: loop", Source: "W-IP, W-IP6", Run: multicastLoop},
		Scenario{ID: "BC-4", Title: "multicast: reports", Source: "RFC 3376, RFC 3810", Run: multicastReports})
}

func broadcastSent(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, kind := range messageKinds {
			for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
				s, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
				e.Code("Socket", err, 0)
				send := func(want wsa.Errno) {
					_, err := e.P.SendTo(s, []byte("x"), 0, addrOf(to))
					e.Code("SendTo "+to, err, want)
				}
				send(wsa.WSAEACCES)
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
				send(0)
				Equal(e, "destination", trace.Parse(e.received(w)).Dest, addrOf(to).Addr())
				e.Code("Connect", e.P.Connect(s, addrOf(to)), 0)
				_, err = e.P.Send(s, []byte("x"), 0)
				e.Code("Send", err, 0)
				Equal(e, "destination", trace.Parse(e.received(w)).Dest, addrOf(to).Addr())
				e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
				send(wsa.WSAEACCES)
				_, err = e.P.Send(s, []byte("x"), 0)
				e.Code("Send, connected", err, wsa.WSAEACCES)
				Equal(e, "packets left over", w.Discard(), 0)
			}
		}
	})
	e.Notef("sent to 255.255.255.255 and 10.0.0.255 while TRUE, WSAEACCES again afterwards, connected or not")
}

func broadcastReceived(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s := e.Datagram()
		e.Code("Bind", e.P.Bind(s, e.Any(53)), 0)
		e.Nonblocking(e.P, s, true)
		for _, to := range []string{"255.255.255.255:53", "10.0.0.255:53"} {
			cast := func(want wsa.Errno) {
				w.Inject(simnet.EncodeUDP(e.Addr(9, 1000), addrOf(to), []byte("x")))
				e.Net.Sleep(time.Millisecond)
				e.recv1(s, want)
			}
			cast(wsa.WSAEWOULDBLOCK)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
			cast(0)
			e.Set(e.P, s, wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 0)
			cast(wsa.WSAEWOULDBLOCK)
			e.Set(e.P, s, wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 1)
			w.Inject(simnet.EncodeUDP(e.Addr(9, 1000), addrOf(to), []byte("x")))
			e.Net.Sleep(time.Millisecond)
			m, err := e.P.RecvMsg(s, make([]byte, 9), nil, 0)
			e.Code("RecvMsg", err, 0)
			Equal(e, "flags", m.Flags, wsa.MSG_BCAST)
			e.Set(e.P, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
		}
	})
	e.Notef("delivered with SO_BROADCAST and IP_RECEIVE_BROADCAST, with MSG_BCAST; else not")
}

func broadcastStream(e *Env) {
	e.Wire()
	e.Do(func() {
		for _, to := range []string{"255.255.255.255:80", "10.0.0.255:80", "224.1.2.3:80"} {
			e.Code("Connect "+to, e.P.Connect(e.Stream(), addrOf(to)), wsa.WSAEADDRNOTAVAIL)
		}
		e.Code("SO_BROADCAST", set(e.P, e.Stream(), wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1), wsa.WSAENOPROTOOPT)
		e.Net.Sleep(time.Second)
		Equal(e, "packets", len(e.Segments("a")), 0)
	})
	e.Notef("WSAEADDRNOTAVAIL, nothing sent; the option is WSAENOPROTOOPT")
}

// group is a multicast address of the scenario's family.
func (e *Env) group(port uint16) netip.AddrPort {
	if e.v6() {
		return netip.AddrPortFrom(netip.MustParseAddr("ff05::123"), port)
	}
	return netip.AddrPortFrom(netip.MustParseAddr("239.1.2.3"), port)
}

// member carries out a multicast option of RFC 3678 on the interface of A.
func (e *Env) member(s wsa.SOCKET, opt int32, source netip.AddrPort, want wsa.Errno) {
	const device = 2
	b := wsa.GroupReq{Interface: device, Group: e.group(0)}.Append(nil)
	if source.IsValid() {
		b = wsa.GroupSourceReq{Interface: device, Group: e.group(0), Source: source}.Append(nil)
	}
	e.Code(wsa.OptionName(e.level(), opt), e.P.SetSockOpt(s, e.level(), opt, b, int32(len(b))), want)
}

var optMulticastTTL = ipOption{wsa.IP_MULTICAST_TTL, wsa.IPV6_MULTICAST_HOPS}

func multicastSent(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, kind := range messageKinds {
			s, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
			e.Code("Socket", err, 0)
			send := func(to netip.AddrPort) trace.Packet {
				_, err := e.P.SendTo(s, []byte("x"), 0, to)
				e.Code("SendTo", err, 0)
				return trace.Parse(e.received(w))
			}
			e.setIP(s, optTTL, 99) // of unicast
			p := send(e.group(7))
			Equal(e, "packet", fmt.Sprint(p.Dest, p.TTL), fmt.Sprint(e.group(7).Addr(), 1))
			e.setIP(s, optMulticastTTL, 42)
			Equal(e, "TTL", send(e.group(7)).TTL, 42)
			index := uint32(2)
			if !e.v6() {
				index <<= 24 // in network order (C-41)
			}
			e.setIP(s, ipOption{wsa.IP_MULTICAST_IF, wsa.IPV6_MULTICAST_IF}, index)
			Equal(e, "source", send(e.group(7)).Source, e.Addr(1, 0).Addr())
			e.Code("an interface there isn't", set(e.P, s, e.level(), wsa.IP_MULTICAST_IF, index*9), wsa.WSAEADDRNOTAVAIL)
			if e.v6() || kind.typ != wsa.SOCK_DGRAM {
				continue
			}
			// An AF_INET6 socket has a time to live of its own for IPv4 groups.
			both, err := e.P.Socket(wsa.AF_INET6, wsa.SOCK_DGRAM, 0)
			e.Code("Socket", err, 0)
			e.Set(e.P, both, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0)
			e.Set(e.P, both, wsa.IPPROTO_IPV6, wsa.IPV6_MULTICAST_HOPS, 9)
			e.Set(e.P, both, wsa.IPPROTO_IP, wsa.IP_MULTICAST_TTL, 8)
			s = both
			mapped := netip.AddrPortFrom(netip.AddrFrom16(e.group(0).Addr().As16()), 7)
			Equal(e, "TTL of a mapped group", send(mapped).TTL, 8)
			e.Code("Connect", e.P.Connect(both, mapped), 0)
			_, err = e.P.Send(both, []byte("x"), 0)
			e.Code("Send", err, 0)
			Equal(e, "TTL, connected", trace.Parse(e.received(w)).TTL, 8)
		}
	})
	e.Notef("TTL 1, then 42; the unicast TTL doesn't count; an AF_INET6 socket uses IP_MULTICAST_TTL for IPv4 groups")
}

func multicastReceived(e *Env) {
	w := e.Wire()
	e.Do(func() {
		for _, kind := range messageKinds {
			s, err := e.P.Socket(e.Family, kind.typ, kind.protocol)
			e.Code("Socket", err, 0)
			e.Code("Bind", e.P.Bind(s, e.Any(53)), 0)
			e.Nonblocking(e.P, s, true)
			cast := func(from int, want wsa.Errno) {
				packet := simnet.EncodeUDP(e.Addr(from, 1000), e.group(53), []byte("x"))
				if kind.typ == wsa.SOCK_RAW {
					packet = simnet.EncodeIP(e.Addr(from, 0).Addr(), e.group(0).Addr(), uint8(kind.protocol), []byte("x"))
				}
				w.Inject(packet)
				e.Net.Sleep(time.Millisecond)
				e.recv1(s, want)
			}
			none := netip.AddrPort{}
			cast(9, wsa.WSAEWOULDBLOCK) // not a member
			e.member(s, wsa.MCAST_JOIN_GROUP, none, 0)
			e.member(s, wsa.MCAST_JOIN_GROUP, none, wsa.WSAEADDRNOTAVAIL)
			cast(9, 0)
			e.member(s, wsa.MCAST_BLOCK_SOURCE, e.Addr(9, 0), 0)
			cast(9, wsa.WSAEWOULDBLOCK)
			cast(8, 0)
			e.member(s, wsa.MCAST_UNBLOCK_SOURCE, e.Addr(9, 0), 0)
			cast(9, 0)
			e.member(s, wsa.MCAST_LEAVE_GROUP, none, 0)
			cast(9, wsa.WSAEWOULDBLOCK)
			e.member(s, wsa.MCAST_JOIN_SOURCE_GROUP, e.Addr(9, 0), 0)
			cast(9, 0)
			cast(8, wsa.WSAEWOULDBLOCK)
			e.member(s, wsa.MCAST_LEAVE_SOURCE_GROUP, e.Addr(9, 0), 0)
			cast(9, wsa.WSAEWOULDBLOCK)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		}
		Equal(e, "packets of A", w.Discard(), 0) // no reports without Config.IGMP, no errors
	})
	e.Notef("members only, blocked and chosen sources; nothing is answered")
}

func multicastLoop(e *Env) {
	w := e.Wire()
	e.Do(func() {
		s, other := e.Datagram(), e.Datagram()
		e.Code("Bind", e.P.Bind(s, e.Any(53)), 0)
		e.member(s, wsa.MCAST_JOIN_GROUP, netip.AddrPort{}, 0)
		e.Nonblocking(e.P, s, true)
		for _, on := range []uint32{1, 0, 1} { // it is the receiver's
			e.Set(e.P, s, e.level(), wsa.IP_MULTICAST_LOOP, on)
			e.Set(e.P, other, e.level(), wsa.IP_MULTICAST_LOOP, 1-on)
			_, err := e.P.SendTo(other, []byte("x"), 0, e.group(53))
			e.Code("SendTo", err, 0)
			e.received(w) // it leaves all the same
			e.Net.Sleep(time.Millisecond)
			e.recv1(s, map[uint32]wsa.Errno{0: wsa.WSAEWOULDBLOCK}[on])
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
		s := e.Datagram()
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
		join := func() { e.member(s, wsa.MCAST_JOIN_GROUP, netip.AddrPort{}, 0) }
		leave := func() { e.member(s, wsa.MCAST_LEAVE_GROUP, netip.AddrPort{}, 0) }
		joined := reports(join)
		e.Check(joined > 0, "no report of the join")
		left := reports(leave)
		e.Check(left > 0, "no report of the leave")
		e.Check(reports(join) > 0, "no report of the second join")
		closed := reports(func() { e.Code("CloseSocket", e.P.CloseSocket(s), 0) })
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
