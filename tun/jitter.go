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

// A drift is a sequence of standard normal numbers with a correlation: an autoregressive process of
// order 1.
type drift struct {
	last  float64
	drawn bool // whether there is a last number
}

// nextLocked draws the next number of a drift.
func (p *path) nextLocked(d *drift) float64 {
	z := p.rng.NormFloat64()
	if c := p.impairment.JitterCorrelation; c > 0 && d.drawn {
		z = float64(c*d.last) + float64(math.Sqrt(1-c*c)*z)
	}
	d.last, d.drawn = z, true
	return z
}

// delayLocked draws the delay of a packet.
func (p *path) delayLocked() time.Duration {
	m := &p.impairment
	switch {
	case m.Jitter == 0:
		return m.Delay
	case m.JitterDistribution == Uniform && m.JitterCorrelation == 0:
		return max(0, m.Delay+time.Duration(p.rng.Int64N(2*int64(m.Jitter)+1))-m.Jitter)
	}
	return max(0, m.Delay+time.Duration(p.deviationLocked()*float64(m.Jitter)))
}

// deviationLocked draws a deviation as a multiple of Jitter.
func (p *path) deviationLocked() float64 {
	z := p.nextLocked(&p.lots.jitter[0])
	switch p.impairment.JitterDistribution {
	case Normal:
		return cutNormal(z)
	case Pareto:
		return paretoOf(z)
	case ParetoNormal:
		// The variances of the two parts are 9 and 1.
		return (3*paretoOf(z) + cutNormal(p.nextLocked(&p.lots.jitter[1]))) / math.Sqrt(10)
	default:
		return 1 - float64(2*upper(z))
	}
}

// upper is the probability that a standard normal number is greater than z.
func upper(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// cutNormal cuts a standard normal number, which is greater than 4 once in 30,000 times.
func cutNormal(z float64) float64 { return min(max(z, -4), 4) }

// The Pareto distribution of shape 3 goes from 1 to infinity; what is beyond paretoMost is left
// out, a thousandth. The moments are those of what remains: of x³ from 1 to paretoMost, with the
// density 3/(x⁴·paretoShare).
const (
	paretoMost   = 10
	paretoShare  = 1 - 1./(paretoMost*paretoMost*paretoMost)
	paretoMean   = 3 / paretoShare * (1 - 1./(paretoMost*paretoMost)) / 2
	paretoSquare = 3 / paretoShare * (1 - 1./paretoMost)
)

var paretoDeviation = math.Sqrt(paretoSquare - paretoMean*paretoMean)

// paretoOf turns a standard normal number into one with a Pareto distribution, mean 0 and standard
// deviation 1: by way of the share of normal numbers that are greater.
func paretoOf(z float64) float64 {
	share := 1 - float64(paretoShare*(1-upper(z))) // from a thousandth to 1
	return (1/math.Cbrt(share) - paretoMean) / paretoDeviation
}
