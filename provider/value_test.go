package provider_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// lengthOptions are 4-byte options of every codec that a stream can get and set.
var lengthOptions = []struct{ level, opt int32 }{
	{wsa.SOL_SOCKET, wsa.SO_DEBUG}, {wsa.SOL_SOCKET, wsa.SO_KEEPALIVE}, {wsa.SOL_SOCKET, wsa.SO_REUSEADDR},
	{wsa.SOL_SOCKET, wsa.SO_OOBINLINE}, {wsa.IPPROTO_TCP, wsa.TCP_NODELAY},
	{wsa.SOL_SOCKET, wsa.SO_SNDBUF}, {wsa.SOL_SOCKET, wsa.SO_RCVBUF}, {wsa.SOL_SOCKET, wsa.SO_LINGER},
}

// AV-7: a length below the minimum is WSAEFAULT and changes nothing. AV-12: so
// is a negative one; AV-13: for get, with *optlen unchanged.
func TestShortLengths(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.stream(af)
		before := l.state(s)
		for _, o := range lengthOptions {
			for _, optlen := range []int32{0, 1, 2, 3, -1, -4, math.MinInt32} {
				require.Equal(t, wsa.WSAEFAULT, l.a.SetSockOpt(s, o.level, o.opt, optvalOf(8), optlen), "%+v %d", o, optlen)
				out := optlen
				require.Equal(t, wsa.WSAEFAULT, l.a.GetSockOpt(s, o.level, o.opt, optvalOf(8), &out), "%+v %d", o, optlen)
				require.Equal(t, optlen, out)
			}
		}
		require.Equal(t, before, l.state(s))
	})
}

// AV-13 goes before C-22: a get of SO_PROTOCOL_INFOW tells the size it needs,
// but not where *optlen says that there is no room at all.
func TestProtocolInfoLength(t *testing.T) {
	l := newLab(t)
	s := l.stream(wsa.AF_INET)
	buf := make([]byte, 1000)
	for _, c := range []struct {
		in, out int32
		want    error
	}{
		{0, 0, wsa.WSAEFAULT}, {-1, -1, wsa.WSAEFAULT}, {4, 628, wsa.WSAEFAULT}, {628, 628, nil}, {1000, 628, nil},
	} {
		optlen := c.in
		err := l.a.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_PROTOCOL_INFOW, buf, &optlen)
		require.Equal(t, c.want, err, "%d", c.in)
		require.Equal(t, c.out, optlen, "%d", c.in)
	}
}

// C-01: SO_CONNECT_TIME without a connection fails, and writes its value.
func TestConnectTimeLength(t *testing.T) {
	l := newLab(t)
	optval, optlen := make([]byte, 8), int32(8)
	err := l.a.GetSockOpt(l.stream(wsa.AF_INET), wsa.SOL_SOCKET, wsa.SO_CONNECT_TIME, optval, &optlen)
	require.Equal(t, wsa.WSAENOTCONN, err)
	require.Equal(t, int32(4), optlen)
	require.Equal(t, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}, optval)
}

// AV-9: a larger buffer is fine; *optlen becomes the size, the rest is left
// alone. AV-11: so it is for set, where the first 4 bytes count.
func TestLongLengths(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.stream(af)
		for _, o := range lengthOptions {
			for _, optlen := range []int32{4, 8, 42} {
				require.NoError(t, l.a.SetSockOpt(s, o.level, o.opt, optvalOf(42), optlen), "%+v %d", o, optlen)
				out, optval := optlen, bytes.Repeat([]byte{0xAA}, 42)
				require.NoError(t, l.a.GetSockOpt(s, o.level, o.opt, optval, &out), "%+v %d", o, optlen)
				require.Equal(t, int32(4), out)
				require.Equal(t, []byte{1, 0, 0, 0, 0xAA}, optval[:5], "%+v %d", o, optlen)
				require.Equal(t, bytes.Repeat([]byte{0xAA}, 38), optval[4:])
			}
		}
	})
}

// AV-10: every DWORD but 0 is TRUE, and reads as exactly 1.
func TestBooleans(t *testing.T) {
	l := newLab(t)
	s := l.stream(wsa.AF_INET)
	for _, o := range []struct{ level, opt int32 }{
		{wsa.SOL_SOCKET, wsa.SO_KEEPALIVE}, {wsa.SOL_SOCKET, wsa.SO_DEBUG}, {wsa.SOL_SOCKET, wsa.SO_DONTROUTE},
		{wsa.SOL_SOCKET, wsa.SO_OOBINLINE}, {wsa.IPPROTO_TCP, wsa.TCP_NODELAY},
	} {
		for _, value := range []uint32{1, 2, math.MaxUint32, 0x100, 0x80000000} {
			require.NoError(t, setInt(l.a, s, o.level, o.opt, value))
			got, err := getInt(l.a, s, o.level, o.opt)
			require.NoError(t, err)
			require.EqualValues(t, 1, got, "%+v %#x", o, value)
			require.NoError(t, setInt(l.a, s, o.level, o.opt, 0))
			got, err = getInt(l.a, s, o.level, o.opt)
			require.NoError(t, err)
			require.Zero(t, got)
		}
	}
}

// TV-20: SO_GROUP_ID reads 0, SO_GROUP_PRIORITY is unknown to a plain socket.
func TestGroupOptions(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		for _, s := range []wsa.SOCKET{l.stream(af), l.datagram(af)} {
			id, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_GROUP_ID)
			require.NoError(t, err)
			require.Zero(t, id)
			_, err = getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY)
			require.Equal(t, wsa.WSAENOPROTOOPT, err)
			require.Equal(t, wsa.WSAENOPROTOOPT, setInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_GROUP_PRIORITY, 0))
		}
	})
}

// TY-1: SO_TYPE is that of creation, and that of SO_PROTOCOL_INFOW.
// TY-2: SO_ACCEPTCONN turns 1 with listen, and stays.
func TestTypeAndAcceptConn(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			s := l.socket(l.a, af, typ)
			got, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_TYPE)
			require.NoError(t, err)
			require.EqualValues(t, typ, got)
			buf, optlen := make([]byte, 628), int32(628)
			require.NoError(t, l.a.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_PROTOCOL_INFOW, buf, &optlen))
			require.EqualValues(t, typ, buf[88], "iSocketType")
		}
		s := l.bind(l.stream(af), addrA(af, 0))
		for _, want := range []uint32{0, 1, 1} {
			got, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.NoError(t, l.a.Listen(s, 1))
		}
		_, err := getInt(l.a, l.datagram(af), wsa.SOL_SOCKET, wsa.SO_ACCEPTCONN)
		require.Equal(t, wsa.WSAENOPROTOOPT, err)
	})
}
