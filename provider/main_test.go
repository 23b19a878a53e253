package provider_test

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A lab is two stacks joined by a pipe, each with a provider. The first has a
// second interface as well, whose packets nobody answers.
type lab struct {
	*testing.T
	a, b    *provider.Provider
	sa, sb  *stack.Stack
	waiting chan string // the reason of a call on a that has begun to wait
}

func newLab(t *testing.T) *lab {
	t.Helper()
	return newLabOf(t, options.Documented)
}

func newLabOf(t *testing.T, profile options.Profile) *lab {
	t.Helper()
	l := &lab{T: t, waiting: make(chan string, 1)}
	da, db := tun.Pipe(1500)
	l.sa = newStack(t, stack.Config{Profile: profile, Device: da, Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), NewWaiter: l.newWaiter})
	l.sb = newStack(t, stack.Config{Device: db, Addresses: prefixes("10.0.0.2/24", "fd00::2/64")})
	require.NoError(t, l.sa.AddDevice(tun.NewFunc(1500, nil), prefixes("10.9.0.1/24", "fd09::1/64")...))
	l.a, l.b = startup(t, l.sa), startup(t, l.sb)
	return l
}

// A gate is a link between the stacks of a lab that can be closed: packets wait
// until it is open again.
type gate struct {
	mu     sync.Mutex
	closed bool
	held   []func()
}

func (g *gate) pass(deliver func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		g.held = append(g.held, deliver)
		return
	}
	deliver()
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, deliver := range g.held {
		deliver()
	}
	g.closed, g.held = false, nil
}

// newGatedLab is newLab with a gate between the stacks, and without the second
// interface.
func newGatedLab(t *testing.T) (*lab, *gate) {
	l, link := &lab{T: t, waiting: make(chan string, 1)}, &gate{}
	var da, db *tun.Func
	da = tun.NewFunc(1500, func(p []byte) { link.pass(func() { db.Inject(p) }) })
	db = tun.NewFunc(1500, func(p []byte) { link.pass(func() { da.Inject(p) }) })
	l.sa = newStack(t, stack.Config{Device: da, Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), NewWaiter: l.newWaiter})
	l.sb = newStack(t, stack.Config{Device: db, Addresses: prefixes("10.0.0.2/24", "fd00::2/64")})
	l.a, l.b = startup(t, l.sa), startup(t, l.sb)
	return l, link
}

func newStack(t testing.TB, cfg stack.Config) *stack.Stack {
	t.Helper()
	st, err := stack.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return st
}

func startup(t testing.TB, st *stack.Stack) *provider.Provider {
	t.Helper()
	return startupVersion(t, st, wsa.WINSOCK_VERSION)
}

func startupVersion(t testing.TB, st *stack.Stack, version uint16) *provider.Provider {
	t.Helper()
	p, err := provider.Startup(st, version)
	require.NoError(t, err)
	return p
}

func prefixes(s ...string) (out []netip.Prefix) {
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// spyWaiter tells the lab that a call waits.
type spyWaiter struct {
	endpoint.Waiter
	waiting chan<- string
}

func (l *lab) newWaiter() endpoint.Waiter { return spyWaiter{endpoint.NewChannelWaiter(), l.waiting} }

func (w spyWaiter) Wait(reason string) {
	select {
	case w.waiting <- reason:
	default:
	}
	w.Waiter.Wait(reason)
}

// settle waits until both stacks have nothing more to do.
func (l *lab) settle() { stack.Settle(l.sa, l.sb) }

// blocked runs a call on stack a, waits until it waits, calls wake and returns
// what became of the call. A call that doesn't wait fails the test.
func (l *lab) blocked(call func() error, wake func()) error {
	l.Helper()
	select {
	case <-l.waiting: // of an earlier call
	default:
	}
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case <-l.waiting:
	case err := <-done:
		l.Fatalf("call returned %v, want it to wait", err)
	}
	wake()
	return <-done
}

// families runs a test for IPv4 and IPv6.
func families(t *testing.T, f func(t *testing.T, af int32)) {
	t.Run("IPv4", func(t *testing.T) { f(t, wsa.AF_INET) })
	t.Run("IPv6", func(t *testing.T) { f(t, wsa.AF_INET6) })
}

// Addresses of the lab: those of the stacks, of nobody, and the wildcard.
func addr(af int32, v4, v6 string, port uint16) netip.AddrPort {
	if af == wsa.AF_INET {
		return netip.AddrPortFrom(netip.MustParseAddr(v4), port)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(v6), port)
}

func addrA(af int32, port uint16) netip.AddrPort    { return addr(af, "10.0.0.1", "fd00::1", port) }
func addrB(af int32, port uint16) netip.AddrPort    { return addr(af, "10.0.0.2", "fd00::2", port) }
func nobody(af int32, port uint16) netip.AddrPort   { return addr(af, "10.9.0.9", "fd09::9", port) }
func wildcard(af int32, port uint16) netip.AddrPort { return addr(af, "0.0.0.0", "::", port) }
func loopback(af int32, port uint16) netip.AddrPort { return addr(af, "127.0.0.1", "::1", port) }

// closedPort is one that nobody listens on.
const closedPort = 9
