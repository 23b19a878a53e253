package stack_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// DialTCP and DialUDP connect from a local address.
func TestDialFrom(t *testing.T) {
	n := simnet.New(t, simnet.Seed(1))
	a, b := n.Host("a", "10.0.0.1/24", "10.0.0.3/24", "fd00::1/64"), n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b)
	ctx := context.Background()
	require.NoError(t, n.Do("test", func() {
		for _, h := range []*simnet.Host{a, b} {
			_, err := h.Listen("tcp", ":80")
			require.NoError(t, err)
		}
		addr := func(s string) (ap netip.AddrPort) {
			if s != "" {
				ap = netip.MustParseAddrPort(s)
			}
			return ap
		}
		for _, tt := range []struct{ network, local, remote, from, to string }{
			{"tcp", "10.0.0.3:5001", "10.0.0.2:80", "10.0.0.3:5001", "10.0.0.2:80"},
			{"tcp4", "[::ffff:10.0.0.3]:5002", "[::ffff:10.0.0.2]:80", "10.0.0.3:5002", "10.0.0.2:80"},
			{"tcp", "0.0.0.0:5003", "[fd00::2]:80", "[fd00::1]:5003", "[fd00::2]:80"},
			{"tcp6", "[::]:5004", "[fd00::2]:80", "[fd00::1]:5004", "[fd00::2]:80"},
			{"tcp", "[::]:5005", "10.0.0.2:80", "10.0.0.1:5005", "10.0.0.2:80"},
			{"tcp", "127.0.0.1:5006", "0.0.0.0:80", "127.0.0.1:5006", "127.0.0.1:80"},
			{"tcp", "[::1]:5007", "[::]:80", "[::1]:5007", "[::1]:80"},
			{"tcp", "", "10.0.0.2:80", "", "10.0.0.2:80"},
			{"tcp", "10.0.0.3:0", "10.0.0.2:80", "", "10.0.0.2:80"},
			{"udp", "10.0.0.3:5001", "10.0.0.2:53", "10.0.0.3:5001", "10.0.0.2:53"},
			{"udp6", "", "[fd00::2]:53", "", "[fd00::2]:53"},
		} {
			var c net.Conn
			var err error
			if tt.network[0] == 't' {
				c, err = a.DialTCP(ctx, tt.network, addr(tt.local), addr(tt.remote))
			} else {
				c, err = a.DialUDP(ctx, tt.network, addr(tt.local), addr(tt.remote))
			}
			require.NoError(t, err, tt)
			assert.Equal(t, tt.to, c.RemoteAddr().String())
			if tt.from != "" {
				assert.Equal(t, tt.from, c.LocalAddr().String())
			}
		}
		sockets := len(a.Sockets())
		for _, tt := range []struct {
			network, local, remote string
			want                   error
		}{
			{"tcp", "10.0.0.9:0", "10.0.0.2:80", wsa.WSAEADDRNOTAVAIL},
			{"tcp", "[fd00::1]:0", "10.0.0.2:80", wsa.WSAEAFNOSUPPORT},
			{"tcp", "10.0.0.3:5001", "10.0.0.2:80", wsa.WSAEADDRINUSE},
			{"tcp", "", "10.0.0.2:81", wsa.WSAECONNREFUSED},
			{"tcp", "", "[fe80::1%tun]:80", wsa.WSAENETUNREACH},
			{"udp", "", "10.0.0.2:80", net.UnknownNetworkError("udp")},
		} {
			_, err := a.DialTCP(ctx, tt.network, addr(tt.local), addr(tt.remote))
			require.ErrorIs(t, err, tt.want, tt)
			require.IsType(t, &net.OpError{}, err)
		}
		_, err := a.DialTCP(ctx, "tcp", netip.AddrPort{}, netip.AddrPort{})
		require.EqualError(t, err, "dial tcp: missing address")
		_, err = a.DialUDP(ctx, "udp6", netip.AddrPort{}, addr("10.0.0.2:53"))
		require.ErrorAs(t, err, new(*net.AddrError))
		assert.Len(t, a.Sockets(), sockets, "a failed dial leaves nothing")
	}))
}
