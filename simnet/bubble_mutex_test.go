package simnet_test

import (
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// Two goroutines write to a connection with a mutex held, far more than the peer's window. Package
// synctest takes the one that waits for the mutex for a goroutine that runs; so the other one's
// Write mustn't wait for the time to pass.
func TestBubble_WritesWithAMutexHeld(t *testing.T) {
	const size, writes = 1 << 20, 10
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble(), simnet.TraceLimit(0))
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b, simnet.Delay(50*time.Millisecond))
		l, err := b.Listen("tcp", ":7")
		require.NoError(t, err)
		c, err := a.Dial("tcp", "10.0.0.2:7")
		require.NoError(t, err)
		peer, err := l.Accept()
		require.NoError(t, err)
		var mu sync.Mutex
		var all sync.WaitGroup
		for range writes {
			all.Go(func() {
				mu.Lock()
				defer mu.Unlock()
				c.Write(make([]byte, size))
			})
		}
		all.Go(func() {
			got, err := io.CopyN(io.Discard, peer, size*writes)
			if got != size*writes || err != nil {
				t.Errorf("%d bytes came: %v", got, err)
			}
		})
		all.Wait()
	})
}
