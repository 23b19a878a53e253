package bench

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/assert"
)

// For 11 values the interval is from the second to the tenth: 98.8 %.
func TestMedianInterval(t *testing.T) {
	i := MedianInterval([]float64{11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1})
	assert.Equal(t, Interval{Median: 6, Low: 2, High: 10}, i)
	assert.Equal(t, Interval{Median: 2, Low: 1, High: 3}, MedianInterval([]float64{3, 1, 2}))
	assert.Equal(t, Interval{}, MedianInterval(nil))
	assert.InDelta(t, 1, binomial(5, 0)+binomial(5, 1)+binomial(5, 2)+binomial(5, 3)+binomial(5, 4)+binomial(5, 5), 1e-12)
}

// The interval holds the true median in at least 95 % of all samples.
func TestMedianIntervalCovers(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	const samples = 5000
	for _, n := range []int{11, 15, 25} {
		held := 0
		for range samples {
			values := make([]float64, n)
			for i := range values {
				values[i] = rng.ExpFloat64() // its median is ln 2
			}
			if i := MedianInterval(values); i.Low <= 0.693147 && 0.693147 <= i.High {
				held++
			}
		}
		assert.Greater(t, float64(held)/samples, 0.95, "n = %d", n)
	}
}
