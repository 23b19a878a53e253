// Package sockettest has what tests of sockets and of their net faces share.
package sockettest

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// Patience ends a test that hangs. It says nothing about how long anything may
// take, on a machine with other things to do.
const Patience = 2 * time.Minute

// Families are the addresses of the stack b of pair.
var Families = []struct {
	Name   string
	Family int32
	Addr   netip.Addr
}{
	{"IPv4", wsa.AF_INET, netip.MustParseAddr("10.0.0.2")},
	{"IPv6", wsa.AF_INET6, netip.MustParseAddr("fd00::2")},
}

// Pair returns two stacks joined by a pipe.
func Pair(t testing.TB) (a, b *stack.Stack) {
	t.Helper()
	da, db := tun.Pipe(1500)
	return NewStack(t, da, "10.0.0.1/24", "fd00::1/64"), NewStack(t, db, "10.0.0.2/24", "fd00::2/64")
}

// SpiedPair is pair with a spy on both.
func SpiedPair(t testing.TB) (a, b *stack.Stack, s Spy) {
	t.Helper()
	da, db := tun.Pipe(1500)
	s = NewSpy()
	a = NewStackOf(t, stack.Config{Device: da, NewWaiter: s.NewWaiter}, "10.0.0.1/24", "fd00::1/64")
	return a, NewStackOf(t, stack.Config{Device: db, NewWaiter: s.NewWaiter}, "10.0.0.2/24", "fd00::2/64"), s
}

// NewStack returns a stack on a device with these addresses, which the end of the test closes.
func NewStack(t testing.TB, d tun.Device, addresses ...string) *stack.Stack {
	t.Helper()
	return NewStackOf(t, stack.Config{Device: d}, addresses...)
}

// NewStackOf is NewStack with more of the configuration.
func NewStackOf(t testing.TB, cfg stack.Config, addresses ...string) *stack.Stack {
	t.Helper()
	for _, a := range addresses {
		cfg.Addresses = append(cfg.Addresses, netip.MustParsePrefix(a))
	}
	s, err := stack.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Connected returns both ends of a connection from a to addr on b.
func Connected(t testing.TB, a, b *stack.Stack, addr netip.Addr) (client, server *endpoint.Conn) {
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

// NewSocket returns a socket of a stack.
func NewSocket(t testing.TB, s *stack.Stack, family, typ int32) *socket.Socket {
	t.Helper()
	sock, errno := socket.New(socket.HostOf(s), family, typ, 0, "")
	require.Zero(t, errno)
	t.Cleanup(func() { sock.Close() })
	return sock
}

// CheckOpError tests the shape of an error of the net faces.
func CheckOpError(t testing.TB, err error, op string, cause error) {
	t.Helper()
	var oe *net.OpError
	require.ErrorAs(t, err, &oe)
	require.Equal(t, op, oe.Op)
	require.ErrorIs(t, err, cause)
}

// A Spy tells that calls of stacks wait, and for what.
type Spy chan string

// NewSpy returns a Spy that has seen nothing.
func NewSpy() Spy { return make(Spy, 1024) }

func (s Spy) NewWaiter() endpoint.Waiter { return spyWaiter{endpoint.NewChannelWaiter(), s} }

type spyWaiter struct {
	endpoint.Waiter
	spy Spy
}

func (w spyWaiter) Wait(reason string) {
	select {
	case w.spy <- reason:
	default: // nobody looks
	}
	w.Waiter.Wait(reason)
}

// Forget forgets the calls that have waited so far.
func (s Spy) Forget() {
	for len(s) > 0 {
		<-s
	}
}

// Await returns when a call has begun to wait for a reason.
func (s Spy) Await(reason string) {
	for <-s != reason {
	}
}

// Blocked runs a call, and returns when one waits for a reason. The call's result
// comes later.
func (s Spy) Blocked(reason string, call func() error) <-chan error {
	s.Forget()
	result := make(chan error, 1)
	go func() { result <- call() }()
	s.Await(reason)
	return result
}

// Within fails the test when f hangs.
func Within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(Patience):
		t.Fatalf("%s didn't return within %v", what, Patience)
	}
}

// ConnectedSockets is connected for the calls that the net face hasn't.
func ConnectedSockets(t testing.TB, a, b *stack.Stack) (client, server *socket.Socket) {
	t.Helper()
	l := NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, l.Bind(netip.MustParseAddrPort("10.0.0.2:0")))
	require.Zero(t, l.Listen(5))
	addr, errno := l.LocalAddr()
	require.Zero(t, errno)
	client = NewSocket(t, a, wsa.AF_INET, wsa.SOCK_STREAM)
	require.Zero(t, client.Connect(addr))
	server, _, errno = l.Accept()
	require.Zero(t, errno)
	t.Cleanup(func() { server.Close() })
	return client, server
}
