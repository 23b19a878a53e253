package stack_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
)

// The end of a stack resets the connections that live on without a socket, the one
// that was closed first before the others, behind those that have one.
func TestCloseResetsOrphans(t *testing.T) {
	port := func(c *endpoint.Conn) uint16 { return c.LocalAddr().(*net.TCPAddr).AddrPort().Port() }
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	l := n.Link(a, b)
	var ports []uint16
	require.NoError(t, n.Do("test", func() {
		_, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		var conns []*endpoint.Conn
		for range 4 {
			c, err := a.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
			conns = append(conns, c.(*endpoint.Conn))
		}
		l.Partition()
		for _, i := range []int{2, 0, 1} {
			ports = append(ports, port(conns[i]))
			require.NoError(t, conns[i].Close())
		}
		ports = append([]uint16{port(conns[3])}, ports...)
		n.Sleep(time.Second)
	}))
	n.ClearTrace()
	require.NoError(t, a.Stack.Close())
	var reset []uint16
	for _, line := range n.Trace() {
		require.NotZero(t, line.Segment.Flags&trace.RST, line.Text)
		reset = append(reset, line.Source.Port())
	}
	require.Equal(t, ports, reset)
}
