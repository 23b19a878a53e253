package outside

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/monotonic"
)

// A Clock is the real clock, for callers in bubbles, too: the timers of a Clock
// belong to no bubble, so that anybody may stop them and set them again. It is
// safe for concurrent use.
type Clock struct {
	door  *Door
	start time.Time
}

var _ tcpip.Clock = (*Clock)(nil)

// NewClock returns a clock behind a door that is open.
func NewClock(d *Door) *Clock { return &Clock{door: d, start: time.Now()} }

// aYear is more than a process lasts, and less than the 30 years that the time
// of a bubble is away.
const aYear = 365 * 24 * time.Hour

// elapsed is the time since the clock was made by the time of the caller, and
// reports whether that is the one of a bubble. The former is cheaper to read.
func (c *Clock) elapsed() (since time.Duration, foreign bool) {
	since = time.Since(c.start)
	return since, (since < 0 || since > aYear) && c.door.errands != nil && bubbled()
}

// Now implements tcpip.Clock.
func (c *Clock) Now() time.Time {
	if _, foreign := c.elapsed(); foreign {
		return c.read()
	}
	return time.Now()
}

// read is the time outside.
func (c *Clock) read() (now time.Time) {
	c.door.Do(func() { now = time.Now() })
	return now
}

// NowMonotonic implements tcpip.Clock: the time since the clock was made.
func (c *Clock) NowMonotonic() tcpip.MonotonicTime {
	since, foreign := c.elapsed()
	if foreign {
		since = c.read().Sub(c.start)
	}
	return monotonic.At(since)
}

// Until is how far a time is away that the caller has from package time: in a
// bubble, by the time of the bubble.
func (c *Clock) Until(t time.Time) time.Duration { return time.Until(t) }

// AfterFunc implements tcpip.Clock.
func (c *Clock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &timer{clock: c}
	if _, foreign := c.elapsed(); foreign {
		c.door.Do(func() { t.Timer = time.AfterFunc(d, f) })
	} else {
		t.Timer = time.AfterFunc(d, f)
	}
	return t
}

// timer is one that belongs to no bubble. Anybody may stop it; to set it again
// takes the time of the outside.
type timer struct {
	*time.Timer
	clock *Clock
}

// Reset implements tcpip.Timer.
func (t *timer) Reset(d time.Duration) {
	if _, foreign := t.clock.elapsed(); foreign {
		t.clock.door.Do(func() { t.Timer.Reset(d) })
		return
	}
	t.Timer.Reset(d)
}
