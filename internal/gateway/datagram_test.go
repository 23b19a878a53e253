package gateway_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// datagramServer answers datagrams on a loopback address with the same in capitals.
func datagramServer(t testing.TB, family string) string {
	u, err := net.ListenPacket("udp", net.JoinHostPort(loopbacks[family], "0"))
	if err != nil {
		t.Skipf("no %s on this host's loopback: %v", family, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo(bytes.ToUpper(b[:n]), from)
		}
	}()
	t.Cleanup(func() { u.Close(); <-done })
	return throughDoor(family, u.LocalAddr())
}

// Datagrams go out and come back, the largest among them, each session by itself.
func TestDatagrams(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		at := datagramServer(t, family)
		for i, text := range []string{"one", "two", strings.Repeat("long", 15_000)} {
			c, err := w.client.Dial("udp", at)
			require.NoError(t, err)
			defer c.Close()
			for range 3 {
				_, err = c.Write([]byte(text))
				require.NoError(t, err)
				b := make([]byte, 64<<10)
				n, err := c.Read(b)
				require.NoError(t, err, i)
				require.Equal(t, strings.ToUpper(text), string(b[:n]))
			}
		}
	})
}

// Many datagrams at once keep their order and their sizes, whether they can go in one call or not.
func TestDatagramsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		u, err := net.ListenPacket("udp", net.JoinHostPort(loopbacks[family], "0"))
		if err != nil {
			t.Skipf("no %s on this host's loopback: %v", family, err)
		}
		defer u.Close()
		w := newWorld(t, gateway.Config{})
		c, err := w.client.Dial("udp", throughDoor(family, u.LocalAddr()))
		require.NoError(t, err)
		defer c.Close()
		sizes := []int{10, 700, 700, 700, 20, 20, 0, 0, 1200, 1200, 1200, 1200, 1200, 1, 9000, 9000, 9000, 60_000, 8}
		b := make([]byte, 64<<10)
		for round := range 5 {
			for i, size := range sizes {
				n, err := c.Write(bytes.Repeat([]byte{byte(i)}, size))
				require.NoError(t, err)
				require.Equal(t, size, n)
			}
			for i, size := range sizes {
				n, _, err := u.ReadFrom(b)
				require.NoError(t, err, round)
				require.Equal(t, bytes.Repeat([]byte{byte(i)}, size), b[:n])
			}
		}
	})
}

// That nobody listens, the host says after the fact, and the sender hears of it.
func TestDatagramRefused(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		u, err := net.ListenPacket("udp", net.JoinHostPort(loopbacks[family], "0"))
		if err != nil {
			t.Skipf("no %s on this host's loopback: %v", family, err)
		}
		at := throughDoor(family, u.LocalAddr())
		require.NoError(t, u.Close())
		c, err := w.client.Dial("udp", at)
		require.NoError(t, err)
		defer c.Close()
		_, err = c.(*endpoint.PacketConn).Ioctl(wsa.SIO_UDP_CONNRESET, []byte{1, 0, 0, 0}, nil)
		require.NoError(t, err)
		for range 2 {
			_, err = c.Write([]byte("hello"))
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 10))
			require.ErrorIs(t, err, wsa.WSAECONNRESET)
		}
	})
}

// Ping reaches the host's own addresses, with ping sockets or without, and what is prohibited says
// so.
func TestPing(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		datagramServer(t, family) // skips where there is no such loopback
		w := newWorld(t, gateway.Config{})
		for range 3 {
			reply, err := w.client.Ping(context.Background(), netip.MustParseAddr(doors[family]))
			require.NoError(t, err)
			require.Equal(t, doors[family], reply.From.String())
		}
		to := map[string]string{"IPv4": "100.100.100.200", "IPv6": "64:ff9b::7f00:1"}[family]
		_, err := w.client.Ping(context.Background(), netip.MustParseAddr(to))
		var refused *stack.ICMPError
		require.ErrorAs(t, err, &refused)
		if family == "IPv4" {
			require.EqualValues(t, [2]uint8{3, 13}, [2]uint8{refused.Type, refused.Code}) // RFC 1812 §5.2.7.1
		} else {
			require.EqualValues(t, [2]uint8{1, 1}, [2]uint8{refused.Type, refused.Code}) // RFC 4443 §3.1
		}
	})
}
