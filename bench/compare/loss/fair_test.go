//go:build linux

package main

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// BenchmarkFairness is how two crowds share a drop-tail queue in front of a link
// of 100 Mbit/s and 20 ms, whose queue holds a part of the product of both. What
// comes back isn't delayed. It reports what a stream of the first crowd got for one
// of the second, Jain's index over all streams, which is 1 where all got the same,
// and what all got. Linux beside Linux and ours beside ours tell how much of that is
// chance.
//
// A machine that is busy with something else makes bursts of the packets, and of the
// queue a matter of who is scheduled first: run it with chrt -r 10.
func BenchmarkFairness(b *testing.B) {
	if unable != nil {
		b.Skip(unable)
	}
	ours := func(n int) crowd { return crowd{ours: true, control: "cubic", size: n} }
	linux := func(n int) crowd { return crowd{control: "cubic", size: n} }
	far := func(c crowd) crowd { c.delay = 40 * time.Millisecond; return c }
	for _, f := range []struct {
		name  string
		queue float64
		a, b  crowd
	}{
		{"ten and ten", 1, ours(10), linux(10)},
		{"ten and ten, short queue", 0.5, ours(10), linux(10)},
		{"ten and ten, long queue", 2, ours(10), linux(10)},
		{"ten and one", 1, ours(10), linux(1)},
		{"one and ten", 1, ours(1), linux(10)},
		{"one and one", 1, ours(1), linux(1)},
		{"near and far Linux", 1, ours(10), far(linux(10))},
		{"far and near Linux", 1, far(ours(10)), linux(10)},
		{"Linux, near and far", 1, linux(10), far(linux(10))},
		{"ours, near and far", 1, ours(10), far(ours(10))},
		{"Linux and Linux", 1, linux(10), linux(10)},
		{"ours and ours", 1, ours(10), ours(10)},
	} {
		b.Run(f.name, func(b *testing.B) {
			m := tun.Impairment{Rate: fairRate, Delay: fairDelay, Queue: int(f.queue * fairRate / 8 * fairDelay.Seconds())}
			d, err := newDumbbell(tun.ImpairConfig{Out: m}, f.a, f.b)
			require.NoError(b, err)
			defer d.close()
			for b.Loop() {
				d.race(b)
			}
		})
	}
}

// The link of BenchmarkFairness.
const (
	fairRate   = 100_000_000 // bits a second
	fairDelay  = 20 * time.Millisecond
	fairSettle = 5 * time.Second // until CUBIC has settled; not counted
)

// fairTime is how long counts; WSSTACK_FAIR says otherwise.
func fairTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("WSSTACK_FAIR")); err == nil {
		return d
	}
	return 20 * time.Second
}

// race has all streams send for a while, and reports how they did.
func (d *dumbbell) race(b *testing.B) {
	var from, to []net.Conn
	for _, a := range d.access {
		for range a.size {
			sender, receiver, err := d.connect(a)
			require.NoError(b, err)
			from, to = append(from, sender), append(to, receiver)
		}
	}
	got := make([]atomic.Int64, len(from))
	var wg sync.WaitGroup
	for i := range from {
		wg.Go(func() { pour(from[i]) })
		wg.Go(func() { drain(to[i], &got[i]) })
	}
	time.Sleep(fairSettle)
	before := loads(got)
	time.Sleep(fairTime())
	after := loads(got)
	for i := range from {
		_ = from[i].Close()
		_ = to[i].Close()
	}
	wg.Wait()
	for i := range after {
		after[i] -= before[i]
	}
	d.report(b, after)
}

func loads(got []atomic.Int64) (all []float64) {
	for i := range got {
		all = append(all, float64(got[i].Load()))
	}
	return all
}

// report tells what the streams made of the bytes that each got.
func (d *dumbbell) report(b *testing.B, got []float64) {
	sum, squares := 0.0, 0.0
	crowds, n := [2]float64{}, d.access[0].size
	for i, x := range got {
		sum += x
		squares += x * x
		crowds[min(i/n, 1)] += x
	}
	b.ReportMetric(crowds[0]/float64(n)/(crowds[1]/float64(len(got)-n)), "ratio")
	b.ReportMetric(sum*sum/squares/float64(len(got)), "Jain")
	b.ReportMetric(sum*8/1e6/fairTime().Seconds(), "Mbit/s")
	b.ReportMetric(0, "ns/op")
}
