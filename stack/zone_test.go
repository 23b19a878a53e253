package stack_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// twoLinks is a host with the address fe80::1 on two links, on each of which there is a neighbour
// fe80::2. The second neighbour has fe80::1's address on its own link to nobody.
func twoLinks(t *testing.T) (n *simnet.Network, a, b, c *simnet.Host) {
	n = simnet.New(t)
	a = n.Host("a", "fd00::1/64", "fe80::1/64")
	b = n.Host("b", "fd00::2/64", "fe80::2/64")
	c = n.Host("c", "fe80::2/64")
	n.Link(a, b)
	n.Link(a, c, simnet.Addresses(a, "fe80::1/64"))
	return n, a, b, c
}

// greet accepts a connection and says who did, and to whom.
func greet(h *simnet.Host, l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	fmt.Fprintf(conn, "%s from %v", h.Name(), conn.RemoteAddr())
	conn.Close()
}

// The zone decides to which of two neighbours with one address a stream goes, and both ends show
// the address with the name of their interface (ZN-1, ZN-2).
func TestZones_Streams(t *testing.T) {
	n, a, b, c := twoLinks(t)
	for _, h := range []*simnet.Host{b, c} {
		l, err := h.Listen("tcp", "[fe80::2%tun0]:80")
		require.NoError(t, err)
		require.Equal(t, "[fe80::2%tun0]:80", l.Addr().String())
		n.Background(h.Name(), func() {
			for {
				greet(h, l)
			}
		})
	}
	n.Do("dial", func() {
		for zone, want := range map[string]string{"tun0": "b", "2": "b", "tun1": "c", "3": "c"} {
			conn, err := a.Dial("tcp", "[fe80::2%"+zone+"]:80")
			require.NoError(t, err, zone)
			name := map[string]string{"b": "tun0", "c": "tun1"}[want]
			require.Equal(t, name, conn.LocalAddr().(*net.TCPAddr).Zone)
			require.Equal(t, "[fe80::2%"+name+"]:80", conn.RemoteAddr().String())
			said, err := io.ReadAll(conn)
			require.NoError(t, err)
			local := netip.AddrPortFrom(netip.MustParseAddr("fe80::1%tun0"), conn.LocalAddr().(*net.TCPAddr).AddrPort().Port())
			require.Equal(t, want+" from "+local.String(), string(said))
			conn.Close()
		}
	})
	for _, l := range n.Trace() {
		require.NotEqual(t, "c", l.To+l.From, "a packet of one link on the other")
	}
}

// Connections with one tuple in two zones are two connections.
func TestZones_OneTuple(t *testing.T) {
	n, a, b, c := twoLinks(t)
	accepted := map[string]net.Conn{}
	l, err := a.Listen("tcp", "[::]:80")
	require.NoError(t, err)
	n.Do("both", func() {
		conns := map[string]net.Conn{}
		for _, h := range []*simnet.Host{b, c} {
			d := stack.Dialer{Stack: h.Stack, LocalAddr: &net.TCPAddr{Port: 1000, IP: net.ParseIP("fe80::2"), Zone: "tun0"}}
			conn, err := d.Dial("tcp", "[fe80::1%tun0]:80")
			require.NoError(t, err)
			conns[h.Name()] = conn
			in, err := l.Accept()
			require.NoError(t, err)
			accepted[in.RemoteAddr().(*net.TCPAddr).Zone] = in
		}
		require.Len(t, accepted, 2)
		for zone, name := range map[string]string{"tun0": "b", "tun1": "c"} {
			require.Equal(t, "[fe80::2%"+zone+"]:1000", accepted[zone].RemoteAddr().String())
			require.Equal(t, "[fe80::1%"+zone+"]:80", accepted[zone].LocalAddr().String())
			_, err := accepted[zone].Write([]byte(zone))
			require.NoError(t, err)
			buf := make([]byte, 4)
			_, err = io.ReadFull(conns[name], buf)
			require.NoError(t, err)
			require.Equal(t, zone, string(buf))
		}
	})
}

// A listener with a zone takes connections by that interface only: the other answers with a RST.
func TestZones_Listener(t *testing.T) {
	n, a, b, c := twoLinks(t)
	l, err := a.Listen("tcp", "[fe80::1%tun1]:80")
	require.NoError(t, err)
	other, err := a.Listen("tcp", "[fe80::1%tun0]:81") // the same address elsewhere
	require.NoError(t, err)
	_, err = a.Listen("tcp", "[fe80::1%tun0]:81")
	require.ErrorIs(t, err, wsa.WSAEADDRINUSE)
	again, err := a.Listen("tcp", "[fe80::1%tun1]:81")
	require.NoError(t, err)
	defer again.Close()
	defer other.Close()
	n.Do("dial", func() {
		_, err := b.Dial("tcp", "[fe80::1%tun0]:80")
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
		conn, err := c.Dial("tcp", "[fe80::1%tun0]:80")
		require.NoError(t, err)
		in, err := l.Accept()
		require.NoError(t, err)
		require.Equal(t, "tun1", in.RemoteAddr().(*net.TCPAddr).Zone)
		conn.Close()
	})
}

// Datagrams: each socket sends by and receives from the interface of its zone, bound or connected.
func TestZones_Datagrams(t *testing.T) {
	n, a, b, c := twoLinks(t)
	open := func(h *simnet.Host, address string) *endpoint.PacketConn {
		p, err := h.ListenPacket("udp", address)
		require.NoError(t, err)
		return p.(*endpoint.PacketConn)
	}
	n.Do("datagrams", func() {
		pb, pc := open(b, "[fe80::2%tun0]:53"), open(c, "[fe80::2%2]:53")
		p0, p1, all := open(a, "[fe80::1%tun0]:9"), open(a, "[fe80::1%tun1]:9"), open(a, "[::]:10")
		to := netip.MustParseAddrPort("[fe80::1%tun0]:9")
		said := func(p *endpoint.PacketConn) (string, string) {
			buf := make([]byte, 9)
			require.NoError(t, p.SetReadDeadline(n.Clock().Now().Add(1e9)))
			k, from, err := p.ReadFrom(buf)
			require.NoError(t, err)
			return string(buf[:k]), from.String()
		}
		for _, p := range []*endpoint.PacketConn{pb, pc} {
			for _, port := range []uint16{9, 10} {
				_, err := p.WriteToUDPAddrPort([]byte{'f'}, netip.AddrPortFrom(to.Addr(), port))
				require.NoError(t, err)
			}
		}
		for p, zone := range map[*endpoint.PacketConn]string{p0: "tun0", p1: "tun1"} {
			_, from := said(p)
			require.Equal(t, "[fe80::2%"+zone+"]:53", from)
		}
		var from []string
		for range 2 {
			_, f := said(all)
			from = append(from, f)
		}
		slices.Sort(from)
		require.Equal(t, []string{"[fe80::2%tun0]:53", "[fe80::2%tun1]:53"}, from)

		// Answers go where the zone says; without one a bound socket has its own.
		for zone, p := range map[string]*endpoint.PacketConn{"tun0": pb, "tun1": pc} {
			_, err := all.WriteToUDPAddrPort([]byte(zone), netip.MustParseAddrPort("[fe80::2%"+zone+"]:53"))
			require.NoError(t, err)
			text, _ := said(p)
			require.Equal(t, zone, text)
		}
		_, err := p1.WriteToUDPAddrPort([]byte("bound"), netip.MustParseAddrPort("[fe80::2]:53"))
		require.NoError(t, err)
		text, sender := said(pc)
		require.Equal(t, "bound [fe80::1%tun0]:9", text+" "+sender)
		_, err = p1.WriteToUDPAddrPort([]byte("bound"), netip.MustParseAddrPort("[fe80::2%tun0]:53"))
		require.ErrorIs(t, err, wsa.WSAENETUNREACH, "from an address of the other link")

		// A connected socket hears its peer, not the neighbour with the same address.
		conn, err := a.DialUDP(context.Background(), "udp", netip.AddrPortFrom(netip.Addr{}, 11), netip.MustParseAddrPort("[fe80::2%tun1]:53"))
		require.NoError(t, err)
		require.Equal(t, "[fe80::2%tun1]:53 from [fe80::1%tun1]:11", conn.RemoteAddr().String()+" from "+conn.LocalAddr().String())
		for _, p := range []*endpoint.PacketConn{pb, pc} {
			_, err = p.WriteToUDPAddrPort([]byte("?"), netip.AddrPortFrom(to.Addr(), 11))
			require.NoError(t, err)
		}
		_, sender = said(conn)
		require.Equal(t, "[fe80::2%tun1]:53", sender)
		require.NoError(t, conn.SetReadDeadline(n.Clock().Now().Add(1e9)))
		_, _, err = conn.ReadFrom(make([]byte, 9))
		require.ErrorContains(t, err, "timeout")
	})
}

// The stack speaks to each of its own link-local addresses, on the interface that has it, and
// nothing of that leaves.
func TestZones_Self(t *testing.T) {
	n, a, _, _ := twoLinks(t)
	n.Do("self", func() {
		for _, zone := range []string{"tun0", "tun1"} {
			l, err := a.Listen("tcp", "[fe80::1%"+zone+"]:80")
			require.NoError(t, err)
			conn, err := a.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			in, err := l.Accept()
			require.NoError(t, err)
			require.Equal(t, conn.LocalAddr().String(), in.RemoteAddr().String())
			require.Equal(t, zone, in.LocalAddr().(*net.TCPAddr).Zone)
			_, err = conn.Write(make([]byte, 100_000))
			require.NoError(t, err)
			conn.Close()
			got, err := io.ReadAll(in)
			require.NoError(t, err)
			require.Len(t, got, 100_000)
			in.Close()

			reply, err := a.Ping(context.Background(), netip.MustParseAddr("fe80::1%"+zone))
			require.NoError(t, err)
			require.Equal(t, zone, reply.From.Zone())
		}
		l, err := a.Listen("tcp", "[fd00::1]:90") // a global address from a link-local one of the same interface
		require.NoError(t, err)
		d := stack.Dialer{Stack: a.Stack, LocalAddr: &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "tun0"}}
		_, err = d.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
	})
	require.Empty(t, n.Trace(), "packets that left")
}

// What no zone says, or a wrong one.
func TestZones_Errors(t *testing.T) {
	n, a, b, _ := twoLinks(t)
	n.Do("calls", func() {
		for address, want := range map[string]error{
			"[fe80::2]:80":      wsa.WSAEADDRNOTAVAIL, // which of two links?
			"[fe80::2%tun7]:80": wsa.WSAENETUNREACH,
			"[fe80::2%77]:80":   wsa.WSAENETUNREACH,
			"[fe80::2%lo]:80":   wsa.WSAENETUNREACH, // no link-local address there
		} {
			for _, network := range []string{"tcp", "udp"} {
				_, err := a.Dial(network, address)
				require.ErrorIs(t, err, want, "%s %s", network, address)
			}
			_, err := a.Ping(context.Background(), netip.MustParseAddrPort(address).Addr())
			require.ErrorIs(t, err, want, "ping %s", address)
		}
		for _, address := range []string{"[fe80::1]:80", "[fe80::1%tun7]:80", "[fe80::1%77]:80", "[fe80::2%tun0]:80", "[fe80::1%lo]:80"} {
			for _, network := range []string{"tcp", "udp"} {
				var err error
				if network == "tcp" {
					_, err = a.Listen(network, address)
				} else {
					_, err = a.ListenPacket(network, address)
				}
				require.ErrorIs(t, err, wsa.WSAEADDRNOTAVAIL, "%s %s", network, address)
			}
		}
		l, err := b.Listen("tcp", "[fe80::2]:80") // one interface has it
		require.NoError(t, err)
		require.Equal(t, "[fe80::2%tun0]:80", l.Addr().String())
		_, err = b.Dial("tcp", "[fe80::1]:80") // there is one interface
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
		_, err = b.Dial("tcp", "[fd00::1%tun9]:80") // an address that needs no zone has none
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
	})
}

// Neighbours on another link may have our link-local address; on the same link nobody has.
func TestZones_Martians(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "fe80::1/64")
	w := n.Wire(a, "w", "fe80::9")
	require.NoError(t, a.AddDevice(tun.NewFunc(1500, func([]byte) {}), netip.MustParsePrefix("fe80::3/64")))
	p, err := a.ListenPacket("udp", "[::]:2000")
	require.NoError(t, err)
	n.Do("inject", func() {
		for _, from := range []string{"fe80::1", "fe80::3"} {
			w.Inject(udp(from, "fe80::1", 1))
		}
		_, from, err := p.ReadFrom(make([]byte, 9))
		require.NoError(t, err)
		require.Equal(t, "[fe80::3%tun0]:1000", from.String())
		require.Equal(t, uint64(1), a.Stats().Dropped)
	})
}

// RemoveAddress and AddAddress tell interfaces apart.
func TestZones_Addresses(t *testing.T) {
	n, a, _, _ := twoLinks(t)
	n.Do("change", func() {
		require.ErrorContains(t, a.RemoveAddress(netip.MustParseAddr("fe80::1")), "no interface has")
		require.NoError(t, a.RemoveAddress(netip.MustParseAddr("fe80::1%tun1")))
		_, err := a.Listen("tcp", "[fe80::1%tun1]:80")
		require.ErrorIs(t, err, wsa.WSAEADDRNOTAVAIL)
		l, err := a.Listen("tcp", "[fe80::1]:80")
		require.NoError(t, err)
		require.Equal(t, "[fe80::1%tun0]:80", l.Addr().String())
		require.Error(t, a.AddAddress(nil, netip.MustParsePrefix("fe80::1/64")), "there already")
	})
}
