package tun

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A trace goes on where it is when something else changes, and begins anew when it is another one.
func TestQueue_TraceGoesOn(t *testing.T) {
	trace := rateTrace(t, 10)
	i, p, c := newBench(t, Impairment{RateTrace: trace}, 1)
	c.advance(7 * ms)
	sendNumbered(t, i, c, 1, 2, 1500, 0)
	require.NoError(t, i.SetOut(Impairment{RateTrace: trace, Delay: ms}))
	c.advance(10 * ms)
	require.NoError(t, i.SetOut(Impairment{RateTrace: rateTrace(t, 10)}))
	c.advance(time.Hour)
	require.Equal(t, []time.Duration{11 * ms, 27 * ms}, p.times)
}

// What has waited in vain for an opportunity of a trace leaves at the rate that comes after it, from
// then on: nothing has begun before.
func TestQueue_TraceEnds(t *testing.T) {
	for _, to := range []Impairment{
		{Rate: 12_000_000, QueuePackets: 100}, {Rate: 12_000_000}, {Rate: 12_000_000, Discipline: CoDel},
	} {
		i, p, c := newBench(t, Impairment{RateTrace: rateTrace(t, 10_000), QueuePackets: 100}, 1)
		sendNumbered(t, i, c, 1, 3, 1500, 0)
		c.advance(9 * time.Second)
		require.NoError(t, i.SetOut(to))
		c.advance(time.Hour)
		require.Equal(t, []time.Duration{9001 * ms, 9002 * ms, 9003 * ms}, p.times)
	}
}
