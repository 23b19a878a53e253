package socket_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// connected is a socket that is connected to a peer on a wire, and doesn't block.
func connected(t *testing.T) (*simnet.Network, *socket.Socket, *simnet.Peer) {
	n := simnet.New(t)
	h := n.Host("h", "10.0.0.1/24")
	p := n.Wire(h, "w", "10.0.0.2").Listen(80)
	var s *socket.Socket
	n.Go("connect", func() {
		s, _ = socket.New(socket.HostOf(h.Stack), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
		assert.Zero(t, s.Connect(addrPort("10.0.0.2:80")))
		assert.Zero(t, s.SetNonblocking(true))
	})
	p.Accept("mss 1460")
	require.NoError(t, n.Idle())
	return n, s, p
}

// lend is Lend whose function uses so many bytes, and what it was lent.
func lend(s *socket.Socket, limit, use int) (lent string, n int, more bool, code wsa.Errno) {
	n, more, code = s.Lend(limit, func(pieces [][]byte) int {
		lent = string(bytes.Join(pieces, nil))
		return min(use, len(lent))
	})
	return lent, n, more, code
}

// What Lend lends is what Recv would return; what isn't used comes again, by either.
func TestLend(t *testing.T) {
	n, s, p := connected(t)
	want := func(limit, use int, lent string, k int, more bool, code wsa.Errno) {
		t.Helper()
		got, m, again, errno := lend(s, limit, use)
		require.Equal(t, []any{lent, k, more, code}, []any{got, m, again, errno})
	}
	want(10, 10, "", 0, false, wsa.WSAEWOULDBLOCK)
	p.Send("[P.]", []byte("hello")...)
	require.NoError(t, n.Idle())
	want(4, 3, "hell", 3, true, 0)
	b := make([]byte, 1)
	k, code := s.Recv(b, 0)
	require.Zero(t, code)
	require.Equal(t, "l", string(b[:k]))
	want(10, 0, "o", 0, true, 0)
	want(10, 10, "o", 1, false, 0)
	want(10, 10, "", 0, false, wsa.WSAEWOULDBLOCK)

	p.Send("[PU.] urg 3", []byte("ab!c")...) // the byte before the pointer's end is out of band
	require.NoError(t, n.Idle())
	want(10, 10, "ab", 2, true, 0)
	want(10, 10, "c", 1, false, 0)

	p.Send("[P.]", []byte("last")...)
	p.Send("[F.]")
	require.NoError(t, n.Idle())
	want(10, 10, "last", 4, true, 0)
	want(10, 10, "", 0, false, 0)
}

// What Fill gets is sent; where Send would fail nobody is asked for it.
func TestFill(t *testing.T) {
	n, s, p := connected(t)
	text := []byte("hello")
	var k int
	var code wsa.Errno
	fill := func(limit int) {
		t.Helper()
		require.NoError(t, n.Do("fill", func() {
			k, code = s.Fill(limit, func(room []byte) int {
				assert.Equal(t, limit, len(room))
				return copy(room, text)
			})
		}))
	}
	fill(100)
	require.Equal(t, []any{5, wsa.Errno(0)}, []any{k, code})
	arrival, err := p.Expect("[P.] seq 1:6")
	require.NoError(t, err)
	require.Equal(t, "hello", string(arrival.Payload))
	text = nil
	fill(100)
	require.Equal(t, []any{0, wsa.Errno(0)}, []any{k, code})

	require.NoError(t, n.Do("buffer", func() { k, code = s.Send(make([]byte, 8<<20), 0) }))
	require.Zero(t, code)
	refused := func(want wsa.Errno) {
		t.Helper()
		require.NoError(t, n.Do("refused", func() {
			k, code = s.Fill(100, func([]byte) int { panic("asked") })
		}))
		require.Equal(t, []any{0, want}, []any{k, code})
	}
	refused(wsa.WSAEWOULDBLOCK)
	p.Send("[R.]")
	require.NoError(t, n.Idle())
	refused(wsa.WSAECONNRESET)
	_, _, _, code = lend(s, 10, 10)
	require.Equal(t, wsa.WSAECONNRESET, code)
}

// A socket without a connection lends and fills nothing, nor does one that was closed or shut down.
func TestLendStates(t *testing.T) {
	n, s, p := connected(t)
	none := func(recv, send wsa.Errno) {
		t.Helper()
		_, _, _, code := lend(s, 10, 10)
		require.Equal(t, recv, code)
		_, code = s.Fill(10, func([]byte) int { panic("asked") })
		require.Equal(t, send, code)
	}
	require.NoError(t, n.Do("shutdown", func() { assert.Zero(t, s.Shutdown(wsa.SD_SEND)) }))
	none(wsa.WSAEWOULDBLOCK, wsa.WSAESHUTDOWN)
	require.NoError(t, n.Do("close", func() { assert.Zero(t, s.Close()) }))
	none(wsa.WSAENOTSOCK, wsa.WSAENOTSOCK)
	_, err := p.Expect("[F.]")
	require.NoError(t, err)
	h := n.Host("other", "10.0.1.1/24")
	s, _ = socket.New(socket.HostOf(h.Stack), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
	none(wsa.WSAENOTCONN, wsa.WSAENOTCONN)
	require.Zero(t, s.Close())
}
