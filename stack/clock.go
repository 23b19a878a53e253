package stack

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// strictClock is a clock whose monotonic readings strictly increase. netstack's
// RACK takes a segment with an equal transmit time and a higher end sequence for
// one sent earlier: with equal readings, a burst over a link without delay is
// marked lost as a whole, and is retransmitted without end (netstack.md §11).
type strictClock struct {
	tcpip.Clock
	last atomic.Int64 // ns since the zero MonotonicTime
}

func newClock(c tcpip.Clock) tcpip.Clock {
	if c == nil {
		c = tcpip.NewStdClock()
	}
	return &strictClock{Clock: c}
}

// NowMonotonic implements tcpip.Clock.
func (c *strictClock) NowMonotonic() tcpip.MonotonicTime {
	now := int64(c.Clock.NowMonotonic().Sub(tcpip.MonotonicTime{}))
	for {
		last := c.last.Load()
		t := max(now, last+1)
		if c.last.CompareAndSwap(last, t) {
			return tcpip.MonotonicTime{}.Add(time.Duration(t))
		}
	}
}
