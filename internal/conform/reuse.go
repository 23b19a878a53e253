package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

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
func (e *Env) option(typ int32, names ...int32) handle {
	s := e.socket(e.P, typ)
	for _, name := range names {
		s.set(wsa.SOL_SOCKET, name, 1)
	}
	return s
}

// listening makes a listener of A with options.
func (e *Env) listening(addr netip.AddrPort, names ...int32) handle {
	s := e.option(wsa.SOCK_STREAM, names...)
	s.as("Bind " + addr.String()).bind(addr)
	s.listen(wsa.SOMAXCONN)
	s.nonblocking(true)
	return s
}

// call connects a new socket of B, inside Do.
func (e *Env) call(to netip.AddrPort) handle {
	s := e.peerStream()
	s.as("Connect " + to.String()).connect(to)
	e.Net.Sleep(Delay)
	return s
}

// accepted takes a connection from a listener, which must have one. Without
// want it must have none.
func (e *Env) accepted(what string, l handle, want bool) handle {
	if l = l.as("Accept on " + what); !want {
		return l.accept(wsa.WSAEWOULDBLOCK)
	}
	return l.accept()
}

// datagramFor makes B send a byte to A, and returns what each socket got.
func (e *Env) datagramFor(to netip.AddrPort, sockets ...handle) string {
	e.peerDatagram().as("SendTo "+to.String()).sayTo(to, "x")
	e.Do(func() { e.Net.Sleep(time.Second) })
	got := ""
	for _, s := range sockets {
		s.nonblocking(true)
		n, _, err := e.P.RecvFrom(s.s, make([]byte, 9), 0) // recv wants a peer, once there was one
		if err == nil {
			got += fmt.Sprint(n)
			continue
		}
		e.Code("RecvFrom", err, wsa.WSAEWOULDBLOCK)
		got += "-"
	}
	return got
}

// reuseScenarios are RU-1 to RU-9: who may bind beside whom, and who gets what comes.
var reuseScenarios = []Scenario{
	{ID: "RU-1", Title: "sampled at bind only", Source: "S-SET", Profiles: notLegacy,
		Why: "C-85: in Legacy SO_REUSEADDR alone permits a second bind", Once: true, Run: func(e *Env) {
			e.Pair()
			a, b := e.stream(), e.stream()
			a.bind(e.Addr(1, 700))
			a.set(wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
			a.reads(wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
			b.set(wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
			b.as("a second bind").bind(e.Addr(1, 700), wsa.WSAEACCES)
			e.Notef("set after bind: success, reads 1, and a second bind is still WSAEACCES")
		}},
	{ID: "RU-2", Title: "different addresses and protocols", Source: "W-REUSE", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, addr := range []string{"10.0.0.1:700", "127.0.0.1:700", "127.0.0.2:700"} {
			for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
				s := e.socket(e.P, typ)
				s.set(wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, 1)
				s.as("Bind " + addr).bind(addrOf(addr))
			}
		}
		e.Notef("six exclusive binds of one port: three addresses, two protocols")
	}},
	{ID: "RU-3", Title: "both options at once", Source: "OBS, C-26", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, o := range [][2]int32{{wsa.SO_REUSEADDR, wsa.SO_EXCLUSIVEADDRUSE}, {wsa.SO_EXCLUSIVEADDRUSE, wsa.SO_REUSEADDR}} {
			s := e.stream()
			s.set(wsa.SOL_SOCKET, o[0], 1)
			s.as("the second").set(wsa.SOL_SOCKET, o[1], 1, wsa.WSAEINVAL)
			Equal(e, "the second reads", s.get(wsa.SOL_SOCKET, o[1]), 0)
		}
		e.Notef("WSAEINVAL in either order")
	}},
	{ID: "RU-4", Title: "one user, TCP", Source: "W-REUSE", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: matrixScenario(&sameUserCells, wsa.SOCK_STREAM, "first")},
	{ID: "RU-4", Title: "one user, UDP", Source: "W-REUSE", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: matrixScenario(&sameUserCells, wsa.SOCK_DGRAM, "first")},
	{ID: "RU-5", Title: "two users, TCP", Source: "W-REUSE", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: matrixScenario(&otherUserCells, wsa.SOCK_STREAM, "second")},
	{ID: "RU-5", Title: "two users, UDP", Source: "W-REUSE", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: matrixScenario(&otherUserCells, wsa.SOCK_DGRAM, "second")},
	{ID: "RU-6", Title: "one user, TCP", Source: "W-REUSE", Profiles: legacyOnly, Why: "C-25: RU-4 and RU-5 are what the others do", Run: matrixScenario(expanded(legacyCells), wsa.SOCK_STREAM, "first")},
	{ID: "RU-6", Title: "one user, UDP", Source: "W-REUSE", Profiles: legacyOnly, Why: "C-25: RU-4 and RU-5 are what the others do", Run: matrixScenario(expanded(legacyCells), wsa.SOCK_DGRAM, "first")},
	{ID: "RU-6", Title: "two users", Source: "W-REUSE", Profiles: legacyOnly, Why: "C-25: RU-4 and RU-5 are what the others do", Run: matrixScenario(expanded(legacyCells), wsa.SOCK_STREAM, "second")},
	{ID: "RU-7", Title: "the owner is that of socket, not of bind", Source: "W-REUSE", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: func(e *Env) {
			e.Pair()
			e.P.SetOwner("first")
			first, mine := e.stream(), e.stream()
			e.P.SetOwner("second")
			theirs := e.stream()
			first.as("the first bind").bind(e.Any(700))
			theirs.as("another user's").bind(e.Addr(1, 700), wsa.WSAEACCES)
			mine.as("the same user's").bind(e.Addr(1, 700))
			e.Notef("WSAEACCES for the other user, success for the same")
		}},
	{ID: "RU-8", Title: "specific before wildcard", Source: "OBS", Profiles: notLegacy,
		Why: "C-25: RU-6 is what Legacy does", Run: func(e *Env) {
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
			u, v := e.datagram(), e.datagram()
			u.bind(e.Addr(3, 700))
			v.bind(e.Any(700))
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
		first.bind(e.Any(700))
		second.bind(e.Any(700))
		for range 8 {
			Equal(e, "datagram", e.datagramFor(e.Addr(1, 700), first, second), "-1")
		}
		first.connect(e.Addr(2, 9))
		Equal(e, "datagram with the first connected", e.datagramFor(e.Addr(1, 700), first, second), "-1")
		first.as("Connect to nobody").connect(e.Any(0))
		Equal(e, "datagram when it has no peer any more", e.datagramFor(e.Addr(1, 700), first, second), "1-")
		first.close()
		Equal(e, "datagram", e.datagramFor(e.Addr(1, 700), second), "1")
		e.Notef("the one bound last; a socket that gives up its peer counts as bound then")
	}},
	{ID: "RU-9", Title: "every member gets a copy", Source: "W-MC", Once: true, Run: func(e *Env) {
		e.Pair()
		var members []handle
		for range 3 {
			s := e.option(wsa.SOCK_DGRAM, wsa.SO_REUSEADDR)
			s.bind(e.Any(700))
			members = append(members, s)
		}
		for _, s := range members[:2] {
			s.setBytes(wsa.IPPROTO_IP, wsa.IP_ADD_MEMBERSHIP, []byte{224, 1, 2, 3, 0, 0, 0, 0}, 8)
		}
		Equal(e, "copies", e.datagramFor(netip.MustParseAddrPort("224.1.2.3:700"), members...), "11-")
		e.Notef("two members, two copies; the third socket on the port gets none")
	}},
	{ID: "RU-9", Title: "SO_REUSE_MULTICASTPORT", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		var members []handle
		for range 2 {
			s := e.option(wsa.SOCK_DGRAM, wsa.SO_REUSE_MULTICASTPORT)
			s.bind(e.Any(700))
			s.setBytes(wsa.IPPROTO_IP, wsa.IP_ADD_MEMBERSHIP, []byte{224, 1, 2, 3, 0, 0, 0, 0}, 8)
			members = append(members, s)
		}
		e.datagram().as("Bind without the option").bind(e.Any(700), wsa.WSAEADDRINUSE)
		Equal(e, "copies", e.datagramFor(netip.MustParseAddrPort("224.1.2.3:700"), members...), "11")
		Equal(e, "unicast", e.datagramFor(e.Addr(1, 700), members...), "--")
		e.Notef("two such sockets share the port, both get the group, neither gets unicast; others may not bind")
	}},
}

// equalListeners binds two sockets to an address and sees who gets what.
func equalListeners(e *Env, addr netip.AddrPort) {
	if e.A == nil {
		e.Pair()
	}
	first, second := e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR), e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR)
	for _, s := range []handle{first, second} {
		s.bind(addr)
		s.nonblocking(true)
	}
	second.listen(50)
	first.listen(50)
	e.Do(func() {
		for range 20 {
			e.call(e.Addr(1, 700))
			e.accepted("the second", second, false)
			e.accepted("the first", first, true)
		}
		first.close()
		for range 20 {
			e.call(e.Addr(1, 700))
			e.accepted("the second", second, true)
		}
		second.close()
		s := e.peerStream()
		s.as("Connect to nobody").connect(e.Addr(1, 700), wsa.WSAECONNREFUSED)
	})
}
