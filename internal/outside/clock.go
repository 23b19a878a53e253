package outside

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/monotonic"
)

// A Clock is the real clock, for callers in bubbles as well: the timers of a Clock belong to no
// bubble, so that anybody may stop them and set them again. A Clock is safe for concurrent use.
type Clock struct {
	door  *Door     // the way out of bubbles
	start time.Time // when the Clock was made
}

var _ tcpip.Clock = (*Clock)(nil)

// NewClock returns a Clock behind a Door that is open.
func NewClock(d *Door) *Clock { return &Clock{door: d, start: time.Now()} }

// aYear is longer than a process lasts, and shorter than the 30 years that the time of a bubble
// differs.
const aYear = 365 * 24 * time.Hour

// elapsed is how long ago the Clock was made by the time of the caller, and whether that is the
// time of a bubble. The time is cheaper to read than the latter is to find out.
func (c *Clock) elapsed() (since time.Duration, foreign bool) {
	since = time.Since(c.start)
	return since, (since < 0 || since > aYear) && c.door.errands != nil && Bubbled()
}

// Now implements tcpip.Clock.
func (c *Clock) Now() time.Time {
	if _, foreign := c.elapsed(); foreign {
		return c.read()
	}
	return time.Now()
}

// read is the time outside of the caller's bubble.
func (c *Clock) read() (now time.Time) {
	c.door.Do(func() { now = time.Now() })
	return now
}

// NowMonotonic implements tcpip.Clock: its origin is the time at which the Clock was made.
func (c *Clock) NowMonotonic() tcpip.MonotonicTime {
	since, foreign := c.elapsed()
	if foreign {
		since = c.read().Sub(c.start)
	}
	return monotonic.At(since)
}

// Until is how far away a time is that the caller has from package time. In a bubble the time of
// the bubble counts.
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

// A timer is a tcpip.Timer that belongs to no bubble. Anybody may stop it; setting it again takes
// the time outside.
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
