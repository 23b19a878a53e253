package provider_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// soak is how often a leak test connects: so many times, or as often as
// WSSTACK_SOAK says.
func soak(t *testing.T, usual int) int {
	if s := os.Getenv("WSSTACK_SOAK"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	if raceEnabled { // the detector finds races, not leaks, and takes its time
		return usual / 5
	}
	return usual
}

// heap is the memory in use, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools have let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// flat runs f n times, and fails when the second half costs memory that is
// still in use at the end, or a goroutine.
// settle waits until what f has begun is done.
func flat(t *testing.T, n int, f, settle func()) {
	const allowed = 2 << 20
	for range n / 2 {
		f()
	}
	settle()
	before, goroutines := heap(), runtime.NumGoroutine()
	for range n - n/2 {
		f()
	}
	settle()
	grown := heap() - before
	t.Logf("%d times: the second half grew the heap by %d KiB", n, grown>>10)
	require.Less(t, grown, int64(allowed))
	// A timer's function may be running: it ends.
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 }, 2*time.Minute, time.Millisecond)
}

func TestOpenCloseLeaksNothing(t *testing.T) {
	l := newLab(t)
	kinds := []func() wsa.SOCKET{
		func() wsa.SOCKET { return l.stream(wsa.AF_INET) },
		func() wsa.SOCKET { return l.datagram(wsa.AF_INET6) },
	}
	i := 0
	flat(t, soak(t, 100_000), func() {
		i++
		s := kinds[i%2]()
		if i%16 < 2 {
			l.bind(s, wildcard([]int32{wsa.AF_INET, wsa.AF_INET6}[i%2], 0))
		}
		if err := l.a.CloseSocket(s); err != nil {
			t.Fatal(err)
		}
	}, l.settle)
	l.nothingLeft()
}

// Connections over a Pipe that end in a hard close, so that no TIME-WAIT stays
// behind: 20,000 of them, 1,000,000 in make soak.
func TestConnectCloseLeaksNothing(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		server, at := l.server(af)
		hard := []byte{1, 0, 0, 0}
		flat(t, soak(t, 20_000)/2, func() {
			s := l.stream(af)
			require.NoError(t, l.a.Connect(s, at))
			peer, _, err := l.b.Accept(server)
			require.NoError(t, err)
			require.NoError(t, l.a.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_LINGER, hard, 4))
			require.NoError(t, l.a.CloseSocket(s))
			require.NoError(t, l.b.CloseSocket(peer))
		}, l.settle)
		l.nothingLeft()
		require.Equal(t, 1, l.sb.Stats().Sockets)
	})
}

// The same in virtual time with a graceful close, which leaves a connection in
// TIME-WAIT for a minute. The clients share a few hundred ports.
func TestGracefulCloseLeaksNothing(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		n := simnet.New(t, simnet.TraceLimit(1000))
		dynamic := stack.PortRange{First: 50_000, Last: 50_999}
		ha := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), DynamicPorts: dynamic})
		hb := n.Host("b", "10.0.0.2/24", "fd00::2/64")
		n.Link(ha, hb, simnet.Delay(time.Millisecond))
		a, b := startup(t, ha.Stack), startup(t, hb.Stack)
		server, err := b.Socket(af, wsa.SOCK_STREAM, 0)
		require.NoError(t, err)
		require.NoError(t, b.Bind(server, addrB(af, 80)))
		require.NoError(t, b.Listen(server, wsa.SOMAXCONN))
		cycle := func() {
			s, err := a.Socket(af, wsa.SOCK_STREAM, 0)
			assert.NoError(t, err)
			assert.NoError(t, a.Connect(s, addrB(af, 80)))
			peer, _, err := b.Accept(server)
			assert.NoError(t, err)
			assert.NoError(t, a.CloseSocket(s))
			n.Sleep(80 * time.Millisecond)
			assert.NoError(t, b.CloseSocket(peer))
			n.Sleep(20 * time.Millisecond)
		}
		flat(t, soak(t, 20_000)/2, func() {
			if err := n.Do("cycle", cycle); err != nil || t.Failed() {
				t.FailNow()
			}
		}, func() {})
		waiting := ha.Stack.Stats().TimeWait
		require.Greater(t, waiting, 300) // two thirds of a minute's
		require.Less(t, waiting, 800)
		require.NoError(t, n.Advance(2*time.Minute))
		for _, st := range []*stack.Stack{ha.Stack, hb.Stack} {
			require.Zero(t, st.Stats().TimeWait)
		}
		require.Zero(t, ha.Stack.Stats().Sockets)
		require.Zero(t, ha.Stack.Stats().Bindings)
		require.Equal(t, 1, hb.Stack.Stats().Sockets)
		require.Equal(t, 1, hb.Stack.Stats().Bindings)
		require.Zero(t, n.Timers())
	})
}

// Attempts that fail, at once and later, and connected datagram sockets.
func TestFailedConnectLeaksNothing(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		flat(t, soak(t, 500), func() {
			s := l.stream(af)
			require.Equal(t, wsa.WSAECONNREFUSED, l.a.Connect(s, addrB(af, closedPort)))
			require.NoError(t, l.a.CloseSocket(s))
			require.NoError(t, l.a.CloseSocket(l.connecting(af)))
			require.NoError(t, l.a.CloseSocket(l.udpConnected(af)))
		}, l.settle)
		l.nothingLeft()
	})
}

// nothingLeft checks that stack a has neither a socket nor a local address.
func (l *lab) nothingLeft() {
	l.Helper()
	require.Zero(l, l.sa.Stats().Sockets)
	require.Zero(l, l.sa.Stats().Bindings)
}
