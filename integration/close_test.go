//go:build linux

package integration

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// An end that has shut down sending still receives: the other end sees the end
// of the stream, and answers (SH-1, SH-8, SH-9).
func TestHalfClose(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, halfClose)
}

func halfClose(t *testing.T, r role) {
	client, server := r.connect(t)
	for _, c := range []stream{client, server} {
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	}
	_, err := client.Write([]byte("question"))
	require.NoError(t, err)
	require.NoError(t, client.CloseWrite())
	question, err := io.ReadAll(server)
	require.NoError(t, err)
	require.Equal(t, "question", string(question))
	// The other direction is open for as long as it takes.
	for _, part := range []string{"answer, ", "in parts"} {
		_, err = server.Write([]byte(part))
		require.NoError(t, err)
		got := make([]byte, len(part))
		_, err = io.ReadFull(client, got)
		require.NoError(t, err)
		require.Equal(t, part, string(got))
	}
	require.NoError(t, server.CloseWrite())
	rest, err := io.ReadAll(client)
	require.NoError(t, err, "no reset")
	require.Empty(t, rest)
	require.NoError(t, client.Close())
	require.NoError(t, server.Close())
}

// The server may be the first to shut down as well; what the client sends
// afterwards arrives.
func TestHalfCloseByServer(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		client, server := r.connect(t)
		require.NoError(t, server.CloseWrite())
		rest, err := io.ReadAll(client)
		require.NoError(t, err)
		require.Empty(t, rest)
		transfer(t, client, server, size(1<<20, 1<<16), 7)
	})
}

// Everything that was written before Close arrives, and then the end of the
// stream (LG-2, LG-11).
func TestCloseDeliversEverything(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, closeDelivers)
}

func closeDelivers(t *testing.T, r role) {
	for _, clientCloses := range []bool{true, false} {
		client, server := r.connect(t)
		closing, other := client, server
		if !clientCloses {
			closing, other = server, client
		}
		data := pattern(200_000)
		closed := make(chan error, 1)
		go func() {
			_, err := closing.Write(data)
			closed <- errors.Join(err, closing.Close())
		}()
		require.NoError(t, other.SetDeadline(time.Now().Add(patience)))
		got, err := io.ReadAll(other)
		require.NoError(t, err)
		require.NoError(t, <-closed, "write and close") // the FIN may be here before Close returns
		require.True(t, bytes.Equal(data, got), "%d bytes of %d", len(got), len(data))
	}
}

// An abortive close, {1, 0}, resets the connection: the other end's calls fail,
// those in progress and later ones (LG-3, LG-11, RS-1).
func TestAbortiveClose(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, abortiveClose)
}

func abortiveClose(t *testing.T, r role) {
	for _, clientCloses := range []bool{true, false} {
		client, server := r.connect(t)
		closing, other, want := client, server, r.server.reset
		if !clientCloses {
			closing, other, want = server, client, r.client.reset
		}
		read := make(chan error, 1)
		go func() {
			_, err := other.Read(make([]byte, 1))
			read <- err
		}()
		require.NoError(t, closing.SetLinger(0))
		require.NoError(t, closing.Close())
		require.ErrorIs(t, receiveError(t, read, "Read"), want, "a read in progress")
		if want == error(syscall.ECONNRESET) {
			continue // the kernel shows its error once
		}
		_, err := other.Read(make([]byte, 1))
		require.ErrorIs(t, err, want, "a later read")
		_, err = other.Write([]byte("x"))
		require.ErrorIs(t, err, want, "a later write")
		require.NoError(t, other.Close())
	}
}

// receiveError waits for the result of a call in another goroutine.
func receiveError(t testing.TB, result <-chan error, what string) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		require.FailNow(t, what+" has not returned")
		return nil
	}
}

// Data that arrives after Close draws a reset (LG-13).
func TestSendAfterPeerHasClosed(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		client, server := r.connect(t)
		require.NoError(t, server.Close())
		require.NoError(t, client.SetDeadline(time.Now().Add(patience)))
		_, err := client.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		_, err = client.Write([]byte("too late"))
		require.NoError(t, err)
		soon(t, func() bool {
			_, err := client.Write([]byte("much too late"))
			return errors.Is(err, r.client.reset) || errors.Is(err, syscall.EPIPE)
		}, "writing fails")
	})
}

// Nobody listens: the dial fails. (That the first RST is enough, NB-2, is shown
// in virtual time.)
func TestConnectionRefused(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		refused(t, r)
		require.Equal(t, 0, n.open(), "no socket is left")
	})
}

func refused(t *testing.T, r role) {
	l := r.listenAt(t)
	require.NoError(t, l.Close()) // its port is closed now
	_, err := r.client.dial(t.Context(), "tcp", l.Addr().String())
	require.ErrorIs(t, err, r.client.refused)
}

// Connections that nobody has accepted are reset when their listener closes
// (LG-16).
func TestListenerCloseResetsWaiting(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		l := r.listenAt(t)
		c := r.dialTo(t, l)
		defer c.Close()
		_, err := c.Write([]byte("hello?"))
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, r.client.reset)
	})
}

// Without a route the dial fails at once, and nothing leaves.
func TestNoRoute(t *testing.T) {
	var c *capture
	n := newNetwork(t, settings{
		observe: func(name string) { c = newCapture(t, name) },
		config:  func(cfg *stack.Config) { cfg.Routes = []stack.Route{} },
	})
	for _, to := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		for _, network := range []string{"tcp", "udp"} {
			_, err := n.stack.DialContext(t.Context(), network, to)
			require.ErrorIsf(t, err, wsa.WSAENETUNREACH, "%s %s", network, to)
			var opError *net.OpError
			require.ErrorAs(t, err, &opError)
			require.Equal(t, "dial", opError.Op)
		}
		pc, err := n.stack.ListenPacket("udp", ":0")
		require.NoError(t, err)
		_, err = pc.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		require.ErrorIs(t, err, wsa.WSAENETUNREACH)
		require.NoError(t, pc.Close())
	}
	winsock := n.winsockSide(t)
	for _, to := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		for _, network := range []string{"tcp", "udp"} {
			_, err := winsock.dial(t.Context(), network, to)
			require.Equalf(t, wsa.WSAENETUNREACH, err, "%s %s", network, to)
		}
	}
	require.Empty(t, c.fromStack())
}
