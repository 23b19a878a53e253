package stack_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// Whoever knows the ID of a socket can look at it, and set its options while it lives.
func TestSocketByID(t *testing.T) {
	a, b := sockettest.Pair(t)
	l, err := b.Listen("tcp", ":7")
	require.NoError(t, err)
	defer l.Close()
	c, err := a.Dial("tcp", "10.0.0.2:7")
	require.NoError(t, err)
	_, err = a.Socket(0)
	require.ErrorIs(t, err, wsa.WSAENOTSOCK)
	id := a.Sockets()[0].ID
	h, err := a.Socket(id)
	require.NoError(t, err)
	require.Equal(t, id, h.Info().ID)

	require.NoError(t, options.TCP_KEEPIDLE.Set(h, 3*time.Second))
	idle, err := options.TCP_KEEPIDLE.Get(c.(options.Getter))
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, idle, "the owner of the socket sees it")
	require.ErrorIs(t, options.UDP_NOCHECKSUM.Set(h, true), wsa.WSAENOPROTOOPT)
	op := new(net.OpError)
	require.ErrorAs(t, options.TCP_KEEPCNT.Set(h, 256), &op, "out of range")
	require.ErrorIs(t, op, wsa.WSAEINVAL)
	require.Equal(t, "set", op.Op)

	require.NoError(t, c.Close())
	stack.Settle(a, b)
	require.ErrorIs(t, options.TCP_KEEPIDLE.Set(h, time.Second), wsa.WSAENOTSOCK)
	_, err = a.Socket(id)
	require.ErrorIs(t, err, wsa.WSAENOTSOCK)
}
