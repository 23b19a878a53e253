//go:build linux

package bench

import (
	"fmt"
	"os"
	"testing"

	"github.com/wsstack/wsstack/internal/netns"
)

// unable is why there is no namespace with a TUN: benchmarks over water skip.
var unable error

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == role {
		if err := Serve(Contenders(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	unable = netns.Main("bench", m.Run)
	os.Exit(m.Run())
}

// compare reports the ratio of wsstack to gonet for a measure, and fails when
// the whole interval is beyond the bound: below least, or above most.
func compare(b *testing.B, link Link, unit string, least, most float64, measure func(*Network) (float64, error)) {
	b.Helper()
	side := func(make Maker) func() float64 {
		n, err := link(make)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(n.Close)
		return func() float64 {
			v, err := measure(n)
			if err != nil {
				b.Fatal(err)
			}
			return v
		}
	}
	ratio, ours, theirs := Compare(b.N, side(Wsstack), side(Gonet))
	b.ReportMetric(0, "ns/op") // it would be the time of all rounds
	b.ReportMetric(ours, "this-"+unit)
	b.ReportMetric(theirs, "gonet-"+unit)
	b.ReportMetric(ratio.Median, "ratio")
	b.ReportMetric(ratio.Low, "ratio-low")
	b.ReportMetric(ratio.High, "ratio-high")
	if least != 0 && ratio.High < least {
		b.Errorf("ratio %v: the whole interval is below %v", ratio, least)
	}
	if most != 0 && ratio.Low > most {
		b.Errorf("ratio %v: the whole interval is above %v", ratio, most)
	}
}

// onLinks runs a benchmark over a pipe and over a TUN.
func onLinks(b *testing.B, run func(b *testing.B, link Link)) {
	b.Run("pipe", func(b *testing.B) { run(b, PipeLink) })
	for name, link := range map[string]Link{"water": WaterLink, "offload": OffloadLink} {
		b.Run(name, func(b *testing.B) {
			if unable != nil {
				b.Skip(unable)
			}
			run(b, link)
		})
	}
}

const bulkSize = 128 << 20

func BenchmarkBulkOut(b *testing.B) {
	onLinks(b, func(b *testing.B, link Link) {
		compare(b, link, "B/s", 0.95, 0, func(n *Network) (float64, error) { return Bulk(n, true, bulkSize) })
	})
}

func BenchmarkBulkIn(b *testing.B) {
	onLinks(b, func(b *testing.B, link Link) {
		compare(b, link, "B/s", 0.95, 0, func(n *Network) (float64, error) { return Bulk(n, false, bulkSize) })
	})
}

func BenchmarkPingPong(b *testing.B) {
	onLinks(b, func(b *testing.B, link Link) {
		compare(b, link, "s", 0, 1, func(n *Network) (float64, error) { return PingPong(n, 2000) })
	})
}

func BenchmarkConnectClose(b *testing.B) {
	onLinks(b, func(b *testing.B, link Link) {
		compare(b, link, "conn/s", 1, 0, func(n *Network) (float64, error) { return ConnectClose(n, 300) })
	})
}

// The processor's time for one round trip of a byte, and for one MiB: figures
// that a busy machine changes little. For -cpuprofile.
func BenchmarkCPU(b *testing.B) {
	for name, make := range map[string]Maker{"wsstack": Wsstack, "gonet": Gonet} {
		n, err := PipeLink(make)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("trip/"+name, func(b *testing.B) {
			before := cpuTime()
			if _, err := PingPong(n, b.N); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
			b.ReportAllocs()
		})
		b.Run("MiB/"+name, func(b *testing.B) {
			before := cpuTime()
			if _, err := Bulk(n, true, b.N<<20); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
			b.ReportAllocs()
		})
		n.Close()
	}
}

// The measures work on both kinds of side: what the benchmarks stand on.
func TestMeasures(t *testing.T) {
	for name, make := range map[string]Maker{"wsstack": Wsstack, "gonet": Gonet} {
		t.Run(name, func(t *testing.T) {
			n, err := PipeLink(make)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			for _, out := range []bool{true, false} {
				if v, err := Bulk(n, out, 1<<20+1); err != nil || v <= 0 {
					t.Errorf("Bulk(%v) = %v, %v", out, v, err)
				}
			}
			if v, err := PingPong(n, 10); err != nil || v <= 0 {
				t.Errorf("PingPong = %v, %v", v, err)
			}
			if v, err := ConnectClose(n, 10); err != nil || v <= 0 {
				t.Errorf("ConnectClose = %v, %v", v, err)
			}
		})
	}
}
