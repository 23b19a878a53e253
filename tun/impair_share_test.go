package tun

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fatesOf sends n packets at once and returns their fates.
func fatesOf(t *testing.T, m Impairment, n int) (fates []Fate) {
	t.Helper()
	c := &fakeClock{}
	p := &sentTo{clock: c}
	i, err := Impair(p, ImpairConfig{Out: m, Clock: c, Rand: rand.NewPCG(7, 1), Observe: func(_ Direction, _ *Packet, f Fate) {
		fates = append(fates, f)
	}})
	require.NoError(t, err)
	sendNumbered(t, i, c, 1, n, 20, 0)
	require.Len(t, fates, n)
	return fates
}

// moments are the mean of a sequence, its standard deviation, and the correlation of members that
// are so many apart.
func moments(x []float64, apart int) (mean, deviation, correlation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	square, product := 0., 0.
	for i, v := range x {
		square += (v - mean) * (v - mean)
		if i >= apart {
			product += (v - mean) * (x[i-apart] - mean)
		}
	}
	return mean, math.Sqrt(square / float64(len(x))), product / square
}

// A lot keeps its share in the long run, with any correlation, and has the correlation that is
// asked for: to the power of how far two packets are apart.
func TestImpair_CorrelatedShares(t *testing.T) {
	const n = 40_000
	for _, c := range []struct {
		bit Fate
		set func(m *Impairment, share, correlation float64)
	}{
		{Lost, func(m *Impairment, p, c float64) { m.Loss, m.LossCorrelation = p, c }},
		{Duplicated, func(m *Impairment, p, c float64) { m.Duplicate, m.DuplicateCorrelation = p, c }},
		{Corrupted, func(m *Impairment, p, c float64) { m.Corrupt, m.CorruptCorrelation = p, c }},
		{Reordered, func(m *Impairment, p, c float64) { m.Reorder, m.ReorderCorrelation = p, c }},
	} {
		for _, correlation := range []float64{0, 0.25, 0.8} {
			const share = 0.2
			var m Impairment
			c.set(&m, share, correlation)
			var x []float64
			for _, f := range fatesOf(t, m, n) {
				v := 0.
				if f == c.bit {
					v = 1
				}
				x = append(x, v)
			}
			mean, _, next := moments(x, 1)
			_, _, third := moments(x, 3)
			// The correlation makes the mean of n packets as uncertain as that of fewer.
			uncertain := math.Sqrt(share * (1 - share) / n * (1 + correlation) / (1 - correlation))
			require.InDelta(t, share, mean, 4*uncertain, "%v, correlation %v", c.bit, correlation)
			require.InDelta(t, correlation, next, 0.03, "%v", c.bit)
			require.InDelta(t, math.Pow(correlation, 3), third, 0.04, "%v", c.bit)
		}
	}
}

// A change of the probability holds at once, in the middle of a run of losses too.
func TestImpair_CorrelationForgets(t *testing.T) {
	i, p, c := newBench(t, Impairment{Loss: 1, LossCorrelation: 0.999}, 1)
	sendNumbered(t, i, c, 1, 10, 20, 0)
	require.NoError(t, i.SetOut(Impairment{Loss: 1e-9, LossCorrelation: 0.999}))
	sendNumbered(t, i, c, 11, 20, 20, 0)
	require.Equal(t, []int{11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, p.numbers)
}

// The model of Gilbert and Elliott with its four probabilities: losses in the good state as well.
func TestImpair_BurstWithLossesBetween(t *testing.T) {
	const n, enter, leave, loss, good = 100_000, 0.02, 0.1, 0.6, 0.05
	lost := 0
	var runs []float64
	for _, f := range fatesOf(t, Impairment{Burst: Burst{Enter: enter, Leave: leave, Loss: loss, GoodLoss: good}}, n) {
		v := 0.
		if f == Lost {
			lost, v = lost+1, 1
		}
		runs = append(runs, v)
	}
	bad := enter / (enter + leave)
	mean := bad*loss + (1-bad)*good
	require.InEpsilon(t, mean, float64(lost)/n, 0.05)
	// The states have the correlation 1-enter-leave, of which the losses see a part.
	want := bad * (1 - bad) * (loss - good) * (loss - good) * (1 - enter - leave) / (mean * (1 - mean))
	_, _, got := moments(runs, 1)
	require.InDelta(t, want, got, 0.02)
}

func TestImpair_LossPackets(t *testing.T) {
	numbers := []uint64{9, 1, 3, 4, 3, 1 << 40}
	i, p, c := newBench(t, Impairment{LossPackets: numbers, MTU: 100}, 1)
	numbers[0] = 2 // the list is a copy
	sendNumbered(t, i, c, 1, 4, 20, 0)
	sendNumbered(t, i, c, 5, 5, 200, 0) // too big, and counts
	sendNumbered(t, i, c, 6, 10, 20, 0)
	require.Equal(t, []int{2, 6, 7, 8, 10}, p.numbers)

	// Packets count from the first on, also those that passed before.
	require.NoError(t, i.SetOut(Impairment{}))
	sendNumbered(t, i, c, 11, 12, 20, 0)
	require.NoError(t, i.SetOut(Impairment{LossPackets: []uint64{1, 12, 14}}))
	sendNumbered(t, i, c, 13, 15, 20, 0)
	require.Equal(t, []int{11, 12, 13, 15}, p.numbers[5:])
	out, _ := i.Impairments()
	require.Equal(t, []uint64{1, 12, 14}, out.LossPackets)
	out.LossPackets[2] = 16 // a copy again
	sendNumbered(t, i, c, 16, 16, 20, 0)
	require.Equal(t, 16, p.numbers[9])
}

// delaysOf draws n delays in milliseconds.
func delaysOf(t *testing.T, m Impairment, n int) (ms []float64) {
	t.Helper()
	i, _, _ := newBench(t, m, 11)
	for range n {
		ms = append(ms, i.out.delayLocked().Seconds()*1000)
	}
	return ms
}

// The distributions have the mean and the deviation that they should have, and the shape: the
// quantiles are those of the formulas.
func TestImpair_JitterDistributions(t *testing.T) {
	const n, delay, jitter = 200_000, 1000, 10
	for _, c := range []struct {
		d                     Distribution
		deviation             float64 // as a multiple of the jitter
		q25, median, q75, q99 float64 // quantiles, as multiples of the jitter
		least, most           float64 // as multiples of the jitter
	}{
		{Uniform, 1 / math.Sqrt(3), -0.5, 0, 0.5, 0.98, -1, 1},
		{Normal, 1, -0.674, 0, 0.674, 2.326, -4, 4},
		// x = (1-0.999u)^(-1/3), mean 1.48649, deviation 0.7021.
		{Pareto, 1, -0.549, -0.324, 0.1415, 4.289, -0.693, 12.13},
		// The quantiles are those of a million such sums, made by another program.
		{ParetoNormal, 1, -0.553, -0.229, 0.228, 4.089, -1.93, 12.8},
	} {
		for _, correlation := range []float64{0, 0.3} {
			ms := delaysOf(t, Impairment{Delay: delay * time.Millisecond, Jitter: jitter * time.Millisecond, JitterDistribution: c.d, JitterCorrelation: correlation}, n)
			mean, deviation, next := moments(ms, 1)
			require.InDelta(t, delay, mean, 5*jitter/math.Sqrt(n)*(1+correlation)/(1-correlation), "%v", c.d)
			require.InEpsilon(t, c.deviation*jitter, deviation, 0.02, "%v", c.d)
			require.InDelta(t, correlation, next, 0.02, "%v", c.d)
			slices.Sort(ms)
			require.GreaterOrEqual(t, ms[0], delay+c.least*jitter-1e-3, "%v", c.d)
			require.LessOrEqual(t, ms[n-1], delay+c.most*jitter+1e-3, "%v", c.d)
			for q, want := range map[float64]float64{0.25: c.q25, 0.5: c.median, 0.75: c.q75, 0.99: c.q99} {
				if got := (ms[int(q*n)] - delay) / jitter; math.Abs(got-want) > 0.02+0.03*math.Abs(want) {
					t.Errorf("%v, correlation %v: the quantile %v is %v, want %v", c.d, correlation, q, got, want)
				}
			}
		}
	}
}

// The correlation goes down to the power of how far two delays are apart.
func TestImpair_JitterCorrelation(t *testing.T) {
	const n = 100_000
	ms := delaysOf(t, Impairment{Delay: time.Second, Jitter: time.Millisecond, JitterDistribution: ParetoNormal, JitterCorrelation: 0.9}, n)
	for apart, want := range map[int]float64{1: 0.9, 5: math.Pow(0.9, 5), 200: 0} {
		_, _, got := moments(ms, apart)
		require.InDelta(t, want, got, 0.04, "%d apart", apart)
	}
}

func TestImpair_DelaysAreNotNegative(t *testing.T) {
	for d := Uniform; d <= ParetoNormal; d++ {
		for _, correlation := range []float64{0, 0.5} {
			ms := delaysOf(t, Impairment{Delay: time.Millisecond, Jitter: maxImpairmentDelay, JitterDistribution: d, JitterCorrelation: correlation}, 1000)
			require.Zero(t, slices.Min(ms), "%v", d)
			require.Greater(t, slices.Max(ms), 1e6, "%v", d)
		}
	}
}

// Packets keep their order, or come when their delays have passed.
func TestImpair_JitterReorders(t *testing.T) {
	m := Impairment{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, JitterDistribution: Normal}
	i, p, c := newBench(t, m, 1)
	sendNumbered(t, i, c, 1, 500, 20, time.Millisecond)
	c.advance(time.Second)
	require.True(t, slices.IsSorted(p.numbers))

	m.JitterReorders = true
	i, p, c = newBench(t, m, 1)
	sendNumbered(t, i, c, 1, 500, 20, time.Millisecond)
	require.NoError(t, i.SetOut(Impairment{}))
	sendNumbered(t, i, c, 501, 501, 20, 0)
	c.advance(time.Second)
	require.Len(t, p.numbers, 501)
	require.False(t, slices.IsSorted(p.numbers))
	require.Equal(t, 501, p.numbers[500], "what is sent without jitter again overtakes nothing")
	sum := 0.
	for k, number := range p.numbers[:500] {
		sum += (p.times[k] - time.Duration(number-1)*time.Millisecond).Seconds()
	}
	require.InDelta(t, 0.020, sum/500, 0.001, "nothing waits for a packet that is late")
}
