package stack_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
)

// Both ends of a link count the same, in packets of the wire: 100,000 bytes of payload are 69
// segments of 1,460 bytes at least, whatever the stack hands to the device at once.
func TestInterfaceStats(t *testing.T) {
	a, b := pair(t)
	l, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	c, err := a.Dial("tcp", "10.0.0.2:80")
	require.NoError(t, err)
	server, err := l.Accept()
	require.NoError(t, err)
	go c.Write(bytes.Repeat([]byte("x"), 100_000))
	_, err = io.CopyN(io.Discard, server, 100_000)
	require.NoError(t, err)
	stack.Settle(a, b)

	sa, sb := a.InterfaceStats(), b.InterfaceStats()
	require.Len(t, sa, 2)
	require.Equal(t, "lo", sa[0].Name)
	require.Nil(t, sa[0].Device)
	require.Zero(t, sa[0].PacketsIn+sa[0].PacketsOut)
	require.NotNil(t, sa[1].Device)
	require.Equal(t, sa[1].PacketsOut, sb[1].PacketsIn)
	require.Equal(t, sa[1].BytesOut, sb[1].BytesIn)
	require.Equal(t, sb[1].BytesOut, sa[1].BytesIn)
	require.GreaterOrEqual(t, sa[1].PacketsOut, uint64(1+1+69), "SYN, ACK, data")
	require.GreaterOrEqual(t, sa[1].BytesOut, uint64(100_000+71*40))
	require.Zero(t, sa[1].Dropped)

	_, err = b.Dial("tcp", "127.0.0.1:80")
	require.NoError(t, err)
	lo := b.InterfaceStats()[0]
	require.Equal(t, lo.PacketsOut, lo.PacketsIn)
	require.GreaterOrEqual(t, lo.PacketsOut, uint64(3))
}
