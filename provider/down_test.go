package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// ND-1: every call except closesocket is WSAENETDOWN, before the handle is
// looked at; closesocket frees the handle and succeeds.
func TestNetworkDown(t *testing.T) {
	l := newLab(t)
	sockets := []wsa.SOCKET{l.stream(wsa.AF_INET), l.connected(wsa.AF_INET6), l.listening(wsa.AF_INET), l.datagram(wsa.AF_INET)}
	closed := l.closed(wsa.AF_INET, wsa.SOCK_STREAM)
	require.NoError(t, l.sa.Close())
	for _, s := range append(sockets, closed, wsa.INVALID_SOCKET) {
		for call, err := range everyCall(l.a, s) {
			if call != "CloseSocket" {
				require.Equal(t, wsa.WSAENETDOWN, err, call)
			}
		}
	}
	for _, s := range append(sockets, closed) {
		require.Equal(t, wsa.WSAENOTSOCK, l.a.CloseSocket(s), "freed by everyCall")
	}
	require.NoError(t, l.a.Cleanup())
}

func TestCloseSocketWhenDown(t *testing.T) {
	l, link := newGatedLab(t)
	s := l.connected(wsa.AF_INET)
	l.nonblocking(l.a, s, true)
	linger(l, l.a, s, 1, 5)
	link.close()
	_, err := l.a.Send(s, []byte("pending"), 0)
	require.NoError(t, err)
	require.Equal(t, wsa.WSAEWOULDBLOCK, l.a.CloseSocket(s))
	require.NoError(t, l.sa.Close())
	require.NoError(t, l.a.CloseSocket(s))
	require.Equal(t, wsa.WSAENOTSOCK, l.a.CloseSocket(s))
}

// ND-2: calls that are blocked when the network goes down get WSAENETDOWN, and
// select returns with everything ready.
func TestNetworkDownInProgress(t *testing.T) {
	for name, call := range map[string]func(l *lab, s wsa.SOCKET) error{
		"recv":       func(l *lab, s wsa.SOCKET) error { _, err := l.a.Recv(s, make([]byte, 1), 0); return err },
		"accept":     func(l *lab, s wsa.SOCKET) error { _, _, err := l.a.Accept(l.listening(wsa.AF_INET)); return err },
		"disconnect": func(l *lab, s wsa.SOCKET) error { return l.a.Disconnect(s, wsa.TF_REUSE_SOCKET, 0) },
		"connect": func(l *lab, s wsa.SOCKET) error {
			return l.a.Connect(l.stream(wsa.AF_INET), nobody(wsa.AF_INET, 80))
		},
		"send": func(l *lab, s wsa.SOCKET) error {
			_, err := l.a.Send(s, make([]byte, 64<<20), 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			s := l.connected(wsa.AF_INET)
			err := l.blocked(func() error { return call(l, s) }, func() { require.NoError(t, l.sa.Close()) })
			require.Equal(t, wsa.WSAENETDOWN, err)
		})
	}
	t.Run("select", func(t *testing.T) {
		l := newLab(t)
		s, listener := l.connected(wsa.AF_INET), l.listening(wsa.AF_INET6)
		err := l.blocked(func() error {
			r, w, e, err := l.a.Select([]wsa.SOCKET{s, listener}, []wsa.SOCKET{listener}, []wsa.SOCKET{s}, time.Hour)
			assert.Equal(t, []wsa.SOCKET{s, listener}, r)
			assert.Equal(t, []wsa.SOCKET{listener}, w)
			assert.Equal(t, []wsa.SOCKET{s}, e)
			return err
		}, func() { require.NoError(t, l.sa.Close()) })
		require.NoError(t, err)
	})
}
