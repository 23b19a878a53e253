package simnet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// crash has a server crash while a client reads.
func crash(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(10*time.Millisecond))
	recording := n.Record()
	n.Do("client", func() {
		l, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		c, err := a.Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		s, err := l.Accept()
		require.NoError(t, err)
		n.Sleep(time.Second)
		crashed := n.Now()
		require.NoError(t, b.Close())
		_, err = s.Write([]byte("more"))
		require.ErrorIs(t, err, wsa.WSAENETDOWN)

		_, err = c.Read(make([]byte, 1))
		require.Equal(t, 10*time.Millisecond, n.Now()-crashed)
		require.ErrorIs(t, err, wsa.WSAECONNRESET)

		c, err = a.Dial("tcp", "10.0.0.2:80")
		require.Error(t, err, "connected to a host that has crashed: %v", c)
		require.ErrorIs(t, err, wsa.WSAETIMEDOUT)
	})
	lost := 0
	for _, p := range recording.Packets() {
		if p.To == "b" && p.At > 2*time.Second {
			require.Equal(t, simnet.Never, p.Arrived, "a packet for a host that has crashed")
			lost++
		}
	}
	require.NotZero(t, lost, "SYNs for the host that has crashed")
}

// What a host has sent before it crashes arrives, its resets too; later nobody answers.
func TestHost_Crash(t *testing.T) {
	crash(t)
	synctest.Test(t, crash)
}
