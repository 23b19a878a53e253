package simnet_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// Who can't be reached is said by the router that knows.
func TestRouter_Unreachable(t *testing.T) {
	n := simnet.New(t)
	o := newOffice(n, 1)
	refused := func(to, from string, kind, code uint8) {
		t.Helper()
		_, err := ping(t, n, o.server, to)
		var icmp *stack.ICMPError
		require.ErrorAs(t, err, &icmp)
		require.Equal(t, stack.ICMPError{From: netip.MustParseAddr(from), Type: kind, Code: code}, *icmp)
	}
	refused("10.77.0.1", "10.9.0.1", 3, 0) // no route
	refused("fd77::1", "fd09::1", 1, 0)    // no route
	refused("10.0.1.77", "10.9.0.1", 3, 1) // no such neighbour
	refused("fd00::1:77", "fd09::1", 1, 3) // no such neighbour
	_, err := ping(t, n, o.hosts[0], "10.0.1.77")
	require.ErrorIs(t, err, wsa.WSAETIMEDOUT, "nobody says anything on the same link")
}

// Packets go round between two routers until they have used up their hops.
func TestRouter_Loop(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "10.0.0.2/24")
	r1, r2, r3 := n.Router("r1"), n.Router("r2"), n.Router("r3")
	n.Link(a, r1, simnet.Addresses(r1, "10.0.0.1/24"))
	n.Link(r1, r2, simnet.Addresses(r1, "10.1.0.1/24"), simnet.Addresses(r2, "10.1.0.2/24"))
	n.Link(r2, r3, simnet.Addresses(r2, "10.2.0.1/24"), simnet.Addresses(r3, "10.2.0.2/24"))
	n.Link(r3, r1, simnet.Addresses(r3, "10.3.0.1/24"), simnet.Addresses(r1, "10.3.0.2/24"))
	r1.Route("10.9.0.0/16", "10.1.0.2")
	r2.Route("10.9.0.0/16", "10.2.0.2")
	r3.Route("10.9.0.0/16", "10.3.0.2")
	r2.Route("default", "10.1.0.1")
	r3.Route("default", "10.3.0.2")
	_, err := ping(t, n, a, "10.9.0.1")
	var icmp *stack.ICMPError
	require.ErrorAs(t, err, &icmp)
	require.Equal(t, uint8(11), icmp.Type)
	packets, _ := n.Digest()
	require.Less(t, packets, uint64(140))
	require.Greater(t, packets, uint64(100))
}

// Raw packets and segments run out of hops as datagrams do.
func TestRouter_TimeExceeded(t *testing.T) {
	n := simnet.New(t)
	c := newChain(n)
	w := n.Wire(nil, "w", "10.5.0.9", "fd05::9")
	n.Link(w, c.routers[0], simnet.Addresses(c.routers[0], "10.5.0.1/24", "fd05::1/64"))
	n.AutoRoutes()
	for _, protocol := range []uint8{6, 17, 200} {
		for hops, from := range []string{1: "10.5.0.1", 2: "10.0.1.2", 3: "10.0.2.2"} {
			if from == "" {
				continue
			}
			packet := simnet.EncodeIP(netip.MustParseAddr("10.5.0.9"), netip.MustParseAddr("10.0.3.2"), protocol, make([]byte, 20))
			w.Inject(edit4(packet, func(h []byte) { h[8] = byte(hops) }))
			p, err := w.Receive(time.Second)
			require.NoError(t, err)
			require.Equal(t, netip.MustParseAddr(from), netip.AddrFrom4([4]byte(p.Data[12:])))
			require.Equal(t, []byte{1, 11, 0}, []byte{p.Data[9], p.Data[20], p.Data[21]})
		}
		packet := simnet.EncodeIP(netip.MustParseAddr("fd05::9"), netip.MustParseAddr("fd00:0:0:3::2"), protocol, make([]byte, 20))
		packet[7] = 3
		w.Inject(packet)
		p, err := w.Receive(time.Second)
		require.NoError(t, err)
		require.Equal(t, netip.MustParseAddr("fd00:0:0:2::2"), netip.AddrFrom16([16]byte(p.Data[8:])))
		require.Equal(t, []byte{58, 3, 0}, []byte{p.Data[6], p.Data[40], p.Data[41]})
	}
}

// edit4 changes the header of a packet of IPv4, and mends its checksum.
func edit4(packet []byte, f func(h []byte)) []byte {
	f(packet)
	packet[10], packet[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(packet[i])<<8 | uint32(packet[i+1])
	}
	sum = sum&0xffff + sum>>16
	sum = ^(sum&0xffff + sum>>16)
	packet[10], packet[11] = byte(sum>>8), byte(sum)
	return packet
}

// A TCP segment with few hops gets no further than a traceroute over TCP wants.
func TestRouter_TracerouteOverTCP(t *testing.T) {
	n := simnet.New(t)
	c := newChain(n)
	for hops, from := range []string{1: "10.0.0.1", 2: "10.0.1.2", 3: "10.0.2.2"} {
		if from == "" {
			continue
		}
		n.ClearTrace()
		n.Background("connect", func() {
			d := stack.Dialer{Stack: c.a.Stack, Options: []options.Assignment{options.IP_TTL.With(hops)}}
			d.Dial("tcp", "10.0.3.2:80")
		})
		n.Advance(100 * time.Millisecond)
		require.Contains(t, n.TraceText(), "exceeded")
		lines := n.Trace()
		require.Equal(t, from, lines[len(lines)-1].Source.Addr().String())
	}
}

// largest is the largest packet that a node has sent lately.
func largest(n *simnet.Network, node string) (size int) {
	for _, l := range n.Trace() {
		if l.From == node {
			size = max(size, l.Segment.Len)
		}
	}
	return size
}

// A router with a smaller link tells hosts to send less, and they do.
func TestRouter_PathMTU(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		c := newChain(n, simnet.MTU(1300))
		for _, address := range []string{"10.0.3.2:80", "[fd00:0:0:3::2]:80"} {
			n.ClearTrace()
			conn := echo(t, n, c.a, c.b, address, 100_000)
			header := 40
			if address[0] == '[' {
				header = 60
			}
			info := make([]byte, 200)
			_, err := conn.Ioctl(wsa.SIO_TCP_INFO, make([]byte, 4), info)
			require.NoError(t, err)
			require.Equal(t, 1300-header, int(binary.LittleEndian.Uint32(info[4:])), "the MSS of the connection")
			require.LessOrEqual(t, largest(n, "r2"), 1300-header)
			require.Greater(t, largest(n, "a"), 1300-header, "it had to be told")
		}
	})
}

// Where a middlebox eats the ICMP errors, the connection is in a black hole, until TCP guesses.
func TestRouter_BlackHole(t *testing.T) {
	n := simnet.New(t)
	c := newChain(n, simnet.MTU(1300))
	eaten := 0
	c.links[0].Set(simnet.Inspect(func(p simnet.Passing) simnet.Verdict {
		if p.Data[0]>>4 == 4 && p.Data[9] == 1 {
			eaten++
			return simnet.Verdict{Drop: true}
		}
		return simnet.Verdict{}
	}))
	l, err := c.b.Listen("tcp", ":80")
	require.NoError(t, err)
	got := 0
	n.Background("server", func() {
		conn, err := l.Accept()
		require.NoError(t, err)
		for b := make([]byte, 2000); ; {
			k, err := conn.Read(b)
			if got += k; err != nil {
				return
			}
		}
	})
	n.Background("client", func() {
		conn, err := c.a.Dial("tcp", "10.0.3.2:80")
		require.NoError(t, err)
		conn.Write(make([]byte, 200))
		n.Sleep(time.Second)
		conn.Write(make([]byte, 20_000))
	})
	n.Advance(1500 * time.Millisecond)
	require.Equal(t, 200, got)
	require.NotZero(t, eaten)
	n.Advance(10 * time.Second)
	require.Equal(t, 20_200, got, "TCP found out by itself")
}

// The way back is another one than the way there.
func TestRouter_AsymmetricRoutes(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		a, b := n.Host("a", "10.0.0.2/24"), n.Host("b", "10.3.0.2/24")
		r1, r2, upper := n.Router("r1"), n.Router("r2"), n.Router("upper")
		n.Link(a, r1, simnet.Addresses(r1, "10.0.0.1/24"))
		lower := n.Link(r1, r2, simnet.Addresses(r1, "10.1.0.1/24"), simnet.Addresses(r2, "10.1.0.2/24"))
		n.Link(r1, upper, simnet.Addresses(r1, "10.2.0.1/24"), simnet.Addresses(upper, "10.2.0.2/24"))
		up := n.Link(upper, r2, simnet.Addresses(upper, "10.4.0.2/24"), simnet.Addresses(r2, "10.4.0.1/24"))
		n.Link(r2, b, simnet.Addresses(r2, "10.3.0.1/24"))
		n.AutoRoutes()
		r2.Route("10.0.0.0/24", "10.4.0.2")
		_, err := ping(t, n, a, "10.3.0.2")
		require.NoError(t, err)
		require.NotZero(t, lower.Stats(r1).Packets)
		require.Zero(t, lower.Stats(r2).Packets)
		require.NotZero(t, up.Stats(r2).Packets)
		require.Zero(t, up.Stats(upper).Packets)
		echo(t, n, a, b, "10.3.0.2:80", 100_000)
	})
}

// AutoRoutes finds another way round what is cut, and the shortest one again afterwards.
func TestAutoRoutes_Failover(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.2/24", "fd00::2/64"), n.Host("b", "10.3.0.2/24", "fd03::2/64")
	r1, r2, r3 := n.Router("r1"), n.Router("r2"), n.Router("r3")
	n.Link(a, r1, simnet.Addresses(r1, "10.0.0.1/24", "fd00::1/64"))
	n.Link(r2, b, simnet.Addresses(r2, "10.3.0.1/24", "fd03::1/64"))
	short := n.Link(r1, r2, simnet.Addresses(r1, "10.1.0.1/24", "fd01::1/64"), simnet.Addresses(r2, "10.1.0.2/24", "fd01::2/64"))
	n.Link(r1, r3, simnet.Addresses(r1, "10.2.0.1/24", "fd02::1/64"), simnet.Addresses(r3, "10.2.0.2/24", "fd02::2/64"))
	n.Link(r3, r2, simnet.Addresses(r3, "10.4.0.2/24", "fd04::2/64"), simnet.Addresses(r2, "10.4.0.1/24", "fd04::1/64"))
	way := func(to string) string {
		n.ClearTrace()
		_, err := ping(t, n, a, to)
		if err != nil {
			return "none"
		}
		var path []string
		for _, l := range n.Trace() {
			path = append(path, l.To)
		}
		return strings.Join(path, " ")
	}
	require.Equal(t, "none", way("10.3.0.2"))
	n.AutoRoutes()
	require.Equal(t, "r1 r2 b r2 r1 a", way("10.3.0.2"))
	require.Equal(t, "r1 r2 b r2 r1 a", way("fd03::2"))
	short.Partition()
	require.Equal(t, "none", way("10.3.0.2"))
	n.AutoRoutes()
	require.Equal(t, "r1 r3 r2 b r2 r3 r1 a", way("10.3.0.2"))
	require.Equal(t, "r1 r3 r2 b r2 r3 r1 a", way("fd03::2"))
	r3.Partition()
	n.AutoRoutes()
	require.Equal(t, "none", way("10.3.0.2"))
	short.Heal()
	r3.Heal()
	n.AutoRoutes()
	n.AutoRoutes() // nothing changes
	require.Equal(t, "r1 r2 b r2 r1 a", way("10.3.0.2"))
	r1.Route("10.3.0.0/24", "10.2.0.2") // stays
	n.AutoRoutes()
	require.Equal(t, "r1 r3 r2 b r2 r1 a", way("10.3.0.2"))
	r3.Close()
	n.AutoRoutes()
	require.Equal(t, "r1 r2 b r2 r1 a", way("fd03::2"))
}

func TestRouter_BadInput(t *testing.T) {
	bad := func(f func(n *simnet.Network, r *simnet.Host)) string {
		t.Helper()
		return failure(func(tb simnet.TB) {
			n := simnet.New(tb)
			r := n.Router("r")
			n.Link(r, n.Host("a", "10.0.0.2/24"), simnet.Addresses(r, "10.0.0.1/24"))
			f(n, r)
		})
	}
	type world = simnet.Network
	require.Contains(t, bad(func(n *world, r *simnet.Host) { n.Link(r, n.Host("b", "10.1.0.2/24")) }), "the link of router r and b needs Addresses of the router, such as")
	require.Contains(t, bad(func(n *world, r *simnet.Host) { n.Wire(r, "w", "10.1.0.2") }), "the link of router r and w needs Addresses")
	require.Contains(t, bad(func(n *world, r *simnet.Host) {
		n.Link(r, n.Host("b", "10.0.0.3/24"), simnet.Addresses(r, "10.0.0.9/24"))
	}), "10.0.0.1/24 and 10.0.0.9/24 of router r are of one network, but of two links")
	require.Contains(t, bad(func(n *world, r *simnet.Host) {
		n.Link(r, n.Host("b", "10.1.0.3/24"), simnet.Addresses(r, "10.0.0.1/16"))
	}), "10.0.0.1 is in use")
	require.Contains(t, bad(func(n *world, r *simnet.Host) {
		n.Link(r, n.Host("b", "10.1.0.3/24"), simnet.Addresses(r, "10.1.0.1"))
	}), "want an address and a prefix length")
	require.Contains(t, bad(func(n *world, r *simnet.Host) {
		other := n.Host("other", "10.5.0.1/24")
		n.Link(r, n.Host("b", "10.1.0.3/24"), simnet.Addresses(other, "10.1.0.1/24"))
	}), "Addresses: other is not on the link of r and b")
	require.Contains(t, bad(func(n *world, r *simnet.Host) { r.Links()[0].Set(simnet.Addresses(r, "10.5.0.1/24")) }), "an option of Link alone")
	require.Contains(t, bad(func(n *world, r *simnet.Host) { r.Links()[0].Set(simnet.MTU(1400)) }), "an option of Link alone")
	require.Contains(t, bad(func(n *world, r *simnet.Host) { n.RouterConfig("x", stack.Config{MTU: 1400}) }), "options of its links")
	for _, c := range []struct{ destination, via, want string }{
		{"10.9.0.0/16", "10.7.0.1", "none of its interfaces is on link with that address"},
		{"10.9.0.0/16", "10.0.0.1", "that is its own address"},
		{"10.9.0.0/16", "10.0.0.300", "want the address of a router"},
		{"10.9.0.0", "10.0.0.2", "want a prefix"},
		{"", "10.0.0.2", "want a prefix"},
		{"fd00::/64", "10.0.0.2", "of the other family"},
		{"default", "fd00::1", "none of its interfaces"},
		{"10.9.0.0/16", "", "want the address of a router"},
	} {
		require.Contains(t, bad(func(n *world, r *simnet.Host) { r.Route(c.destination, c.via) }), c.want)
	}
	require.Contains(t, bad(func(n *world, r *simnet.Host) { r.Unroute("10.9.0.0/16") }), "has no route to 10.9.0.0/16")
	require.Contains(t, bad(func(n *world, r *simnet.Host) { r.Unroute("nonsense") }), "want a prefix")
	require.Contains(t, bad(func(n *world, r *simnet.Host) { r.Unroute("default") }), "has no route to default")
	require.Contains(t, bad(func(n *world, r *simnet.Host) {
		m := n.Middlebox("m", nil)
		for i := range 3 {
			n.Link(m, n.Host(fmt.Sprint("m", i)))
		}
	}), "middlebox m has two links already")
	require.Contains(t, bad(func(n *world, r *simnet.Host) {
		w := n.Wire(nil, "w", "10.5.0.2")
		n.Link(w, n.Host("b"))
		n.Link(w, n.Host("c"))
	}), "wire w has its link already")
}

// A route is replaced, taken away and added again.
func TestRoute(t *testing.T) {
	n := simnet.New(t)
	o := newOffice(n, 1)
	h := o.hosts[0]
	up := func() bool {
		_, err := ping(t, n, h, "10.9.0.2")
		return err == nil
	}
	require.True(t, up())
	h.Route("default", "10.0.0.99")
	require.False(t, up())
	h.Route("default", "10.0.0.1")
	require.True(t, up())
	h.Route("default", "10.0.0.1")
	h.Unroute("default") // of IPv4 and of IPv6
	_, err := ping(t, n, h, "10.9.0.2")
	require.ErrorIs(t, err, wsa.WSAENETUNREACH)
	_, err = ping(t, n, h, "fd09::2")
	require.ErrorIs(t, err, wsa.WSAENETUNREACH)
	h.Route("10.9.0.0/16", "10.0.0.1")
	h.Route("fd09::/16", "fd00::1")
	require.True(t, up())
	_, err = ping(t, n, h, "fd09::2")
	require.NoError(t, err)
	h.Unroute("fd09::/16")
	_, err = ping(t, n, h, "fd09::2")
	require.ErrorIs(t, err, wsa.WSAENETUNREACH)
	// The device of a link is one for the calls of a Stack.
	d := o.router.Links()[0].Device(o.router)
	require.NoError(t, o.router.AddAddress(d, netip.MustParsePrefix("10.0.0.99/16")))
	h.Route("default", "10.0.0.99")
	require.True(t, up())
	require.Nil(t, o.router.Links()[0].Device(h))
	// A route by a device that is gone is no obstacle for another one.
	second := n.Link(h, n.Switch("other"), simnet.Addresses(h, "10.5.0.2/16"))
	h.Route("10.77.0.0/16", "10.5.0.1")
	require.NoError(t, h.RemoveDevice(second.Device(h)))
	h.Route("10.77.0.0/16", "10.0.0.1")
	h.Unroute("10.77.0.0/16")
	require.True(t, up())
}

// A hundred hosts around switches and routers are quick to make and to route.
func TestTopology_Hundred(t *testing.T) {
	n := simnet.New(t)
	core := n.Router("core")
	var hosts []*simnet.Host
	for s := range 10 {
		sw, r := n.Switch(fmt.Sprint("s", s)), n.Router(fmt.Sprint("r", s))
		for i := range 10 {
			h := n.Host(fmt.Sprintf("h%d.%d", s, i), fmt.Sprintf("10.%d.0.%d/16", s, i+10), fmt.Sprintf("fd00:%x::%x/32", s, i+10))
			n.Link(h, sw)
			hosts = append(hosts, h)
		}
		n.Link(sw, r, simnet.Addresses(r, fmt.Sprintf("10.%d.0.1/16", s), fmt.Sprintf("fd00:%x::1/32", s)))
		n.Link(r, core, simnet.Addresses(r, fmt.Sprintf("172.16.%d.2/24", s), fmt.Sprintf("fd10:%x::2/32", s)),
			simnet.Addresses(core, fmt.Sprintf("172.16.%d.1/24", s), fmt.Sprintf("fd10:%x::1/32", s)), simnet.Delay(time.Millisecond))
	}
	n.AutoRoutes()
	for i, h := range hosts {
		n.Go(fmt.Sprint("ping ", i), func() {
			to := hosts[(i*37+11)%len(hosts)]
			for _, a := range to.Addresses(nil) {
				_, err := h.Ping(context.Background(), a.Addr())
				require.NoError(t, err)
			}
		})
	}
	require.NoError(t, n.Run())
	require.Less(t, n.Now(), time.Second)
}
