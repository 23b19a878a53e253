package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func TestFIONBIO(t *testing.T) {
	l := newLab(t)
	s := l.connected(wsa.AF_INET)
	for _, in := range [][]byte{{1, 0, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 0x80, 99}} {
		n, err := l.a.Ioctl(s, wsa.FIONBIO, in, nil)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = l.a.Recv(s, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAEWOULDBLOCK, err, "%v", in)
	}
	for _, in := range [][]byte{nil, {}, {0, 0, 0}} {
		_, err := l.a.Ioctl(s, wsa.FIONBIO, in, nil)
		require.Equal(t, wsa.WSAEFAULT, err)
		_, err = l.a.Recv(s, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAEWOULDBLOCK, err, "a failed call changes nothing")
	}
	l.nonblocking(l.a, s, false)
	err := l.blocked(func() error { _, err := l.a.Recv(s, make([]byte, 1), 0); return err }, func() { require.NoError(t, l.a.CloseSocket(s)) })
	require.Equal(t, wsa.WSAEINTR, err)
}

func TestFIONREAD(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s, peer := l.pair(af)
		dgram := l.bind(l.datagram(af), addrA(af, 5000))
		from := l.socket(l.b, af, wsa.SOCK_DGRAM)
		readable := func(s wsa.SOCKET) byte {
			out := []byte{9, 9, 9, 9, 9}
			n, err := l.a.Ioctl(s, wsa.FIONREAD, nil, out)
			require.NoError(t, err)
			require.Equal(t, 4, n)
			require.Equal(t, []byte{0, 0, 0, 9}, out[1:])
			return out[0]
		}
		require.Zero(t, readable(s))
		require.Zero(t, readable(dgram))
		for i := range byte(3) {
			_, err := l.b.Send(peer, make([]byte, 10), 0)
			require.NoError(t, err)
			_, err = l.b.SendTo(from, make([]byte, 10-i), 0, addrA(af, 5000))
			require.NoError(t, err)
			l.settle()
			require.Equal(t, 10*(i+1), readable(s), "all that is queued")
			require.EqualValues(t, 10, readable(dgram), "the first datagram")
		}
		for _, out := range [][]byte{nil, {}, {7, 7, 7}} {
			before := append([]byte(nil), out...)
			_, err := l.a.Ioctl(s, wsa.FIONREAD, nil, out)
			require.Equal(t, wsa.WSAEFAULT, err)
			require.Equal(t, before, append([]byte(nil), out...))
		}
	})
}

// OB-11: SIOCATMARK on a datagram socket is WSAEINVAL. On a stream without
// urgent data it is TRUE.
func TestSIOCATMARK(t *testing.T) {
	l := newLab(t)
	out := make([]byte, 4)
	n, err := l.a.Ioctl(l.connected(wsa.AF_INET), wsa.SIOCATMARK, nil, out)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, []byte{1, 0, 0, 0}, out)
	_, err = l.a.Ioctl(l.datagram(wsa.AF_INET), wsa.SIOCATMARK, nil, out)
	require.Equal(t, wsa.WSAEINVAL, err)
	_, err = l.a.Ioctl(l.stream(wsa.AF_INET), wsa.SIOCATMARK, nil, nil)
	require.Equal(t, wsa.WSAEFAULT, err)
}

// KA-20, KA-21, KA-24: SIO_KEEPALIVE_VALS takes 12 bytes, writes none, and is
// the same store as SO_KEEPALIVE and its times.
func TestKeepAliveVals(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.stream(af)
		values := func() (on, idle uint32) {
			on, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE)
			require.NoError(t, err)
			idle, err = getInt(l.a, s, wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE)
			require.NoError(t, err)
			return on, idle
		}
		in := wsa.TCPKeepalive{OnOff: 5, KeepAliveTime: 90500, KeepAliveInterval: 200}.Append(nil)
		for _, short := range [][]byte{nil, {}, in[:11]} {
			_, err := l.a.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, short, nil)
			require.Equal(t, wsa.WSAEFAULT, err)
		}
		on, idle := values()
		require.Equal(t, []uint32{0, 7200}, []uint32{on, idle})

		n, err := l.a.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, in, nil)
		require.NoError(t, err)
		require.Zero(t, n)
		on, idle = values()
		require.Equal(t, []uint32{1, 91}, []uint32{on, idle})

		in[0] = 0
		_, err = l.a.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, in, nil)
		require.NoError(t, err)
		on, idle = values()
		require.Equal(t, []uint32{0, 91}, []uint32{on, idle})

		_, err = l.a.Ioctl(s, wsa.SIO_KEEPALIVE_VALS, wsa.TCPKeepalive{OnOff: 1}.Append(nil), nil)
		require.NoError(t, err)
		on, idle = values()
		require.Equal(t, []uint32{1, 7200}, []uint32{on, idle}, "0 is the default")

		_, err = l.a.Ioctl(l.datagram(af), wsa.SIO_KEEPALIVE_VALS, in, nil)
		require.Equal(t, wsa.WSAENOPROTOOPT, err)
	})
}

func TestUnsupportedControlCodes(t *testing.T) {
	l := newLab(t)
	buf := make([]byte, 100)
	for _, code := range []uint32{
		0, 0xFFFFFFFF, wsa.FIOASYNC, wsa.SIO_FLUSH, wsa.SIO_GET_QOS, wsa.SIO_GET_GROUP_QOS, wsa.SIO_SET_QOS, wsa.SIO_SET_GROUP_QOS,
	} {
		for _, s := range []wsa.SOCKET{l.stream(wsa.AF_INET), l.datagram(wsa.AF_INET6)} {
			n, err := l.a.Ioctl(s, code, buf, buf)
			require.Equal(t, wsa.WSAEOPNOTSUPP, err, "%#x", code)
			require.Zero(t, n)
		}
	}
}
