package conform

import (
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// three is a pool of three ports.
var three = stack.PortRange{First: 50000, Last: 50002}

// ephemeral binds a socket of A to port 0 of an address.
func (e *Env) ephemeral(what string, typ int32, addr netip.AddrPort, want wsa.Errno, names ...int32) (handle, uint16) {
	s := e.option(typ, names...)
	s.as("Bind to port 0, "+what).bind(addr, want)
	if want != 0 {
		return s, 0
	}
	return s, s.port()
}

// port is the local port of a socket of A.
func (h handle) port() uint16 {
	local := h.sockName()
	return local.Port()
}

// scalability is PO-3, with the sockets of one type.
func scalability(e *Env, typ int32) {
	for _, number := range []int{1, 3} {
		var got []uint16
		for range 3 {
			_, port := e.ephemeral("with the option", typ, e.Addr(number, 0), 0, wsa.SO_PORT_SCALABILITY)
			got = append(got, port)
		}
		slices.Sort(got)
		e.Check(slices.Equal(got, []uint16{50000, 50001, 50002}), "ports %v", got)
		e.ephemeral("the fourth", typ, e.Addr(number, 0), wsa.WSAENOBUFS, wsa.SO_PORT_SCALABILITY)
	}
	e.ephemeral("without the option", typ, e.Addr(1, 0), wsa.WSAENOBUFS)
	e.ephemeral("without the option", typ, e.Any(0), wsa.WSAENOBUFS)
}

// portsScenarios are PO-1 to PO-7: ephemeral ports.
var portsScenarios = []Scenario{
	{ID: "PO-1", Title: "before bind, specific, port 0", Source: "W-PS", Run: func(e *Env) {
		e.ports(three)
		// On the wildcard the option means nothing: the ports are unique.
		for range 3 {
			e.ephemeral("the wildcard", wsa.SOCK_STREAM, e.Any(0), 0, wsa.SO_PORT_SCALABILITY)
		}
		e.ephemeral("the wildcard, the fourth", wsa.SOCK_STREAM, e.Any(0), wsa.WSAENOBUFS, wsa.SO_PORT_SCALABILITY)
		e.ephemeral("an address after that", wsa.SOCK_STREAM, e.Addr(1, 0), wsa.WSAENOBUFS, wsa.SO_PORT_SCALABILITY)
		// Set after bind it means nothing, either.
		for range 3 {
			s, _ := e.ephemeral("an address", wsa.SOCK_DGRAM, e.Addr(1, 0), 0)
			s.set(wsa.SOL_SOCKET, wsa.SO_PORT_SCALABILITY, 1)
		}
		e.ephemeral("the other address", wsa.SOCK_DGRAM, e.Addr(3, 0), wsa.WSAENOBUFS, wsa.SO_PORT_SCALABILITY)
		e.Notef("no effect on the wildcard, nor when set after bind")
	}},
	{ID: "PO-2", Title: "a pool for each address", Source: "W-PS", Run: func(e *Env) {
		e.ports(three)
		ports := map[uint16]int{}
		for i := range 6 {
			_, port := e.ephemeral("with the option", wsa.SOCK_STREAM, e.Addr(1+i%2*2, 0), 0, wsa.SO_PORT_SCALABILITY)
			ports[port]++
		}
		for port, n := range ports {
			Equal(e, "sockets on a port", n, 2)
			e.Check(port >= 50000 && port <= 50002, "port %d", port)
		}
		e.Notef("six sockets on three ports of two addresses")
	}},
	{ID: "PO-3", Title: "three ports, two addresses", Source: "W-PS", Run: scalabilityScenario},
	{ID: "PO-4", Title: "not for sockets without the option", Source: "W-PS", Run: func(e *Env) {
		e.ports(three)
		s, mine := e.ephemeral("with the option", wsa.SOCK_STREAM, e.Addr(1, 0), 0, wsa.SO_PORT_SCALABILITY)
		var got []uint16
		for range 2 {
			_, port := e.ephemeral("without it", wsa.SOCK_STREAM, e.Addr(3, 0), 0)
			got = append(got, port)
		}
		e.Check(!slices.Contains(got, mine), "port %d was handed out on the other address", mine)
		e.ephemeral("without it", wsa.SOCK_STREAM, e.Addr(3, 0), wsa.WSAENOBUFS)
		e.ephemeral("without it, the wildcard", wsa.SOCK_STREAM, e.Any(0), wsa.WSAENOBUFS)
		_, port := e.ephemeral("with it, on the other address", wsa.SOCK_STREAM, e.Addr(3, 0), 0, wsa.SO_PORT_SCALABILITY)
		Equal(e, "its port", port, mine)
		s.close()
		e.ephemeral("without it, while the other has it", wsa.SOCK_STREAM, e.Addr(1, 0), wsa.WSAENOBUFS)
		e.Notef("WSAENOBUFS on any address, though the port is free there; with the option it isn't")
	}},
	{ID: "PO-5", Title: "port 0 is unique across addresses", Source: "W-PS", Once: true, Run: func(e *Env) {
		e.Pair()
		seen := map[uint16]bool{}
		for i := range 200 {
			s := e.stream()
			addr := e.Any(0)
			if i%2 == 0 {
				addr = e.Addr(1, 0)
			}
			s.bind(addr)
			local := s.sockName()
			e.Check(local.Port() >= 49152 && !seen[local.Port()], "port %d", local.Port())
			seen[local.Port()] = true
		}
		e.Notef("200 different dynamic ports on two addresses")
	}},
	{ID: "PO-6", Title: "explicit ports", Source: "W-PS", Profiles: notLegacy,
		Why: "C-85: in Legacy SO_REUSEADDR alone permits a second bind", Run: func(e *Env) {
			e.ports(three)
			_, port := e.ephemeral("with the option", wsa.SOCK_STREAM, e.Addr(1, 0), 0, wsa.SO_PORT_SCALABILITY)
			e.option(wsa.SOCK_STREAM, wsa.SO_PORT_SCALABILITY).as("the same address").bind(e.Addr(1, port), wsa.WSAEADDRINUSE)
			e.option(wsa.SOCK_STREAM, wsa.SO_REUSEADDR).as("the same with SO_REUSEADDR").bind(e.Addr(1, port), wsa.WSAEACCES)
			e.stream().as("the other address").bind(e.Addr(3, port))
			e.stream().as("the wildcard").bind(e.Any(port))
			e.Notef("as in RU-4: WSAEADDRINUSE, WSAEACCES, success, success")
		}},
	{ID: "PO-7", Title: "SO_RANDOMIZE_PORT after SO_REUSE_UNICASTPORT", Source: "W-SOL", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.option(wsa.SOCK_STREAM, wsa.SO_REUSE_UNICASTPORT)
		s.set(wsa.SOL_SOCKET, wsa.SO_RANDOMIZE_PORT, 1, wsa.WSAEINVAL)
		s.reads(wsa.SOL_SOCKET, wsa.SO_RANDOMIZE_PORT, 0)
		e.Notef("WSAEINVAL")
	}},
	{ID: "PO-7", Title: "a shared ephemeral port", Source: "W-SOL", Run: func(e *Env) {
		e.ports(three)
		for port := range uint16(4) {
			e.serve(80 + port)
		}
		e.Do(func() {
			var all []handle
			for range 3 { // the fourth and later ones share
				for port := range uint16(3) {
					s := e.option(wsa.SOCK_STREAM, wsa.SO_REUSE_UNICASTPORT, wsa.SO_PORT_SCALABILITY)
					s.bind(e.Addr(1, 0))
					s.connect(e.Addr(2, 80+port))
					all = append(all, s)
				}
			}
			seen := map[netip.AddrPort][]uint16{}
			for _, s := range all {
				peer := s.peerName()
				e.Check(!slices.Contains(seen[peer], s.port()), "port %d twice for %v", s.port(), peer)
				seen[peer] = append(seen[peer], s.port())
			}
			e.stream().as("a tenth to the same peer").connect(e.Addr(2, 80), wsa.WSAENOBUFS)
			s := e.stream()
			s.as("one to another peer, bound by connect").connect(e.Addr(2, 83))
			e.Check(s.port() >= 50000 && s.port() <= 50002, "port %d", s.port())
			e.ephemeral("without the option", wsa.SOCK_STREAM, e.Addr(1, 0), wsa.WSAENOBUFS)
			e.stream().as("a bind to a shared port").bind(e.Addr(1, 50000), wsa.WSAEADDRINUSE)
		})
		e.Notef("nine connections to three peers on three ports; a tenth to one of them is WSAENOBUFS; a connect without bind shares as well")
	}},
	{ID: "PO-7", Title: "SO_EXCLUSIVEADDRUSE doesn't share", Source: "W-SOL, W-EXCL", Run: func(e *Env) {
		e.ports(stack.PortRange{First: 50000, Last: 50000})
		e.serve(80)
		e.serve(81)
		e.Do(func() {
			s := e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE)
			s.connect(e.Addr(2, 80))
			e.stream().as("Connect to another peer").connect(e.Addr(2, 81), wsa.WSAENOBUFS)
			s.close()
			e.stream().connect(e.Addr(2, 81))
			e.option(wsa.SOCK_STREAM, wsa.SO_EXCLUSIVEADDRUSE).as("Connect, exclusive").connect(e.Addr(2, 80), wsa.WSAENOBUFS)
		})
		e.Notef("WSAENOBUFS for the second, whichever of them is exclusive")
	}},
}

// scalabilityScenario is PO-3: three ports, two addresses.
func scalabilityScenario(e *Env) {
	e.ports(three)
	scalability(e, wsa.SOCK_STREAM)
	scalability(e, wsa.SOCK_DGRAM)
	e.Notef("three on each of two addresses, the fourth is WSAENOBUFS; TCP and UDP")
}
