package provider_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
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

// SH-1, SH-9: what was sent before SD_SEND is delivered, then the peer
// reads the end; the other direction goes on; nobody is reset.
func TestShutdownSend(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s, peer := l.pair(af)
		_, err := l.a.Send(s, []byte("request"), 0)
		require.NoError(t, err)
		require.NoError(t, l.a.Shutdown(s, wsa.SD_SEND))
		require.NoError(t, l.a.Shutdown(s, wsa.SD_SEND)) // SH-5
		_, err = l.a.Send(s, []byte("more"), 0)
		require.Equal(t, wsa.WSAESHUTDOWN, err)
		require.Equal(t, wsa.WSAEISCONN, l.a.Connect(s, addrB(af, closedPort))) // SH-7
		require.Equal(t, "request", l.recvAll(peer))
		_, err = l.b.Send(peer, []byte("answer"), 0)
		require.NoError(t, err)
		require.NoError(t, l.b.CloseSocket(peer))
		buf := make([]byte, 10)
		n, err := l.a.Recv(s, buf, wsa.MSG_WAITALL)
		require.NoError(t, err)
		require.Equal(t, "answer", string(buf[:n]))
		n, err = l.a.Recv(s, buf, 0)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = l.a.GetPeerName(s) // SH-7
		require.NoError(t, err)
		require.NoError(t, l.a.CloseSocket(s))
		l.settle()
		require.Zero(t, l.sa.Stats().ResetsIn+l.sb.Stats().ResetsIn)
	})
}

// SH-2: SD_RECEIVE with data queued resets the connection, and so does data
// that comes later; until then nothing is on the wire.
func TestShutdownReceive(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		for _, queued := range []bool{true, false} {
			l := newLab(t)
			s, peer := l.pair(af)
			send := func() {
				_, err := l.b.Send(peer, []byte("data"), 0)
				require.NoError(t, err)
				l.settle()
			}
			if queued {
				send()
			}
			before := l.sa.Stats().SegmentsOut
			require.NoError(t, l.a.Shutdown(s, wsa.SD_RECEIVE))
			_, err := l.a.Recv(s, make([]byte, 1), 0)
			if !queued {
				require.Equal(t, wsa.WSAESHUTDOWN, err)
				l.settle()
				require.Equal(t, before, l.sa.Stats().SegmentsOut)
				_, err = l.a.Send(s, []byte("still"), 0)
				require.NoError(t, err)
				send()
			}
			l.settle()
			require.NotZero(t, l.sb.Stats().ResetsIn)
		}
	})
}

// SH-4: SD_BOTH is both.
func TestShutdownBoth(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s, peer := l.pair(af)
		require.NoError(t, l.a.Shutdown(s, wsa.SD_BOTH))
		_, err := l.a.Send(s, []byte("x"), 0)
		require.Equal(t, wsa.WSAESHUTDOWN, err)
		_, err = l.a.Recv(s, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAESHUTDOWN, err)
		require.Empty(t, l.recvAll(peer))
		_, err = l.b.Send(peer, []byte("nobody can read this"), 0)
		require.NoError(t, err)
		l.settle()
		_, err = l.b.Recv(peer, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAECONNRESET, err)
	})
}

// SH-3: after SD_RECEIVE datagrams are taken as before, without an error to
// their sender, but recv is WSAESHUTDOWN; after SD_SEND sendto is.
func TestShutdownDatagram(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		to := l.bind(l.datagram(af), addrA(af, 5000))
		require.NoError(t, l.a.Shutdown(to, wsa.SD_RECEIVE))
		s := l.socket(l.b, af, wsa.SOCK_DGRAM)
		require.NoError(t, l.b.Connect(s, addrA(af, 5000)))
		l.nonblocking(l.b, s, true)
		for range 3 {
			_, err := l.b.Send(s, []byte("data"), 0)
			require.NoError(t, err)
			l.settle()
			_, err = l.b.Recv(s, make([]byte, 1), 0)
			require.Equal(t, wsa.WSAEWOULDBLOCK, err, "no ICMP error")
			_, err = l.a.Recv(to, make([]byte, 1), 0)
			require.Equal(t, wsa.WSAESHUTDOWN, err)
		}
		waiting, err := l.a.Ioctl(to, wsa.FIONREAD, nil, make([]byte, 4))
		require.NoError(t, err)
		require.Equal(t, 4, waiting)
		_, err = l.a.SendTo(to, []byte("out"), 0, addrB(af, closedPort))
		require.NoError(t, err)
		require.NoError(t, l.a.Shutdown(to, wsa.SD_SEND))
		_, err = l.a.SendTo(to, []byte("out"), 0, addrB(af, closedPort))
		require.Equal(t, wsa.WSAESHUTDOWN, err)
		_, err = l.a.Recv(to, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAESHUTDOWN, err)
	})
}

// RS-1: a RST ends calls in progress and every later send and recv with
// WSAECONNRESET; what was queued is gone.
func TestReset(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s, peer := l.pair(af)
		buf := make([]byte, 10)
		err := l.blocked(func() error { _, err := l.a.Recv(s, buf, 0); return err }, func() { l.hardClose(l.b, peer) })
		require.Equal(t, wsa.WSAECONNRESET, err)

		s, peer = l.pair(af)
		err = l.blocked(func() error {
			n, err := l.a.Send(s, make([]byte, 64<<20), 0)
			assert.Zero(t, n, "with an error there is no byte count")
			return err
		}, func() { l.hardClose(l.b, peer) })
		require.Equal(t, wsa.WSAECONNRESET, err)

		s, peer = l.pair(af)
		_, err = l.b.Send(peer, []byte("queued"), 0)
		require.NoError(t, err)
		l.settle()
		l.hardClose(l.b, peer)
		for range 3 {
			_, err = l.a.Recv(s, buf, 0)
			require.Equal(t, wsa.WSAECONNRESET, err)
			_, err = l.a.Send(s, buf, 0)
			require.Equal(t, wsa.WSAECONNRESET, err)
		}
	})
}

// RS-3: the peer has closed altogether, and answers what we send with a RST.
func TestSendAfterPeerClosed(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s, peer := l.pair(af)
		require.NoError(t, l.b.CloseSocket(peer))
		l.settle()
		_, err := l.a.Send(s, []byte("too late"), 0)
		require.NoError(t, err)
		l.settle()
		for range 2 {
			_, err = l.a.Send(s, []byte("again"), 0)
			require.Equal(t, wsa.WSAECONNRESET, err)
			_, err = l.a.Recv(s, make([]byte, 1), 0)
			require.Equal(t, wsa.WSAECONNRESET, err)
		}
	})
}

// NB: a connection that was reset while it waited for accept.
func TestAcceptReset(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		server := l.listening(af)
		at, err := l.a.GetSockName(server)
		require.NoError(t, err)
		client := l.socket(l.b, af, wsa.SOCK_STREAM)
		require.NoError(t, l.b.Connect(client, at))
		l.hardClose(l.b, client)
		n, from, err := l.a.Accept(server)
		require.Equal(t, wsa.WSAECONNRESET, err)
		require.Equal(t, wsa.INVALID_SOCKET, n)
		require.False(t, from.IsValid())
		l.nonblocking(l.a, server, true)
		_, _, err = l.a.Accept(server)
		require.Equal(t, wsa.WSAEWOULDBLOCK, err)
	})
}

// NB-3: sends on a connected datagram socket succeed despite an ICMP error; the
// error surfaces once, on recv.
func TestUnreachable(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.unreachable(af)
		for range 2 {
			_, err := l.a.Send(s, []byte("?"), 0)
			require.NoError(t, err)
		}
		l.nonblocking(l.a, s, true)
		_, err := l.a.Recv(s, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAECONNRESET, err)
	})
}

// A blocking recv on a datagram socket is ended by the ICMP error of an earlier
// send, and takes it with it (EO-9).
func TestUnreachableInProgress(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.datagram(af)
		require.NoError(t, l.a.Connect(s, addrB(af, closedPort)))
		err := l.blocked(func() error { _, err := l.a.Recv(s, make([]byte, 1), 0); return err }, func() {
			_, err := l.a.Send(s, []byte("?"), 0)
			require.NoError(t, err)
		})
		require.Equal(t, wsa.WSAECONNRESET, err)
		l.settle()
		l.nonblocking(l.a, s, true)
		_, err = l.a.Recv(s, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAEWOULDBLOCK, err)
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
