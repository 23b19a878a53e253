package simnet_test

import (
	"testing"
	"time"

	"github.com/wsstack/wsstack/simnet"
)

// BenchmarkTransfer measures packets per second of real time: 4 MiB each way.
func BenchmarkTransfer(b *testing.B) {
	var packets uint64
	for b.Loop() {
		n := simnet.New(b, simnet.TraceLimit(0))
		x := n.Host("x", "10.0.0.1/24")
		y := n.Host("y", "10.0.0.2/24")
		n.Link(x, y, simnet.Delay(10*time.Millisecond))
		transfer(b, n, x, y, 4<<20)
		p, _ := n.Digest()
		packets += p
		n.Close()
	}
	b.ReportMetric(float64(packets)/b.Elapsed().Seconds(), "packets/s")
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(packets), "µs/packet")
}

// BenchmarkPackets measures the same where TCP's own work per packet is
// small: eight connections with short queues.
func BenchmarkPackets(b *testing.B) {
	var packets uint64
	for b.Loop() {
		n := simnet.New(b, simnet.TraceLimit(0))
		x := n.Host("x", "10.0.0.1/24")
		y := n.Host("y", "10.0.0.2/24")
		n.Link(x, y, simnet.Delay(time.Millisecond), simnet.Rate(100_000_000, 0))
		transfer(b, n, x, y, 4<<20)
		p, _ := n.Digest()
		packets += p
		n.Close()
	}
	b.ReportMetric(float64(packets)/b.Elapsed().Seconds(), "packets/s")
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(packets), "µs/packet")
}
