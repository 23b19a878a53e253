package conform

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// What bind and connect refuse: dual stack, remnants in TIME-WAIT, held
// addresses, and broadcast.

// A dualBind is one socket of RU-10.
type dualBind struct {
	addr   string
	option int32 // 0, SO_REUSEADDR or SO_EXCLUSIVEADDRUSE
	only   bool  // IPV6_V6ONLY stays TRUE
}

const excl = wsa.SO_EXCLUSIVEADDRUSE

// dualCases are the sentences of RU-10: the first bind, the second, its code.
var dualCases = []struct {
	first, second dualBind
	code          wsa.Errno
}{
	{dualBind{"[::]:700", 0, false}, dualBind{"0.0.0.0:700", 0, false}, 0},
	{dualBind{"0.0.0.0:700", 0, false}, dualBind{"[::]:700", 0, false}, 0},
	{dualBind{"[::]:700", wsa.SO_REUSEADDR, false}, dualBind{"0.0.0.0:700", 0, false}, 0},
	{dualBind{"[::]:700", excl, false}, dualBind{"0.0.0.0:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"[::]:700", excl, false}, dualBind{"127.0.0.1:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"[::]:700", excl, false}, dualBind{"10.0.0.1:700", wsa.SO_REUSEADDR, false}, wsa.WSAEACCES},
	{dualBind{"[::]:700", excl, true}, dualBind{"0.0.0.0:700", excl, false}, 0},
	{dualBind{"[::]:700", 0, false}, dualBind{"0.0.0.0:700", excl, false}, 0},
	{dualBind{"127.0.0.1:700", 0, false}, dualBind{"[::]:700", excl, false}, wsa.WSAEADDRINUSE},
	{dualBind{"127.0.0.1:700", 0, false}, dualBind{"[::]:700", excl, true}, 0},
	// Mapped addresses are their IPv4 form.
	{dualBind{"10.0.0.1:700", 0, false}, dualBind{"[::ffff:10.0.0.1]:700", 0, false}, wsa.WSAEADDRINUSE},
	{dualBind{"[::ffff:10.0.0.1]:700", 0, false}, dualBind{"10.0.0.1:700", wsa.SO_REUSEADDR, false}, wsa.WSAEACCES},
	{dualBind{"[::ffff:10.0.0.1]:700", wsa.SO_REUSEADDR, false}, dualBind{"10.0.0.1:700", wsa.SO_REUSEADDR, false}, 0},
	{dualBind{"0.0.0.0:700", excl, false}, dualBind{"[::ffff:10.0.0.1]:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"[::ffff:0.0.0.0]:700", 0, false}, dualBind{"0.0.0.0:700", 0, false}, wsa.WSAEADDRINUSE},
	{dualBind{"[::]:700", excl, false}, dualBind{"[::ffff:127.0.0.1]:700", 0, false}, wsa.WSAEACCES},
	{dualBind{"10.0.0.1:700", 0, false}, dualBind{"[::ffff:127.0.0.1]:700", 0, false}, 0},
	// ::1 never meets IPv4.
	{dualBind{"[::1]:700", excl, false}, dualBind{"127.0.0.1:700", excl, false}, 0},
	{dualBind{"0.0.0.0:700", excl, false}, dualBind{"[::1]:700", excl, false}, 0},
	{dualBind{"[::1]:700", excl, false}, dualBind{"0.0.0.0:700", excl, false}, 0},
	{dualBind{"[fd00::1]:700", excl, false}, dualBind{"10.0.0.1:700", excl, false}, 0},
}

// dualHosts are hosts with addresses of both families.
func (e *Env) dualHosts() {
	e.A, e.B = e.Net.Host("a", "10.0.0.1/24", "fd00::1/64"), e.Net.Host("b", "10.0.0.2/24", "fd00::2/64")
	e.P, e.Q = e.startup(e.A), e.startup(e.B)
	e.Net.Link(e.A, e.B, simnet.Delay(Delay))
}

// socketFor makes a socket of A for an address of either family.
func (e *Env) socketFor(d dualBind, typ int32) (wsa.SOCKET, netip.AddrPort) {
	addr, family := addrOf(d.addr), int32(wsa.AF_INET)
	if addr.Addr().Is6() {
		family = wsa.AF_INET6
	}
	s, err := e.P.Socket(family, typ, 0)
	e.Code("Socket", err, 0)
	if family == wsa.AF_INET6 && !d.only {
		e.Set(e.P, s, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0)
	}
	if d.option != 0 {
		e.Set(e.P, s, wsa.SOL_SOCKET, d.option, 1)
	}
	return s, addr
}

var bindScenarios = []Scenario{
	{ID: "RU-10", Title: "dual stack", Source: "OBS", Once: true, Run: func(e *Env) {
		e.dualHosts()
		for _, c := range dualCases {
			for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
				s, to := e.socketFor(c.first, typ)
				e.Code("Bind "+c.first.addr, e.P.Bind(s, to), 0)
				t, to := e.socketFor(c.second, typ)
				e.Code("Bind "+c.first.addr+", then "+c.second.addr, e.P.Bind(t, to), c.code)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
				e.Code("CloseSocket", e.P.CloseSocket(t), 0)
			}
		}
		e.Notef("%d pairs, TCP and UDP", len(dualCases))
	}},
	{ID: "RU-10", Title: "both listen", Source: "OBS", Once: true, Run: func(e *Env) {
		e.dualHosts()
		six, at6 := e.socketFor(dualBind{"[::]:700", 0, false}, wsa.SOCK_STREAM)
		four, at4 := e.socketFor(dualBind{"0.0.0.0:700", 0, false}, wsa.SOCK_STREAM)
		e.Code("Bind", e.P.Bind(six, at6), 0)
		e.Code("Bind", e.P.Bind(four, at4), 0)
		for _, s := range []wsa.SOCKET{four, six} {
			e.Code("Listen", e.P.Listen(s, 5), 0)
			e.Nonblocking(e.P, s, true)
		}
		e.Do(func() {
			e.call(addrOf("10.0.0.1:700"))
			e.accepted("0.0.0.0", four, false)
			e.accepted("::", six, true) // it was bound first
			e.Code("CloseSocket", e.P.CloseSocket(six), 0)
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
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), 0)
			e.leave(s)
			Equal(e, "connections in TIME-WAIT", e.A.Stack.Stats().TimeWait, 1)
			s = e.bound(700)
			e.Net.ClearTrace()
			e.Code("Connect to the same peer", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAEADDRINUSE)
			Equal(e, "segments of that", len(e.Segments("")), 0)
			e.Code("Connect to another", e.P.Connect(s, e.Addr(2, 81)), 0)
			e.Linger(e.P, s, 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			e.Net.Sleep(time.Minute)
			e.Code("Connect a minute later", e.P.Connect(e.bound(700), e.Addr(2, 80)), 0)
		})
		e.Notef("bind succeeds; the same pair is WSAEADDRINUSE without a segment, until 60 s are over")
	}},
	{ID: "RU-11", Title: "a listener's connections in TIME-WAIT", Source: "W-REUSE", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.listening(e.Any(700))
			c := e.call(e.Addr(1, 700))
			s := e.accepted("the listener", l, true)
			e.Code("CloseSocket, the listener", e.P.CloseSocket(l), 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			e.Net.Sleep(time.Second)
			e.Code("CloseSocket", e.Q.CloseSocket(c), 0)
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
				s := e.Stream()
				e.Code("Connect to nobody's port", e.P.Connect(s, e.Addr(2, 79)), wsa.WSAECONNREFUSED)
				e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			}
			for range 2 {
				s := e.Stream()
				e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), 0)
				e.leave(s)
			}
			Equal(e, "connections in TIME-WAIT", e.A.Stack.Stats().TimeWait, 2)
			s := e.Stream()
			e.Code("Connect with both in TIME-WAIT", e.P.Connect(s, e.Addr(2, 80)), wsa.WSAENOBUFS)
			e.Code("Connect to another", e.P.Connect(s, e.Addr(2, 81)), 0)
			e.Net.Sleep(time.Minute)
			Equal(e, "connections in TIME-WAIT", e.A.Stack.Stats().TimeWait, 0)
			e.Code("Connect a minute later", e.P.Connect(e.Stream(), e.Addr(2, 80)), 0)
		})
		e.Notef("of two ports the one without a remnant; with none, WSAENOBUFS for this peer only")
	}},
	{ID: "RU-12", Title: "an exclusive listener's connections", Source: "W-EXCL", Run: func(e *Env) {
		e.ports(stack.PortRange{})
		rebind := func(when string, addr netip.AddrPort, want wsa.Errno, names ...int32) {
			s := e.option(wsa.SOCK_STREAM, names...)
			e.Code("Bind "+when, e.P.Bind(s, addr), want)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		}
		e.Do(func() {
			l := e.listening(e.Any(700), excl)
			c := e.call(e.Addr(1, 700))
			s := e.accepted("the listener", l, true)
			e.Code("CloseSocket, the listener", e.P.CloseSocket(l), 0)
			rebind("while it is established", e.Any(700), wsa.WSAEADDRINUSE, excl)
			rebind("on the other address", e.Addr(3, 700), wsa.WSAEADDRINUSE, excl)
			rebind("without the option", e.Any(700), 0)
			rebind("with SO_REUSEADDR", e.Any(700), 0, wsa.SO_REUSEADDR)
			e.Code("Shutdown", e.P.Shutdown(s, wsa.SD_SEND), 0)
			_, err := e.Q.Send(c, []byte("x"), 0)
			e.Code("Send", err, 0)
			e.Net.Sleep(time.Second)
			rebind("after one FIN", e.Any(700), wsa.WSAEADDRINUSE, excl)
			e.Code("Shutdown", e.Q.Shutdown(c, wsa.SD_SEND), 0)
			e.Net.Sleep(time.Second)
			rebind("with data that nobody has read", e.Any(700), wsa.WSAEADDRINUSE, excl)
			n, err := e.P.Recv(s, make([]byte, 9), 0)
			e.Code("Recv", err, 0)
			Equal(e, "data", n, 1)
			rebind("in TIME-WAIT", e.Any(700), 0, excl)
		})
		e.Notef("WSAEADDRINUSE for exclusive binds until both FINs were sent and the data is read; TIME-WAIT doesn't matter")
	}},
	{ID: "RU-12", Title: "a connection that lingers after its close", Source: "W-EXCL", Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			l := e.listening(e.Addr(1, 700), excl)
			c := e.call(e.Addr(1, 700))
			s := e.accepted("the listener", l, true)
			e.Code("CloseSocket", e.P.CloseSocket(l), 0)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			e.Net.Sleep(time.Second)
			e.Code("Bind in FIN-WAIT-2", e.P.Bind(e.option(wsa.SOCK_STREAM, excl), e.Addr(1, 700)), wsa.WSAEADDRINUSE)
			e.resetBy(c)
			e.Code("Bind after the reset", e.P.Bind(e.option(wsa.SOCK_STREAM, excl), e.Addr(1, 700)), 0)
		})
		e.Notef("held after both closesockets, until the peer is done")
	}},
	{ID: "RU-13", Title: "wildcard conflicts are found at bind", Source: "API-bind", Run: func(e *Env) {
		e.Pair()
		l := e.Stream()
		e.Code("Bind", e.P.Bind(l, e.Any(700)), 0)
		s := e.Stream()
		e.Code("the same wildcard", e.P.Bind(s, e.Any(700)), wsa.WSAEADDRINUSE)
		e.Code("Listen after that", e.P.Listen(s, 5), wsa.WSAEINVAL) // it isn't bound
		e.Code("Bind to another port", e.P.Bind(s, e.Any(701)), 0)
		e.Code("Listen", e.P.Listen(s, 5), 0)
		e.Notef("WSAEADDRINUSE at bind; the socket can bind elsewhere")
	}},
	{ID: "RU-14", Title: "what bind refuses", Source: "API-bind", Run: func(e *Env) {
		e.ports(stack.PortRange{First: 50000, Last: 50000})
		other := netip.AddrPortFrom(netip.IPv6Unspecified(), 700)
		if e.Family == wsa.AF_INET6 {
			other = netip.AddrPortFrom(netip.IPv4Unspecified(), 700)
		}
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			s := e.Socket(e.P, typ)
			e.Code("a NULL name", e.P.Bind(s, netip.AddrPort{}), wsa.WSAEFAULT)
			e.Code("the other family", e.P.Bind(s, other), wsa.WSAEAFNOSUPPORT)
			e.Code("no local address", e.P.Bind(s, e.Addr(2, 700)), wsa.WSAEADDRNOTAVAIL)
			_, err := e.P.GetSockName(s)
			e.Code("GetSockName", err, wsa.WSAEINVAL)
			e.Code("port 0", e.P.Bind(s, e.Any(0)), 0)
			e.Code("a second bind", e.P.Bind(s, e.Any(700)), wsa.WSAEINVAL)
			t := e.Socket(e.P, typ)
			e.Code("port 0 with none left", e.P.Bind(t, e.Addr(1, 0)), wsa.WSAENOBUFS)
			_, err = e.P.GetSockName(t)
			e.Code("GetSockName", err, wsa.WSAEINVAL)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			e.Code("port 0 again", e.P.Bind(t, e.Addr(1, 0)), 0)
		}
		if e.Family == wsa.AF_INET {
			for _, to := range []string{"255.255.255.255:700", "10.0.0.255:700"} {
				e.Code("broadcast, datagrams", e.P.Bind(e.Datagram(), addrOf(to)), wsa.WSAEACCES)
				e.Code("broadcast, a stream", e.P.Bind(e.Stream(), addrOf(to)), wsa.WSAEADDRNOTAVAIL)
			}
		}
		e.Notef("WSAEFAULT, WSAEAFNOSUPPORT, WSAEADDRNOTAVAIL, WSAEINVAL, WSAENOBUFS, WSAEACCES; the socket stays as it was")
	}},
}

// bound makes a stream socket of A bound to a port of its first address.
func (e *Env) bound(port uint16) wsa.SOCKET {
	s := e.Stream()
	e.Code("Bind", e.P.Bind(s, e.Addr(1, port)), 0)
	return s
}

// serve makes B accept connections on a port and close each after the peer has.
func (e *Env) serve(port uint16) {
	l := e.Listener(e.Q, port)
	e.Net.Background("server", func() {
		for {
			s, _, err := e.Q.Accept(l)
			if err != nil {
				return
			}
			for n := 1; n > 0 && err == nil; {
				n, err = e.Q.Recv(s, make([]byte, 9), 0)
			}
			e.Code("CloseSocket", e.Q.CloseSocket(s), 0)
		}
	})
}

// leave closes a connection with serve, so that A's side is in TIME-WAIT.
func (e *Env) leave(s wsa.SOCKET) {
	e.Code("CloseSocket", e.P.CloseSocket(s), 0)
	e.Net.Sleep(time.Second)
}

func init() { ruScenarios = append(ruScenarios, bindScenarios...) }
