package conform

import (
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// Ephemeral ports: SO_PORT_SCALABILITY, SO_REUSE_UNICASTPORT, and how a port is
// chosen.

// three is a pool of three ports.
var three = stack.PortRange{First: 50000, Last: 50002}

// ephemeral binds a socket of A to port 0 of an address.
func (e *Env) ephemeral(what string, typ int32, addr netip.AddrPort, want wsa.Errno, names ...int32) (wsa.SOCKET, uint16) {
	s := e.option(typ, names...)
	e.Code("Bind to port 0, "+what, e.P.Bind(s, addr), want)
	if want != 0 {
		return s, 0
	}
	return s, e.port(s)
}

// port is the local port of a socket of A.
func (e *Env) port(s wsa.SOCKET) uint16 {
	local, err := e.P.GetSockName(s)
	e.Code("GetSockName", err, 0)
	return local.Port()
}

const scalable = wsa.SO_PORT_SCALABILITY

// scalability is PO-3, with the sockets of one type.
func scalability(e *Env, typ int32) {
	for _, number := range []int{1, 3} {
		var got []uint16
		for range 3 {
			_, port := e.ephemeral("with the option", typ, e.Addr(number, 0), 0, scalable)
			got = append(got, port)
		}
		slices.Sort(got)
		e.Check(slices.Equal(got, []uint16{50000, 50001, 50002}), "ports %v", got)
		e.ephemeral("the fourth", typ, e.Addr(number, 0), wsa.WSAENOBUFS, scalable)
	}
	e.ephemeral("without the option", typ, e.Addr(1, 0), wsa.WSAENOBUFS)
	e.ephemeral("without the option", typ, e.Any(0), wsa.WSAENOBUFS)
}

func scalabilityScenario(e *Env) {
	e.ports(three)
	scalability(e, wsa.SOCK_STREAM)
	scalability(e, wsa.SOCK_DGRAM)
	e.Notef("three on each of two addresses, the fourth is WSAENOBUFS; TCP and UDP")
}

var dynamicScenarios = []Scenario{
	{ID: "PO-1", Title: "before bind, specific, port 0", Source: "W-PS", Run: func(e *Env) {
		e.ports(three)
		// On the wildcard the option means nothing: the ports are unique.
		for range 3 {
			e.ephemeral("the wildcard", wsa.SOCK_STREAM, e.Any(0), 0, scalable)
		}
		e.ephemeral("the wildcard, the fourth", wsa.SOCK_STREAM, e.Any(0), wsa.WSAENOBUFS, scalable)
		e.ephemeral("an address after that", wsa.SOCK_STREAM, e.Addr(1, 0), wsa.WSAENOBUFS, scalable)
		// Set after bind it means nothing, either.
		for range 3 {
			s, _ := e.ephemeral("an address", wsa.SOCK_DGRAM, e.Addr(1, 0), 0)
			e.Set(e.P, s, wsa.SOL_SOCKET, scalable, 1)
		}
		e.ephemeral("the other address", wsa.SOCK_DGRAM, e.Addr(3, 0), wsa.WSAENOBUFS, scalable)
		e.Notef("no effect on the wildcard, nor when set after bind")
	}},
	{ID: "PO-2", Title: "a pool for each address", Source: "W-PS", Run: func(e *Env) {
		e.ports(three)
		ports := map[uint16]int{}
		for i := range 6 {
			_, port := e.ephemeral("with the option", wsa.SOCK_STREAM, e.Addr(1+i%2*2, 0), 0, scalable)
			ports[port]++
		}
		for port, n := range ports {
			Equal(e, "sockets on a port", n, 2)
			e.Check(port >= 50000 && port <= 50002, "port %d", port)
		}
		e.Notef("six sockets on three ports of two addresses")
	}},
	{ID: "PO-3", Title: "three ports, two addresses", Source: "W-PS", Run: scalabilityScenario},
	{ID: "TV-22", Title: "three ports, two addresses", Source: "vectors", Run: scalabilityScenario},
	{ID: "PO-4", Title: "not for sockets without the option", Source: "W-PS", Run: func(e *Env) {
		e.ports(three)
		s, mine := e.ephemeral("with the option", wsa.SOCK_STREAM, e.Addr(1, 0), 0, scalable)
		var got []uint16
		for range 2 {
			_, port := e.ephemeral("without it", wsa.SOCK_STREAM, e.Addr(3, 0), 0)
			got = append(got, port)
		}
		e.Check(!slices.Contains(got, mine), "port %d was handed out on the other address", mine)
		e.ephemeral("without it", wsa.SOCK_STREAM, e.Addr(3, 0), wsa.WSAENOBUFS)
		e.ephemeral("without it, the wildcard", wsa.SOCK_STREAM, e.Any(0), wsa.WSAENOBUFS)
		_, port := e.ephemeral("with it, on the other address", wsa.SOCK_STREAM, e.Addr(3, 0), 0, scalable)
		Equal(e, "its port", port, mine)
		e.Code("CloseSocket", e.P.CloseSocket(s), 0)
		e.ephemeral("without it, while the other has it", wsa.SOCK_STREAM, e.Addr(1, 0), wsa.WSAENOBUFS)
		e.Notef("WSAENOBUFS on any address, though the port is free there; with the option it isn't")
	}},
	{ID: "PO-6", Title: "explicit ports", Source: "W-PS", Run: func(e *Env) {
		e.ports(three)
		_, port := e.ephemeral("with the option", wsa.SOCK_STREAM, e.Addr(1, 0), 0, scalable)
		e.Code("the same address", e.P.Bind(e.option(wsa.SOCK_STREAM, scalable), e.Addr(1, port)), wsa.WSAEADDRINUSE)
		e.Code("the same with SO_REUSEADDR", e.P.Bind(e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR), e.Addr(1, port)), wsa.WSAEACCES)
		e.Code("the other address", e.P.Bind(e.Stream(), e.Addr(3, port)), 0)
		e.Code("the wildcard", e.P.Bind(e.Stream(), e.Any(port)), 0)
		e.Notef("as in RU-4: WSAEADDRINUSE, WSAEACCES, success, success")
	}},
	{ID: "PO-7", Title: "SO_RANDOMIZE_PORT after SO_REUSE_UNICASTPORT", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.option(wsa.SOCK_STREAM, wsa.SO_REUSE_UNICASTPORT)
		e.Code("SO_RANDOMIZE_PORT", set(e.P, s, wsa.SOL_SOCKET, wsa.SO_RANDOMIZE_PORT, 1), wsa.WSAEINVAL)
		Equal(e, "SO_RANDOMIZE_PORT", e.Get(e.P, s, wsa.SOL_SOCKET, wsa.SO_RANDOMIZE_PORT), 0)
		e.Notef("WSAEINVAL")
	}},
	{ID: "PO-7", Title: "a shared ephemeral port", Source: "W-SOL", Run: func(e *Env) {
		e.ports(three)
		for port := range uint16(4) {
			e.serve(80 + port)
		}
		e.Do(func() {
			var all []wsa.SOCKET
			for range 3 { // the fourth and later ones share
				for port := range uint16(3) {
					s := e.option(wsa.SOCK_STREAM, wsa.SO_REUSE_UNICASTPORT, scalable)
					e.Code("Bind", e.P.Bind(s, e.Addr(1, 0)), 0)
					e.Code("Connect", e.P.Connect(s, e.Addr(2, 80+port)), 0)
					all = append(all, s)
				}
			}
			seen := map[netip.AddrPort][]uint16{}
			for _, s := range all {
				peer, err := e.P.GetPeerName(s)
				e.Code("GetPeerName", err, 0)
				e.Check(!slices.Contains(seen[peer], e.port(s)), "port %d twice for %v", e.port(s), peer)
				seen[peer] = append(seen[peer], e.port(s))
			}
			e.Code("a tenth to the same peer", e.P.Connect(e.Stream(), e.Addr(2, 80)), wsa.WSAENOBUFS)
			s := e.Stream()
			e.Code("one to another peer, bound by connect", e.P.Connect(s, e.Addr(2, 83)), 0)
			e.Check(e.port(s) >= 50000 && e.port(s) <= 50002, "port %d", e.port(s))
			e.ephemeral("without the option", wsa.SOCK_STREAM, e.Addr(1, 0), wsa.WSAENOBUFS)
			e.Code("a bind to a shared port", e.P.Bind(e.Stream(), e.Addr(1, 50000)), wsa.WSAEADDRINUSE)
		})
		e.Notef("nine connections to three peers on three ports; a tenth to one of them is WSAENOBUFS; a connect without bind shares as well")
	}},
	{ID: "PO-7", Title: "SO_EXCLUSIVEADDRUSE doesn't share", Source: "W-SOL, W-EXCL", Run: func(e *Env) {
		e.ports(stack.PortRange{First: 50000, Last: 50000})
		e.serve(80)
		e.serve(81)
		e.Do(func() {
			s := e.option(wsa.SOCK_STREAM, excl)
			e.Code("Connect", e.P.Connect(s, e.Addr(2, 80)), 0)
			e.Code("Connect to another peer", e.P.Connect(e.Stream(), e.Addr(2, 81)), wsa.WSAENOBUFS)
			e.Code("CloseSocket", e.P.CloseSocket(s), 0)
			e.Code("Connect", e.P.Connect(e.Stream(), e.Addr(2, 81)), 0)
			e.Code("Connect, exclusive", e.P.Connect(e.option(wsa.SOCK_STREAM, excl), e.Addr(2, 80)), wsa.WSAENOBUFS)
		})
		e.Notef("WSAENOBUFS for the second, whichever of them is exclusive")
	}},
}

func init() { poScenarios = append(poScenarios, dynamicScenarios...) }
