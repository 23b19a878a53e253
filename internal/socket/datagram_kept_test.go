package socket_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// Receive calls of every kind see the peer's datagrams in their order while another
// goroutine makes and dissolves the association, which replaces the endpoint; nothing
// of others comes while there is a peer.
func TestReceiveWhileConnecting(t *testing.T) {
	a, b := sockettest.Pair(t)
	s := sockettest.NewSocket(t, a, wsa.AF_INET6, wsa.SOCK_DGRAM)
	require.Zero(t, s.SetSockOpt(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, []byte{0, 0, 0, 0}))
	require.Zero(t, s.Bind(netip.AddrPortFrom(netip.IPv6Unspecified(), 700)))
	peer := sockettest.NewSocket(t, b, wsa.AF_INET6, wsa.SOCK_DGRAM)
	require.Zero(t, peer.Bind(netip.MustParseAddrPort("[fd00::2]:800")))
	to := netip.MustParseAddrPort("[fd00::1]:700")
	const count = 100
	require.Zero(t, s.Connect(netip.MustParseAddrPort("[fd00::2]:800")))

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var others sync.WaitGroup
	others.Go(func() { // ends with ctx
		for ctx.Err() == nil {
			s.Connect(netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
			s.Connect(netip.MustParseAddrPort("[fd00::2]:800"))
		}
	})
	others.Go(func() { // ends with ctx
		for ctx.Err() == nil {
			s.Ready()
			s.Readable()
			s.Info()
		}
	})
	last, got, calls := -1, 0, 0
	receive := func() {
		var buf [8]byte
		var n int
		var err wsa.Errno
		calls++
		switch calls % 3 {
		case 0:
			n, _, err = s.RecvFrom(buf[:], 0)
		case 1:
			_, _, err = s.RecvFrom(buf[:], wsa.MSG_PEEK)
		default:
			var m socket.Message
			m, err = s.RecvMsg(buf[:], nil, 0)
			n = m.N
		}
		require.Zero(t, err)
		if n > 0 {
			require.Greater(t, int(buf[0])<<8|int(buf[1]), last, "the order of arrival")
			last, got = int(buf[0])<<8|int(buf[1]), got+1
		}
	}
	for i := range count {
		_, err := peer.SendTo([]byte{byte(i >> 8), byte(i)}, 0, to)
		require.Zero(t, err)
		a.Settle()
		b.Settle()
		for s.Ready()&socket.ReadyRead != 0 {
			receive()
		}
	}
	stop()
	others.Wait()
	require.Greater(t, got, count/2, "one in delivery may be lost with its endpoint")
}
