package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// Who may bind where, and who gets what comes there.

// ports makes the hosts of Pair, A with the second address 3 and with dynamic
// ports of its own; the zero range is the usual one.
func (e *Env) ports(r stack.PortRange) {
	e.A = e.Net.HostConfig("a", stack.Config{
		Profile: e.Profile, Addresses: []netip.Prefix{e.prefix(1), e.prefix(3)}, DynamicPorts: r,
	})
	e.B = e.Host("b", 2)
	e.P, e.Q = e.startup(e.A), e.startup(e.B)
	e.Net.Link(e.A, e.B, simnet.Delay(Delay))
}

// option makes a socket of A with SOL_SOCKET options TRUE.
func (e *Env) option(typ int32, names ...int32) wsa.SOCKET {
	s := e.Socket(e.P, typ)
	for _, name := range names {
		e.Set(e.P, s, wsa.SOL_SOCKET, name, 1)
	}
	return s
}

// listening makes a listener of A with options.
func (e *Env) listening(addr netip.AddrPort, names ...int32) wsa.SOCKET {
	s := e.option(wsa.SOCK_STREAM, names...)
	e.Code("Bind "+addr.String(), e.P.Bind(s, addr), 0)
	e.Code("Listen", e.P.Listen(s, wsa.SOMAXCONN), 0)
	e.Nonblocking(e.P, s, true)
	return s
}

// call connects a new socket of B, inside Do.
func (e *Env) call(to netip.AddrPort) wsa.SOCKET {
	s := e.Socket(e.Q, wsa.SOCK_STREAM)
	e.Code("Connect "+to.String(), e.Q.Connect(s, to), 0)
	e.Net.Sleep(Delay)
	return s
}

// accepted takes a connection from a listener, which must have one. Without
// want it must have none.
func (e *Env) accepted(what string, l wsa.SOCKET, want bool) wsa.SOCKET {
	s, _, err := e.P.Accept(l)
	if !want {
		e.Code("Accept on "+what, err, wsa.WSAEWOULDBLOCK)
		return wsa.INVALID_SOCKET
	}
	e.Code("Accept on "+what, err, 0)
	return s
}

// datagramFor makes B send a byte to A, and returns what each socket got.
func (e *Env) datagramFor(to netip.AddrPort, sockets ...wsa.SOCKET) string {
	_, err := e.Q.SendTo(e.Socket(e.Q, wsa.SOCK_DGRAM), []byte("x"), 0, to)
	e.Code("SendTo "+to.String(), err, 0)
	e.Do(func() { e.Net.Sleep(time.Second) })
	got := ""
	for _, s := range sockets {
		e.Nonblocking(e.P, s, true)
		n, _, err := e.P.RecvFrom(s, make([]byte, 9), 0) // recv wants a peer, once there was one
		if err == nil {
			got += fmt.Sprint(n)
			continue
		}
		e.Code("RecvFrom", err, wsa.WSAEWOULDBLOCK)
		got += "-"
	}
	return got
}

// legacyCells is RU-6 as printed: default, reuse, exclusive.
var legacyCells = [3]string{"U OK U", "U OK U", "U A U"}

// expanded gives each cell of RU-6 for wildcard and specific addresses.
func expanded(rows [3]string) *[6]string {
	var out [6]string
	for i, row := range rows {
		var c [3]string
		fmt.Sscan(row, &c[0], &c[1], &c[2])
		out[2*i] = fmt.Sprint(c[0], " ", c[0], " ", c[1], " ", c[1], " ", c[2], " ", c[2])
		out[2*i+1] = out[2*i]
	}
	return &out
}

var legacyOnly = []options.Profile{options.Legacy}

var deliveryScenarios = []Scenario{
	{ID: "RU-6", Title: "one user, TCP", Source: "W-REUSE", Profiles: legacyOnly, Run: matrixScenario(expanded(legacyCells), wsa.SOCK_STREAM, "first")},
	{ID: "RU-6", Title: "one user, UDP", Source: "W-REUSE", Profiles: legacyOnly, Run: matrixScenario(expanded(legacyCells), wsa.SOCK_DGRAM, "first")},
	{ID: "RU-6", Title: "two users", Source: "W-REUSE", Profiles: legacyOnly, Run: matrixScenario(expanded(legacyCells), wsa.SOCK_STREAM, "second")},
	{ID: "TV-14", Title: "both matrices, TCP and UDP", Source: "vectors", Run: func(e *Env) {
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			matrixCells(e, &sameUserCells, typ, "first")
			matrixCells(e, &otherUserCells, typ, "second")
		}
	}},

	{ID: "RU-7", Title: "the owner is that of socket, not of bind", Source: "W-REUSE", Run: func(e *Env) {
		e.Pair()
		e.P.SetOwner("first")
		first, mine := e.Stream(), e.Stream()
		e.P.SetOwner("second")
		theirs := e.Stream()
		e.Code("the first bind", e.P.Bind(first, e.Any(700)), 0)
		e.Code("another user's", e.P.Bind(theirs, e.Addr(1, 700)), wsa.WSAEACCES)
		e.Code("the same user's", e.P.Bind(mine, e.Addr(1, 700)), 0)
		e.Notef("WSAEACCES for the other user, success for the same")
	}},
	{ID: "RU-8", Title: "specific before wildcard", Source: "OBS", Run: func(e *Env) {
		e.ports(stack.PortRange{})
		wildcard, specific := e.listening(e.Any(700)), e.listening(e.Addr(3, 700))
		e.Do(func() {
			e.call(e.Addr(3, 700))
			e.accepted("the wildcard", wildcard, false)
			e.accepted("the address", specific, true)
			e.call(e.Addr(1, 700))
			e.accepted("the address", specific, false)
			e.accepted("the wildcard", wildcard, true)
		})
		u, v := e.Datagram(), e.Datagram()
		e.Code("Bind", e.P.Bind(u, e.Addr(3, 700)), 0)
		e.Code("Bind", e.P.Bind(v, e.Any(700)), 0)
		Equal(e, "datagram to the address", e.datagramFor(e.Addr(3, 700), u, v), "1-")
		Equal(e, "datagram to another", e.datagramFor(e.Addr(1, 700), u, v), "-1")
		e.Notef("connections and datagrams; the order of the binds makes no difference")
	}},
	{ID: "RU-8", Title: "two equal listeners", Source: "OBS", Run: func(e *Env) {
		for _, addr := range []netip.AddrPort{e.Any(700), e.Addr(1, 700)} {
			equalListeners(e, addr)
		}
		e.Notef("20 of 20 connections to the one bound first, though it listened last; after its close all to the next")
	}},
	{ID: "RU-8", Title: "two equal datagram sockets", Source: "assumed", Run: func(e *Env) {
		e.Pair()
		first, second := e.option(wsa.SOCK_DGRAM, wsa.SO_REUSEADDR), e.option(wsa.SOCK_DGRAM, wsa.SO_REUSEADDR)
		e.Code("Bind", e.P.Bind(first, e.Any(700)), 0)
		e.Code("Bind", e.P.Bind(second, e.Any(700)), 0)
		for range 8 {
			Equal(e, "datagram", e.datagramFor(e.Addr(1, 700), first, second), "-1")
		}
		e.Code("Connect", e.P.Connect(first, e.Addr(2, 9)), 0)
		Equal(e, "datagram with the first connected", e.datagramFor(e.Addr(1, 700), first, second), "-1")
		e.Code("Connect to nobody", e.P.Connect(first, e.Any(0)), 0)
		Equal(e, "datagram when it has no peer any more", e.datagramFor(e.Addr(1, 700), first, second), "1-")
		e.Code("CloseSocket", e.P.CloseSocket(first), 0)
		Equal(e, "datagram", e.datagramFor(e.Addr(1, 700), second), "1")
		e.Notef("the one bound last; a socket that gives up its peer counts as bound then")
	}},
	{ID: "RU-9", Title: "every member gets a copy", Source: "W-MC", Once: true, Run: func(e *Env) {
		e.Pair()
		var members []wsa.SOCKET
		for range 3 {
			s := e.option(wsa.SOCK_DGRAM, wsa.SO_REUSEADDR)
			e.Code("Bind", e.P.Bind(s, e.Any(700)), 0)
			members = append(members, s)
		}
		for _, s := range members[:2] {
			e.Code("IP_ADD_MEMBERSHIP", e.P.SetSockOpt(s, wsa.IPPROTO_IP, wsa.IP_ADD_MEMBERSHIP, []byte{224, 1, 2, 3, 0, 0, 0, 0}, 8), 0)
		}
		Equal(e, "copies", e.datagramFor(netip.MustParseAddrPort("224.1.2.3:700"), members...), "11-")
		e.Notef("two members, two copies; the third socket on the port gets none")
	}},
	{ID: "RU-9", Title: "SO_REUSE_MULTICASTPORT", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		var members []wsa.SOCKET
		for range 2 {
			s := e.option(wsa.SOCK_DGRAM, wsa.SO_REUSE_MULTICASTPORT)
			e.Code("Bind", e.P.Bind(s, e.Any(700)), 0)
			e.Code("IP_ADD_MEMBERSHIP", e.P.SetSockOpt(s, wsa.IPPROTO_IP, wsa.IP_ADD_MEMBERSHIP, []byte{224, 1, 2, 3, 0, 0, 0, 0}, 8), 0)
			members = append(members, s)
		}
		e.Code("Bind without the option", e.P.Bind(e.Datagram(), e.Any(700)), wsa.WSAEADDRINUSE)
		Equal(e, "copies", e.datagramFor(netip.MustParseAddrPort("224.1.2.3:700"), members...), "11")
		Equal(e, "unicast", e.datagramFor(e.Addr(1, 700), members...), "--")
		e.Notef("two such sockets share the port, both get the group, neither gets unicast; others may not bind")
	}},
	{ID: "RU-16", Title: "all of 127.0.0.0/8", Source: "design", Once: true, Run: func(e *Env) {
		e.Pair()
		e.Do(func() {
			var all []wsa.SOCKET
			for _, addr := range []string{"127.0.0.1:700", "127.0.0.2:700", "127.255.0.9:700"} {
				all = append(all, e.listening(addrOf(addr), excl))
				s := e.Stream()
				e.Code("Connect "+addr, e.P.Connect(s, addrOf(addr)), 0)
				e.Net.Sleep(Delay)
				e.accepted(addr, all[len(all)-1], true)
			}
		})
		e.Notef("three exclusive listeners on one port of three loopback addresses, each gets its connection")
	}},
	{ID: "RU-16", Title: "what the table permits, works", Source: "design", Run: func(e *Env) {
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
				e.Code("Listen, the first", e.P.Listen(a, 5), 0)
				e.Code("Listen, the second", e.P.Listen(b, 5), 0)
				c, d := e.bindCell(wsa.SOCK_DGRAM, row), e.bindCell(wsa.SOCK_DGRAM, column)
				e.Code("Connect, the first", e.P.Connect(c, e.Addr(2, 9)), 0)
				e.Code("Connect, the second", e.P.Connect(d, e.Addr(2, 9)), 0)
				for _, s := range []wsa.SOCKET{a, b, c, d} {
					e.Code("CloseSocket", e.P.CloseSocket(s), 0)
				}
			}
		}
		e.Notef("both listen, and both connect datagrams to one peer, in all %d cells", permitted)
	}},
	{ID: "RU-17", Title: "one address and port, two connections", Source: "S-SET", Run: func(e *Env) {
		e.ports(stack.PortRange{})
		l, m := e.Listener(e.Q, 80), e.Listener(e.Q, 81)
		e.Do(func() {
			a, b, c := e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR), e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR), e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR)
			for i, s := range []wsa.SOCKET{a, b, c} {
				addr := e.Addr(1, 700)
				if i == 2 {
					addr = e.Any(700)
				}
				e.Code("Bind", e.P.Bind(s, addr), 0)
			}
			e.Code("Connect", e.P.Connect(a, e.Addr(2, 80)), 0)
			e.Net.ClearTrace()
			e.Code("Connect to the same peer", e.P.Connect(b, e.Addr(2, 80)), wsa.WSAEADDRINUSE)
			e.Code("Connect to it from the wildcard", e.P.Connect(c, e.Addr(2, 80)), wsa.WSAEADDRINUSE)
			Equal(e, "segments of that", len(e.Segments("a")), 0)
			e.Code("Connect to another", e.P.Connect(b, e.Addr(2, 81)), 0)
			for i, listener := range []wsa.SOCKET{l, m} {
				peer, _, err := e.Q.Accept(listener)
				e.Code("Accept", err, 0)
				_, err = e.Q.Send(peer, []byte{byte('a' + i)}, 0)
				e.Code("Send", err, 0)
			}
			e.Net.Sleep(time.Second)
			for i, s := range []wsa.SOCKET{a, b} {
				buf := make([]byte, 9)
				n, err := e.P.Recv(s, buf, 0)
				e.Code("Recv", err, 0)
				Equal(e, "data", string(buf[:n]), string(byte('a'+i)))
			}
		})
		e.Notef("each gets its own data; the same peer is WSAEADDRINUSE, without a segment, and the socket can connect to another")
	}},
	{ID: "RU-17", Title: "beside a listener", Source: "S-SET", Run: func(e *Env) {
		e.Pair()
		e.listening(e.Addr(1, 700), wsa.SO_REUSEADDR)
		e.Listener(e.Q, 80)
		e.Do(func() {
			s := e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR)
			e.Code("Bind", e.P.Bind(s, e.Addr(1, 700)), 0)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), 0)
		})
		e.Notef("a socket bound as a listener is may connect")
	}},
}

// bindCell makes a socket of A as a row or column of the matrix says.
func (e *Env) bindCell(typ int32, cell int) wsa.SOCKET {
	s := e.option(typ, [][]int32{nil, {wsa.SO_REUSEADDR}, {wsa.SO_EXCLUSIVEADDRUSE}}[cell/2]...)
	addr := e.Any(700)
	if cell%2 == 1 {
		addr = e.Addr(1, 700)
	}
	e.Code("Bind "+cellNames[cell], e.P.Bind(s, addr), 0)
	return s
}

// equalListeners binds two sockets to an address and sees who gets what.
func equalListeners(e *Env, addr netip.AddrPort) {
	if e.A == nil {
		e.Pair()
	}
	first, second := e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR), e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR)
	for _, s := range []wsa.SOCKET{first, second} {
		e.Code("Bind", e.P.Bind(s, addr), 0)
		e.Nonblocking(e.P, s, true)
	}
	e.Code("Listen", e.P.Listen(second, 50), 0)
	e.Code("Listen", e.P.Listen(first, 50), 0)
	e.Do(func() {
		for range 20 {
			e.call(e.Addr(1, 700))
			e.accepted("the second", second, false)
			e.accepted("the first", first, true)
		}
		e.Code("CloseSocket", e.P.CloseSocket(first), 0)
		for range 20 {
			e.call(e.Addr(1, 700))
			e.accepted("the second", second, true)
		}
		e.Code("CloseSocket", e.P.CloseSocket(second), 0)
		s := e.Socket(e.Q, wsa.SOCK_STREAM)
		e.Code("Connect to nobody", e.Q.Connect(s, e.Addr(1, 700)), wsa.WSAECONNREFUSED)
	})
}

func init() { ruScenarios = append(ruScenarios, deliveryScenarios...) }
