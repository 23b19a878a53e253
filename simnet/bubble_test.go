package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// bubble runs fn in a bubble with two hosts on a link.
func bubble(t *testing.T, fn func(t *testing.T, n *simnet.Network, a, b *simnet.Host), link ...simnet.LinkOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble())
		a, b := n.Host("a", "10.0.0.1/24", "fd00::1/64"), n.Host("b", "10.0.0.2/24", "fd00::2/64")
		n.Link(a, b, link...)
		fn(t, n, a, b)
	})
}

// connect returns both ends of a connection from a to b, which the end of the test closes.
func connect(t *testing.T, a, b *simnet.Host) (client, server *endpoint.Conn) {
	t.Helper()
	l, err := b.Listen("tcp", "10.0.0.2:0")
	require.NoError(t, err)
	c, err := a.DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	s, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	t.Cleanup(func() {
		c.Close()
		s.Close()
	})
	return c.(*endpoint.Conn), s.(*endpoint.Conn)
}

// The bubble's time is that of the link: a round trip takes what the link says, and an hour of
// sleep takes none of ours.
func TestBubbleTime(t *testing.T) {
	bubble(t, func(t *testing.T, n *simnet.Network, a, b *simnet.Host) {
		begun := time.Now()
		require.Zero(t, n.Now())
		c, s := connect(t, a, b)
		require.Equal(t, 300*time.Millisecond, n.Now(), "the handshake, until the server has the last segment")
		go func() { io.Copy(s, s) }()
		time.Sleep(time.Hour)
		at := time.Now()
		_, err := c.Write([]byte("ping"))
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, 4))
		require.NoError(t, err)
		require.Equal(t, 200*time.Millisecond, time.Since(at), "the round trip")
		require.Equal(t, time.Since(begun), n.Now())
		require.True(t, time.Now().Equal(n.Time()))
	}, simnet.Delay(100*time.Millisecond))
}

// golang.org/x/net/nettest runs its tests as subtests, which the testing.T of a bubble has none of.
// That of the test around the bubble has them, and starts them in the bubble, where Run is called.
// Each link has a delay or a rate, because one test sends until 100 ms have passed: without, there is
// always more to do now.
func TestBubbleConn(t *testing.T) {
	for name, link := range map[string][]simnet.LinkOption{
		"near":   {simnet.Delay(time.Millisecond), simnet.Rate(10_000_000, 0)},
		"far":    {simnet.Delay(20 * time.Millisecond)},
		"losses": {simnet.Delay(20 * time.Millisecond), simnet.Loss(0.02), simnet.Jitter(5 * time.Millisecond)},
	} {
		t.Run(name, func(outer *testing.T) {
			synctest.Test(outer, func(t *testing.T) {
				n := simnet.New(t, simnet.Bubble())
				// Tests send until a time has come, which waits until the buffer is full.
				small := []options.Assignment{options.SO_SNDBUF.With(64 << 10)}
				a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), Defaults: small})
				b := n.HostConfig("b", stack.Config{Addresses: prefixes("10.0.0.2/24"), Defaults: small})
				n.Link(a, b, link...)
				nettest.TestConn(outer, func() (c1, c2 net.Conn, stop func(), err error) {
					require.NoError(outer, inBubble())
					l, err := b.Listen("tcp", "10.0.0.2:0")
					if err != nil {
						return nil, nil, nil, err
					}
					c1, err = a.Dial("tcp", l.Addr().String())
					if err == nil {
						c2, err = l.Accept()
					}
					return c1, c2, func() { c1.Close(); c2.Close(); l.Close() }, err
				})
			})
		})
	}
}

// inBubble returns an error outside of bubbles.
func inBubble() error {
	if at := time.Now(); at != at.Round(0) {
		return errors.New("not in a bubble")
	}
	return nil
}

// Unmodified net/http: handlers that sleep, a time-out of the client, idle connections that end.
func TestBubbleHTTP(t *testing.T) {
	bubble(t, func(t *testing.T, n *simnet.Network, a, b *simnet.Host) {
		l, err := b.Listen("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		server := &http.Server{IdleTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			size, _ := io.Copy(io.Discard, r.Body)
			select {
			case <-time.After(30 * time.Second):
				fmt.Fprintf(w, "%d bytes", size)
			case <-r.Context().Done():
			}
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		tr := &http.Transport{DialContext: a.DialContext}
		patient, hasty := &http.Client{Transport: tr, Timeout: 2 * time.Minute}, &http.Client{Transport: tr, Timeout: 5 * time.Second}
		for range 5 {
			at := time.Now()
			r, err := patient.Post("http://10.0.0.2/", "text/plain", strings.NewReader(strings.Repeat("x", 300_000)))
			require.NoError(t, err)
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.Equal(t, "300000 bytes", string(body))
			require.Greater(t, time.Since(at), 30*time.Second)
			require.Less(t, time.Since(at), time.Minute)
		}
		at := time.Now()
		_, err = hasty.Get("http://10.0.0.2/")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(at))
		require.NotEmpty(t, b.Sockets())
		require.NoError(t, n.RunUntil(func() bool { return len(b.Sockets()) == 1 }, time.Hour), "the server closes what is idle")
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	}, simnet.Delay(50*time.Millisecond), simnet.Loss(0.05))
}

// Deadlines are times of the bubble, to the nanosecond.
func TestBubbleDeadlines(t *testing.T) {
	bubble(t, func(t *testing.T, _ *simnet.Network, a, b *simnet.Host) {
		c, _ := connect(t, a, b)
		for _, d := range []time.Duration{time.Nanosecond, time.Millisecond, time.Hour} {
			at := time.Now()
			require.NoError(t, c.SetReadDeadline(at.Add(d)))
			_, err := c.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, d, time.Since(at))
		}
		require.NoError(t, c.SetDeadline(time.Time{}))
		require.NoError(t, c.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, []byte{0xe8, 3, 0, 0}))
		at := time.Now()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, wsa.WSAETIMEDOUT)
		require.Equal(t, time.Second, time.Since(at))

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		at = time.Now()
		_, err = a.DialContext(ctx, "tcp", "10.0.0.77:80") // nobody
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(at))
		at = time.Now()
		_, err = a.Dial("tcp", "10.0.0.77:80")
		require.ErrorIs(t, err, wsa.WSAETIMEDOUT)
		require.Equal(t, 21*time.Second, time.Since(at))
	})
}
