package stack_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// A whole window that is lost to a short outage is repaired in slow start, not
// at two segments per retransmission time-out.
func TestLostWindowIsRepairedFast(t *testing.T) {
	const size = 4 << 20
	n := simnet.New(t, simnet.TraceLimit(0))
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	link := n.Link(a, b, simnet.Delay(5*time.Millisecond), simnet.Rate(1e9, 1<<20))
	n.Background("server", func() {
		l, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		got, err := io.Copy(io.Discard, struct{ io.Reader }{c})
		require.NoError(t, err)
		require.EqualValues(t, size, got)
		c.Close()
	})
	n.Background("outage", func() {
		n.Sleep(60 * time.Millisecond)
		link.Partition()
		n.Sleep(30 * time.Millisecond)
		link.Heal()
	})
	n.Do("client", func() {
		c, err := a.Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		_, err = c.Write(make([]byte, size))
		require.NoError(t, err)
		require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
		_, err = c.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		c.Close()
	})
	t.Logf("%d bytes in %v", size, n.Now())
	require.Less(t, n.Now(), 2*time.Second)
}
