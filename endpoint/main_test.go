package endpoint_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience ends a test that hangs. It says nothing about how long anything may
// take, on a machine with other things to do.
const patience = 2 * time.Minute

// families are the addresses of the stack b of pair.
var families = []struct {
	name   string
	family int32
	addr   netip.Addr
}{
	{"IPv4", wsa.AF_INET, netip.MustParseAddr("10.0.0.2")},
	{"IPv6", wsa.AF_INET6, netip.MustParseAddr("fd00::2")},
}

// pair returns two stacks joined by a pipe.
func pair(t testing.TB) (a, b *stack.Stack) {
	t.Helper()
	da, db := tun.Pipe(1500)
	return newStack(t, da, "10.0.0.1/24", "fd00::1/64"), newStack(t, db, "10.0.0.2/24", "fd00::2/64")
}

// spiedPair is pair with a spy on both.
func spiedPair(t testing.TB) (a, b *stack.Stack, s spy) {
	t.Helper()
	da, db := tun.Pipe(1500)
	s = newSpy()
	a = newStackOf(t, stack.Config{Device: da, NewWaiter: s.newWaiter}, "10.0.0.1/24", "fd00::1/64")
	return a, newStackOf(t, stack.Config{Device: db, NewWaiter: s.newWaiter}, "10.0.0.2/24", "fd00::2/64"), s
}

func newStack(t testing.TB, d tun.Device, addresses ...string) *stack.Stack {
	t.Helper()
	return newStackOf(t, stack.Config{Device: d}, addresses...)
}

func newStackOf(t testing.TB, cfg stack.Config, addresses ...string) *stack.Stack {
	t.Helper()
	for _, a := range addresses {
		cfg.Addresses = append(cfg.Addresses, netip.MustParsePrefix(a))
	}
	s, err := stack.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// connected returns both ends of a connection from a to addr on b.
func connected(t testing.TB, a, b *stack.Stack, addr netip.Addr) (client, server *endpoint.Conn) {
	t.Helper()
	l, err := b.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	require.NoError(t, err)
	defer l.Close()
	c, err := a.DialContext(context.Background(), "tcp", l.Addr().String())
	require.NoError(t, err)
	s, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*endpoint.Conn), s.(*endpoint.Conn)
}

// socket returns a socket of a stack.
func socket(t testing.TB, s *stack.Stack, family, typ int32) *endpoint.Socket {
	t.Helper()
	sock, errno := endpoint.New(s, family, typ, 0, "")
	require.Zero(t, errno)
	t.Cleanup(func() { sock.Close() })
	return sock
}

// checkOpError tests the shape of an error of the net faces.
func checkOpError(t testing.TB, err error, op string, cause error) {
	t.Helper()
	var oe *net.OpError
	require.ErrorAs(t, err, &oe)
	require.Equal(t, op, oe.Op)
	require.ErrorIs(t, err, cause)
}

// A spy tells that calls of stacks wait, and for what.
type spy chan string

func newSpy() spy { return make(spy, 1024) }

func (s spy) newWaiter() endpoint.Waiter { return spyWaiter{endpoint.NewChannelWaiter(), s} }

type spyWaiter struct {
	endpoint.Waiter
	spy spy
}

func (w spyWaiter) Wait(reason string) {
	select {
	case w.spy <- reason:
	default: // nobody looks
	}
	w.Waiter.Wait(reason)
}

// forget forgets the calls that have waited so far.
func (s spy) forget() {
	for len(s) > 0 {
		<-s
	}
}

// await returns when a call has begun to wait for a reason.
func (s spy) await(reason string) {
	for <-s != reason {
	}
}

// blocked runs a call, and returns when one waits for a reason. The call's result
// comes later.
func (s spy) blocked(reason string, call func() error) <-chan error {
	s.forget()
	result := make(chan error, 1)
	go func() { result <- call() }()
	s.await(reason)
	return result
}

// within fails the test when f hangs.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s didn't return within %v", what, patience)
	}
}

// connectedSockets is connected for the calls that the net face hasn't.
func connectedSockets(t testing.TB, a, b *stack.Stack) (client, server *endpoint.Socket) {
	t.Helper()
	l := socket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(netip.MustParseAddrPort("10.0.0.2:0")))
	require.Zero(t, l.Listen(5))
	addr, errno := l.LocalAddr()
	require.Zero(t, errno)
	client = socket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, client.Connect(addr))
	server, _, errno = l.Accept()
	require.Zero(t, errno)
	t.Cleanup(func() { server.Close() })
	return client, server
}
