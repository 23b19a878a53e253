package provider_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// recvAll reads from a socket of stack b until the stream ends.
func (l *lab) recvAll(s wsa.SOCKET) string {
	l.Helper()
	var got []byte
	for buf := make([]byte, 1000); ; {
		n, err := l.b.Recv(s, buf, 0)
		require.NoError(l, err)
		if n == 0 {
			return string(got)
		}
		got = append(got, buf[:n]...)
	}
}

// A connection over the loopback interface and over the link, in both modes:
// the whole life of it.
func TestConnection(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		for _, at := range []netip.AddrPort{loopback(af, 0), addrA(af, 0)} {
			for _, nonblocking := range []bool{true, false} {
				l := newLab(t)
				server := l.bind(l.stream(af), at)
				require.NoError(t, l.a.Listen(server, 5))
				at, err := l.a.GetSockName(server)
				require.NoError(t, err)
				require.NotZero(t, at.Port())

				s := l.stream(af)
				l.nonblocking(l.a, s, nonblocking)
				l.nonblocking(l.a, server, nonblocking)
				if err := l.a.Connect(s, at); nonblocking {
					require.Equal(t, wsa.WSAEWOULDBLOCK, err)
				} else {
					require.NoError(t, err)
				}
				r, w, _, err := l.a.Select(nil, []wsa.SOCKET{s}, nil, -1)
				require.NoError(t, err)
				require.Empty(t, r)
				require.Equal(t, []wsa.SOCKET{s}, w)
				_, _, _, err = l.a.Select([]wsa.SOCKET{server}, nil, nil, -1)
				require.NoError(t, err)
				peer, from, err := l.a.Accept(server)
				require.NoError(t, err)
				name, err := l.a.GetSockName(s)
				require.NoError(t, err)
				require.Equal(t, from, name)
				if nonblocking { // as the listener
					_, err = l.a.Recv(peer, make([]byte, 1), 0)
					require.Equal(t, wsa.WSAEWOULDBLOCK, err)
				}
				_, err = l.a.Send(peer, []byte("hello"), 0)
				require.NoError(t, err)
				_, _, _, err = l.a.Select([]wsa.SOCKET{s}, nil, nil, -1)
				require.NoError(t, err)
				buf := make([]byte, 10)
				n, none, err := l.a.RecvFrom(s, buf, wsa.MSG_PEEK)
				require.NoError(t, err)
				require.Equal(t, "hello", string(buf[:n]))
				require.False(t, none.IsValid())
				n, err = l.a.Recv(s, buf, 0)
				require.NoError(t, err)
				require.Equal(t, "hello", string(buf[:n]))
				for _, s := range []wsa.SOCKET{s, peer, server} {
					require.NoError(t, l.a.CloseSocket(s))
				}
			}
		}
	})
}

// BF-22: a send of nothing succeeds and sends no segment; on a datagram socket
// it is an empty datagram.
func TestSendNothing(t *testing.T) {
	l := newLab(t)
	s := l.connected(wsa.AF_INET)
	l.settle()
	before := l.sa.Stats().SegmentsOut
	n, err := l.a.Send(s, nil, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	l.settle()
	require.Equal(t, before, l.sa.Stats().SegmentsOut)

	to := l.bind(l.datagram(wsa.AF_INET), loopback(wsa.AF_INET, 5000))
	_, err = l.a.SendTo(l.datagram(wsa.AF_INET), nil, 0, loopback(wsa.AF_INET, 5000))
	require.NoError(t, err)
	n, from, err := l.a.RecvFrom(to, make([]byte, 1), 0)
	require.NoError(t, err)
	require.Zero(t, n)
	require.True(t, from.IsValid())
}

// MS-1: a datagram of SO_MAX_MSG_SIZE passes, one byte more is WSAEMSGSIZE and
// nothing is sent. MS-3: a stream has no maximum, and reads 0.
func TestMaxMessageSize(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		to := l.bind(l.datagram(af), loopback(af, 5000))
		s := l.datagram(af)
		require.NoError(t, l.a.Connect(s, loopback(af, 5000)))
		size, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE)
		require.NoError(t, err)
		require.EqualValues(t, map[int32]int{wsa.AF_INET: 65507, wsa.AF_INET6: 65527}[af], size)
		message := bytes.Repeat([]byte{'m'}, int(size)+1)
		_, err = l.a.Send(s, message, 0)
		require.Equal(t, wsa.WSAEMSGSIZE, err)
		_, err = l.a.SendTo(s, message, 0, loopback(af, 5000))
		require.Equal(t, wsa.WSAEMSGSIZE, err)
		n, err := l.a.Send(s, message[:size], 0)
		require.NoError(t, err)
		require.EqualValues(t, size, n)
		buf := make([]byte, len(message))
		n, err = l.a.Recv(to, buf, 0)
		require.NoError(t, err)
		require.True(t, bytes.Equal(message[:size], buf[:n]))

		stream, peer := l.pair(af)
		size, err = getInt(l.a, stream, wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE)
		require.NoError(t, err)
		require.Zero(t, size)
		n, err = l.a.Send(stream, message, 0)
		require.NoError(t, err)
		require.Equal(t, len(message), n)
		require.NoError(t, l.a.CloseSocket(stream))
		require.Len(t, l.recvAll(peer), len(message))
	})
}

// MS-2: a buffer that is too small is filled, the rest of the datagram is lost,
// and the code is WSAEMSGSIZE. The sender is known all the same.
func TestShortReceive(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		at := loopback(af, 5000)
		to, s := l.bind(l.datagram(af), at), l.datagram(af)
		for _, size := range []int{0, 1, 4} {
			for _, message := range []string{"12345", "next"} {
				_, err := l.a.SendTo(s, []byte(message), 0, at)
				require.NoError(t, err)
			}
			buf := make([]byte, size)
			n, from, err := l.a.RecvFrom(to, buf, 0)
			require.Equal(t, wsa.WSAEMSGSIZE, err, "buffer of %d", size)
			require.Equal(t, "12345"[:size], string(buf[:n]))
			require.True(t, from.IsValid())
			buf = make([]byte, 10)
			n, err = l.a.Recv(to, buf, 0)
			require.NoError(t, err)
			require.Equal(t, "next", string(buf[:n]))
		}
	})
}

// An unconnected datagram socket that is bound to an address of one interface
// sends through it, though the loopback has the address, too.
func TestSendToFromBound(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		to := l.socket(l.b, af, wsa.SOCK_DGRAM)
		require.NoError(t, l.b.Bind(to, addrB(af, 5000)))
		for range 20 {
			s := l.bind(l.datagram(af), addrA(af, 0))
			for _, c := range []struct {
				at   netip.AddrPort
				want error
			}{
				{addrB(af, 5000), nil},
				{loopback(af, 5000), nil},
				{nobody(af, 5000), nil},
				{addrA(af, 5000), nil},
			} {
				_, err := l.a.SendTo(s, []byte("x"), 0, c.at)
				require.Equal(t, c.want, err, "%v", c.at)
			}
			name, err := l.a.GetSockName(s)
			require.NoError(t, err)
			_, from, err := l.b.RecvFrom(to, make([]byte, 1), 0)
			require.NoError(t, err)
			require.Equal(t, name, from)
		}
	})
}
