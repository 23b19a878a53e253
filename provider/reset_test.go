package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

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
