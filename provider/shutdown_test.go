package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

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
		l.settle() // the ICMP error of it is not what recv says (SH-3), SO_ERROR is
		require.NoError(t, l.a.Shutdown(to, wsa.SD_SEND))
		_, err = l.a.SendTo(to, []byte("out"), 0, addrB(af, closedPort))
		require.Equal(t, wsa.WSAESHUTDOWN, err)
		_, err = l.a.Recv(to, make([]byte, 1), 0)
		require.Equal(t, wsa.WSAESHUTDOWN, err)
		require.Equal(t, wsa.WSAECONNRESET, l.soError(to))
	})
}
