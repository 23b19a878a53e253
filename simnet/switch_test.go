package simnet_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// An office is a switch with hosts h0, h1, … and a router, behind which there is a server.
type office struct {
	sw     *simnet.Switch
	hosts  []*simnet.Host
	router *simnet.Host
	server *simnet.Host
	uplink *simnet.Link
}

// newOffice makes an office on the networks 10.0.0.0/16 and fd00::/64.
func newOffice(n *simnet.Network, hosts int) *office {
	o := &office{sw: n.Switch("sw"), router: n.Router("r"), server: n.Host("server", "10.9.0.2/16", "fd09::2/64")}
	for i := range hosts {
		h := n.Host(fmt.Sprint("h", i), fmt.Sprintf("10.0.1.%d/16", i+1), fmt.Sprintf("fd00::1:%x/64", i+1))
		n.Link(h, o.sw)
		o.hosts = append(o.hosts, h)
	}
	n.Link(o.sw, o.router, simnet.Addresses(o.router, "10.0.0.1/16", "fd00::1/64"))
	o.uplink = n.Link(o.router, o.server, simnet.Addresses(o.router, "10.9.0.1/16", "fd09::1/64"), simnet.Delay(time.Millisecond))
	return o
}

// Neighbours reach each other, and the server by way of the router, without a route.
func TestSwitch(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		o := newOffice(n, 3)
		for _, to := range []string{"10.0.1.2", "fd00::1:3", "10.0.0.1", "10.9.0.2", "fd09::2"} {
			_, err := ping(t, n, o.hosts[0], to)
			require.NoError(t, err, to)
		}
		echo(t, n, o.hosts[1], o.hosts[2], "10.0.1.3:80", 50_000)
		echo(t, n, o.hosts[1], o.server, "[fd09::2]:80", 50_000)
		_, err := ping(t, n, o.server, "10.0.1.2")
		require.NoError(t, err)
		require.Zero(t, o.sw.Stats().Unknown)
		require.Zero(t, o.sw.Stats().Flooded)
		require.NotZero(t, o.sw.Stats().Forwarded)
		require.Len(t, o.sw.Links(), 4)
	})
}

// Only the neighbour with the address gets a unicast; everybody gets the others.
func TestSwitch_WhoGetsWhat(t *testing.T) {
	n := simnet.New(t)
	o := newOffice(n, 3)
	sent := func(to string) (got []string) {
		n.ClearTrace()
		n.Do("send", func() {
			network := "udp4"
			if to[0] == '[' {
				network = "udp6"
			}
			c, err := o.hosts[0].ListenPacket(network, ":0")
			require.NoError(t, err)
			defer c.Close()
			pc := c.(*endpoint.PacketConn)
			if network == "udp4" {
				require.NoError(t, pc.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_BROADCAST, []byte{1, 0, 0, 0}))
			}
			_, err = pc.WriteToUDPAddrPort([]byte("hello"), netip.MustParseAddrPort(to))
			require.NoError(t, err)
		})
		n.Idle()
		for _, l := range n.Trace() {
			if l.From == "sw" && l.Dest.Port() == 9 {
				got = append(got, l.To)
			}
		}
		return got
	}
	require.Equal(t, []string{"h1"}, sent("10.0.1.2:9"))
	require.Equal(t, []string{"r"}, sent("10.9.0.2:9"))
	require.Equal(t, []string{"h1", "h2", "r"}, sent("255.255.255.255:9"))
	require.Equal(t, []string{"h1", "h2", "r"}, sent("10.0.255.255:9"), "the broadcast address of the network")
	require.Equal(t, []string{"h1", "h2", "r"}, sent("239.1.2.3:9"))
	require.Equal(t, []string{"h1", "h2", "r"}, sent("[ff02::1]:9"))
	require.EqualValues(t, 4, o.sw.Stats().Flooded)
	before := o.sw.Stats().Unknown
	require.Empty(t, sent("10.0.1.77:9"), "nobody has it, but it would be here")
	require.Equal(t, before+1, o.sw.Stats().Unknown)
}

// A switch knows the addresses that a host gets and loses later.
func TestSwitch_AddressesChange(t *testing.T) {
	n := simnet.New(t)
	o := newOffice(n, 2)
	_, err := ping(t, n, o.hosts[0], "10.0.2.2")
	require.Error(t, err)
	require.NoError(t, o.hosts[1].AddAddress(nil, netip.MustParsePrefix("10.0.2.2/16")))
	_, err = ping(t, n, o.hosts[0], "10.0.2.2")
	require.NoError(t, err)
	require.NoError(t, o.hosts[1].RemoveAddress(netip.MustParseAddr("10.0.2.2")))
	_, err = ping(t, n, o.hosts[0], "10.0.2.2")
	require.Error(t, err)
	late := n.Host("late", "10.0.2.2/16")
	n.Link(late, o.sw)
	reply, err := ping(t, n, o.hosts[0], "10.0.2.2")
	require.NoError(t, err)
	require.Equal(t, "10.0.2.2", reply.From.String())
	require.NoError(t, late.Close())
	_, err = ping(t, n, o.hosts[0], "10.0.2.2")
	require.Error(t, err)
}

// Two routers on one switch: each host has the gateway that its route says, for each destination.
func TestSwitch_Gateways(t *testing.T) {
	n := simnet.New(t)
	sw := n.Switch("sw")
	a := n.Host("a", "10.0.0.10/24")
	n.Link(a, sw)
	one, two := n.Router("one"), n.Router("two")
	n.Link(sw, one, simnet.Addresses(one, "10.0.0.1/24"))
	n.Link(sw, two, simnet.Addresses(two, "10.0.0.2/24"))
	b, c := n.Host("b", "10.1.0.2/24"), n.Host("c", "10.2.0.2/24")
	n.Link(one, b, simnet.Addresses(one, "10.1.0.1/24"))
	n.Link(two, c, simnet.Addresses(two, "10.2.0.1/24"))
	way := func(to string) (path []string, err error) {
		n.ClearTrace()
		_, err = ping(t, n, a, to)
		for _, l := range n.Trace() {
			path = append(path, l.To)
		}
		return path, err
	}
	_, err := way("10.2.0.2") // the first router, which knows no more
	require.ErrorContains(t, err, "unreachable")
	a.Route("10.2.0.0/24", "10.0.0.2")
	path, err := way("10.2.0.2")
	require.NoError(t, err)
	require.Equal(t, []string{"sw", "two", "c", "two", "sw", "a"}, path)
	a.Route("default", "10.0.0.2") // from now on all by way of two, which sends on what is one's
	two.Route("10.1.0.0/24", "10.0.0.1")
	_, err = way("10.1.0.2")
	require.ErrorContains(t, err, "unreachable", "a router doesn't send back by the link that a packet came from")
	a.Route("default", "10.0.0.1")
	path, err = way("10.1.0.2")
	require.NoError(t, err)
	require.Equal(t, []string{"sw", "one", "b", "one", "sw", "a"}, path)
	a.Unroute("10.2.0.0/24")
	one.Route("10.2.0.0/24", "10.0.0.2")
	a.Route("10.2.0.0/16", "10.0.0.99") // a gateway that isn't there
	n.ClearTrace()
	_, err = ping(t, n, a, "10.2.0.2")
	require.Error(t, err)
	require.Len(t, n.Trace(), 1)
}

// Several switches with each other are one network; the gateway may be beside another one.
func TestSwitch_OfSwitches(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		left, middle, right := n.Switch("left"), n.Switch("middle"), n.Switch("right")
		n.Link(left, middle, simnet.Delay(time.Millisecond))
		n.Link(middle, right, simnet.Delay(time.Millisecond))
		a, b := n.Host("a", "10.0.0.10/24", "fd00::10/64"), n.Host("b", "10.0.0.11/24", "fd00::11/64")
		n.Link(a, left)
		n.Link(right, b)
		r := n.Router("r")
		n.Link(right, r, simnet.Addresses(r, "10.0.0.1/24", "fd00::1/64"))
		out := n.Host("out", "10.1.0.2/24", "fd01::2/64")
		n.Link(r, out, simnet.Addresses(r, "10.1.0.1/24", "fd01::1/64"))
		a.Route("default", "10.0.0.1")
		a.Route("default", "fd00::1")
		for _, to := range []string{"10.0.0.11", "fd00::11", "10.1.0.2", "fd01::2"} {
			_, err := ping(t, n, a, to)
			require.NoError(t, err, to)
			_, err = ping(t, n, out, "10.0.0.10")
			require.NoError(t, err)
		}
		reply, err := ping(t, n, a, "255.255.255.255")
		require.NoError(t, err)
		require.Contains(t, []string{"10.0.0.11", "10.0.0.1"}, reply.From.String())
	})
}

func TestSwitch_Partition(t *testing.T) {
	n := simnet.New(t)
	o := newOffice(n, 2)
	up := func() bool {
		_, err := ping(t, n, o.hosts[0], "10.9.0.2")
		return err == nil
	}
	require.True(t, up())
	o.sw.Partition()
	require.False(t, up())
	o.uplink.Partition()
	o.sw.Heal()
	require.False(t, up(), "the uplink is cut by itself")
	o.router.Partition()
	o.uplink.Heal()
	require.False(t, up())
	o.router.Heal()
	require.True(t, up())
	o.sw.Links()[0].Partition()
	require.False(t, up())
	_, err := ping(t, n, o.hosts[1], "10.9.0.2")
	require.NoError(t, err)
	require.Contains(t, n.TraceText(), "partitioned")
}

func TestSwitch_BadInput(t *testing.T) {
	bad := func(f func(n *simnet.Network)) string {
		t.Helper()
		return failure(func(tb simnet.TB) { f(simnet.New(tb)) })
	}
	require.Contains(t, bad(func(n *simnet.Network) { n.Switch("x"); n.Switch("x") }), `there is a switch "x" already`)
	require.Contains(t, bad(func(n *simnet.Network) { n.Switch("x"); n.Host("x", "10.0.0.1/24") }), `there is a switch "x" already`)
	require.Contains(t, bad(func(n *simnet.Network) { n.Host("x", "10.0.0.1/24"); n.Router("x") }), `there is a host "x" already`)
	require.Contains(t, bad(func(n *simnet.Network) {
		a, b, c := n.Switch("a"), n.Switch("b"), n.Switch("c")
		n.Link(a, b)
		n.Link(b, c)
		n.Link(c, a)
	}), "a link of c and a would close a circle of switches")
	require.Contains(t, bad(func(n *simnet.Network) {
		a, b, m := n.Switch("a"), n.Switch("b"), n.Middlebox("m", nil)
		n.Link(a, b)
		n.Link(a, m)
		n.Link(m, b)
	}), "a link of m and b would close a circle of switches")
	require.Contains(t, bad(func(n *simnet.Network) { s := n.Switch("s"); n.Link(s, s) }), "not s with itself")
	require.Contains(t, bad(func(n *simnet.Network) {
		s := n.Switch("s")
		n.Link(s, n.Host("a", "10.0.0.1/24"))
		n.Link(n.Host("b", "10.0.0.1/24"), s)
	}), "both b and a would have the address 10.0.0.1")
	require.Contains(t, bad(func(n *simnet.Network) {
		s := n.Switch("s")
		n.Link(s, n.Host("a", "10.0.0.1/24"), simnet.From(s, simnet.MTU(1400)))
	}), "s is a switch, which has no interface")
	require.Contains(t, bad(func(n *simnet.Network) { n.Link(n.Switch("s"), nil) }), "not nothing")
	require.Contains(t, bad(func(n *simnet.Network) {
		other := simnet.New(nil)
		defer other.Close()
		n.Link(n.Switch("s"), other.Host("a"))
	}), "a is of another")
}

// A wire beside a switch is a neighbour: it gets what is for its addresses, and its packets go the
// way that those of a host without routes go.
func TestSwitch_Wire(t *testing.T) {
	n := simnet.New(t)
	o := newOffice(n, 1)
	w := n.Wire(o.sw, "w", "10.0.0.77")
	l, err := o.server.Listen("tcp", ":80")
	require.NoError(t, err)
	defer l.Close()
	p := w.Connect("10.9.0.2:80")
	p.Send("[S] <mss 1460>")
	p.Expect("[S.] seq 0 ack 1")
	n.Background("ping", func() { o.hosts[0].Ping(context.Background(), netip.MustParseAddr("10.0.0.77")) })
	_, err = w.Receive(time.Second)
	require.NoError(t, err)
}

// A middlebox and a host's impairments stand between a host and its switch without being noticed.
func TestSwitch_BehindMiddlebox(t *testing.T) {
	n := simnet.New(t)
	o := newOffice(n, 1)
	m := n.Middlebox("m", nil)
	far := n.HostConfig("far", stack.Config{Addresses: prefixes("10.0.3.3/16")})
	n.Link(far, m)
	n.Link(m, o.sw)
	_, err := ping(t, n, far, "10.9.0.2")
	require.NoError(t, err)
	_, err = ping(t, n, o.hosts[0], "10.0.3.3")
	require.NoError(t, err)
	require.Len(t, m.Links(), 2)
	m.Partition()
	_, err = ping(t, n, o.hosts[0], "10.0.3.3")
	require.Error(t, err)
	m.Heal()
	_, err = ping(t, n, o.hosts[0], "10.0.3.3")
	require.NoError(t, err)
}
