package compat

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// patience bounds what should happen at once, so that a test which hangs says
// where.
const patience = 2 * time.Minute

// serverIP is the address of the server's stack; ports are each test's own.
const serverIP = "10.0.0.1"

// newNetwork returns two stacks joined by a pipe, which end with the test.
func newNetwork(t *testing.T) (server, client *stack.Stack) {
	t.Helper()
	a, b := tun.Pipe(1500)
	return newStack(t, a, serverIP+"/24"), newStack(t, b, "10.0.0.2/24")
}

func newStack(t *testing.T, d tun.Device, address string) *stack.Stack {
	t.Helper()
	s, err := stack.New(stack.Config{Device: d, Addresses: []netip.Prefix{netip.MustParsePrefix(address)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// listen opens a listener that ends with the test.
func listen(t *testing.T, s *stack.Stack, address string) net.Listener {
	t.Helper()
	l, err := s.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// soon is a context that ends with the test, or after patience.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A dialer is a stack's DialContext that counts its calls. Its methods are the
// shapes that libraries ask for.
type dialer struct {
	stack *stack.Stack
	calls atomic.Int32
}

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.calls.Add(1)
	return d.stack.DialContext(ctx, network, address)
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// serve gives each connection of l to handle, in a goroutine of its own, and
// closes it afterwards. It is for servers that have no Serve method; l's Close
// ends it, and the test waits for all handlers.
func serve(t *testing.T, l net.Listener, handle func(net.Conn)) {
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handlers.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		handlers.Wait()
	})
}

// forward joins each connection of l to one that dial makes, for servers that
// can't be given a listener.
func forward(t *testing.T, l net.Listener, dial func() (net.Conn, error)) {
	serve(t, l, func(c net.Conn) {
		up, err := dial()
		if err != nil {
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			io.Copy(up, c)
			up.Close()
		})
		io.Copy(c, up)
		c.Close()
		wg.Wait()
	})
}

// unreachables is how many ICMP messages "destination unreachable" s has had.
func unreachables(s *stack.Stack) uint64 {
	return s.Netstack().Stats().ICMP.V4.PacketsReceived.DstUnreachable.Value()
}

// awaitUnreachable waits until s has had such a message.
func awaitUnreachable(t *testing.T, s *stack.Stack) {
	t.Helper()
	require.Eventually(t, func() bool { return unreachables(s) > 0 }, patience, time.Millisecond,
		"no ICMP port unreachable came")
}
