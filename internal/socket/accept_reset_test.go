package socket_test

import (
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// Of a connection that was reset before accept nothing stays: no timer of
// keep-alive, and nothing that the pump could stumble over.
func TestResetBeforeAcceptLeavesNothing(t *testing.T) {
	for _, option := range []struct{ level, name int32 }{
		{wsa.SOL_SOCKET, wsa.SO_KEEPALIVE},
		{wsa.IPPROTO_TCP, wsa.TCP_MAXRT},
	} {
		n := simnet.New(t)
		h := n.Host("h", "10.0.0.1/24")
		p := n.Wire(h, "w", "10.0.0.2").Connect("10.0.0.1:80")
		var l *socket.Socket
		require.NoError(t, n.Do("listen", func() {
			var errno wsa.Errno
			l, errno = socket.New(socket.HostOf(h), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
			assert.Zero(t, errno)
			assert.Zero(t, l.SetSockOpt(option.level, option.name, []byte{1, 0, 0, 0}))
			assert.Zero(t, l.Bind(addrPort("10.0.0.1:80")))
			assert.Zero(t, l.Listen(5))
		}))
		require.NoError(t, p.Handshake("mss 1460"))
		p.Send("[R] seq 1")
		require.NoError(t, n.Idle())
		require.NoError(t, n.Do("accept", func() {
			l.SetNonblocking(true)
			_, _, errno := l.Accept()
			assert.Equal(t, wsa.WSAECONNRESET, errno)
		}))
		require.NoError(t, n.Advance(3*time.Hour))
		require.Zero(t, n.Timers())
		require.NoError(t, n.Do("close", func() { l.Close() }))
	}
}
