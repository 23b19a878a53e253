package stack

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/outside"
)

// strictClock is a clock whose monotonic readings strictly increase. netstack's
// RACK takes a segment with an equal transmit time and a higher end sequence for
// one sent earlier: with equal readings, a burst over a link without delay is
// marked lost as a whole, and is retransmitted without end.
type strictClock struct {
	tcpip.Clock
	real *outside.Clock // the same, which is read directly: it is read often; nil: another clock
	last atomic.Int64   // ns since the zero MonotonicTime
}

func newClock(c tcpip.Clock, door *outside.Door) tcpip.Clock {
	if c == nil {
		real := outside.NewClock(door)
		return &strictClock{Clock: real, real: real}
	}
	return &strictClock{Clock: c}
}

// Until is how far a time that the caller has from Now, or for the real clock
// from package time, is away.
func (c *strictClock) Until(t time.Time) time.Duration {
	if c.real != nil {
		return c.real.Until(t)
	}
	return t.Sub(c.Now())
}

// NowMonotonic implements tcpip.Clock.
func (c *strictClock) NowMonotonic() tcpip.MonotonicTime {
	var now int64
	if c.real != nil {
		now = int64(c.real.NowMonotonic().Sub(tcpip.MonotonicTime{}))
	} else {
		now = int64(c.Clock.NowMonotonic().Sub(tcpip.MonotonicTime{}))
	}
	for {
		last := c.last.Load()
		t := max(now, last+1)
		if c.last.CompareAndSwap(last, t) {
			return tcpip.MonotonicTime{}.Add(time.Duration(t))
		}
	}
}
