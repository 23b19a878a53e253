package socket_test

import (
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A crowd are peers of a listener that nobody accepts from.
type crowd struct {
	t    *testing.T
	n    *simnet.Network
	w    *simnet.Wire
	l    *socket.Socket
	to   string
	here []*simnet.Peer // whose handshake is complete
}

func newCrowd(t *testing.T, backlog int32) *crowd {
	n := simnet.New(t)
	h := n.Host("h", "10.0.0.1/24")
	c := &crowd{t: t, n: n, w: n.Wire(h, "w", "10.0.0.2"), to: "10.0.0.1:80"}
	require.NoError(t, n.Do("listen", func() {
		var errno wsa.Errno
		c.l, errno = socket.New(socket.HostOf(h), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
		assert.Zero(t, errno)
		assert.Zero(t, c.l.Bind(addrPort(c.to)))
		assert.Zero(t, c.l.Listen(backlog))
		c.l.SetNonblocking(true)
	}))
	return c
}

// join connects one more, and reports whether it was let in.
func (c *crowd) join() bool {
	c.t.Helper()
	p := c.w.Connect(c.to)
	p.Send("[S] <mss 1460>")
	a, err := p.Receive(time.Second)
	require.NoError(c.t, err)
	if a.Segment.Flags&trace.RST != 0 {
		return false
	}
	p.Send("[.] seq 1 ack 1")
	require.NoError(c.t, c.n.Idle())
	c.here = append(c.here, p)
	return true
}

// resetAll has all of them go.
func (c *crowd) resetAll() {
	for _, p := range c.here {
		p.Send("[R] seq 1")
	}
	require.NoError(c.t, c.n.Idle())
	c.here = nil
}

// However often peers connect and reset, no more than the backlog wait for accept:
// those that have ended have no place, and leave none free when they go.
func TestBacklogAndResets(t *testing.T) {
	const backlog = 3
	c := newCrowd(t, backlog)
	for range 6 {
		for c.join() {
			require.LessOrEqual(t, len(c.here), backlog)
		}
		require.Len(t, c.here, backlog)
		c.resetAll()
	}
}

// Nor does accept, which reports those that have ended, make room twice.
func TestBacklogAndAcceptOfResets(t *testing.T) {
	c := newCrowd(t, 2)
	require.True(t, c.join())
	require.True(t, c.join())
	c.resetAll()
	require.True(t, c.join())
	require.True(t, c.join())
	for range 2 {
		require.NoError(t, c.n.Do("accept", func() {
			_, _, errno := c.l.Accept()
			assert.Equal(t, wsa.WSAECONNRESET, errno)
		}))
	}
	require.False(t, c.join(), "two wait")
}
