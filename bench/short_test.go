//go:build linux

package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// BenchmarkShortLinger is the rate of connections that end with linger {1,0},
// over a Pipe, beside the kernel's over its loopback: gonet has no linger.
func BenchmarkShortLinger(b *testing.B) {
	n, err := PipeLink(Wsstack)
	require.NoError(b, err)
	defer n.Close()
	kernel, err := LoopbackLink()
	require.NoError(b, err)
	side := func(n *Network) func() float64 {
		return func() float64 {
			rate, err := HardClose(n, 500)
			require.NoError(b, err)
			return rate
		}
	}
	ratio, ours, theirs := Compare(b.N, side(n), side(kernel))
	b.ReportMetric(0, "ns/op") // it would be the time of all rounds
	b.ReportMetric(ours, "wsstack-conn/s")
	b.ReportMetric(theirs, "kernel-conn/s")
	b.ReportMetric(ratio.Median, "ratio")
}

// BenchmarkShortVirtual is the real time of a connection that both sides close
// gracefully, in virtual time, with all those in TIME-WAIT of a minute.
func BenchmarkShortVirtual(b *testing.B) {
	n := simnet.New(b, simnet.TraceLimit(0))
	client, server := n.Host("client", "10.0.0.1/24"), n.Host("server", "10.0.0.2/24")
	n.Link(client, server, simnet.Delay(time.Millisecond))
	l, err := server.Listen("tcp", ":80")
	require.NoError(b, err)
	n.Background("server", func() {
		for { // until the network is closed
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	})
	for b.Loop() {
		require.NoError(b, n.Do("client", func() {
			c, err := client.Dial("tcp", "10.0.0.2:80")
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = c.Read(make([]byte, 1)) // the end
			c.Close()
			n.Sleep(10 * time.Millisecond)
		}))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conn/s")
	b.ReportMetric(float64(server.Stack.Stats().TimeWait), "time-wait")
	require.NoError(b, n.Close())
}
