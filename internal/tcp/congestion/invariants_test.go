package congestion

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestInvariants holds for any sequence of events, sensible or not.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 65535).Draw(t, "mss")
		c := New(rapid.SampledFrom(algorithms).Draw(t, "algorithm"), size, InitialWindow(size, rapid.Bool().Draw(t, "lost")))
		now := t0
		flight := rapid.OneOf(rapid.IntRange(0, 200*size), rapid.IntRange(0, 1<<30))
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now += time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "later"))
			window, threshold := c.Window(), c.Threshold()
			switch event := rapid.IntRange(0, 10).Draw(t, "event"); event {
			case 0:
				c.Lost(now, flight.Draw(t, "flight"))
				must(t, c.Window() <= max(window, 2*size), "a loss doesn't open the window")
				must(t, c.Window() == c.Threshold(), "after a loss the window is the threshold")
			case 1:
				again := rapid.Bool().Draw(t, "again")
				c.Timeout(now, flight.Draw(t, "flight"), again)
				must(t, c.Window() == size, "one segment after a time-out")
				must(t, !again || c.Threshold() == threshold, "the threshold stays")
			case 2:
				c.CongestionExperienced(now, flight.Draw(t, "flight"))
				must(t, c.Window() <= window, "a mark doesn't open the window")
			case 3:
				c.Undo(now)
				must(t, c.Window() >= window && c.Threshold() >= threshold, "undo takes nothing")
			case 4:
				c.Idle(now, time.Minute, time.Second)
				must(t, c.Window() <= window && c.Threshold() >= threshold, "idleness only narrows the window")
			case 10:
				c.Unused(flight.Draw(t, "used"))
				must(t, c.Window() <= window && c.Window() >= window/2 && c.Threshold() >= threshold, "what isn't used narrows the window, by half at most")
			case 5:
				size = rapid.IntRange(1, 65535).Draw(t, "mss")
				c.SetMSS(size)
			case 6:
				c.Exit(flight.Draw(t, "window"))
			default:
				a := Ack{Now: now, Bytes: rapid.IntRange(0, max(2*window, 1)).Draw(t, "bytes"), Limited: rapid.Bool().Draw(t, "limited"),
					RTT:   time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "rtt")),
					Round: rapid.Bool().Draw(t, "round")}
				a.SRTT = a.RTT
				c.Acked(a)
				must(t, c.Window() >= window, "an acknowledgement takes nothing")
				must(t, c.Window() <= window+max(a.Bytes, size)+1, "packet conservation: twice at most")
				must(t, a.Limited || c.Window() == window, "unused windows don't grow")
			}
			must(t, c.Window() >= size && c.Window() <= max(1<<30, size), "bounds of the window")
			must(t, c.Threshold() >= 2*size, "bound of the threshold")
		}
	})
}

func must(t *rapid.T, ok bool, what string) {
	if !ok {
		t.Fatal(what)
	}
}
