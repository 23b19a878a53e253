package endpoint_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A list of sockets may have one whose connection has just ended for good.
func TestInfoAfterClose(t *testing.T) {
	a, b := sockettest.Pair(t)
	for _, f := range sockettest.Families {
		l, err := b.Listen("tcp", netip.AddrPortFrom(f.Addr, 0).String())
		require.NoError(t, err)
		defer l.Close()
		s := sockettest.NewSocket(t, a, f.Family, wsa.SOCK_STREAM)
		require.Zero(t, s.Connect(netip.MustParseAddrPort(l.Addr().String())))
		require.Equal(t, l.Addr().String(), s.Info().Remote.String())
		c, err := l.Accept()
		require.NoError(t, err)
		require.NoError(t, c.Close()) // the first to close keeps TIME-WAIT
		s.Close()
		stack.Settle(a, b)
		require.Zero(t, s.Info().Connected)
	}
}

// Only a connection has a TCPInfo, and both ends agree on what has passed.
func TestInfoTCP(t *testing.T) {
	a, b := sockettest.Pair(t)
	l, err := b.Listen("tcp", ":7")
	require.NoError(t, err)
	defer l.Close()
	c, err := a.Dial("tcp", "10.0.0.2:7")
	require.NoError(t, err)
	defer c.Close()
	s, err := l.Accept()
	require.NoError(t, err)
	defer s.Close()
	_, err = c.Write([]byte("hello"))
	require.NoError(t, err)
	stack.Settle(a, b)
	infos := b.Sockets()
	require.Len(t, infos, 2)
	require.Nil(t, infos[0].TCP, "a listener")
	require.EqualValues(t, 5, infos[1].TCP.BytesIn)
	infos = a.Sockets()
	require.Len(t, infos, 1)
	got := infos[0].TCP
	require.EqualValues(t, 5, got.BytesOut)
	require.Equal(t, got.BytesOut, got.BytesAcked+uint64(got.InFlight))
	require.Equal(t, "slow start", got.Phase)
	require.Positive(t, got.RTO)
	require.Positive(t, got.SndWnd)
	require.Equal(t, 1460, got.MSS)
}
