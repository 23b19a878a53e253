package tun

import (
	"fmt"
	"math"
	"time"
)

// A Distribution is the distribution of the deviations that [Impairment.Jitter] makes. The names
// are those of Linux's netem.
type Distribution uint8

// The distributions. Their mean is 0.
const (
	// Uniform deviations are all equally likely between −Jitter and Jitter.
	Uniform Distribution = iota

	// Normal deviations have the standard deviation Jitter, and are cut at 4 times Jitter.
	Normal

	// Pareto deviations are those of a Pareto distribution of shape 3, moved and stretched to the
	// standard deviation Jitter: most packets are a little early, at most by 0.7 times Jitter, and
	// few are very late, at most by 12.2 times Jitter.
	Pareto

	// ParetoNormal deviations are the sum of a Pareto deviation with weight 3 and a Normal deviation
	// with weight 1, stretched to the standard deviation Jitter.
	ParetoNormal
)

var distributionNames = []string{"uniform", "normal", "pareto", "paretonormal"}

// String returns the name of the distribution as netem writes it.
func (d Distribution) String() string {
	if int(d) < len(distributionNames) {
		return distributionNames[d]
	}
	return fmt.Sprintf("Distribution(%d)", uint8(d))
}

// delayLocked draws the delay of a packet.
func (p *path) delayLocked() time.Duration {
	m := &p.impairment
	if m.Jitter == 0 {
		return m.Delay
	}
	l := &p.lots
	if m.JitterCorrelation == 0 || !l.deviates || !p.chance(m.JitterCorrelation) {
		l.deviation, l.deviates = p.deviationLocked(), true
	}
	return max(0, m.Delay+l.deviation)
}

// deviationLocked draws a deviation.
func (p *path) deviationLocked() time.Duration {
	jitter := p.impairment.Jitter
	times := 0.
	switch p.impairment.JitterDistribution {
	case Uniform:
		return time.Duration(p.rng.Int64N(2*int64(jitter)+1)) - jitter
	case Normal:
		times = p.normalLocked()
	case Pareto:
		times = p.paretoLocked()
	case ParetoNormal:
		// The variances of the two parts are 9 and 1.
		times = (float64(3*p.paretoLocked()) + p.normalLocked()) / math.Sqrt(10)
	}
	return time.Duration(times * float64(jitter))
}

// normalLocked draws a standard normal number, which is cut at 4. Once in 16,000 times it would be
// beyond that.
func (p *path) normalLocked() float64 { return min(max(p.rng.NormFloat64(), -4), 4) }

// The Pareto distribution of shape 3 goes from 1 to infinity. What is beyond paretoMost, a
// thousandth, is left out, and the moments are those of what remains: of numbers from 1 to
// paretoMost with the density 3/(x⁴·paretoShare).
const (
	paretoMost   = 10
	paretoShare  = 1 - 1./(paretoMost*paretoMost*paretoMost)
	paretoMean   = 3 / paretoShare * (1 - 1./(paretoMost*paretoMost)) / 2
	paretoSquare = 3 / paretoShare * (1 - 1./paretoMost)
)

var paretoDeviation = math.Sqrt(paretoSquare - paretoMean*paretoMean)

// paretoLocked draws a number with that Pareto distribution, moved and stretched to mean 0 and
// standard deviation 1. It is the inverse of the distribution function, of an even number.
func (p *path) paretoLocked() float64 {
	beyond := 1 - float64(paretoShare*p.rng.Float64()) // from a thousandth to 1
	return (1/math.Cbrt(beyond) - paretoMean) / paretoDeviation
}
