// Package bench measures wsstack beside a plain netstack (gonet) on the same
// link in the same run. One binary's throughput spreads by 10 to 25 % on a
// shared machine, so figures are ratios of interleaved rounds: the median and
// a 95 % confidence interval of it. A bound is missed only when the whole
// interval lies beyond it.
package bench

import (
	"fmt"
	"slices"
)

// Rounds is how many interleaved rounds a comparison has at least.
const Rounds = 11

// An Interval is the median of a sample and its 95 % confidence interval.
type Interval struct {
	Median, Low, High float64
}

// String implements fmt.Stringer.
func (i Interval) String() string {
	return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Median, i.Low, i.High)
}

// Compare runs a and b in turn, A B, B A, A B …, after one round that doesn't
// count, and returns the interval of the ratios a/b and the medians of both.
func Compare(rounds int, a, b func() float64) (ratio Interval, medianA, medianB float64) {
	a()
	b()
	var ratios, as, bs []float64
	for i := range max(rounds, Rounds) {
		var x, y float64
		if i%2 == 0 {
			x, y = a(), b()
		} else {
			y, x = b(), a()
		}
		ratios, as, bs = append(ratios, x/y), append(as, x), append(bs, y)
	}
	return MedianInterval(ratios), MedianInterval(as).Median, MedianInterval(bs).Median
}

// MedianInterval returns the median and the interval between those order
// statistics that hold the median of the distribution with at least 95 %
// probability, whatever the distribution is: the number of values below the
// median is binomial with p = 1/2. Fewer than 6 values give their whole range.
func MedianInterval(values []float64) Interval {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	if n == 0 {
		return Interval{}
	}
	rank := 0 // 0-based; the interval is v[rank] to v[n-1-rank]
	for below := 0.0; rank < n/2; rank++ {
		below += binomial(n, rank)
		if 2*below > 0.05 {
			break
		}
	}
	rank = max(rank-1, 0)
	return Interval{Median: (v[(n-1)/2] + v[n/2]) / 2, Low: v[rank], High: v[n-1-rank]}
}

// binomial is the probability of k heads in n fair throws.
func binomial(n, k int) float64 {
	p := 1.0
	for i := range n {
		p /= 2
		if i < k {
			p *= float64(n-i) / float64(k-i)
		}
	}
	return p
}
