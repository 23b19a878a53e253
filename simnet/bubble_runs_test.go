package simnet_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// busy is a program with goroutines of its own: clients that each send requests, whose answers take
// a while, at times of their own. It returns when each of them was done.
func busy(t *testing.T, clients int, link ...simnet.LinkOption) (done []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Seed(5))
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b, link...)
		begun := time.Now()
		l, err := b.Listen("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		go serve(l)
		var group sync.WaitGroup
		done = make([]time.Duration, clients)
		for i := range clients {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				c, err := a.Dial("tcp", "10.0.0.2:80")
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				request := bytes.Repeat([]byte{byte(i)}, 2000+1000*i)
				for range 3 {
					c.Write(request)
					if _, err := io.ReadFull(c, request); err != nil {
						t.Error(err)
					}
				}
				done[i] = time.Since(begun)
			})
		}
		group.Wait()
		l.Close()
	})
	return done
}

// serve answers each 1,000 bytes of a connection after 3 ms.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 1000)
			for {
				if _, err := io.ReadFull(c, buf); err != nil {
					return
				}
				time.Sleep(3 * time.Millisecond)
				c.Write(buf)
			}
		}()
	}
}

// others is how long a client may wait for the others at 10 Mbit/s because of their order: for a full
// segment of each, and for 30 without data.
const others = 5*1200*time.Microsecond + 30*32*time.Microsecond

// The same program takes the same virtual time in each run, to the nanosecond, on one processor and
// on eight, though its goroutines run in a different order each time: time stands still until all
// of them, and those of the network, wait.
//
// The order decides whether a reader finds one segment or two, and so how many acknowledgements are
// sent, and whose segment is first in a queue. Where packets wait for a rate, that takes time. Where
// a lottery decides about packets, their order within an instant decides which of them it hits, so
// that times differ by retransmissions. No run is faster than one without losses.
//
// WSSTACK_BUBBLE_RUNS is how many runs there are.
func TestBubbleRuns(t *testing.T) {
	runs := 12
	if s := os.Getenv("WSSTACK_BUBBLE_RUNS"); s != "" {
		var err error
		runs, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	far, slow, lossy := simnet.Delay(20*time.Millisecond), simnet.Rate(10_000_000, 0), simnet.Loss(0.02)
	var first, queued []time.Duration
	for i := range runs {
		runtime.GOMAXPROCS(1 + i%8)
		done, behindQueue := busy(t, 6, far), busy(t, 6, far, slow)
		if i == 0 {
			first, queued = done, behindQueue
		}
		require.Equal(t, first, done, "run %d", i)
		for k, d := range behindQueue {
			require.InDelta(t, queued[k], d, float64(others), "run %d, client %d, with a queue", i, k)
		}
		for k, d := range busy(t, 6, far, lossy) {
			require.GreaterOrEqual(t, d, first[k], "run %d, client %d, with losses", i, k)
			require.Less(t, d, first[k]+time.Minute, "run %d, client %d, with losses", i, k)
		}
	}
}
