// Package monotonic turns readings of gVisor's monotonic clock into durations, and back. gVisor
// lets such readings only be compared and subtracted; whoever computes with times of a clock takes
// the time since its origin.
package monotonic

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// Since is how long after the clock's origin a reading was taken.
func Since(t tcpip.MonotonicTime) time.Duration { return t.Sub(tcpip.MonotonicTime{}) }

// At is the reading so long after the clock's origin: the inverse of Since.
func At(since time.Duration) tcpip.MonotonicTime { return tcpip.MonotonicTime{}.Add(since) }
