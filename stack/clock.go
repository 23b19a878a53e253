package stack

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// strictClock is a clock whose monotonic readings strictly increase. netstack's
// RACK takes a segment with an equal transmit time and a higher end sequence for
// one sent earlier: with equal readings, a burst over a link without delay is
// marked lost as a whole, and is retransmitted without end.
type strictClock struct {
	tcpip.Clock
	start time.Time    // of the real clock, which is read directly: it is read often; else zero
	last  atomic.Int64 // ns since the zero MonotonicTime
}

func newClock(c tcpip.Clock) tcpip.Clock {
	if c == nil {
		return &strictClock{Clock: tcpip.NewStdClock(), start: time.Now()}
	}
	return &strictClock{Clock: c}
}

// NowMonotonic implements tcpip.Clock.
func (c *strictClock) NowMonotonic() tcpip.MonotonicTime {
	var now int64
	if c.start.IsZero() {
		now = int64(c.Clock.NowMonotonic().Sub(tcpip.MonotonicTime{}))
	} else {
		now = int64(time.Since(c.start))
	}
	for {
		last := c.last.Load()
		t := max(now, last+1)
		if c.last.CompareAndSwap(last, t) {
			return tcpip.MonotonicTime{}.Add(time.Duration(t))
		}
	}
}
