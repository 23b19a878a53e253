package gateway_test

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/gateway"
)

// A session that has carried data and is idle has no goroutine and no buffer: what it takes, both
// stacks and the test's own part included, is a fraction of a buffer.
func TestIdle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	w := newWorld(t, gateway.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	at := throughDoor("IPv4", l.Addr())
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	open := func(n int) {
		for range n {
			near, err := w.client.Dial("tcp", at)
			require.NoError(t, err)
			far, err := l.Accept()
			require.NoError(t, err)
			held = append(held, near, far)
			b := make([]byte, 3000)
			for _, c := range [][2]net.Conn{{near, far}, {far, near}} {
				_, err = c[0].Write(b)
				require.NoError(t, err)
				for n := 0; n < len(b); {
					k, err := c[1].Read(b)
					require.NoError(t, err)
					n += k
				}
			}
		}
	}
	open(50) // pools and tables have their first size
	goroutines, before := runtime.NumGoroutine(), footprint()
	const sessions = 400
	open(sessions)
	for runtime.NumGoroutine() > goroutines+10 {
		runtime.Gosched() // those that end
	}
	each := (footprint() - before) / sessions
	require.Less(t, each, int64(20<<10))
	t.Logf("%d bytes each", each)
}

// footprint is the memory in use, stacks of goroutines included.
func footprint() int64 {
	runtime.GC()
	runtime.GC() // the first one moves pools to their victims
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
