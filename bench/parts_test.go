//go:build linux

package bench

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/wsstack/wsstack/tun"
)

// divided makes wsstacks whose pump has so many parts, whatever this machine has.
func divided(parts int) Maker {
	return func(d tun.Device, addr netip.Prefix) (Side, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * parts))
		return Wsstack(d, addr)
	}
}

// BenchmarkParts compares stacks whose pump has two parts with such that have one.
func BenchmarkParts(b *testing.B) {
	compareCPU(b, func(parts int) (*Network, error) { return PipeLink(divided(parts)) }, 2)
}

// BenchmarkQueues compares a TUN of four queues with one of one queue, for a stack whose pump has four
// parts.
func BenchmarkQueues(b *testing.B) {
	compareCPU(b, func(queues int) (*Network, error) {
		return tunLink(func(name string) (tun.Device, error) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * queues))
			return tun.OpenOffload(name)
		}, divided(4), "reno")
	}, 4)
}

// compareCPU compares networks of many with such of one, by what they do in a second ("ratio") and by
// the time of the processors for it ("cpu").
func compareCPU(b *testing.B, link func(number int) (*Network, error), many int) {
	for name, measure := range map[string]func(*Network) (float64, error){
		"1 stream":       func(n *Network) (float64, error) { return Bulk(n, true, bulkSize) },
		"8 streams":      func(n *Network) (float64, error) { return streams(n, 8, bulkSize/8) },
		"64 of one byte": func(n *Network) (float64, error) { return exchanges(n, 64, 200) },
		"16 dialing": func(n *Network) (float64, error) {
			return connectClose(n, 16, func(done int) bool { return done >= 1600 })
		},
	} {
		b.Run(name, func(b *testing.B) {
			var cpu [2][]float64
			side := func(i int) func() float64 {
				n, err := link([2]int{1, many}[i])
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(n.Close)
				return func() float64 {
					before := cpuTime()
					v, err := measure(n)
					if err != nil {
						b.Fatal(err)
					}
					cpu[i] = append(cpu[i], float64(cpuTime()-before))
					return v
				}
			}
			ratio, several, one := Compare(b.N, side(1), side(0))
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(several, "many/s")
			b.ReportMetric(one, "one/s")
			b.ReportMetric(ratio.Median, "ratio")
			b.ReportMetric(ratio.Low, "ratio-low")
			b.ReportMetric(ratio.High, "ratio-high")
			var ratios []float64
			for i := range cpu[0][1:] {
				ratios = append(ratios, cpu[1][i+1]/cpu[0][i+1])
			}
			c := MedianInterval(ratios)
			b.ReportMetric(c.Median, "cpu")
			b.ReportMetric(c.Low, "cpu-low")
			b.ReportMetric(c.High, "cpu-high")
		})
	}
}

// pipelines are several connections out of the near side.
func pipelines(n *Network, count int) (from, to []net.Conn, err error) {
	for range count {
		f, t, err := pipeline(n, true)
		if err != nil {
			return nil, nil, err
		}
		from, to = append(from, f), append(to, t)
	}
	return from, to, nil
}

// each runs f for so many at once.
func each(count int, f func(i int) error) error {
	errs := make([]error, count)
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// streams is Bulk in several streams at once.
func streams(n *Network, count, total int) (float64, error) {
	from, to, err := pipelines(n, count)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	err = each(2*count, func(i int) error {
		if i >= count {
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{to[i-count]}, make([]byte, chunk))
			return errors.Join(err, to[i-count].Close())
		}
		buf := make([]byte, chunk)
		for left := total; left > 0; left -= chunk {
			if _, err := from[i].Write(buf[:min(left, chunk)]); err != nil {
				return err
			}
		}
		return from[i].Close()
	})
	return float64(count*total) / time.Since(start).Seconds(), err
}

// exchanges sends one byte there and back on several connections at once, and
// returns how often a second.
func exchanges(n *Network, count, trips int) (float64, error) {
	from, to, err := pipelines(n, count)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	err = each(2*count, func(i int) error {
		b := make([]byte, 1)
		if i >= count {
			for {
				if _, err := to[i-count].Read(b); err != nil {
					return to[i-count].Close()
				}
				if _, err := to[i-count].Write(b); err != nil {
					return err
				}
			}
		}
		for range trips {
			if _, err := from[i].Write(b); err != nil {
				return err
			}
			if _, err := from[i].Read(b); err != nil {
				return err
			}
		}
		return from[i].Close()
	})
	return float64(count*trips) / time.Since(start).Seconds(), err
}
