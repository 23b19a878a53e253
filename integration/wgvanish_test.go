//go:build linux

package integration

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
	"github.com/wsstack/wsstack/wsa"
)

// The other end of a tunnel vanishes: keep-alive of a connection through it drops the connection as
// documented, and the same tunnel works when the other end is back.
func TestTunnelVanishes(t *testing.T) {
	for name, how := range map[string]struct {
		vanish, recover func(t *testing.T, tu *tunnel)
	}{
		"the router's interface is down": {
			func(t *testing.T, tu *tunnel) { tu.router.setLink(t, "router0", false) },
			func(t *testing.T, tu *tunnel) { tu.router.setLink(t, "router0", true) },
		},
		"the own interface is down": {
			func(t *testing.T, tu *tunnel) { tu.left.setLink(t, "left0", false) },
			func(t *testing.T, tu *tunnel) {
				tu.left.setLink(t, "left0", true)
				tu.left.setUp(t, tun.Config{Routes: defaultRoutes(routerLeft)}) // which the kernel has forgotten
			},
		},
		"the link is silent": {
			func(t *testing.T, tu *tunnel) { tu.impair(t, tun.Impairment{Partition: true}) },
			func(t *testing.T, tu *tunnel) { tu.impair(t, tun.Impairment{}) },
		},
		// Its keys and its address are the same, and it remembers nothing.
		"the peer is started again": {
			func(t *testing.T, tu *tunnel) {
				tu.impair(t, tun.Impairment{Partition: true})
				tu.b.close(t)
			},
			func(t *testing.T, tu *tunnel) {
				tu.impair(t, tun.Impairment{})
				cfg := tu.config(tu.b)
				cfg.Peers[0].Endpoint = tu.outer(tu.a).String() // so that it can speak first
				tu.b.open(t, cfg, nil)
				a, b := role{client: tu.b.side, server: tu.a.side}.connect(t)
				exchange(t, a, b, 1000)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			waiting := make(chan string, 1)
			spy := func(e *tunnelEnd, _ *wg.Config, s *stack.Config) {
				if e.name == "left" {
					s.NewWaiter = func() endpoint.Waiter { return spyWaiter{endpoint.NewChannelWaiter(), waiting} }
				}
			}
			tu := newTunnel(t, newPath(t), false, spy)
			a, b := tu.connect(t, false)
			require.NoError(t, echoOnce(a, b))
			conn := a.(*endpoint.Conn)
			reading := blocked(t, waiting, func() error {
				_, err := conn.Read(make([]byte, 1))
				return err
			})
			how.vanish(t, tu)
			keepAlive(t, conn)
			require.ErrorIs(t, receiveError(t, reading, "Read"), wsa.WSAENETRESET) // KA-30
			_, err := conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, wsa.WSAENOTCONN) // KA-31
			_, err = conn.Write([]byte("x"))
			require.ErrorIs(t, err, wsa.WSAENOTCONN)
			require.NoError(t, conn.Close())

			how.recover(t, tu)
			for _, v6 := range []bool{false, true} {
				a, b := tu.connect(t, v6)
				exchange(t, a, b, 100_000)
			}
		})
	}
}

// keepAlive has a connection dropped after a fifth of a second of silence and three probes.
func keepAlive(t testing.TB, c *endpoint.Conn) {
	t.Helper()
	require.NoError(t, c.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, []byte{3, 0, 0, 0}))
	in := wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 200, KeepAliveInterval: 100}
	_, err := c.Ioctl(wsa.SIO_KEEPALIVE_VALS, in.Append(nil), nil)
	require.NoError(t, err)
}
