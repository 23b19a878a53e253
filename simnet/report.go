package simnet

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
)

// A HangError says that nothing can happen any more: no goroutine is ready, no packet is on its
// way, no timer is set.
type HangError struct {
	At     time.Duration // when the network stood still, as the time since New
	What   string        // what the call waited for, and didn't come about
	Report string        // who waits for what, and the last packets
}

// Error implements error.
func (e *HangError) Error() string {
	return fmt.Sprintf("simnet: nothing can happen any more at %s, before %s\n%s", seconds(e.At), e.What, e.Report)
}

// reportPackets is how many packets a report shows at most.
const reportPackets = 12

// report says who waits for what, and what happened last.
func (n *Network) report() string {
	var b strings.Builder
	n.mu.Lock()
	if len(n.tasks) == 0 {
		b.WriteString("no goroutine of the network is left\n")
	}
	for _, t := range n.tasks {
		state := "is ready"
		switch {
		case n.real:
			state = "hasn't returned"
		case t.reason != "":
			state = fmt.Sprintf("waits for %s since %s", t.reason, seconds(t.since))
		}
		kind := ""
		if t.background {
			kind = "background "
		}
		fmt.Fprintf(&b, "%sgoroutine %q %s\n", kind, t.name, state)
	}
	n.mu.Unlock()
	n.blocked.report(&b)
	if n.clock != nil {
		if next, ok := n.clock.next(); ok {
			fmt.Fprintf(&b, "the next timer is set for %s\n", seconds(next))
		}
	}
	lines := n.Trace()
	if len(lines) > reportPackets {
		lines = lines[len(lines)-reportPackets:]
	}
	if len(lines) == 0 {
		b.WriteString("there was no packet")
		return b.String()
	}
	b.WriteString("last packets:")
	for _, l := range lines {
		b.WriteString("\n  ")
		b.WriteString(l.Text)
	}
	return b.String()
}

// seconds is a time as traces write it.
func seconds(d time.Duration) string { return string(trace.AppendTime(nil, d)) }
