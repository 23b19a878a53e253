package stack

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// withheld counts the segments of netstack that the filter keeps from leaving, which
// netstack counts as sent.
type withheld struct{ segments, resets atomic.Uint64 }

func (w *withheld) count(t header.TCP) {
	w.segments.Add(1)
	if t.Flags().Contains(header.TCPFlagRst) {
		w.resets.Add(1)
	}
}

// outOf is what is left of a count of netstack's: it is counted here first.
func outOf(sent *tcpip.StatCounter, kept *atomic.Uint64) uint64 {
	n := sent.Value()
	return n - min(n, kept.Load())
}
