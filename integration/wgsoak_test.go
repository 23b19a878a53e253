//go:build linux

package integration

import (
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wg"
)

// Connections come and go through a tunnel, whose peers come and go, and whose left end is opened
// and closed, for as long as WSSTACK_WG_SOAK says, such as 1h; else three times. There are then as
// many goroutines and open files as after the second time.
func TestTunnelSoak(t *testing.T) {
	length, _ := time.ParseDuration(os.Getenv("WSSTACK_WG_SOAK"))
	end := time.Now().Add(length)
	tu := newTunnelEnds(t, newPath(t), false)
	if length > 0 { // a handshake that is lost takes 5 s
		tu.impair(t, badWeather)
	}
	cfg := tu.config(tu.b)
	cfg.Peers[0].Endpoint = tu.outer(tu.a).String() // it has to find the new end by itself
	tu.b.open(t, cfg, nil)

	var goroutines, files int
	var live int64
	rounds := 0
	for ; rounds < 3 || time.Now().Before(end); rounds++ {
		tu.soakRound(t)
		if rounds == 1 {
			goroutines, files, live = runtime.NumGoroutine(), openFiles(t), liveHeap()
		}
	}
	fallsTo(t, runtime.NumGoroutine, goroutines, "goroutines")
	fallsTo(t, func() int { return openFiles(t) }, files, "open files")
	grown := liveHeap() - live
	t.Logf("%d rounds; %d goroutines, %d files; %d KiB more are in use", rounds, goroutines, files, grown>>10)
	require.Less(t, grown, int64(32<<20))
}

// fallsTo waits until a number is what it was before, or less. It is asked for on this goroutine,
// and not on one more.
func fallsTo(t testing.TB, number func() int, before int, what string) {
	t.Helper()
	for end := time.Now().Add(patience); number() > before; time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "%d %s, %d after two rounds", number(), what, before)
	}
}

// soakRound opens the left end, uses it, and closes it.
func (tu *tunnel) soakRound(t *testing.T) {
	t.Helper()
	// The end is new, and the other one still has a session with the one before, so it is told to
	// begin anew. Else it does so by itself, but 15 s later.
	peer := tu.config(tu.b).Peers[0]
	peer.Endpoint = tu.outer(tu.a).String()
	require.NoError(t, tu.b.device.RemovePeer(peer.PublicKey))
	require.NoError(t, tu.b.device.SetPeer(peer))
	t.Run("round", func(t *testing.T) { // whose end closes the device
		tu.a.open(t, tu.config(tu.a), nil)
		tu.works(t)
		var others []wg.Key
		for range 10 {
			key := newKey(t).PublicKey()
			others = append(others, key)
			for _, e := range []*tunnelEnd{tu.a, tu.b} {
				err := e.device.SetPeer(wg.Peer{
					PublicKey: key, Endpoint: "10.81.0.77:9", AllowedIPs: prefixes("10.91.0.0/24"),
					PersistentKeepalive: time.Second, // there is something to do
				})
				require.NoError(t, err)
			}
		}
		for i := range 30 {
			a, b := tu.connect(t, i%2 == 1)
			require.NoError(t, echoOnce(a, b))
			require.NoError(t, a.Close())
			require.NoError(t, b.Close())
		}
		for _, key := range others {
			require.NoError(t, tu.a.device.RemovePeer(key))
			require.NoError(t, tu.b.device.RemovePeer(key))
		}
		require.Len(t, tu.a.device.Peers(), 1)
		require.Len(t, tu.b.device.Peers(), 1)
		tu.works(t)

		// Transfers both ways are in progress when the left end is closed.
		var wg sync.WaitGroup
		a, b := tu.connect(t, false)
		for _, c := range []stream{a, b} {
			wg.Go(func() { io.Copy(io.Discard, c) })
			wg.Go(func() { io.Copy(c, zeros{}) })
		}
		_, err := a.Write(make([]byte, 1<<20))
		require.NoError(t, err)
		tu.a.close(t)
		require.NoError(t, b.SetLinger(0))
		require.NoError(t, b.Close())
		wg.Wait()
	})
}

// zeros is a file without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// echoOnce sends a byte to and fro.
func echoOnce(a, b stream) error {
	buf := make([]byte, 1)
	for _, ends := range [][2]stream{{a, b}, {b, a}} {
		if _, err := ends[0].Write(buf); err != nil {
			return err
		}
		if _, err := ends[1].Read(buf); err != nil {
			return err
		}
	}
	return nil
}

// openFiles is how many descriptors the process has.
func openFiles(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}
