package simnet

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/monotonic"
	"github.com/wsstack/wsstack/internal/outside"
)

// A realClock is the clock of package time, in a bubble or outside. It ends the process where a
// network that was made outside is used in a bubble, or one of a bubble outside: the runtime would
// do so a little later, without a word of what is wrong.
type realClock struct {
	bubbled bool         // the network is in a bubble
	begun   time.Time    // when the network was made
	bells   *bells       // rung when a timer fires
	timers  atomic.Int64 // how many have yet to fire
}

var _ tcpip.Clock = (*realClock)(nil)

// Now implements tcpip.Clock.
func (c *realClock) Now() time.Time {
	now := time.Now()
	switch {
	case outside.Fake(now) == c.bubbled:
	case c.bubbled:
		die("simnet: a clock or socket" + outsideOfBubble)
	default:
		die("simnet: a clock or socket" + outsideOfThisBubble)
	}
	return now
}

// NowMonotonic implements tcpip.Clock.
func (c *realClock) NowMonotonic() tcpip.MonotonicTime {
	return monotonic.At(startMonotonic + c.Now().Sub(c.begun))
}

// AfterFunc implements tcpip.Clock.
func (c *realClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	c.Now() // looks where the caller is
	c.timers.Add(1)
	return &realTimer{c, time.AfterFunc(d, func() {
		c.timers.Add(-1)
		c.bells.ring()
		f()
	})}
}

// A realTimer is a timer that its clock counts while it has yet to fire.
type realTimer struct {
	clock *realClock
	timer *time.Timer
}

// Stop implements tcpip.Timer.
func (t *realTimer) Stop() bool {
	t.clock.Now()
	stopped := t.timer.Stop()
	if stopped {
		t.clock.timers.Add(-1)
	}
	return stopped
}

// Reset implements tcpip.Timer.
func (t *realTimer) Reset(d time.Duration) {
	t.clock.Now()
	t.clock.timers.Add(1)
	if t.timer.Reset(d) { // it hadn't fired, and doesn't any more
		t.clock.timers.Add(-1)
	}
}
