package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// soError is one get of SO_ERROR.
func (l *lab) soError(s wsa.SOCKET) wsa.Errno {
	l.Helper()
	code, err := getInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_ERROR)
	require.NoError(l, err)
	return wsa.Errno(code)
}

// EO-1: a fresh socket has none. EO-3: an asynchronous failure sets it, a get
// resets it.
func TestSoError(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		require.Zero(t, l.soError(l.stream(af)))
		require.Zero(t, l.soError(l.datagram(af)))
		require.Zero(t, l.soError(l.connected(af)))

		s := l.failed(af)
		require.Equal(t, wsa.WSAECONNREFUSED, l.soError(s))
		require.Zero(t, l.soError(s))

		s = l.reset(af)
		require.Equal(t, wsa.WSAECONNRESET, l.soError(s))
		require.Zero(t, l.soError(s))
		_, err := l.a.Recv(s, make([]byte, 1), 0) // EO-9
		require.Equal(t, wsa.WSAECONNRESET, err)
	})
}

// EO-5: successful calls leave it alone, a later connect included. EO-7: a get
// that fails doesn't consume it.
func TestSoErrorIsKept(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.failed(af)
		for _, optlen := range []int32{0, 1, 3, -1} {
			out := optlen
			require.Equal(t, wsa.WSAEFAULT, l.a.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_ERROR, make([]byte, 4), &out))
		}
		require.Equal(t, wsa.WSAEFAULT, l.a.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_ERROR, nil, nil))
		require.Equal(t, wsa.WSAENOPROTOOPT, setInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_ERROR, 0))

		server, at := l.server(af)
		require.NoError(t, setInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1))
		require.NoError(t, l.a.Connect(s, at))
		peer, _, err := l.b.Accept(server)
		require.NoError(t, err)
		_, err = l.a.GetSockName(s)
		require.NoError(t, err)
		_, err = l.b.Send(peer, []byte("data"), 0)
		require.NoError(t, err)
		_, err = l.a.Recv(s, make([]byte, 4), wsa.MSG_WAITALL)
		require.NoError(t, err)
		require.Equal(t, wsa.WSAECONNREFUSED, l.soError(s))
		require.Zero(t, l.soError(s))
	})
}

// EO-6: what a call returns itself isn't stored.
func TestSoErrorOfSynchronousFailures(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.stream(af)
		require.Equal(t, wsa.WSAECONNREFUSED, l.a.Connect(s, addrB(af, closedPort)))
		require.Zero(t, l.soError(s))
		require.Equal(t, wsa.WSAEAFNOSUPPORT, l.a.Connect(s, otherFamily(af)))
		require.Equal(t, wsa.WSAEINVAL, l.a.Listen(s, 1))
		require.Equal(t, wsa.WSAENOTCONN, l.a.Shutdown(s, wsa.SD_SEND))
		require.Equal(t, wsa.WSAEINVAL, setInt(l.a, s, wsa.SOL_SOCKET, wsa.SO_SNDBUF, 0xFFFFFFFF))
		require.Zero(t, l.soError(s))
	})
}

// A refused socket may try again, as often as it likes, and succeed. NB-2: the
// refusal comes with the first RST.
func TestConnectAgain(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		for _, bound := range []bool{false, true} {
			l := newLab(t)
			s := l.stream(af)
			if bound {
				l.bind(s, addrA(af, 3000))
			}
			server, at := l.server(af)
			for range 3 {
				require.Equal(t, wsa.WSAECONNREFUSED, l.a.Connect(s, addrB(af, closedPort)))
				_, err := l.a.GetPeerName(s)
				require.Equal(t, wsa.WSAENOTCONN, err)
			}
			require.NoError(t, l.a.Connect(s, at))
			_, from, err := l.b.Accept(server)
			require.NoError(t, err)
			name, err := l.a.GetSockName(s)
			require.NoError(t, err)
			require.Equal(t, name, from)
			if bound {
				require.Equal(t, addrA(af, 3000), name)
			}
			peer, err := l.a.GetPeerName(s)
			require.NoError(t, err)
			require.Equal(t, at, peer)
		}
	})
}

// TV-17: a non-blocking connect to a closed port ends in exceptfds; SO_ERROR
// has the code once. Another attempt clears exceptfds, not SO_ERROR (EO-5).
func TestRefusedSelect(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.stream(af)
		set := []wsa.SOCKET{s}
		l.nonblocking(l.a, s, true)
		for range 2 {
			require.Equal(t, wsa.WSAEWOULDBLOCK, l.a.Connect(s, addrB(af, closedPort)))
			r, w, e, err := l.a.Select(set, set, set, time.Minute)
			require.NoError(t, err)
			require.Equal(t, [][]wsa.SOCKET{nil, nil, set}, [][]wsa.SOCKET{r, w, e})
			require.Equal(t, wsa.WSAECONNREFUSED, l.soError(s)) // EO-8
			require.Zero(t, l.soError(s))
			_, _, e, err = l.a.Select(set, set, set, 0)
			require.NoError(t, err)
			require.Equal(t, set, e, "until the next attempt")
		}
		_, at := l.server(af)
		require.Equal(t, wsa.WSAEWOULDBLOCK, l.a.Connect(s, at))
		r, w, e, err := l.a.Select(set, set, set, time.Minute)
		require.NoError(t, err)
		require.Equal(t, [][]wsa.SOCKET{nil, set, nil}, [][]wsa.SOCKET{r, w, e})
		require.Equal(t, wsa.WSAEISCONN, l.a.Connect(s, at))
	})
}

// A blocking connect that fails is no exception: it has returned the code.
func TestRefusedBlockingSelect(t *testing.T) {
	l := newLab(t)
	s := l.stream(wsa.AF_INET)
	set := []wsa.SOCKET{s}
	require.Equal(t, wsa.WSAECONNREFUSED, l.a.Connect(s, addrB(wsa.AF_INET, closedPort)))
	r, w, e, err := l.a.Select(set, set, set, 0)
	require.NoError(t, err)
	require.Empty(t, append(append(r, w...), e...))

	// What counts is the mode at the connect, not when it fails.
	s = l.connecting(wsa.AF_INET)
	require.NoError(t, l.a.CloseSocket(s))
	s = l.failed(wsa.AF_INET)
	require.Equal(t, wsa.WSAECONNREFUSED, l.soError(s))
}
