package socket_test

import (
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// An AcceptEx whose accept socket is closed is done at once, and has no place in
// the listener's queue any more: one that was made later gets the connection.
func TestClosedAcceptSocketLeavesTheQueue(t *testing.T) {
	const places = 4096 // of the queue
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	for range places {
		into, errno := socket.New(socket.HostOf(b), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
		require.Zero(t, errno)
		op, errno := l.AcceptEx(into, nil)
		require.Zero(t, errno)
		require.Zero(t, into.Close())
		_, _, errno = op.Result()
		require.Equal(t, wsa.WSA_OPERATION_ABORTED, errno)
		require.False(t, op.Cancel(), "it is pending no more")
	}
	op, errno := l.AcceptEx(sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM), nil)
	require.Zero(t, errno)
	require.Zero(t, sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM).Connect(addrPort("10.0.0.2:80")))
	sockettest.Within(t, "Wait", op.Wait)
	_, _, errno = op.Result()
	require.Zero(t, errno)
}

// The accept socket may be closed while AcceptEx starts: the operation is refused,
// or it is done and has left the queue.
func TestAcceptSocketClosesDuringAcceptEx(t *testing.T) {
	_, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(addrPort("10.0.0.2:80")))
	require.Zero(t, l.Listen(5))
	for range 500 {
		into, errno := socket.New(socket.HostOf(b), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
		require.Zero(t, errno)
		closed := make(chan struct{})
		go func() { defer close(closed); into.Close() }()
		op, errno := l.AcceptEx(into, nil)
		<-closed
		if errno != 0 {
			require.Equal(t, wsa.WSAENOTSOCK, errno)
			continue
		}
		_, _, errno = op.Result()
		require.Equal(t, wsa.WSA_OPERATION_ABORTED, errno)
		require.False(t, op.Cancel())
	}
}
