package socket_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// An orphan's timers end with its stack.
func TestOrphanTimersEndWithTheStack(t *testing.T) {
	n := simnet.New(t)
	h := n.Host("h", "10.0.0.1/24")
	p := n.Wire(h, "w", "10.0.0.2").Listen(80)
	n.Background("client", func() {
		c, err := h.DialContext(context.Background(), "tcp", "10.0.0.2:80")
		if !assert.NoError(t, err) {
			return
		}
		assert.NoError(t, c.(*endpoint.Conn).SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_MAXRT, []byte{100, 0, 0, 0}))
		_, err = c.Write([]byte("nobody acknowledges this"))
		assert.NoError(t, err)
		c.Close()
	})
	require.NoError(t, p.Accept("mss 1460"))
	require.NoError(t, n.Advance(time.Second))
	require.NoError(t, h.Close())
	require.Zero(t, n.Timers())
}
