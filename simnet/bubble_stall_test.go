package simnet

import (
	"bytes"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A goroutine that waits for a mutex, which another one holds that waits for the network, stops the
// time of its bubble. Whoever looks from outside says so, once, with the stack of who waits.
func TestBubbleStall(t *testing.T) {
	var out bytes.Buffer
	defer func() { stallOutput = os.Stderr }()
	stallOutput = &out
	var mu sync.Mutex
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for told := false; !told; runtime.Gosched() {
			bubbles.look()
			told = out.Len() > 0
		}
		bubbles.look()
		mu.Unlock() // by who has it in the bubble; a mutex belongs to nobody
	})
	synctest.Test(t, func(t *testing.T) {
		n := New(t)
		n.Go("holder", func() {
			mu.Lock()
			n.Sleep(time.Hour)
		})
		time.Sleep(time.Minute)
		mu.Lock()
	})
	watcher.Wait()
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("the time of a bubble stands still")))
	require.Contains(t, out.String(), "simnet.TestBubbleStall.func")
	require.Contains(t, out.String(), "sync.(*Mutex).Lock")
}

// Networks at work, and those that are closed, aren't reported.
func TestBubbleStall_None(t *testing.T) {
	var out bytes.Buffer
	defer func() { stallOutput = os.Stderr }()
	stallOutput = &out
	synctest.Test(t, func(t *testing.T) {
		n := New(t)
		n.Host("a", "10.0.0.1/24")
		for range 3 {
			bubbles.look()
		}
		require.Len(t, bubbles.networks, 1)
		n.Close()
		require.Empty(t, bubbles.networks)
	})
	require.Empty(t, out.String())
}
