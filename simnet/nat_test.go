package simnet_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// routerConfig is that of a router whose first interface leads to everything it knows nothing of.
func routerConfig(mtu uint32, address string) stack.Config {
	return stack.Config{Addresses: []netip.Prefix{netip.MustParsePrefix(address)}, MTU: mtu, Forwarding: true}
}

// A home is a NAT with two hosts behind it.
//
//	a 10.0.0.2 ── 10.0.0.1 ┐
//	                       nat 198.51.100.1 ── …
//	b 10.0.1.2 ── 10.0.1.1 ┘
type home struct {
	n           *simnet.Network
	a, b, nat   *simnet.Host
	insideA     *simnet.Link
	outsideLink *simnet.Link
}

// newHome makes a home, whose NAT is linked to a router or a host outside.
func newHome(n *simnet.Network, out *simnet.Host, prefix string, config simnet.NATConfig, opts ...simnet.LinkOption) *home {
	h := &home{n: n}
	h.nat = n.HostConfig("nat"+prefix, routerConfig(0, prefix+".1/24"))
	h.outsideLink = n.Link(h.nat, out, append(opts, simnet.NAT(h.nat, config))...)
	h.a, h.b = n.Host("a"+prefix, "10.0.0.2/24"), n.Host("b"+prefix, "10.0.1.2/24")
	h.insideA = n.Link(h.nat, h.a, simnet.Addresses(h.nat, "10.0.0.1/24"))
	n.Link(h.nat, h.b, simnet.Addresses(h.nat, "10.0.1.1/24"))
	return h
}

func (h *home) translator() *simnet.Translator { return h.outsideLink.Translator(h.nat) }

// answers has a host send back what it gets over TCP, on port 7, and answer datagrams with the
// endpoint that they come from.
func answers(t testing.TB, n *simnet.Network, s *simnet.Host) {
	l, err := s.Listen("tcp4", ":7")
	require.NoError(t, err)
	n.Background("TCP of "+s.Name(), func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Background("connection of "+s.Name(), func() {
				fmt.Fprintf(c, "%-30v", c.RemoteAddr())
				io.Copy(c, c)
				c.Close()
			})
		}
	})
	p, err := s.ListenPacket("udp4", ":7")
	require.NoError(t, err)
	n.Background("UDP of "+s.Name(), func() {
		for b := make([]byte, 2000); ; {
			_, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo([]byte(from.String()), from)
		}
	})
}

// dial opens a connection from a port, and returns it with the endpoint that the server sees.
func dial(t testing.TB, h *simnet.Host, port uint16, to string) (*endpoint.Conn, netip.AddrPort) {
	t.Helper()
	c, err := h.DialTCP(context.Background(), "tcp4", netip.AddrPortFrom(netip.IPv4Unspecified(), port), netip.MustParseAddrPort(to))
	require.NoError(t, err)
	b := make([]byte, 30)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	return c, netip.MustParseAddrPort(strings.TrimSpace(string(b)))
}

// ask sends a datagram and returns the answer.
func ask(t testing.TB, n *simnet.Network, p net.PacketConn, to string) netip.AddrPort {
	t.Helper()
	_, err := p.WriteTo([]byte("who am I?"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
	require.NoError(t, err)
	b := make([]byte, 100)
	require.NoError(t, p.SetReadDeadline(n.Time().Add(time.Minute)))
	k, _, err := p.ReadFrom(b)
	require.NoError(t, err)
	return netip.MustParseAddrPort(string(b[:k]))
}

// echoes sends bytes, which come back.
func echoes(c net.Conn, data []byte) error {
	if _, err := c.Write(data); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len(data)))
	return err
}

// Two hosts share an address, and a port, as they see it. The trace has on each link what is on its
// wire.
func TestNAT(t *testing.T) {
	n := simnet.New(t)
	s := n.Host("s", "198.51.100.9/24")
	answers(t, n, s)
	h := newHome(n, s, "198.51.100", simnet.NATConfig{}, simnet.Delay(10*time.Millisecond))
	n.Do("clients", func() {
		c, first := dial(t, h.a, 5000, "198.51.100.9:7")
		d, second := dial(t, h.b, 5000, "198.51.100.9:7")
		require.Equal(t, "198.51.100.1:5000", first.String())
		require.Equal(t, "198.51.100.1", second.Addr().String())
		require.NotEqual(t, first, second)
		require.NoError(t, echoes(c, make([]byte, 100_000)))
		require.NoError(t, echoes(d, make([]byte, 100_000)))
		for _, host := range []*simnet.Host{h.a, h.b} {
			p, err := host.ListenPacket("udp4", ":5000")
			require.NoError(t, err)
			require.Equal(t, "198.51.100.1", ask(t, n, p, "198.51.100.9:7").Addr().String())
			reply, err := host.Ping(context.Background(), netip.MustParseAddr("198.51.100.9"))
			require.NoError(t, err)
			require.Equal(t, 127, reply.TTL)
		}
	})
	require.Len(t, h.translator().Mappings(), 6)
	require.NotZero(t, h.translator().Stats().Inbound)
	for _, l := range n.Trace() {
		inside := strings.HasPrefix(l.Source.String(), "10.") || strings.HasPrefix(l.Dest.String(), "10.")
		require.Equal(t, l.From != "s" && l.To != "s", inside, l.Text)
	}
}

// The router has sockets and answers, on the outside, too.
func TestNAT_RouterItself(t *testing.T) {
	n := simnet.New(t)
	s := n.Host("s", "198.51.100.9/24")
	answers(t, n, s)
	h := newHome(n, s, "198.51.100", simnet.NATConfig{Filtering: simnet.AddressAndPortDependent})
	answers(t, n, h.nat)
	n.Do("all", func() {
		_, from := dial(t, s, 5000, "198.51.100.1:7")
		require.Equal(t, "198.51.100.9:5000", from.String())
		_, from = dial(t, h.a, 5000, "198.51.100.1:7") // from inside, to the outside address
		require.Equal(t, "10.0.0.2:5000", from.String())
		c, from := dial(t, h.nat, 5000, "198.51.100.9:7")
		require.Equal(t, "198.51.100.1:5000", from.String())
		_, from = dial(t, h.b, 5000, "198.51.100.9:7")
		require.NotEqual(t, uint16(5000), from.Port(), "the port is the router's")
		require.NoError(t, echoes(c, []byte("still there")))
		for _, host := range []*simnet.Host{s, h.a} {
			_, err := host.Ping(context.Background(), netip.MustParseAddr("198.51.100.1"))
			require.NoError(t, err)
		}
		_, err := s.Dial("tcp", "198.51.100.1:9")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
	})
}

// Two hosts behind NATs tell each other, by a server, which endpoint each has outside, and send
// there at the same time. It depends on the NATs whether that makes a way (RFC 5128 §3.3).
func TestNAT_HolePunching(t *testing.T) {
	open := simnet.NATConfig{}
	strict := simnet.NATConfig{Filtering: simnet.AddressAndPortDependent}
	symmetric := simnet.NATConfig{Mapping: simnet.AddressAndPortDependent, Filtering: simnet.AddressAndPortDependent, RandomPorts: true}
	for _, tt := range []struct {
		name        string
		left, right simnet.NATConfig
		meet        bool
	}{
		{"endpoint-independent", open, open, true},
		{"endpoint-independent mapping", strict, strict, true},
		{"one is symmetric, one takes all", symmetric, open, true},
		{"one is symmetric", symmetric, strict, false},
		{"both are symmetric", symmetric, symmetric, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := simnet.New(t)
			core := n.HostConfig("core", routerConfig(0, "203.0.113.1/24"))
			s := n.Host("s", "203.0.113.9/24")
			n.Link(core, s)
			answers(t, n, s)
			left := newHome(n, core, "198.51.100", tt.left, simnet.Addresses(core, "198.51.100.254/24"))
			right := newHome(n, core, "198.51.101", tt.right, simnet.Addresses(core, "198.51.101.254/24"))
			got := 0
			n.Do("meet", func() {
				p, err := left.a.ListenPacket("udp4", ":5000")
				require.NoError(t, err)
				q, err := right.a.ListenPacket("udp4", ":5000")
				require.NoError(t, err)
				there, here := ask(t, n, p, "203.0.113.9:7"), ask(t, n, q, "203.0.113.9:7")
				for _, side := range []struct {
					net.PacketConn
					to netip.AddrPort
				}{{p, here}, {q, there}} {
					n.Go("peer", func() {
						to := net.Addr(net.UDPAddrFromAddrPort(side.to))
						b, answered := make([]byte, 100), false
						for range 5 {
							side.WriteTo([]byte("hello"), to)
							side.SetReadDeadline(n.Time().Add(time.Second))
							if _, from, err := side.ReadFrom(b); err == nil {
								to, answered = from, true // the endpoint that the other one really has
							}
						}
						if answered {
							got++
						}
					})
				}
			})
			n.Run()
			require.Equal(t, map[bool]int{true: 2, false: 0}[tt.meet], got)
		})
	}
}

// A connection that is idle for longer than the NAT remembers is cut off; keep-alive holds it.
func TestNAT_IdleConnection(t *testing.T) {
	for _, keep := range []bool{false, true} {
		n := simnet.New(t)
		s := n.Host("s", "198.51.100.9/24")
		answers(t, n, s)
		h := newHome(n, s, "198.51.100", simnet.NATConfig{})
		n.Do("client", func() {
			c, _ := dial(t, h.a, 5000, "198.51.100.9:7")
			require.NoError(t, c.SetKeepAlive(keep)) // after 2 hours, and the NAT has 2 hours and 4 minutes
			n.Sleep(5 * time.Hour)
			require.Len(t, h.translator().Mappings(), map[bool]int{false: 0, true: 1}[keep])
			err := echoes(c, []byte("still there?"))
			if keep {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, wsa.WSAECONNABORTED)
				require.NotZero(t, h.translator().Stats().NoSession)
			}
		})
	}
}

// A NAT that is rebooted, or that Link.Set has made anew, knows nothing of the connections before.
func TestNAT_Reboot(t *testing.T) {
	n := simnet.New(t)
	s := n.Host("s", "198.51.100.9/24")
	answers(t, n, s)
	h := newHome(n, s, "198.51.100", simnet.NATConfig{})
	for name, reboot := range map[string]func(){
		"Flush": func() { h.translator().Flush() },
		"Set":   func() { h.outsideLink.Set(simnet.NAT(h.nat, simnet.NATConfig{})) },
	} {
		n.Do(name, func() {
			c, _ := dial(t, h.a, 0, "198.51.100.9:7")
			reboot()
			require.ErrorIs(t, echoes(c, []byte("still there?")), wsa.WSAECONNABORTED)
			c, _ = dial(t, h.a, 0, "198.51.100.9:7")
			require.NoError(t, echoes(c, []byte("once more")))
		})
	}
	h.outsideLink.Set(simnet.NoNAT(h.nat))
	require.Nil(t, h.outsideLink.Translator(h.nat))
	n.Do("without", func() {
		p, err := h.a.ListenPacket("udp4", ":5000")
		require.NoError(t, err)
		require.Equal(t, "10.0.0.2:5000", ask(t, n, p, "198.51.100.9:7").String())
	})
}

// Routes lead out through a NAT, not in.
func TestNAT_AutoRoutes(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		core, wide := n.Router("core"), n.Switch("wide")
		n.Link(core, wide, simnet.Addresses(core, "198.51.100.254/24"))
		s := n.Host("s", "203.0.113.9/24")
		n.Link(core, s, simnet.Addresses(core, "203.0.113.1/24"))
		answers(t, n, s)
		var hosts []*simnet.Host
		for i := range 2 {
			gate, lan := n.Router(fmt.Sprint("gate", i)), n.Switch(fmt.Sprint("lan", i))
			n.Link(gate, wide, simnet.Addresses(gate, fmt.Sprintf("198.51.100.%d/24", 1+i)), simnet.NAT(gate, simnet.NATConfig{}))
			n.Link(gate, lan, simnet.Addresses(gate, "10.0.0.1/24"))
			for k := range 2 {
				h := n.Host(fmt.Sprintf("h%d.%d", i, k), fmt.Sprintf("10.0.0.%d/24", 2+k))
				n.Link(h, lan)
				hosts = append(hosts, h)
			}
		}
		n.AutoRoutes()
		require.Nil(t, core.DeviceTo(netip.MustParseAddr("10.0.0.2")))
		n.Do("all", func() {
			for i, h := range hosts {
				c, from := dial(t, h, uint16(5000+i), "203.0.113.9:7")
				require.Equal(t, fmt.Sprintf("198.51.100.%d:%d", 1+i/2, 5000+i), from.String())
				require.NoError(t, echoes(c, make([]byte, 50_000)))
			}
			// Two hosts on one switch meet outside, and the packets leave by the port that they came by.
			p, err := hosts[0].ListenPacket("udp4", ":6000")
			require.NoError(t, err)
			q, err := hosts[1].ListenPacket("udp4", ":6001")
			require.NoError(t, err)
			_, err = q.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(ask(t, n, p, "203.0.113.9:7")))
			require.NoError(t, err)
			_, from, err := p.ReadFrom(make([]byte, 5))
			require.NoError(t, err)
			require.Equal(t, "198.51.100.1:6001", from.String())
		})
	})
}

// ICMP errors find the way in: what a path takes, and how long it is.
func TestNAT_Errors(t *testing.T) {
	n := simnet.New(t)
	core := n.HostConfig("core", routerConfig(1300, "192.0.2.1/30"))
	far := n.HostConfig("far", routerConfig(1300, "192.0.2.2/30"))
	n.Link(core, far)
	s := n.Host("s", "203.0.113.9/24")
	n.Link(far, s, simnet.Addresses(far, "203.0.113.1/24"))
	answers(t, n, s)
	h := newHome(n, core, "198.51.100", simnet.NATConfig{}, simnet.Addresses(core, "198.51.100.254/24"))
	n.Do("path MTU", func() {
		c, _ := dial(t, h.a, 0, "203.0.113.9:7")
		require.NoError(t, echoes(c, make([]byte, 50_000)))
	})
	require.Contains(t, n.TraceText(), "1300", "an error that names the MTU")
	hops := map[uint8]string{1: "10.0.0.1", 2: "198.51.100.254", 3: "192.0.2.2"}
	for ttl, want := range hops {
		h.insideA.Set(simnet.From(h.a, simnet.Filter(func(p []byte) []byte {
			ip := header.IPv4(p)
			ip.SetTTL(ttl)
			ip.SetChecksum(0)
			ip.SetChecksum(^ip.CalculateChecksum())
			return p
		})))
		n.Do("traceroute", func() {
			_, err := h.a.Ping(context.Background(), netip.MustParseAddr("203.0.113.9"))
			var e *stack.ICMPError // of this hop
			require.ErrorAs(t, err, &e)
			require.Equal(t, want, e.From.String())
		})
	}
	h.insideA.Set(simnet.Filter(nil))
	n.Do("port unreachable", func() {
		c, err := h.a.Dial("udp4", "203.0.113.9:9")
		require.NoError(t, err)
		_, err = c.(*endpoint.PacketConn).Ioctl(wsa.SIO_UDP_CONNRESET, []byte{1, 0, 0, 0}, nil)
		require.NoError(t, err)
		_, err = c.Write([]byte("anybody?"))
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, wsa.WSAECONNRESET)
	})
}

// forwardingHome is a home whose NAT forwards a port to the echo server on host b; another echo
// server is outside, at 198.51.100.9.
func forwardingHome(t *testing.T, n *simnet.Network, port uint16) *home {
	s := n.Host("s", "198.51.100.9/24")
	answers(t, n, s)
	h := newHome(n, s, "198.51.100", simnet.NATConfig{Forwards: []simnet.NATForward{{Protocol: simnet.TCP, Port: port, To: netip.MustParseAddrPort("10.0.1.2:7")}}})
	answers(t, n, h.b)
	return h
}

// Inside hosts meet at the outside address.
func TestNAT_Hairpinning(t *testing.T) {
	n := simnet.New(t)
	h := forwardingHome(t, n, 8007)
	n.Do("hairpin", func() {
		c, from := dial(t, h.a, 5000, "198.51.100.1:8007")
		require.Equal(t, "198.51.100.1:5000", from.String())
		require.NoError(t, echoes(c, make([]byte, 100_000)))
		p, err := h.b.ListenPacket("udp4", ":6000")
		require.NoError(t, err)
		outside := ask(t, n, p, "198.51.100.9:7")
		q, err := h.a.ListenPacket("udp4", ":6000")
		require.NoError(t, err)
		_, err = q.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(outside))
		require.NoError(t, err)
		b := make([]byte, 5)
		_, sender, err := p.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "198.51.100.1", sender.(*net.UDPAddr).IP.String())
		_, err = p.WriteTo(b, sender)
		require.NoError(t, err)
		_, sender, err = q.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, outside.String(), sender.String())
		require.NoError(t, p.Close())
		_, err = q.WriteTo([]byte("gone?"), net.UDPAddrFromAddrPort(outside)) // draws an error, which comes back
		require.NoError(t, err)
		n.Sleep(time.Second)
	})
	require.NotZero(t, h.translator().Stats().Returned)
	require.EqualValues(t, 2, strings.Count(n.TraceText(), "icmp unreachable port"), "the error of b, and the one for a")
	require.Contains(t, n.TraceText(), "nat198.51.100>a198.51.100 8007>5000 [S.]", "the trace has the way back")
}

// A NAT that was replaced has no part in hairpinning any more, and a packet that goes back to the
// inside doesn't leave instead, where the router knows no inside host of that address.
func TestNAT_HairpinningAfterChanges(t *testing.T) {
	n := simnet.New(t)
	s := n.Host("s", "198.51.100.9/24")
	h := newHome(n, s, "198.51.100", simnet.NATConfig{})
	answers(t, n, h.b)
	h.outsideLink.Set(simnet.NAT(h.nat, simnet.NATConfig{Forwards: []simnet.NATForward{
		{Protocol: simnet.TCP, Port: 8007, To: netip.MustParseAddrPort("10.0.1.2:7")},
		{Protocol: simnet.TCP, Port: 8008, To: netip.MustParseAddrPort("10.9.9.9:7")},
	}}))
	n.Do("hairpin", func() {
		c, _ := dial(t, h.a, 5000, "198.51.100.1:8007")
		require.NoError(t, echoes(c, []byte("hello")))
		_, err := h.a.Dial("tcp", "198.51.100.1:8008")
		require.ErrorIs(t, err, wsa.WSAETIMEDOUT)
		h.outsideLink.Set(simnet.NoNAT(h.nat))
		_, err = h.a.Dial("tcp", "198.51.100.1:8007")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED, "by the router")
	})
	require.Zero(t, h.outsideLink.Stats(h.nat).Packets)
}

// A server behind a NAT.
func TestNAT_Forwards(t *testing.T) {
	n := simnet.New(t)
	s := n.Host("s", "198.51.100.9/24")
	h := newHome(n, s, "198.51.100", simnet.NATConfig{Filtering: simnet.AddressAndPortDependent})
	answers(t, n, h.a)
	n.Do("client", func() {
		_, err := s.Dial("tcp", "198.51.100.1:80")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED, "by the router")
		require.NoError(t, h.translator().Forward(simnet.NATForward{Protocol: simnet.TCP, Port: 80, To: netip.MustParseAddrPort("10.0.0.2:7")}))
		c, from := dial(t, s, 5000, "198.51.100.1:80")
		require.Equal(t, "198.51.100.9:5000", from.String())
		require.NoError(t, echoes(c, make([]byte, 100_000)))
		_, err = s.Dial("tcp", "10.0.0.2:7")
		require.ErrorIs(t, err, wsa.WSAETIMEDOUT, "nobody outside reaches an inside address")
	})
	require.NotZero(t, h.translator().Stats().Unsolicited)
}

// A NAT that has room for few sessions forgets the one that would end first.
func TestNAT_Full(t *testing.T) {
	n := simnet.New(t)
	s := n.Host("s", "198.51.100.9/24")
	answers(t, n, s)
	h := newHome(n, s, "198.51.100", simnet.NATConfig{Sessions: 10})
	n.Do("clients", func() {
		c, _ := dial(t, h.a, 0, "198.51.100.9:7")
		for i := range 50 {
			p, err := h.b.ListenPacket("udp4", fmt.Sprint(":", 3000+i))
			require.NoError(t, err)
			ask(t, n, p, "198.51.100.9:7")
		}
		require.NoError(t, echoes(c, []byte("still there")))
	})
	require.EqualValues(t, 41, h.translator().Stats().Evicted)
	require.Equal(t, 10, h.translator().Stats().Sessions)
}

// Datagrams that are larger than a packet go through in fragments.
func TestNAT_Fragments(t *testing.T) {
	n := simnet.New(t)
	s := n.Host("s", "198.51.100.9/24")
	h := newHome(n, s, "198.51.100", simnet.NATConfig{}, simnet.Delay(50*time.Millisecond), simnet.Reorder(0.5, 20*time.Millisecond))
	p, err := s.ListenPacket("udp4", ":9")
	require.NoError(t, err)
	n.Background("server", func() {
		for b := make([]byte, 20_000); ; {
			k, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(b[:k], from)
		}
	})
	n.Do("client", func() {
		c, err := h.a.Dial("udp4", "198.51.100.9:9")
		require.NoError(t, err)
		for i := range 20 {
			_, err := c.Write(make([]byte, 10_000+i))
			require.NoError(t, err)
			k, err := c.Read(make([]byte, 20_000))
			require.NoError(t, err)
			require.Equal(t, 10_000+i, k)
		}
	})
	require.NotZero(t, h.outsideLink.Stats(s).Reordered)
	require.Zero(t, h.translator().Stats().Fragments)
}
