package endpoint

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
)

// Each of the first round trips is a sample, later one in laterTrips is, and the
// minimum of them counts, also across the wrap of the numbers and of the clock.
func TestTallySamples(t *testing.T) {
	var w tally
	clock := faketime.NewManualClock()
	clock.Advance((1 << 32) * time.Microsecond * 999 / 1000)
	trip := func(end uint32, d time.Duration) bool {
		w.measure(end, clock)
		sampled := w.rttEnd.Load() != 0
		clock.Advance(d)
		w.acked(end, clock)
		require.Zero(t, w.rttEnd.Load())
		return sampled
	}
	sampled := 0
	end := ^uint32(0) - earlyTrips/2
	for range earlyTrips {
		end++
		if trip(end, time.Second) {
			sampled++
		}
	}
	require.Equal(t, earlyTrips-1, sampled, "all but the one that ends at 0")
	require.EqualValues(t, 1_000_000, w.minRTT.Load())
	sampled = 0
	for range 4 * laterTrips {
		end++
		if trip(end, 3*time.Millisecond) {
			sampled++
		}
	}
	require.Equal(t, 4, sampled)
	require.EqualValues(t, 3000, w.minRTT.Load())
	require.False(t, trip(end+1, 0))
	for range laterTrips {
		end++
		trip(end, 0)
	}
	require.EqualValues(t, 1, w.minRTT.Load(), "less than a microsecond")
}

// A sendingClock sends whenever it is read.
type sendingClock struct {
	*faketime.ManualClock
	send func()
}

func (c sendingClock) NowMonotonic() tcpip.MonotonicTime {
	c.send()
	return c.ManualClock.NowMonotonic()
}

// Calls send while the pump handles an acknowledgement: the next sample doesn't
// shorten this one.
func TestTallySampleWhileSending(t *testing.T) {
	var w tally
	clock := faketime.NewManualClock()
	w.measure(1000, clock)
	clock.Advance(100 * time.Millisecond)
	w.acked(1000, sendingClock{clock, func() { w.measure(2000, clock) }})
	require.EqualValues(t, 100_000, w.minRTT.Load())
	clock.Advance(50 * time.Millisecond)
	w.acked(2000, clock)
	require.EqualValues(t, 50_000, w.minRTT.Load())
}
