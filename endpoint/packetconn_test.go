package endpoint_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// Broadcasts need "udp4": a socket of "udp" on 0.0.0.0 is one on both sockettest.Families,
// where SO_BROADCAST doesn't exist.
func TestPacketConnBroadcast(t *testing.T) {
	for _, address := range []string{"0.0.0.0:67", ":67", "[::]:67"} {
		for _, to := range []string{"255.255.255.255:67", "10.0.0.255:67"} {
			n := simnet.New(t, simnet.Seed(1))
			a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
			n.Link(a, b)
			require.NoError(t, n.Do("test", func() {
				open := func(h *simnet.Host) *endpoint.PacketConn {
					p, err := h.ListenPacket("udp4", address)
					require.NoError(t, err)
					c := p.(*endpoint.PacketConn)
					require.NoError(t, c.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_BROADCAST, []byte{1, 0, 0, 0}))
					return c
				}
				both, err := a.ListenPacket("udp", "0.0.0.0:0")
				require.NoError(t, err)
				err = both.(*endpoint.PacketConn).SetSockOpt(wsa.SOL_SOCKET, wsa.SO_BROADCAST, []byte{1, 0, 0, 0})
				sockettest.CheckOpError(t, err, "set", wsa.WSAENOPROTOOPT)
				client, server := open(a), open(b)
				_, err = client.WriteToUDPAddrPort([]byte("discover"), netip.MustParseAddrPort(to))
				require.NoError(t, err)
				buf := make([]byte, 20)
				got, from, err := server.ReadFromUDPAddrPort(buf)
				require.NoError(t, err)
				require.Equal(t, "discover", string(buf[:got]))
				require.Equal(t, "10.0.0.1:67", from.String())
			}))
		}
	}
}
