package simnet_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

// BenchmarkKeepAliveHour measures an hour of keep-alive traffic of 1,000 connections of 100 hosts, in
// virtual time. A bubble needs a testing.T: TestManyConnections with WSSTACK_SCALE=1 tells of both.
func BenchmarkKeepAliveHour(b *testing.B) {
	for b.Loop() {
		n := simnet.New(b)
		c := newCrowd(b, n, 100, 1000)
		b.ReportMetric(float64(c.idle(b, time.Hour)), "packets/op")
		n.Close()
	}
}

// BenchmarkHosts measures the memory of a host with its link, and that of a connection's end.
func BenchmarkHosts(b *testing.B) {
	const hosts, connections = 100, 1000
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc + m.StackInuse)
	}
	for b.Loop() {
		n := simnet.New(b, simnet.TraceLimit(0))
		before := heap()
		for i := range hosts / 2 {
			x, y := n.Host(fmt.Sprint("x", i), fmt.Sprintf("10.1.%d.1/24", i)), n.Host(fmt.Sprint("y", i), fmt.Sprintf("10.1.%d.2/24", i))
			n.Link(x, y)
		}
		empty := heap()
		newCrowd(b, n, hosts, connections)
		full := heap()
		b.ReportMetric((empty-before)/hosts, "bytes/host")
		b.ReportMetric((full-empty-(empty-before))/(2*connections), "bytes/end")
		n.Close()
	}
}

// BenchmarkTurn measures a turn of a goroutine in a network of 100 hosts, all of which may have
// something to do afterwards.
func BenchmarkTurn(b *testing.B) {
	n := simnet.New(b, simnet.RunLimit(1<<62))
	for i := range 100 {
		n.Host(fmt.Sprint(i), fmt.Sprintf("10.0.%d.1/24", i))
	}
	n.Go("turns", func() {
		for b.Loop() {
			n.Sleep(time.Second)
		}
	})
	require.NoError(b, n.Run())
}

// BenchmarkForward measures what a hop costs: datagrams that a switch and a router with a hundred
// links pass on.
func BenchmarkForward(b *testing.B) {
	n := simnet.New(b, simnet.TraceLimit(0))
	sw, r := n.Switch("sw"), n.Router("r")
	n.Link(sw, r, simnet.Addresses(r, "10.0.0.1/16"))
	var far *simnet.Host
	for i := range 100 {
		h := n.Host(fmt.Sprint("near", i), fmt.Sprintf("10.0.1.%d/16", i+1))
		n.Link(h, sw)
		far = n.Host(fmt.Sprint("far", i), fmt.Sprintf("10.1.%d.2/24", i))
		n.Link(r, far, simnet.Addresses(r, fmt.Sprintf("10.1.%d.1/24", i)))
	}
	w := n.Wire(sw, "w", "10.0.2.1")
	_, err := far.ListenPacket("udp4", ":9")
	if err != nil {
		b.Fatal(err)
	}
	packet := simnet.EncodeUDP(netip.MustParseAddrPort("10.0.2.1:7"), netip.MustParseAddrPort("10.1.99.2:9"), make([]byte, 100))
	for b.Loop() {
		w.Inject(packet)
		n.Idle()
	}
}
