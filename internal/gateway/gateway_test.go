package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// unable says why the tests don't run in a network namespace of their own; nil: they do.
var unable error

func TestMain(m *testing.M) {
	unable = netns.Main("gateway", func() int { prepareHost(); return verify(m) })
	os.Exit(verify(m))
}

// verify runs the tests, after which no goroutine may be left.
func verify(m *testing.M) int {
	status := m.Run()
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// The addresses that stand for the loopback of the host in these tests.
var doors = map[string]string{"IPv4": "10.77.0.3", "IPv6": "fd77::3"}

// Loopback addresses of the host, by the same names.
var loopbacks = map[string]string{"IPv4": "127.0.0.1", "IPv6": "::1"}

// A world is a client whose only neighbour is a gateway.
type world struct {
	client  *stack.Stack
	stack   *stack.Stack
	gateway *gateway.Gateway
	said    *sockettest.Text
}

// newWorld makes a world with the host's loopback behind doors, unless cfg has a policy.
func newWorld(t testing.TB, cfg gateway.Config) *world {
	w := &world{said: &sockettest.Text{}}
	if cfg.Policy.HostLoopback == nil {
		for _, a := range doors {
			cfg.Policy.HostLoopback = append(cfg.Policy.HostLoopback, netip.MustParseAddr(a))
		}
	}
	cfg.Log = slog.New(slog.NewTextHandler(w.said, nil))
	near, far := tun.Pipe(65535)
	var err error
	w.client, err = stack.New(stack.Config{Device: near, Addresses: []netip.Prefix{
		netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64"),
	}})
	require.NoError(t, err)
	w.stack, err = stack.New(stack.Config{Device: far, Addresses: []netip.Prefix{
		netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64"),
	}})
	require.NoError(t, err)
	w.gateway, err = gateway.Start(w.stack, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, w.gateway.Close())
		require.NoError(t, w.gateway.Close())
		require.NoError(t, w.client.Close())
		require.NoError(t, w.stack.Close())
	})
	return w
}

// server listens on a loopback address of the host, and returns where the client finds it.
func server(t testing.TB, family string, serve func(*net.TCPConn)) string {
	l, err := net.Listen("tcp", net.JoinHostPort(loopbacks[family], "0"))
	if err != nil {
		t.Skipf("no %s on this host's loopback: %v", family, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return throughDoor(family, l.Addr())
}

// throughDoor is how the client writes an address of the host's loopback.
func throughDoor(family string, a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return net.JoinHostPort(doors[family], port)
}

func echo(c *net.TCPConn) { io.Copy(c, c); c.CloseWrite() }

// each runs a test over IPv4 and over IPv6.
func each(t *testing.T, test func(t *testing.T, family string)) {
	for family := range doors {
		t.Run(family, func(t *testing.T) { test(t, family) })
	}
}

// Data goes both ways at once, as it is, and the half-close of each side comes to the other
// as one.
func TestBothWays(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		sent := make([]byte, 3<<20)
		for i := range sent {
			sent[i] = byte(i * 7 >> 3)
		}
		at := server(t, family, func(c *net.TCPConn) {
			var writer sync.WaitGroup
			writer.Go(func() { c.Write(sent); c.CloseWrite() })
			got, err := io.ReadAll(c)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(sent) {
				t.Errorf("the server got %d bytes: %v", len(got), err)
			}
			writer.Wait()
		})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				c, err := w.client.Dial("tcp", at)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				var writer sync.WaitGroup
				writer.Go(func() { c.Write(sent); c.(*endpoint.Conn).CloseWrite() })
				got, err := io.ReadAll(c)
				if err != nil || sha256.Sum256(got) != sha256.Sum256(sent) {
					t.Errorf("the client got %d bytes: %v", len(got), err)
				}
				writer.Wait()
			})
		}
		wg.Wait()
	})
}

// A side that has said all goes on listening.
func TestHalfClose(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		t.Run("of the client", func(t *testing.T) {
			at := server(t, family, func(c *net.TCPConn) {
				question, _ := io.ReadAll(c)
				fmt.Fprintf(c, "%s?", question)
			})
			c, err := w.client.Dial("tcp", at)
			require.NoError(t, err)
			defer c.Close()
			c.Write([]byte("what"))
			require.NoError(t, c.(*endpoint.Conn).CloseWrite())
			answer, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, "what?", string(answer))
		})
		t.Run("of the server", func(t *testing.T) {
			heard := make(chan string, 1)
			at := server(t, family, func(c *net.TCPConn) {
				c.Write([]byte("220 hello"))
				c.CloseWrite()
				all, _ := io.ReadAll(c)
				heard <- string(all)
			})
			c, err := w.client.Dial("tcp", at)
			require.NoError(t, err)
			banner, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, "220 hello", string(banner))
			c.Write([]byte("bye"))
			require.NoError(t, c.Close())
			require.Equal(t, "bye", <-heard)
		})
	})
}

// What the host is told, the peer is told: a SYN has no answer before.
func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		w := newWorld(t, gateway.Config{})
		l, err := net.Listen("tcp", net.JoinHostPort(loopbacks[family], "0"))
		if err != nil {
			t.Skipf("no %s on this host's loopback: %v", family, err)
		}
		closed := throughDoor(family, l.Addr())
		require.NoError(t, l.Close())
		_, err = w.client.Dial("tcp", closed)
		require.ErrorIs(t, err, wsa.WSAECONNREFUSED)
	})
}

// What is inside the gateway leaves alone, but for the door.
func TestInside(t *testing.T) {
	w := newWorld(t, gateway.Config{Inside: []netip.Prefix{netip.MustParsePrefix("10.77.0.0/24")}})
	at := server(t, "IPv4", echo)
	c, err := w.client.Dial("tcp", at)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := w.client.DialContext(ctx, "tcp", "10.77.0.4:80"); done <- err }()
	for w.stack.Stats().Dropped == 0 {
		runtime.Gosched()
	}
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.NotContains(t, w.said.String(), "10.77.0.4", "the gateway has had a look at it")
}

// A way out has a bound.
func TestSessions(t *testing.T) {
	w := newWorld(t, gateway.Config{Sessions: 2})
	at := server(t, "IPv4", echo)
	first, err := w.client.Dial("tcp", at)
	require.NoError(t, err)
	second, err := w.client.Dial("tcp", at)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	third := make(chan error, 1)
	go func() {
		c, err := w.client.DialContext(ctx, "tcp", at)
		if err == nil {
			c.Close()
		}
		third <- err
	}()
	for !strings.Contains(w.said.String(), "the way out has as many connections as it may have") {
		require.NoError(t, exchange(first)) // it goes on
	}
	cancel()
	require.Error(t, <-third)
	for _, c := range []net.Conn{first, second} {
		require.NoError(t, exchange(c))
		require.NoError(t, c.(*endpoint.Conn).CloseWrite())
		_, err := io.ReadAll(c)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	for { // there is room again, as soon as the gateway has seen the end
		ctx, cancel := context.WithCancel(t.Context())
		c, err := w.client.DialContext(ctx, "tcp", at)
		cancel()
		if err == nil {
			require.NoError(t, exchange(c))
			require.NoError(t, c.Close())
			return
		}
	}
}

// exchange sends a few bytes and gets them back.
func exchange(c net.Conn) error {
	b := []byte("ping")
	if _, err := c.Write(b); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "ping" {
		return fmt.Errorf("%q: %w", b, err)
	}
	return nil
}

// A server that reads nothing holds up its own connection, and what it has no room for arrives
// when it has: all of it, in order, also what has come in more small segments than one call takes.
func TestBackpressure(t *testing.T) {
	each(t, func(t *testing.T, family string) {
		const size = 24 << 20
		w := newWorld(t, gateway.Config{})
		data := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
		full := make(chan struct{})
		at := server(t, family, func(c *net.TCPConn) {
			<-full
			n, err := io.Copy(c, io.LimitReader(c, size))
			if err != nil || n != size {
				t.Errorf("%d bytes: %v", n, err)
			}
		})
		other := server(t, family, echo)
		c, err := w.client.Dial("tcp", at)
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.(*endpoint.Conn).SetNoDelay(true))
		var writer sync.WaitGroup
		writer.Go(func() {
			for from := 0; from < size; {
				to := min(from+1<<20, size)
				if from>>20%2 == 1 { // small ones: each is a segment
					to = min(from+700, size)
				}
				if _, err := c.Write(data[from:to]); err != nil {
					t.Error(err)
				}
				from = to
			}
		})
		for range 20 {
			c, err := w.client.Dial("tcp", other)
			require.NoError(t, err)
			require.NoError(t, exchange(c))
			require.NoError(t, c.Close())
		}
		close(full)
		got := make([]byte, size)
		_, err = io.ReadFull(c, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		writer.Wait()
	})
}

// Close resets what is left, and the stack's ports are free.
func TestClose(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	ended := make(chan error, 1)
	at := server(t, "IPv4", func(c *net.TCPConn) {
		c.Write([]byte("x"))
		_, err := c.Read(make([]byte, 1))
		ended <- err
	})
	c, err := w.client.Dial("tcp", at)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.ReadFull(c, make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, w.gateway.Close())
	require.ErrorIs(t, <-ended, syscall.ECONNRESET)
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, wsa.WSAECONNRESET)
}

// A stack has one way out.
func TestStartTwice(t *testing.T) {
	s, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer s.Close()
	g, err := gateway.Start(s, gateway.Config{})
	require.NoError(t, err)
	_, err = gateway.Start(s, gateway.Config{})
	require.ErrorContains(t, err, "the stack has a Forwarder already")
	require.NoError(t, s.Close()) // the wrong way round
	require.NoError(t, g.Close())
	_, err = gateway.Start(s, gateway.Config{})
	require.ErrorIs(t, err, wsa.WSAENETDOWN)
}
