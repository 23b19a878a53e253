package conform

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A twoLinks is the host A with the address fe80::1 on two links, the interfaces 2 and 3, and a
// neighbour fe80::2 on each: B and C.
type twoLinks struct{ c *provider.Provider }

func (e *Env) twoLinks() twoLinks {
	e.Family = wsa.AF_INET6
	host := func(name string, number int) *simnet.Host {
		return e.Net.HostConfig(name, stack.Config{Profile: e.Profile, Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("fe80::%d/64", number))}})
	}
	e.A, e.B = host("a", 1), host("b", 2)
	c := host("c", 2)
	e.P, e.Q = e.startup(e.A), e.startup(e.B)
	e.Net.Link(e.A, e.B)
	e.Net.Link(e.A, c, simnet.Addresses(e.A, "fe80::1/64"))
	return twoLinks{e.startup(c)}
}

// scopeIDs is ZN-1: what is passed as a scope id comes back as one.
func scopeIDs(e *Env) {
	n := e.twoLinks()
	e.Do(func() {
		for scope, p := range map[int]*provider.Provider{2: e.Q, 3: n.c} {
			l := e.socket(p, wsa.SOCK_STREAM)
			l.bind(addrOf("[fe80::2%2]:80"))
			l.listen(5)
			s := e.stream()
			s.connect(addrOf(fmt.Sprintf("[fe80::2%%%d]:80", scope)))
			Equal(e, "getpeername", s.peerName().String(), fmt.Sprintf("[fe80::2%%%d]:80", scope))
			Equal(e, "the scope id of getsockname", wsa.ScopeID(s.sockName().Addr()), uint32(scope))
			in := l.accept()
			Equal(e, "the peer that accept returns", in.peerName(), netip.AddrPortFrom(addrOf("[fe80::1%2]:0").Addr(), s.sockName().Port()))
			in.close()
			d := e.socket(p, wsa.SOCK_DGRAM)
			d.bind(addrOf("[fe80::2%2]:53"))
			q := e.datagram()
			q.bind(addrOf(fmt.Sprintf("[fe80::1%%%d]:7", scope)))
			q.sayTo(addrOf(fmt.Sprintf("[fe80::2%%%d]:53", scope)), "x")
			_, from := d.recvFrom(9)
			Equal(e, "recvfrom there", from, addrOf("[fe80::1%2]:7"))
			d.sayTo(from, "y")
			_, from = q.recvFrom(9)
			Equal(e, "recvfrom here", from, addrOf(fmt.Sprintf("[fe80::2%%%d]:53", scope)))
		}
	})
	for _, l := range e.Net.Trace() {
		e.Check(l.From != "b" || l.To != "c", "a packet of one link on the other: %s", l.Text)
	}
	e.Notef("the scope ids 2 and 3 of fe80::2 are two neighbours")
}

// oneLink is ZN-2: a socket with a zone has nothing to do with the other link.
func oneLink(e *Env) {
	n := e.twoLinks()
	e.Do(func() {
		s := e.stream()
		s.bind(addrOf("[fe80::1%3]:80"))
		s.listen(5)
		e.socket(e.Q, wsa.SOCK_STREAM).as("connect on the other link").connect(addrOf("[fe80::1%2]:80"), wsa.WSAECONNREFUSED)
		e.socket(n.c, wsa.SOCK_STREAM).connect(addrOf("[fe80::1%2]:80"))
		d := e.datagram()
		d.bind(addrOf("[fe80::1%3]:53"))
		d.nonblocking(true)
		e.socket(e.Q, wsa.SOCK_DGRAM).sayTo(addrOf("[fe80::1%2]:53"), "b")
		e.socket(n.c, wsa.SOCK_DGRAM).sayTo(addrOf("[fe80::1%2]:53"), "c")
		e.Net.Sleep(time.Second)
		Equal(e, "received", d.receivedNow()+d.receivedNow(), "c")
		both := e.datagram() // the other one of two equal addresses
		both.bind(addrOf("[fe80::1%2]:53"))
		e.datagram().as("a third").bind(addrOf("[fe80::1%3]:53"), wsa.WSAEADDRINUSE)
	})
	e.Notef("bound to fe80::1%%3, what comes by the interface 2 is for another")
}

// wrongScopes is ZN-3.
func wrongScopes(e *Env) {
	e.twoLinks()
	e.Do(func() {
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			for to, want := range map[string]wsa.Errno{
				"[fe80::2]:80": wsa.WSAEADDRNOTAVAIL, "[fe80::2%9]:80": wsa.WSAENETUNREACH, "[fe80::2%1]:80": wsa.WSAENETUNREACH,
			} {
				e.socket(e.P, typ).as("connect "+to).connect(addrOf(to), want)
			}
			for _, at := range []string{"[fe80::1]:80", "[fe80::1%9]:80", "[fe80::2%2]:80"} {
				e.socket(e.P, typ).as("bind "+at).bind(addrOf(at), wsa.WSAEADDRNOTAVAIL)
			}
			s := e.socket(e.P, typ)
			s.bind(addrOf("[fe80::1%2]:90"))
			s.as("connect on another link").connect(addrOf("[fe80::2%3]:80"), wsa.WSAENETUNREACH)
		}
		e.datagram().sayTo(addrOf("[fe80::2]:53"), "x", wsa.WSAEADDRNOTAVAIL)
		e.datagram().sayTo(addrOf("[fe80::2%9]:53"), "x", wsa.WSAENETUNREACH)
		one := e.socket(e.Q, wsa.SOCK_DGRAM) // B has one link
		one.bind(addrOf("[fe80::2]:53"))
		Equal(e, "the only interface", one.sockName(), addrOf("[fe80::2%2]:53"))
		one.sayTo(addrOf("[fe80::1]:53"), "x")
	})
	e.Notef("a missing scope id is that of the only interface, else WSAEADDRNOTAVAIL; a wrong one WSAENETUNREACH, at bind WSAEADDRNOTAVAIL")
}

// scopeLists is ZN-4.
func scopeLists(e *Env) {
	e.twoLinks()
	e.Do(func() {
		s := e.datagram()
		out := make([]byte, 200)
		n := s.ioctl(wsa.SIO_ADDRESS_LIST_QUERY, nil, out)
		list, errno := wsa.ParseAddressList(out[:n])
		e.Code("ParseAddressList", wsaError(errno), 0)
		Equal(e, "the addresses", fmt.Sprint(list), "[[fe80::1%2]:0 [fe80::1%3]:0]")
		n = s.ioctl(wsa.SIO_ROUTING_INTERFACE_QUERY, wsa.AppendSockaddr(nil, addrOf("[fe80::2%3]:0")), out)
		source, errno := wsa.ParseSockaddr(out[:n])
		e.Code("ParseSockaddr", wsaError(errno), 0)
		Equal(e, "the source", source, addrOf("[fe80::1%3]:0"))
	})
	e.Notef("both lists have scope ids")
}

func wsaError(code wsa.Errno) error {
	if code == 0 {
		return nil
	}
	return code
}

// peersByLevel are peers, with the levels of protection that let them in: r 30, e 20, o 10.
func (e *Env) peersByLevel() map[string]string {
	if e.v6() {
		return map[string]string{"fe80::9": "reo", "fec0::9": "reo", "fd00::9": "eo", "2001:db8::9": "eo", "2001::9": "o"}
	}
	return map[string]string{"169.254.0.9": "reo", "10.0.0.9": "reo", "192.0.2.9": "eo"}
}

// protection is ZN-5: who gets in at each level, on streams and datagrams.
func protection(e *Env) {
	e.wired(func(w *simnet.Wire) {
		to := e.Addr(1, 80)
		for level, letter := range map[uint32]string{10: "o", 20: "e", 30: "r", 0: "e"} {
			l, d := e.stream(), e.datagram()
			for _, s := range []handle{l, d} {
				if level != 0 { // 0: not set
					s.set(e.level(), wsa.IPV6_PROTECTION_LEVEL, level)
				}
				s.bind(to)
			}
			l.listen(5)
			d.nonblocking(true)
			for peer, levels := range e.peersByLevel() {
				from := netip.AddrPortFrom(netip.MustParseAddr(peer), 1000)
				syn := make([]byte, 20)
				syn[0], syn[1], syn[3], syn[7], syn[12], syn[13], syn[14] = 3, 232, 80, 1, 0x50, 2, 255
				w.Discard()
				w.Inject(simnet.EncodeIP(from.Addr(), to.Addr(), 6, syn))
				e.Net.Sleep(time.Millisecond)
				w.Inject(simnet.EncodeUDP(from, to, []byte("x")))
				e.Net.Sleep(time.Millisecond)
				answer := trace.Parse(e.received(w)).Segment.Flags
				in := map[bool]string{true: "in", false: "out"}
				got := fmt.Sprint(in[answer == trace.SYN|trace.ACK], " ", answer&trace.RST != 0, " ", d.receivedNow())
				admitted := false
				for _, c := range levels {
					admitted = admitted || string(c) == letter
				}
				want := "out true "
				if admitted {
					want = "in false x"
				}
				Equal(e, fmt.Sprintf("%s at level %d", peer, level), got, want)
			}
			l.close()
			d.close()
			e.Net.Sleep(time.Minute)
		}
	})
	e.Notef("30 lets in the same link and site, 20 and -1 all but Teredo, 10 anybody; who isn't let in gets a RST, or nothing")
}

// zonesScenarios are ZN-1 to ZN-5: zones of link-local addresses, and protection levels.
var zonesScenarios = []Scenario{
	{ID: "ZN-1", Title: "scope ids", Source: "RFC 4007", Once: true, Run: scopeIDs},
	{ID: "ZN-2", Title: "one link", Source: "RFC 4007", Once: true, Run: oneLink},
	{ID: "ZN-3", Title: "wrong scope ids", Source: "API-bind, API-connect", Once: true, Run: wrongScopes},
	{ID: "ZN-4", Title: "lists of addresses", Source: "API-WSAIoctl", Once: true, Run: scopeLists},
	{ID: "ZN-5", Title: "protection levels", Source: "W-PROT", Run: protection},
}
