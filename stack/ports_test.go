package stack

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// newPorts is a registry with a range of dynamic ports.
func newPorts(r PortRange, profile options.Profile) *ports {
	p := &ports{}
	p.init(rand.New(rand.NewPCG(1, 2)), profile, r)
	return p
}

// modelPorts is the registry without its indexes: a list of bindings.
type modelPorts struct {
	rules [2]*matrix
	held  []*socket.Binding
	conns []socket.Tuple
}

// verdict is what a bind to an explicit port gets.
func (m *modelPorts) verdict(b *socket.Binding) wsa.Errno {
	for _, o := range m.held {
		if o.Protocol == b.Protocol && o.Addr.Port() == b.Addr.Port() {
			if err := conflict(m.rules, claimOf(o), claimOf(b)); err != 0 {
				return err
			}
		}
	}
	return 0
}

// mayHave reports whether an ephemeral bind may get a port.
func (m *modelPorts) mayHave(b *socket.Binding, port uint16) bool {
	for _, o := range m.held {
		if o.Protocol != b.Protocol || o.Addr.Port() != port {
			continue
		}
		both := b.PerAddress && o.PerAddress && plain(o.Addr.Addr()) != plain(b.Addr.Addr())
		if !both && !(b.Shared && o.Shared) {
			return false
		}
	}
	return port != b.Avoid && !slices.Contains(m.conns, socket.Tuple{Local: netip.AddrPortFrom(plain(b.Addr.Addr()), port), Remote: b.Peer})
}

// Any sequence of binds, unbinds and connections has the outcomes of a list
// that is searched.
func TestRegistryLikeAModel(t *testing.T) {
	dynamic := PortRange{5000, 5004}
	addrs := []netip.Addr{netip.IPv4Unspecified(), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"),
		netip.IPv6Unspecified(), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("::ffff:10.0.0.1")}
	rapid.Check(t, func(t *rapid.T) {
		profile := rapid.SampledFrom([]options.Profile{options.Documented, options.Legacy}).Draw(t, "profile")
		p, m := newPorts(dynamic, profile), &modelPorts{rules: matrices[profile]}
		draw := func() *socket.Binding {
			b := &socket.Binding{
				Protocol: rapid.SampledFrom([]int32{wsa.IPPROTO_TCP, wsa.IPPROTO_UDP}).Draw(t, "protocol"),
				Owner:    rapid.SampledFrom([]string{"", "x"}).Draw(t, "owner"),
				Avoid:    rapid.Uint16Range(4999, 5004).Draw(t, "avoid"),
			}
			addr := rapid.SampledFrom(addrs).Draw(t, "addr")
			b.Addr = netip.AddrPortFrom(addr, rapid.SampledFrom([]uint16{0, 0, 80, 5000, 5001, 5002}).Draw(t, "port"))
			switch rapid.IntRange(0, 3).Draw(t, "option") {
			case 0:
				b.Reuse = true
			case 1:
				b.Exclusive = true
			}
			b.DualStack = addr == netip.IPv6Unspecified() && rapid.Bool().Draw(t, "dual")
			switch ephemeral := b.Addr.Port() == 0; rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				b.Shared = ephemeral && b.Protocol == wsa.IPPROTO_TCP && !b.Exclusive
			case 1:
				b.PerAddress = ephemeral && !addr.IsUnspecified()
			}
			if b.Shared {
				b.Peer = netip.MustParseAddrPort(fmt.Sprintf("10.9.9.9:%d", rapid.IntRange(1, 2).Draw(t, "peer")))
			}
			return b
		}
		t.Repeat(map[string]func(*rapid.T){
			"bind": func(t *rapid.T) {
				b := draw()
				if b.Addr.Port() != 0 {
					want := m.verdict(b)
					if got := p.bind(b); got != want {
						t.Fatalf("bind(%+v) = %v, want %v", b, got, want)
					}
					if want == 0 {
						m.held = append(m.held, b)
					}
					return
				}
				var free []uint16
				for port := dynamic.First; port <= dynamic.Last; port++ {
					if m.mayHave(b, port) {
						free = append(free, port)
					}
				}
				switch err := p.bind(b); {
				case len(free) == 0 && err != wsa.WSAENOBUFS:
					t.Fatalf("bind(%+v) = %v, want WSAENOBUFS", b, err)
				case len(free) > 0 && (err != 0 || !slices.Contains(free, b.Addr.Port())):
					t.Fatalf("bind(%+v) = %v, want one of %v", b, err, free)
				case err == 0:
					m.held = append(m.held, b)
				}
			},
			"unbind": func(t *rapid.T) {
				if len(m.held) == 0 {
					t.Skip("nothing is bound")
				}
				i := rapid.IntRange(0, len(m.held)-1).Draw(t, "which")
				p.unbind(m.held[i])
				m.held = slices.Delete(m.held, i, i+1)
			},
			"connect": func(t *rapid.T) {
				c := socket.Tuple{
					Local:  netip.AddrPortFrom(addrs[1], rapid.Uint16Range(4999, 5005).Draw(t, "port")),
					Remote: netip.MustParseAddrPort(fmt.Sprintf("10.9.9.9:%d", rapid.IntRange(1, 2).Draw(t, "peer"))),
				}
				if i := slices.Index(m.conns, c); i >= 0 {
					p.vacate(c)
					m.conns = slices.Delete(m.conns, i, i+1)
					return
				}
				p.occupy(c)
				m.conns = append(m.conns, c)
			},
			"": func(t *rapid.T) {
				if p.bindings() != len(m.held) {
					t.Fatalf("%d bindings, want %d", p.bindings(), len(m.held))
				}
			},
		})
		for _, b := range m.held {
			p.unbind(b)
		}
		for _, c := range m.conns {
			p.vacate(c)
		}
		tcp := p.pools[wsa.IPPROTO_TCP]
		if len(p.used) != 0 || len(tcp.peers) != 0 || len(tcp.conns) != 0 || tcp.taken.count()+tcp.closed.count()+tcp.ordinary.count()+tcp.linger.count() != 0 {
			t.Fatalf("something is left: %+v", p)
		}
		for a, s := range tcp.scaled {
			if s.count() != 0 {
				t.Fatalf("ports are left on %v", a)
			}
		}
	})
}

// Every free port is as likely as any other (RFC 6056 §3.2), where half of the
// range is in use and the rest lies in one stretch.
func TestChoiceIsUniform(t *testing.T) {
	p := newPorts(PortRange{1000, 1099}, options.Documented)
	for port := range uint16(90) {
		require.Zero(t, p.bind(&socket.Binding{Protocol: wsa.IPPROTO_TCP, Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 1000+port)}))
	}
	got := map[uint16]int{}
	const each = 1000
	for range 10 * each {
		b := &socket.Binding{Protocol: wsa.IPPROTO_TCP, Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}
		require.Zero(t, p.bind(b))
		got[b.Addr.Port()]++
		p.unbind(b)
	}
	require.Len(t, got, 10)
	for port, n := range got {
		require.InDelta(t, each, n, each/5, "port %d", port)
	}
}

// The ports of a peer are kept as a list, then as a set, then as nothing.
func TestManyConnectionsToOnePeer(t *testing.T) {
	p := newPorts(PortRange{}, options.Documented)
	local, peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddrPort("10.0.0.2:80")
	var all []*socket.Binding
	seen := map[uint16]bool{}
	connect := func() *socket.Binding {
		b := &socket.Binding{Protocol: wsa.IPPROTO_TCP, Addr: netip.AddrPortFrom(local, 0), Shared: true, Peer: peer}
		if p.bind(b) != 0 {
			return nil
		}
		p.occupy(socket.Tuple{Local: b.Addr, Remote: peer})
		return b
	}
	for b := connect(); b != nil; b = connect() {
		require.False(t, seen[b.Addr.Port()])
		seen[b.Addr.Port()] = true
		all = append(all, b)
	}
	require.Len(t, all, lastDynamic-firstDynamic+1)
	for _, b := range all { // closed, in TIME-WAIT: the port is free, but not for this peer
		p.unbind(b)
	}
	require.Nil(t, connect())
	for _, b := range all {
		p.vacate(socket.Tuple{Local: b.Addr, Remote: peer})
	}
	require.NotNil(t, connect())
}

// BenchmarkBind binds and unbinds with that many ports in use: by number, by
// choice, and as connect does for a peer that has half of the ports.
func BenchmarkBind(b *testing.B) {
	dynamic := PortRange{1024, 65535}
	for _, used := range []int{0, 1000, 10_000, 30_000, 60_000, 64_511} {
		p := newPorts(dynamic, options.Documented)
		addr, peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddrPort("10.0.0.2:80")
		for i := range used {
			c := &socket.Binding{Protocol: wsa.IPPROTO_TCP, Addr: netip.AddrPortFrom(addr, 0)}
			if err := p.bind(c); err != 0 {
				b.Fatal(err)
			}
			if i%2 == 0 {
				p.occupy(socket.Tuple{Local: c.Addr, Remote: peer})
			}
		}
		run := func(name string, c socket.Binding) {
			b.Run(fmt.Sprintf("%s/used=%d", name, used), func(b *testing.B) {
				for b.Loop() {
					d := c
					if err := p.bind(&d); err != 0 {
						b.Fatal(err)
					}
					p.unbind(&d)
				}
			})
		}
		run("explicit", socket.Binding{Protocol: wsa.IPPROTO_TCP, Addr: netip.AddrPortFrom(addr, 1000)})
		run("chosen", socket.Binding{Protocol: wsa.IPPROTO_TCP, Addr: netip.AddrPortFrom(addr, 0)})
		run("connect", socket.Binding{Protocol: wsa.IPPROTO_TCP, Addr: netip.AddrPortFrom(addr, 0), Shared: true, Peer: peer})
	}
}
