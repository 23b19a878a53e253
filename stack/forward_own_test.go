package stack_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// echo is an echo request.
func echo(source, destination string) []byte {
	protocol, request := uint8(1), []byte{8, 0, 0, 0, 0, 1, 0, 1}
	if netip.MustParseAddr(source).Is6() {
		protocol, request[0] = 58, 128
	}
	return simnet.EncodeIP(netip.MustParseAddr(source), netip.MustParseAddr(destination), protocol, request)
}

// sourceOf is the source address of a packet.
func sourceOf(b []byte) []byte {
	if b[0]>>4 == 4 {
		return b[12:16]
	}
	return b[8:24]
}

// A router answers for each of its addresses, whichever link a packet comes by
// (RFC 1812 §5.2.3), and stays silent for those it has no more.
func TestRouterOwnAddresses(t *testing.T) {
	c := newCrossing(t, 1500, true)
	answers := func(from, to string) bool {
		c.sent = nil
		c.near.Discard()
		c.near.Inject(echo(from, to))
		p, err := c.near.Receive(time.Second)
		require.Empty(t, c.sent)
		return err == nil && bytes.Equal(sourceOf(p.Data), netip.MustParseAddr(to).AsSlice())
	}
	for from, list := range map[string][]string{"10.1.0.9": {"10.1.0.1", "10.2.0.1"}, "fd01::9": {"fd01::1", "fd02::1"}} {
		for _, to := range list {
			require.True(t, answers(from, to), to)
		}
	}
	require.NoError(t, c.router.AddAddress(c.far, netip.MustParsePrefix("10.4.0.1/16")))
	require.True(t, answers("10.1.0.9", "10.4.0.1"))
	require.NoError(t, c.router.RemoveAddress(netip.MustParseAddr("10.4.0.1")))
	require.False(t, answers("10.1.0.9", "10.4.0.1"))
	require.NoError(t, c.router.AddAddress(c.far, netip.MustParsePrefix("10.4.0.1/16")), "once more")
	require.NoError(t, c.router.RemoveDevice(c.far))
	require.False(t, answers("10.1.0.9", "10.2.0.1"))
	require.False(t, answers("fd01::9", "fd02::1"))
	require.True(t, answers("10.1.0.9", "10.1.0.1"))
	require.Zero(t, c.router.Stats().Forwarded)
	require.NoError(t, c.router.AddDevice(tun.NewFunc(1500, nil), prefixes("10.2.0.1/16", "fd02::1/32")...), "once more")
}

// A host that isn't a router has an address on its own link only (RFC 1122
// §3.3.4.2, the strong model).
func TestHostOwnAddresses(t *testing.T) {
	c := newCrossing(t, 1500, false)
	c.near.Inject(echo("10.1.0.9", "10.2.0.1"))
	c.near.Inject(echo("fd01::9", "fd02::1"))
	require.NoError(t, c.near.ExpectSilence(time.Second))
}

// Sockets of a router speak with any of its addresses, over the link that leads
// to the peer, but never with a loopback address.
func TestRouterSockets(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "10.1.0.9/16", "fd01::9/32")
	router := n.HostConfig("router", stack.Config{Addresses: prefixes("10.1.0.1/16", "fd01::1/32"), Forwarding: true})
	n.Link(a, router)
	b := n.Host("b", "10.2.0.9/16", "fd02::9/32")
	n.Link(router, b, simnet.Addresses(router, "10.2.0.1/16", "fd02::1/32"))
	l, err := router.Listen("tcp", ":7")
	require.NoError(t, err)
	n.Background("echo", func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Background("connection", func() { io.Copy(c, c); c.Close() })
		}
	})
	for _, ip := range []string{"10.2.0.1", "fd02::1"} {
		require.NoError(t, n.Do(ip, func() {
			c, err := a.Dial("tcp", net.JoinHostPort(ip, "7"))
			require.NoError(t, err)
			require.NoError(t, exchange(c))
			require.NoError(t, c.Close())

			p, err := router.ListenPacket("udp", net.JoinHostPort(ip, "2000"))
			require.NoError(t, err)
			q, err := a.Dial("udp", net.JoinHostPort(ip, "2000"))
			require.NoError(t, err)
			n.Go("answer", func() {
				var b [16]byte
				k, from, err := p.ReadFrom(b[:])
				require.NoError(t, err)
				_, err = p.WriteTo(b[:k], from)
				require.NoError(t, err)
			})
			require.NoError(t, exchange(q))
			require.NoError(t, q.Close())
			require.NoError(t, p.Close())
		}))
	}
	for _, ip := range []string{"10.1.0.1", "fd01::1"} { // which the router had before this link
		require.NoError(t, n.Do(ip, func() {
			c, err := b.Dial("tcp", net.JoinHostPort(ip, "7"))
			require.NoError(t, err)
			require.NoError(t, exchange(c))
			require.NoError(t, c.Close())
		}))
	}
	require.NoError(t, n.Do("from", func() {
		l, err := a.Listen("tcp", ":80")
		require.NoError(t, err)
		defer l.Close()
		for _, tt := range []struct {
			from string
			want error
		}{{"10.2.0.1", nil}, {"127.0.0.1", wsa.WSAENETUNREACH}} {
			c, err := router.DialTCP(context.Background(), "tcp", netip.MustParseAddrPort(tt.from+":0"), netip.MustParseAddrPort("10.1.0.9:80"))
			require.ErrorIs(t, err, tt.want)
			if err == nil {
				require.Equal(t, tt.from, c.LocalAddr().(*net.TCPAddr).IP.String())
				require.NoError(t, c.Close())
			}
		}
	}))
}

// exchange has some bytes come back.
func exchange(c net.Conn) error {
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}
