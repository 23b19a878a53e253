package conform

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Start is the network's time now, as the one that the scenario counts its
// times from: a trace begins with the handshake, "10 s of silence" doesn't. The
// trace of the result has a line that says so.
func (e *Env) Start() time.Duration {
	now := e.Net.Now()
	e.mark(now)
	return now
}

// mark is Start for a time that has passed. Times count from 0 by themselves.
func (e *Env) mark(at time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i, found := slices.BinarySearch(e.starts, at); at > 0 && !found {
		e.starts = slices.Insert(e.starts, i, at)
	}
}

// traceText is the trace of the network, one line per packet, with a line for
// each time of Start before the first packet that isn't earlier.
func (e *Env) traceText() string {
	e.mu.Lock()
	starts := slices.Clone(e.starts)
	e.mu.Unlock()
	var b strings.Builder
	before := func(at time.Duration) {
		for len(starts) > 0 && starts[0] <= at {
			fmt.Fprintf(&b, "%.3fs -- 0 s of times that count from here\n", starts[0].Seconds())
			starts = starts[1:]
		}
	}
	for _, l := range e.Net.Trace() {
		before(l.At)
		b.WriteString(l.Text + "\n")
	}
	return b.String() // what is left was followed by nothing
}
