package bench

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkClose reports how long the end of a stack takes for each of its
// connections in TIME-WAIT, beside gonet's.
func BenchmarkClose(b *testing.B) {
	for _, count := range []int{1000, 4000, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			var ours, theirs time.Duration
			for range b.N {
				ours += closeTime(b, Wsstack, count)
				theirs += closeTime(b, Gonet, count)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*count), "wsstack-ns/conn")
			b.ReportMetric(float64(theirs.Nanoseconds())/float64(b.N*count), "gonet-ns/conn")
		})
	}
}

// closeTime is how long a side takes to close which has connected and closed so
// often.
func closeTime(b *testing.B, make Maker, count int) time.Duration {
	n, err := PipeLink(make)
	require.NoError(b, err)
	defer n.Far.Close()
	to := netip.AddrPortFrom(n.FarAddr, n.port())
	l, err := n.Far.Listen(to.Port())
	require.NoError(b, err)
	done := closeSecond(l, count)
	for range count {
		c, err := n.Near.Dial(to)
		require.NoError(b, err)
		require.NoError(b, c.Close())
	}
	<-done
	start := time.Now()
	n.Near.Close()
	return time.Since(start)
}

// closeSecond accepts connections and closes each after its peer; the channel is
// closed after the last.
func closeSecond(l net.Listener, count int) <-chan struct{} {
	done := make(chan struct{})
	go func() { // ends with the last connection, or when the listener is closed
		defer close(done)
		for range count {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	return done
}
