package socket_test

import (
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A ConnectEx that has failed is pending until the pump has told its outcome:
// until then no other attempt starts, which would take its place.
func TestConnectExAfterConnectEx(t *testing.T) {
	a, _ := sockettest.Pair(t)
	const rounds = 200
	for range rounds {
		s := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
		require.Zero(t, s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, []byte{1, 0, 0, 0}))
		require.Zero(t, s.Bind(addrPort("0.0.0.0:0")))
		first, errno := s.ConnectEx(addrPort("10.0.0.2:80"), nil) // nobody listens
		require.Zero(t, errno)
		var second *socket.Op
		for second == nil {
			if second, errno = s.ConnectEx(addrPort("10.0.0.2:80"), nil); errno != 0 {
				require.Equal(t, wsa.WSAEALREADY, errno)
			}
		}
		_, _, errno = first.Result()
		require.Equal(t, wsa.WSAECONNREFUSED, errno)
		second.Wait()
		_, _, errno = second.Result()
		require.Equal(t, wsa.WSAECONNREFUSED, errno)
		var on [4]byte
		_, errno = s.GetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, on[:])
		require.Zero(t, errno)
		require.EqualValues(t, 1, on[0])
		s.Close()
	}
}

// The options that were set before a ConnectEx are back when its attempt has
// failed, even when nobody waits for it any more.
func TestConnectExCancelled(t *testing.T) {
	a, b := sockettest.Pair(t)
	s := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, []byte{1, 0, 0, 0}))
	require.Zero(t, s.Bind(addrPort("0.0.0.0:0")))
	op, errno := s.ConnectEx(addrPort("10.0.0.2:80"), nil)
	require.Zero(t, errno)
	op.Cancel()
	stack.Settle(a, b)
	var on [4]byte
	_, errno = s.GetSockOpt(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, on[:])
	require.Zero(t, errno)
	require.EqualValues(t, 1, on[0])
}
