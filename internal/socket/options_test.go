package socket_test

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/wsa"
)

func get32(t testing.TB, c *endpoint.Conn, level, name int32) (uint32, error) {
	t.Helper()
	buf := []byte{0xEE, 0xEE, 0xEE, 0xEE, 0xEE}
	n, err := c.GetSockOpt(level, name, buf)
	if err == nil {
		require.Equal(t, 4, n)
		require.Equal(t, byte(0xEE), buf[4], "beyond the value")
	}
	return binary.LittleEndian.Uint32(buf), err
}

func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func TestOptionsOnConnection(t *testing.T) {
	a, b := sockettest.Pair(t)
	client, _ := sockettest.Connected(t, a, b, sockettest.Families[0].Addr)
	for _, tt := range []struct {
		name        string
		level, opt  int32
		def         uint32
		set, expect uint32 // expect after set
	}{
		{"TCP_NODELAY", wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 0, 2, 1},
		{"SO_KEEPALIVE", wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 0, 0x100, 1},
		{"SO_DONTLINGER", wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 1, 1, 1},
		{"SO_LINGER", wsa.SOL_SOCKET, wsa.SO_LINGER, 0, 7<<16 | 1, 7<<16 | 1},
		{"SO_SNDBUF", wsa.SOL_SOCKET, wsa.SO_SNDBUF, 65536, 1, 1},
		{"SO_RCVBUF", wsa.SOL_SOCKET, wsa.SO_RCVBUF, 65536, 1 << 30, 4 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := get32(t, client, tt.level, tt.opt)
			require.NoError(t, err)
			assert.Equal(t, tt.def, v, "default")
			require.NoError(t, client.SetSockOpt(tt.level, tt.opt, u32(tt.set)))
			v, err = get32(t, client, tt.level, tt.opt)
			require.NoError(t, err)
			assert.Equal(t, tt.expect, v, "after set")

			sockettest.CheckOpError(t, client.SetSockOpt(tt.level, tt.opt, nil), "set", wsa.WSAEFAULT)
			sockettest.CheckOpError(t, client.SetSockOpt(tt.level, tt.opt, []byte{0, 0, 0}), "set", wsa.WSAEFAULT)
			v, err = get32(t, client, tt.level, tt.opt)
			require.NoError(t, err)
			assert.Equal(t, tt.expect, v, "nothing changed")
		})
	}
	v, err := get32(t, client, wsa.SOL_SOCKET, wsa.SO_TYPE)
	require.NoError(t, err)
	assert.EqualValues(t, wsa.SOCK_STREAM, v)
	v, err = get32(t, client, wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME)
	require.NoError(t, err)
	assert.Zero(t, v, "in the first second")
	sockettest.CheckOpError(t, client.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_TYPE, u32(1)), "set", wsa.WSAENOPROTOOPT)
	sockettest.CheckOpError(t, client.SetSockOpt(1000, 1, u32(1)), "set", wsa.WSAEINVAL)
}

func TestTypedSetters(t *testing.T) {
	a, b := sockettest.Pair(t)
	c, _ := sockettest.Connected(t, a, b, sockettest.Families[1].Addr)
	require.NoError(t, c.SetNoDelay(true))
	require.NoError(t, c.SetReadBuffer(32<<10))
	require.NoError(t, c.SetWriteBuffer(16<<10))
	sockettest.CheckOpError(t, c.SetReadBuffer(-1), "set", wsa.WSAEINVAL)
	sockettest.CheckOpError(t, c.SetWriteBuffer(1<<40), "set", wsa.WSAEINVAL)
	require.NoError(t, c.SetLinger(9))
	sockettest.CheckOpError(t, c.SetLinger(1<<20), "set", wsa.WSAEINVAL)
	require.NoError(t, c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 1500 * time.Millisecond, Interval: -1, Count: 5}))
	sockettest.CheckOpError(t, c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Count: 256}), "set", wsa.WSAEINVAL)
	for _, o := range []struct {
		level, name int32
		want        uint32
	}{
		{wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1},
		{wsa.SOL_SOCKET, wsa.SO_RCVBUF, 32 << 10},
		{wsa.SOL_SOCKET, wsa.SO_SNDBUF, 16 << 10},
		{wsa.SOL_SOCKET, wsa.SO_LINGER, 9<<16 | 1},
		{wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1},
		{wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL, 15}, // Go's default, from the second call
		{wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, 5},
	} {
		v, err := get32(t, c, o.level, o.name)
		require.NoError(t, err)
		assert.Equal(t, o.want, v, wsa.OptionName(o.level, o.name))
	}
}

// Options that are set before there is a netstack endpoint reach it, and those
// of a listener reach what it accepts.
func TestOptionsInherited(t *testing.T) {
	a, b := sockettest.Pair(t)
	l := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, u32(1)))
	require.Zero(t, l.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVBUF, u32(20000)))
	require.Zero(t, l.Bind(addrPort("0.0.0.0:5000")))
	require.Zero(t, l.Listen(1))
	buf := make([]byte, 4)
	_, errno := l.GetSockOpt(wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN, buf)
	require.Zero(t, errno)
	require.Equal(t, u32(1), buf)
	client := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, client.Connect(addrPort("10.0.0.2:5000")))
	s, _, errno := l.Accept()
	require.Zero(t, errno)
	defer s.Close()
	for _, o := range []struct {
		level, name int32
		want        uint32
	}{
		{wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1},
		{wsa.SOL_SOCKET, wsa.SO_RCVBUF, 20000},
		{wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN, 0},
	} {
		_, errno := s.GetSockOpt(o.level, o.name, buf)
		require.Zero(t, errno)
		assert.Equal(t, u32(o.want), buf, wsa.OptionName(o.level, o.name))
	}
}
