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
