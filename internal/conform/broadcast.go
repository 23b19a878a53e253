package conform

import (
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// broadcastScenarios are BC-1 to BC-6: broadcast and multicast.
var broadcastScenarios = []Scenario{
	{ID: "BC-1", Title: "sending to broadcast needs SO_BROADCAST", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.datagram()
		for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
			s.as("SendTo "+to).sayTo(addrOf(to), "x", wsa.WSAEACCES)
		}
		Equal(e, "packets", len(e.Segments("a")), 0)
		e.Notef("WSAEACCES, nothing sent")
	}},
	{ID: "BC-2", Title: "connect and bind", Source: "W-SOL, C-110", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
			e.datagram().connect(addrOf(to), byProfile(e, wsa.WSAEACCES, 0))
			e.datagram().bind(addrOf(to), wsa.WSAEACCES)
		}
		e.Notef("WSAEACCES for bind; for connect %s", name(byProfile(e, wsa.WSAEACCES, 0)))
	}},
	{ID: "BC-3", Title: "TRUE, and FALSE again", Source: "W-SOL, C-110", Once: true, Run: func(e *Env) {
		e.Pair()
		s, c := e.datagram(), e.datagram()
		s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		c.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		c.connect(addrOf("10.0.0.255:9"))
		send := func(want wsa.Errno) {
			for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
				s.as("SendTo "+to).sayTo(addrOf(to), "x", want)
			}
			c.as("Send to the connected peer").say("x", byProfile(e, want, 0))
		}
		send(0)
		e.Net.Idle()
		lines := e.Segments("a")
		Equal(e, "datagrams", len(lines), 3)
		for _, l := range lines {
			e.Check(l.To == "b", "sent to %s, not on the link", l.To)
		}
		s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
		c.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
		send(wsa.WSAEACCES)
		e.Net.Idle()
		Equal(e, "datagrams after that", len(e.Segments("a")), byProfile(e, 3, 4))
		e.Notef("three datagrams on the link; then WSAEACCES, and nothing sent; for the connected socket's send %s", name(byProfile(e, wsa.WSAEACCES, 0)))
	}},
	{ID: "BC-3", Title: "sent while it is on", Source: "W-SOL, C-110", Once: true, Run: broadcastSent},
	{ID: "BC-4", Title: "multicast: TTL and interface", Source: "W-IP, W-IP6", Run: multicastSent},
	{ID: "BC-4", Title: "multicast: members and sources", Source: "W-MC", Run: multicastReceived},
	{ID: "BC-4", Title: "multicast: loop", Source: "W-IP, W-IP6", Run: multicastLoop},
	{ID: "BC-4", Title: "multicast: reports", Source: "RFC 3376, RFC 3810", Run: multicastReports},
	{ID: "BC-4", Title: "multicast is not broadcast", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		e.datagram().sayTo(addrOf("224.1.2.3:9"), "x")
		e.Net.Idle()
		Equal(e, "packets", len(e.Segments("a")), 1)
		e.Notef("sent without SO_BROADCAST")
	}},
	{ID: "BC-5", Title: "receipt", Source: "S-GET, S-SET", Profiles: documentedOnly,
		Why: "C-19: in Windows SO_BROADCAST permits sending only", Once: true, Run: func(e *Env) {
			e.Pair()
			s := e.datagram()
			s.bind(e.Any(9))
			s.nonblocking(true)
			from := e.peerDatagram()
			from.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
			recv := func(what string, want wsa.Errno) {
				ready := "rw"
				if want != 0 {
					ready = "w"
				}
				for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
					for _, text := range []string{"x", ""} {
						from.as("SendTo "+to).sayTo(addrOf(to), text)
						e.Do(func() { e.Net.Sleep(2 * Delay) })
						Equal(e, what+", to "+to+": select", s.ready("rwx", 0), ready)
						s.as(what+", to "+to).recv(9, want)
					}
				}
			}
			recv("FALSE", wsa.WSAEWOULDBLOCK)
			s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
			recv("TRUE", 0)
			s.set(wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 0)
			recv("TRUE, IP_RECEIVE_BROADCAST FALSE", wsa.WSAEWOULDBLOCK)
			s.set(wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 1)
			recv("both TRUE", 0)
			e.Notef("delivered only with both options TRUE; the limited and the subnet's address")
		}},
	{ID: "BC-5", Title: "received while it is on", Source: "W-SOL, C-19", Profiles: documentedOnly,
		Why: "C-19: in Windows SO_BROADCAST permits sending only", Once: true, Run: broadcastReceived},
	{ID: "BC-6", Title: "streams", Source: "API-connect, C-29", Once: true, Run: func(e *Env) {
		e.dualHosts()
		for _, nonblocking := range []bool{false, true} {
			for _, to := range []string{"255.255.255.255:80", "10.0.0.255:80", "224.1.2.3:80"} {
				s := e.stream()
				s.nonblocking(nonblocking)
				s.as("Connect "+to).connect(addrOf(to), wsa.WSAEADDRNOTAVAIL)
			}
			for _, to := range []string{"[ff02::1]:80", "[::ffff:10.0.0.255]:80", "[::ffff:224.1.2.3]:80"} {
				s, addr := e.socketFor(dualBind{to, 0, false}, wsa.SOCK_STREAM)
				s.nonblocking(nonblocking)
				s.as("Connect "+to).connect(addr, wsa.WSAEADDRNOTAVAIL)
			}
		}
		e.stream().set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1, wsa.WSAENOPROTOOPT)
		e.stream().as("get SO_BROADCAST").get(wsa.SOL_SOCKET, wsa.SO_BROADCAST, wsa.WSAENOPROTOOPT)
		e.Net.Idle()
		Equal(e, "segments", len(e.Segments("a")), 0)
		e.Notef("WSAEADDRNOTAVAIL for broadcast and multicast, both families and mapped; the option is WSAENOPROTOOPT")
	}},
	{ID: "BC-6", Title: "streams send nothing", Source: "W-SOL, C-29", Once: true, Run: broadcastStream},
}

// broadcastSent is BC-3: sent while it is on.
func broadcastSent(e *Env) {
	e.wired(func(w *simnet.Wire) {
		for _, kind := range messageKinds {
			for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9"} {
				s := e.open(e.P, e.Family, kind.typ, kind.protocol)
				send := func(want wsa.Errno) {
					s.as("SendTo "+to).sayTo(addrOf(to), "x", want)
				}
				send(wsa.WSAEACCES)
				s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
				send(0)
				Equal(e, "destination", trace.Parse(e.received(w)).Dest, addrOf(to).Addr())
				s.connect(addrOf(to))
				s.say("x")
				Equal(e, "destination", trace.Parse(e.received(w)).Dest, addrOf(to).Addr())
				s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
				send(wsa.WSAEACCES)
				s.as("Send, connected").say("x", byProfile(e, wsa.WSAEACCES, 0))
				for range byProfile(e, 0, 1) {
					e.received(w)
				}
				Equal(e, "packets left over", w.Discard(), 0)
			}
		}
	})
	e.Notef("sent to 255.255.255.255 and 10.0.0.255 while TRUE, WSAEACCES again afterwards, but for send to a peer in Windows")
}

// broadcastReceived is BC-5: received while it is on.
func broadcastReceived(e *Env) {
	e.wired(func(w *simnet.Wire) {
		s := e.datagram()
		s.bind(e.Any(53))
		s.nonblocking(true)
		for _, to := range []string{"255.255.255.255:53", "10.0.0.255:53"} {
			cast := func(want wsa.Errno) {
				w.Inject(simnet.EncodeUDP(e.Addr(9, 1000), addrOf(to), []byte("x")))
				e.Net.Sleep(time.Millisecond)
				s.recv1(want)
			}
			cast(wsa.WSAEWOULDBLOCK)
			s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
			cast(0)
			s.set(wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 0)
			cast(wsa.WSAEWOULDBLOCK)
			s.set(wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 1)
			w.Inject(simnet.EncodeUDP(e.Addr(9, 1000), addrOf(to), []byte("x")))
			e.Net.Sleep(time.Millisecond)
			m := s.recvMsg(make([]byte, 9), nil, 0)
			Equal(e, "flags", m.Flags, wsa.MSG_BCAST)
			s.set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
		}
	})
	e.Notef("delivered with SO_BROADCAST and IP_RECEIVE_BROADCAST, with MSG_BCAST; else not")
}

// broadcastStream is BC-6: streams send nothing.
func broadcastStream(e *Env) {
	e.Wire()
	e.Do(func() {
		for _, to := range []string{"255.255.255.255:80", "10.0.0.255:80", "224.1.2.3:80"} {
			e.stream().as("Connect "+to).connect(addrOf(to), wsa.WSAEADDRNOTAVAIL)
		}
		e.stream().set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1, wsa.WSAENOPROTOOPT)
		e.Net.Sleep(time.Second)
		Equal(e, "packets", len(e.Segments("a")), 0)
	})
	e.Notef("WSAEADDRNOTAVAIL, nothing sent; the option is WSAENOPROTOOPT")
}
