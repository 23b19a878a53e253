package stack_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A socket takes what Config.SendBuffer says from a program whose peer reads nothing, until
// SO_SNDBUF is set.
func TestConfig_SendBuffer(t *testing.T) {
	const size = 9 << 20 // more than a socket takes without
	n := simnet.New(t, simnet.TraceLimit(0))
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), SendBuffer: size})
	b := n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(10*time.Millisecond))
	l, err := b.Listen("tcp", ":7")
	require.NoError(t, err)
	n.Do("client", func() {
		nc, err := a.Dial("tcp", "10.0.0.2:7")
		require.NoError(t, err)
		c := nc.(*endpoint.Conn)
		start := n.Now()
		written, err := c.Write(make([]byte, size))
		require.NoError(t, err)
		require.Equal(t, size, written)
		require.Equal(t, start, n.Now(), "Write has waited")

		// The peer takes some, and no more: then there is room for so much, and no more either.
		n.Sleep(time.Minute)
		require.NoError(t, c.SetWriteDeadline(n.Time().Add(time.Minute)))
		written, err = c.Write(make([]byte, size))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Positive(t, written)
		require.Less(t, written, size/2)

		var bytes [4]byte
		_, err = c.GetSockOpt(wsa.SOL_SOCKET, wsa.SO_SNDBUF, bytes[:])
		require.NoError(t, err)
		require.Equal(t, [4]byte{0, 0, 1, 0}, bytes, "SO_SNDBUF reads something else")
	})
	require.NoError(t, l.Close())
}

func TestConfig_SendBufferOutOfRange(t *testing.T) {
	for _, size := range []int{-1, 1<<30 + 1} {
		_, err := stack.New(stack.Config{SendBuffer: size})
		require.ErrorContains(t, err, "config.SendBuffer: ")
	}
}
