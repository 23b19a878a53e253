package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A dualBind is one socket of RU-10.
type dualBind struct {
	addr   string
	option int32 // 0, SO_REUSEADDR or SO_EXCLUSIVEADDRUSE
	only   bool  // IPV6_V6ONLY stays TRUE
}

// dualHosts are hosts with addresses of both families.
func (e *Env) dualHosts() {
	e.A, e.B = e.Net.Host("a", "10.0.0.1/24", "fd00::1/64"), e.Net.Host("b", "10.0.0.2/24", "fd00::2/64")
	e.P, e.Q = e.startup(e.A), e.startup(e.B)
	e.Net.Link(e.A, e.B, simnet.Delay(Delay))
}

// socketFor makes a socket of A for an address of either family.
func (e *Env) socketFor(d dualBind, typ int32) (handle, netip.AddrPort) {
	addr, family := addrOf(d.addr), int32(wsa.AF_INET)
	if addr.Addr().Is6() {
		family = wsa.AF_INET6
	}
	s := e.open(e.P, family, typ, 0)
	if family == wsa.AF_INET6 && !d.only {
		s.set(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0)
	}
	if d.option != 0 {
		s.set(wsa.SOL_SOCKET, d.option, 1)
	}
	return s, addr
}

// bound makes a stream socket of A bound to a port of its first address.
func (e *Env) bound(port uint16) handle {
	s := e.stream()
	s.bind(e.Addr(1, port))
	return s
}

// serve makes B accept connections on a port and close each after the peer has.
func (e *Env) serve(port uint16) {
	l := e.listener(e.Q, port)
	e.Net.Background("server", func() {
		for {
			s, _, err := e.Q.Accept(l.s)
			if err != nil {
				return
			}
			for n := 1; n > 0 && err == nil; {
				n, err = e.Q.Recv(s, make([]byte, 9), 0)
			}
			l.with(s).close()
		}
	})
}

// leave closes a connection with serve, so that A's side is in TIME-WAIT.
func (h handle) leave() {
	e := h.e
	h.close()
	e.Net.Sleep(time.Second)
}

// reuseBindScenarios are RU-10 to RU-17: what bind and connect refuse.
var reuseBindScenarios = []Scenario{
	{ID: "RU-10", Title: "dual stack", Source: "OBS", Once: true, Run: func(e *Env) {
		e.dualHosts()
		for _, c := range dualCases {
			for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
				s, to := e.socketFor(c.first, typ)
				s.as("Bind " + c.first.addr).bind(to)
				t, to := e.socketFor(c.second, typ)
				t.as("Bind "+c.first.addr+", then "+c.second.addr).bind(to, c.code)
				s.close()
				t.close()
			}
		}
		e.Notef("%d pairs, TCP and UDP", len(dualCases))
	}},
	{ID: "RU-10", Title: "both listen", Source: "OBS", Once: true, Run: func(e *Env) {
		e.dualHosts()
		six, at6 := e.socketFor(dualBind{"[::]:700", 0, false}, wsa.SOCK_STREAM)
		four, at4 := e.socketFor(dualBind{"0.0.0.0:700", 0, false}, wsa.SOCK_STREAM)
		six.bind(at6)
		four.bind(at4)
		for _, s := range []handle{four, six} {
			s.listen(5)
			s.nonblocking(true)
		}
		e.Do(func() {
			e.call(addrOf("10.0.0.1:700"))
			e.accepted("0.0.0.0", four, false)
			e.accepted("::", six, true) // it was bound first
			six.close()
			e.call(addrOf("10.0.0.1:700"))
			e.accepted("0.0.0.0", four, true)
		})
		e.Notef("IPv4 connections go to the one bound first, as between equals")
	}},
	{ID: "RU-11", Title: "bind and connect against TIME-WAIT", Source: "W-REUSE", Run: func(e *Env) {
		e.ports(stack.PortRange{})
		e.serve(80)
		e.serve(81)
		e.Do(func() {
			s := e.bound(700)
			s.connect(e.Addr(2, 80))
			s.leave()
			Equal(e, "connections in TIME-WAIT", e.A.Stack.Stats().TimeWait, 1)
			s = e.bound(700)
			e.Net.ClearTrace()
			s.as("Connect to the same peer").connect(e.Addr(2, 80), wsa.WSAEADDRINUSE)
			Equal(e, "segments of that", len(e.Segments("")), 0)
			s.as("Connect to another").connect(e.Addr(2, 81))
			s.linger(0)
			s.close()
			e.Net.Sleep(time.Minute)
			e.bound(700).as("Connect a minute later").connect(e.Addr(2, 80))
		})
		e.Notef("bind succeeds; the same pair is WSAEADDRINUSE without a segment, until 60 s are over")
	}},
	{ID: "RU-11", Title: "a listener's connections in TIME-WAIT", Source: "W-REUSE", Run: func(e *Env) {
		e.paired(func() {
			l := e.listening(e.Any(700))
			c := e.call(e.Addr(1, 700))
			s := e.accepted("the listener", l, true)
			l.as("CloseSocket, the listener").close()
			s.close()
			e.Net.Sleep(time.Second)
			c.close()
			e.Net.Sleep(time.Second)
			Equal(e, "connections in TIME-WAIT", e.A.Stack.Stats().TimeWait, 1)
			l = e.listening(e.Any(700))
			e.call(e.Addr(1, 700))
			e.accepted("the new listener", l, true)
		})
		e.Notef("bind and listen without options succeed")
	}},
	{ID: "RU-11", Title: "a port that connect chooses", Source: "RFC 6056", Run: func(e *Env) {
		e.ports(stack.PortRange{First: 50000, Last: 50001})
		e.serve(80)
		e.serve(81)
		e.Do(func() {
			for range 5 { // an attempt that fails leaves nothing behind
				s := e.stream()
				s.as("Connect to nobody's port").connect(e.Addr(2, 79), wsa.WSAECONNREFUSED)
				s.close()
			}
			for range 2 {
				s := e.stream()
				s.connect(e.Addr(2, 80))
				s.leave()
			}
			Equal(e, "connections in TIME-WAIT", e.A.Stack.Stats().TimeWait, 2)
			s := e.stream()
			s.as("Connect with both in TIME-WAIT").connect(e.Addr(2, 80), wsa.WSAENOBUFS)
			s.as("Connect to another").connect(e.Addr(2, 81))
			e.Net.Sleep(time.Minute)
			Equal(e, "connections in TIME-WAIT", e.A.Stack.Stats().TimeWait, 0)
			e.stream().as("Connect a minute later").connect(e.Addr(2, 80))
		})
		e.Notef("of two ports the one without a remnant; with none, WSAENOBUFS for this peer only")
	}},
	{ID: "RU-12", Title: "a connection of AcceptEx", Source: "W-EXCL", Run: func(e *Env) {
		e.paired(func() {
			l, a := e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE), e.stream()
			l.bind(e.Any(80))
			l.listen(5)
			o := l.acceptEx(a, nil)
			c := e.peerStream()
			c.connect(e.Addr(1, 80))
			Equal(e, "outcome", e.outcome(o), "0 success")
			l.as("CloseSocket of the listener").close()
			e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE).as("Bind while it is connected").bind(e.Any(80), wsa.WSAEADDRINUSE)
			a.linger(0)
			a.close()
			e.Net.Sleep(time.Second)
			e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE).as("Bind when it is closed").bind(e.Any(80))
		})
		e.Notef("holds the exclusive port until it is closed")
	}},
	{ID: "RU-12", Title: "an exclusive listener's connections", Source: "W-EXCL", Run: func(e *Env) {
		e.ports(stack.PortRange{})
		rebind := func(when string, addr netip.AddrPort, want wsa.Errno, names ...int32) {
			s := e.option(wsa.SOCK_STREAM, names...)
			s.as("Bind "+when).bind(addr, want)
			s.close()
		}
		e.Do(func() {
			l := e.listening(e.Any(700), wsa.SO_EXCLUSIVEADDRUSE)
			c := e.call(e.Addr(1, 700))
			s := e.accepted("the listener", l, true)
			l.as("CloseSocket, the listener").close()
			rebind("while it is established", e.Any(700), wsa.WSAEADDRINUSE, wsa.SO_EXCLUSIVEADDRUSE)
			rebind("on the other address", e.Addr(3, 700), wsa.WSAEADDRINUSE, wsa.SO_EXCLUSIVEADDRUSE)
			rebind("without the option", e.Any(700), 0)
			rebind("with SO_REUSEADDR", e.Any(700), 0, wsa.SO_REUSEADDR)
			s.shutdown(wsa.SD_SEND)
			c.say("x")
			e.Net.Sleep(time.Second)
			rebind("after one FIN", e.Any(700), wsa.WSAEADDRINUSE, wsa.SO_EXCLUSIVEADDRUSE)
			c.shutdown(wsa.SD_SEND)
			e.Net.Sleep(time.Second)
			rebind("with data that nobody has read", e.Any(700), wsa.WSAEADDRINUSE, wsa.SO_EXCLUSIVEADDRUSE)
			Equal(e, "data", len(s.recv(9)), 1)
			rebind("in TIME-WAIT", e.Any(700), 0, wsa.SO_EXCLUSIVEADDRUSE)
		})
		e.Notef("WSAEADDRINUSE for exclusive binds until both FINs were sent and the data is read; TIME-WAIT doesn't matter")
	}},
	{ID: "RU-12", Title: "a connection that lingers after its close", Source: "W-EXCL", Run: func(e *Env) {
		e.paired(func() {
			l := e.listening(e.Addr(1, 700), wsa.SO_EXCLUSIVEADDRUSE)
			c := e.call(e.Addr(1, 700))
			s := e.accepted("the listener", l, true)
			l.close()
			s.close()
			e.Net.Sleep(time.Second)
			e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE).as("Bind in FIN-WAIT-2").bind(e.Addr(1, 700), wsa.WSAEADDRINUSE)
			c.reset()
			e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE).as("Bind after the reset").bind(e.Addr(1, 700))
		})
		e.Notef("held after both closesockets, until the peer is done")
	}},
	{ID: "RU-12", Title: "a connection that DisconnectEx has ended", Source: "W-EXCL", Run: func(e *Env) {
		e.wired(func(w *simnet.Wire) {
			l, s := e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE), e.stream()
			l.bind(e.Any(80))
			l.listen(5)
			o := l.acceptEx(s, nil)
			p := e.client(w)
			e.handshake(p)
			Equal(e, "AcceptEx", e.outcome(o), "0 success")
			l.as("CloseSocket of the listener").close()
			p.Send("[P.]", []byte("unread")...)
			p.Expect("[.] ack 7")
			o = s.disconnected(wsa.TF_REUSE_SOCKET)
			p.Expect("[F.] seq 1")
			e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE).as("Bind while it is pending").bind(e.Any(80), wsa.WSAEADDRINUSE)
			p.Send("[F.] ack 2")
			p.Expect("[.] seq 2 ack 8")
			Equal(e, "outcome", e.outcome(o), "0 success")
			e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE).as("Bind when it is done").bind(e.Any(80))
		})
		e.Notef("holds the exclusive port until it is done, unread data or not")
	}},
	{ID: "RU-13", Title: "wildcard conflicts are found at bind", Source: "API-bind", Run: func(e *Env) {
		e.Pair()
		l := e.stream()
		l.bind(e.Any(700))
		s := e.stream()
		s.as("the same wildcard").bind(e.Any(700), wsa.WSAEADDRINUSE)
		s.as("Listen after that").listen(5, wsa.WSAEINVAL) // it isn't bound
		s.as("Bind to another port").bind(e.Any(701))
		s.listen(5)
		e.Notef("WSAEADDRINUSE at bind; the socket can bind elsewhere")
	}},
	{ID: "RU-14", Title: "what bind refuses", Source: "API-bind", Run: func(e *Env) {
		e.ports(stack.PortRange{First: 50000, Last: 50000})
		other := netip.AddrPortFrom(netip.IPv6Unspecified(), 700)
		if e.Family == wsa.AF_INET6 {
			other = netip.AddrPortFrom(netip.IPv4Unspecified(), 700)
		}
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			s := e.socket(e.P, typ)
			s.as("a NULL name").bind(netip.AddrPort{}, wsa.WSAEFAULT)
			s.as("the other family").bind(other, wsa.WSAEAFNOSUPPORT)
			s.as("no local address").bind(e.Addr(2, 700), wsa.WSAEADDRNOTAVAIL)
			s.sockName(wsa.WSAEINVAL)
			s.as("port 0").bind(e.Any(0))
			s.as("a second bind").bind(e.Any(700), wsa.WSAEINVAL)
			t := e.socket(e.P, typ)
			t.as("port 0 with none left").bind(e.Addr(1, 0), wsa.WSAENOBUFS)
			t.sockName(wsa.WSAEINVAL)
			s.close()
			t.as("port 0 again").bind(e.Addr(1, 0))
		}
		if e.Family == wsa.AF_INET {
			for _, to := range []string{"255.255.255.255:700", "10.0.0.255:700"} {
				e.datagram().as("broadcast, datagrams").bind(addrOf(to), wsa.WSAEACCES)
				e.stream().as("broadcast, a stream").bind(addrOf(to), wsa.WSAEADDRNOTAVAIL)
			}
		}
		e.Notef("WSAEFAULT, WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL, WSAEINVAL, WSAENOBUFS, WSAEACCES; the socket stays as it was")
	}},
	{ID: "RU-15", Title: "needless SO_REUSEADDR", Source: "S-SET", Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		s.set(wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
		s.bind(e.Addr(1, 700))
		s.listen(5)
		e.Notef("harmless")
	}},
	{ID: "RU-16", Title: "all of 127.0.0.0/8", Source: "design", Once: true, Run: func(e *Env) {
		e.paired(func() {
			var all []handle
			for _, addr := range []string{"127.0.0.1:700", "127.0.0.2:700", "127.255.0.9:700"} {
				all = append(all, e.listening(addrOf(addr), wsa.SO_EXCLUSIVEADDRUSE))
				s := e.stream()
				s.as("Connect " + addr).connect(addrOf(addr))
				e.Net.Sleep(Delay)
				e.accepted(addr, all[len(all)-1], true)
			}
		})
		e.Notef("three exclusive listeners on one port of three loopback addresses, each gets its connection")
	}},
	{ID: "RU-16", Title: "what the table permits, works", Source: "design", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: func(e *Env) {
			e.Pair()
			permitted := 0
			for row := range 6 {
				var cells [6]string
				fmt.Sscan(sameUserCells[row], &cells[0], &cells[1], &cells[2], &cells[3], &cells[4], &cells[5])
				for column := range 6 {
					if cells[column] != "OK" {
						continue
					}
					permitted++
					a, b := e.bindCell(wsa.SOCK_STREAM, row), e.bindCell(wsa.SOCK_STREAM, column)
					a.as("Listen, the first").listen(5)
					b.as("Listen, the second").listen(5)
					c, d := e.bindCell(wsa.SOCK_DGRAM, row), e.bindCell(wsa.SOCK_DGRAM, column)
					c.as("Connect, the first").connect(e.Addr(2, 9))
					d.as("Connect, the second").connect(e.Addr(2, 9))
					for _, s := range []handle{a, b, c, d} {
						s.close()
					}
				}
			}
			e.Notef("both listen, and both connect datagrams to one peer, in all %d cells", permitted)
		}},
	{ID: "RU-17", Title: "one address and port, two connections", Source: "S-SET", Run: func(e *Env) {
		e.ports(stack.PortRange{})
		l, m := e.listener(e.Q, 80), e.listener(e.Q, 81)
		e.Do(func() {
			a, b, c := e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR), e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR), e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR)
			for i, s := range []handle{a, b, c} {
				addr := e.Addr(1, 700)
				if i == 2 {
					addr = e.Any(700)
				}
				s.bind(addr)
			}
			a.connect(e.Addr(2, 80))
			e.Net.ClearTrace()
			b.as("Connect to the same peer").connect(e.Addr(2, 80), wsa.WSAEADDRINUSE)
			c.as("Connect to it from the wildcard").connect(e.Addr(2, 80), wsa.WSAEADDRINUSE)
			Equal(e, "segments of that", len(e.Segments("a")), 0)
			b.as("Connect to another").connect(e.Addr(2, 81))
			for i, listener := range []handle{l, m} {
				peer := listener.accept()
				peer.sendSome([]byte{byte('a' + i)}, 0)
			}
			e.Net.Sleep(time.Second)
			for i, s := range []handle{a, b} {
				Equal(e, "data", string(s.recv(9)), string(byte('a'+i)))
			}
		})
		e.Notef("each gets its own data; the same peer is WSAEADDRINUSE, without a segment, and the socket can connect to another")
	}},
	{ID: "RU-17", Title: "beside a listener", Source: "S-SET", Run: func(e *Env) {
		e.Pair()
		e.listening(e.Addr(1, 700), wsa.SO_REUSEADDR)
		e.listener(e.Q, 80)
		e.Do(func() {
			s := e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR)
			s.bind(e.Addr(1, 700))
			s.connect(e.Addr(2, 80))
		})
		e.Notef("a socket bound as a listener is may connect")
	}},
}

// dualCases are the sentences of RU-10: the first bind, the second, its code.
var dualCases = []struct {
	first, second dualBind
	code          wsa.Errno
}{
	{dualBind{"[::]:700", 0, false}, dualBind{"0.0.0.0:700", 0, false}, 0},
	{dualBind{"0.0.0.0:700", 0, false}, dualBind{"[::]:700", 0, false}, 0},
	{dualBind{"[::]:700", wsa.SO_REUSEADDR, false}, dualBind{"0.0.0.0:700", 0, false}, 0},
	{dualBind{"[::]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"0.0.0.0:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"[::]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"127.0.0.1:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"[::]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"10.0.0.1:700", wsa.SO_REUSEADDR, false}, wsa.WSAEACCES},
	{dualBind{"[::]:700", wsa.SO_EXCLUSIVEADDRUSE, true}, dualBind{"0.0.0.0:700", wsa.SO_EXCLUSIVEADDRUSE, false}, 0},
	{dualBind{"[::]:700", 0, false}, dualBind{"0.0.0.0:700", wsa.SO_EXCLUSIVEADDRUSE, false}, 0},
	{dualBind{"127.0.0.1:700", 0, false}, dualBind{"[::]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, wsa.WSAEADDRINUSE},
	{dualBind{"127.0.0.1:700", 0, false}, dualBind{"[::]:700", wsa.SO_EXCLUSIVEADDRUSE, true}, 0},
	// Mapped addresses are their IPv4 form.
	{dualBind{"10.0.0.1:700", 0, false}, dualBind{"[::ffff:10.0.0.1]:700", 0, false}, wsa.WSAEADDRINUSE},
	{dualBind{"[::ffff:10.0.0.1]:700", 0, false}, dualBind{"10.0.0.1:700", wsa.SO_REUSEADDR, false}, wsa.WSAEACCES},
	{dualBind{"[::ffff:10.0.0.1]:700", wsa.SO_REUSEADDR, false}, dualBind{"10.0.0.1:700", wsa.SO_REUSEADDR, false}, 0},
	{dualBind{"0.0.0.0:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"[::ffff:10.0.0.1]:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"[::ffff:0.0.0.0]:700", 0, false}, dualBind{"0.0.0.0:700", 0, false}, wsa.WSAEADDRINUSE},
	{dualBind{"[::]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"[::ffff:127.0.0.1]:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"10.0.0.1:700", 0, false}, dualBind{"[::ffff:127.0.0.1]:700", 0, false}, 0},
	// ::1 never meets IPv4.
	{dualBind{"[::1]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"127.0.0.1:700", wsa.SO_EXCLUSIVEADDRUSE, false}, 0},
	{dualBind{"0.0.0.0:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"[::1]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, 0},
	{dualBind{"[::1]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"0.0.0.0:700", wsa.SO_EXCLUSIVEADDRUSE, false}, 0},
	{dualBind{"[fd00::1]:700", wsa.SO_EXCLUSIVEADDRUSE, false}, dualBind{"10.0.0.1:700", wsa.SO_EXCLUSIVEADDRUSE, false}, 0},
}
