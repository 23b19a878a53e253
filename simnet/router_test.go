package simnet_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// inEachMode runs a scenario in virtual time, in a bubble and in real time.
func inEachMode(t *testing.T, f func(t *testing.T, n *simnet.Network)) {
	t.Run("virtual", func(t *testing.T) { f(t, simnet.New(t)) })
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, simnet.New(t, simnet.Bubble())) })
	})
	t.Run("real", func(t *testing.T) { f(t, simnet.New(t, simnet.RealTime())) })
}

// A chain is two hosts with three routers between them.
type chain struct {
	n       *simnet.Network
	a, b    *simnet.Host
	routers [3]*simnet.Host
	links   [4]*simnet.Link
}

// newChain makes a chain, whose links are 10.0.i.0/24 and fd00:0:0:i::/64. The options are of the
// link between the second and the third router.
func newChain(n *simnet.Network, opts ...simnet.LinkOption) *chain {
	c := &chain{n: n}
	c.a = n.Host("a", "10.0.0.2/24", "fd00::2/64")
	c.b = n.Host("b", "10.0.3.2/24", "fd00:0:0:3::2/64")
	at := func(h *simnet.Host, link, host int) simnet.LinkOption {
		return simnet.Addresses(h, fmt.Sprintf("10.0.%d.%d/24", link, host), fmt.Sprintf("fd00:0:0:%d::%d/64", link, host))
	}
	for i := range c.routers {
		c.routers[i] = n.Router(fmt.Sprint("r", i+1))
	}
	r1, r2, r3 := c.routers[0], c.routers[1], c.routers[2]
	c.links[0] = n.Link(c.a, r1, at(r1, 0, 1), simnet.Delay(time.Millisecond))
	c.links[1] = n.Link(r1, r2, at(r1, 1, 1), at(r2, 1, 2), simnet.Delay(time.Millisecond))
	c.links[2] = n.Link(r2, r3, append(opts, at(r2, 2, 1), at(r3, 2, 2), simnet.Delay(time.Millisecond))...)
	c.links[3] = n.Link(r3, c.b, at(r3, 3, 1), simnet.Delay(time.Millisecond))
	n.AutoRoutes()
	return c
}

func ping(t testing.TB, n *simnet.Network, from *simnet.Host, to string) (reply stack.PingReply, err error) {
	t.Helper()
	n.Do("ping", func() { reply, err = from.Ping(context.Background(), netip.MustParseAddr(to)) })
	return reply, err
}

// echo sends data from a to a server at an address of b and back.
func echo(t testing.TB, n *simnet.Network, a, b *simnet.Host, address string, size int) *endpoint.Conn {
	t.Helper()
	var conn *endpoint.Conn
	l, err := b.Listen("tcp", address)
	require.NoError(t, err)
	n.Background("server of "+address, func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	})
	n.Do("client", func() {
		c, err := a.Dial("tcp", address)
		require.NoError(t, err)
		sent, got := bytes.Repeat([]byte("abcdefg\n"), size/8), make([]byte, size/8*8)
		n.Go("writer", func() { c.Write(sent) })
		_, err = io.ReadFull(c, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got))
		conn = c.(*endpoint.Conn)
	})
	require.NoError(t, l.Close())
	return conn
}

func TestRouter_Chain(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		c := newChain(n)
		for _, to := range []string{"10.0.3.2", "fd00:0:0:3::2"} {
			reply, err := ping(t, n, c.a, to)
			require.NoError(t, err)
			require.Equal(t, to, reply.From.String())
			require.GreaterOrEqual(t, reply.RTT, 8*time.Millisecond)
		}
		echo(t, n, c.a, c.b, "10.0.3.2:80", 100_000)
		echo(t, n, c.a, c.b, "[fd00:0:0:3::2]:80", 100_000)
		for _, l := range c.links {
			from, to := l.Nodes()
			require.NotZero(t, l.Stats(from).Packets)
			require.NotZero(t, l.Stats(to).Packets)
		}
		// Routers answer by each of their addresses, and have programs.
		_, err := ping(t, n, c.a, "10.0.2.2")
		require.NoError(t, err)
		_, err = ping(t, n, c.routers[0], "fd00:0:0:3::2")
		require.NoError(t, err)
		echo(t, n, c.routers[0], c.routers[2], "10.0.3.1:81", 10_000)
	})
}

func TestRouter_TraceShowsEachHop(t *testing.T) {
	n := simnet.New(t)
	c := newChain(n)
	_, err := ping(t, n, c.a, "10.0.3.2")
	require.NoError(t, err)
	var hops []string
	for _, l := range n.Trace() {
		hops = append(hops, l.From+">"+l.To)
	}
	require.Equal(t, "a>r1 r1>r2 r2>r3 r3>b b>r3 r3>r2 r2>r1 r1>a", strings.Join(hops, " "))
}

// traceroute sends datagrams with more and more hops, and returns who answered.
func traceroute(t testing.TB, n *simnet.Network, from *simnet.Host, network, to string) (path []string) {
	t.Helper()
	level, ttl := wsa.IPPROTO_IP, wsa.IP_TTL
	if network == "udp6" {
		level, ttl = wsa.IPPROTO_IPV6, wsa.IPV6_UNICAST_HOPS
	}
	n.Do("traceroute", func() {
		for hops := 1; hops <= 8; hops++ {
			before := len(n.Trace())
			c, err := from.Dial(network, to)
			require.NoError(t, err)
			require.NoError(t, c.(*endpoint.PacketConn).SetSockOpt(int32(level), int32(ttl), []byte{byte(hops), 0, 0, 0}))
			_, err = c.Write([]byte("who is there?"))
			require.NoError(t, err)
			n.Sleep(time.Second)
			require.NoError(t, c.Close())
			for _, l := range n.Trace()[before:] {
				if l.To == from.Name() {
					path = append(path, fmt.Sprintf("%s: %s", l.Source.Addr(), l.Text[strings.LastIndex(l.Text, "icmp"):]))
					if strings.Contains(l.Text, "port") {
						return
					}
				}
			}
		}
	})
	return path
}

func TestRouter_Traceroute(t *testing.T) {
	n := simnet.New(t)
	c := newChain(n)
	path := strings.Join(traceroute(t, n, c.a, "udp4", "10.0.3.2:33434"), "\n")
	require.Regexp(t, `^10\.0\.0\.1: icmp time exceeded for udp \d+>33434
10\.0\.1\.2: icmp time exceeded for udp \d+>33434
10\.0\.2\.2: icmp time exceeded for udp \d+>33434
10\.0\.3\.2: icmp unreachable port for udp \d+>33434$`, path)
	path = strings.Join(traceroute(t, n, c.a, "udp6", "[fd00:0:0:3::2]:33434"), "\n")
	require.Regexp(t, `^fd00::1: icmp6? .*exceeded.*
fd00:0:0:1::2: icmp6? .*exceeded.*
fd00:0:0:2::2: icmp6? .*exceeded.*
fd00:0:0:3::2: icmp6? .*port.*$`, path)
}
