//go:build linux

package integration

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// Close wakes whoever waits on the socket, with net.ErrClosed.
func TestCloseWakes(t *testing.T) {
	n := newNetwork(t, settings{spy: true})
	n.eachRole(t, func(t *testing.T, r role) {
		_, conn := r.ends(t)
		result := n.blocked(t, func() error {
			_, err := conn.Read(make([]byte, 1))
			return err
		})
		require.NoError(t, conn.Close())
		require.ErrorIs(t, receiveError(t, result, "Read"), net.ErrClosed)
		require.ErrorIs(t, conn.Close(), net.ErrClosed)
	})
	t.Run("a full send buffer", func(t *testing.T) {
		for _, r := range roles(n.kernel, n.wsock, true) {
			_, conn := r.ends(t)
			result := n.blocked(t, func() error {
				_, err := conn.Write(make([]byte, 64<<20)) // nobody reads
				return err
			})
			require.NoError(t, conn.Close())
			require.ErrorIs(t, receiveError(t, result, "Write"), net.ErrClosed)
		}
	})
	t.Run("accept", func(t *testing.T) {
		l, err := n.stack.Listen("tcp", ":0")
		require.NoError(t, err)
		result := n.blocked(t, func() error {
			_, err := l.Accept()
			return err
		})
		require.NoError(t, l.Close())
		require.ErrorIs(t, receiveError(t, result, "Accept"), net.ErrClosed)
	})
	t.Run("a datagram socket", func(t *testing.T) {
		pc, err := n.stack.ListenPacket("udp", ":0")
		require.NoError(t, err)
		result := n.blocked(t, func() error {
			_, _, err := pc.ReadFrom(make([]byte, 1))
			return err
		})
		require.NoError(t, pc.Close())
		require.ErrorIs(t, receiveError(t, result, "ReadFrom"), net.ErrClosed)
	})
}

// A deadline ends a call with os.ErrDeadlineExceeded, not before its time, and
// leaves the connection usable.
func TestDeadlines(t *testing.T) {
	n := newNetwork(t, settings{spy: true})
	const soonEnough = 100 * time.Millisecond
	n.eachRole(t, func(t *testing.T, r role) {
		peer, conn := r.ends(t)
		start := time.Now()
		require.NoError(t, conn.SetReadDeadline(start.Add(soonEnough)))
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), soonEnough)

		require.NoError(t, conn.SetReadDeadline(time.Time{}))
		result := n.blocked(t, func() error {
			_, err := conn.Read(make([]byte, 1))
			return err
		})
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(-time.Second))) // for a call in progress
		require.ErrorIs(t, receiveError(t, result, "Read"), os.ErrDeadlineExceeded)

		var written int
		result = n.blocked(t, func() (err error) {
			written, err = conn.Write(make([]byte, 64<<20)) // nobody reads
			return err
		})
		require.NoError(t, conn.SetWriteDeadline(time.Now().Add(soonEnough)))
		require.ErrorIs(t, receiveError(t, result, "Write"), os.ErrDeadlineExceeded)
		require.Positive(t, written)

		// What was accepted is delivered, and both directions work.
		require.NoError(t, conn.SetDeadline(time.Time{}))
		require.NoError(t, peer.SetDeadline(time.Now().Add(patience)))
		go conn.CloseWrite()
		got, _, err := receive(peer)
		require.NoError(t, err)
		require.Equal(t, written, got)
		_, err = peer.Write([]byte("x"))
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1))
		require.NoError(t, err)
	})
	l, err := n.stack.Listen("tcp", ":0")
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(soonEnough)))
	_, err = l.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// A dial ends with its context. The kernel doesn't answer: it forwards nothing.
func TestDialContext(t *testing.T) {
	n := newNetwork(t, settings{spy: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := n.stack.DialContext(ctx, "tcp", "192.0.2.1:80")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 0, n.open())
}

// Stack.Close ends every call with WSAENETDOWN (ND-2), and the kernel's end of a
// connection is reset.
func TestStackCloseWakes(t *testing.T) {
	n := newNetwork(t, settings{spy: true})
	r := roles(n.kernel, n.wsock, false)[0]
	peer, conn := r.ends(t)
	l := r.listenAt(t)
	reading := n.blocked(t, func() error {
		_, err := conn.Read(make([]byte, 1))
		return err
	})
	accepting := n.blocked(t, func() error {
		_, err := l.Accept()
		return err
	})
	within(t, "Stack.Close", func() { require.NoError(t, n.stack.Close()) })
	require.ErrorIs(t, receiveError(t, reading, "Read"), wsa.WSAENETDOWN)
	require.ErrorIs(t, receiveError(t, accepting, "Accept"), wsa.WSAENETDOWN)
	require.NoError(t, peer.SetDeadline(time.Now().Add(patience)))
	_, err := peer.Read(make([]byte, 1))
	require.ErrorIs(t, err, n.kernel.reset)
}
