package provider_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// soak is how often a leak test connects: a few thousand times, or as often as
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
func flat(t *testing.T, n int, f func()) {
	const allowed = 2 << 20
	for range n / 2 {
		f()
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for range n - n/2 {
		f()
	}
	grown := heap() - before
	t.Logf("%d times: the second half grew the heap by %d KiB", n, grown>>10)
	require.Less(t, grown, int64(allowed))
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
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
	})
	l.nothingLeft()
}

// Connections that end in every way, most of them in a hard close so that no
// TIME-WAIT stays behind.
func TestConnectCloseLeaksNothing(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		server, at := l.server(af)
		hard := []byte{1, 0, 0, 0}
		flat(t, soak(t, 2000), func() {
			s := l.stream(af)
			require.NoError(t, l.a.Connect(s, at))
			peer, _, err := l.b.Accept(server)
			require.NoError(t, err)
			require.NoError(t, l.a.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_LINGER, hard, 4))
			require.NoError(t, l.a.CloseSocket(s))
			require.NoError(t, l.b.CloseSocket(peer))
		})
		l.settle()
		l.nothingLeft()
		require.Equal(t, 1, l.sb.Stats().Sockets)
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
		})
		l.nothingLeft()
	})
}

// nothingLeft checks that stack a has neither a socket nor a local address.
func (l *lab) nothingLeft() {
	l.Helper()
	require.Zero(l, l.sa.Stats().Sockets)
	require.Zero(l, l.sa.Stats().Bindings)
}
