package simnet

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/monotonic"
)

// The start of virtual time. netstack takes time zero for "not set", so neither
// clock starts there.
var startWall = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const startMonotonic = time.Hour

// clock is virtual time: it stands still until the scheduler moves it.
//
//	AfterFunc, Reset ──▶ heap, by (time, creation) ──pop──▶ the scheduler runs it
//	                      │
//	                      └──Stop──▶ gone
//
// Timers' functions run one at a time, on the scheduler's goroutine. mu is a
// leaf: nothing is called with it held.
type clock struct {
	mu       sync.Mutex
	now      time.Duration // since the start
	sequence uint64
	timers   agenda.Agenda[*timer]
}

// owner is whose timer it is: who has to settle after it fired.
type owner struct {
	host *Host // nil: see all
	all  bool  // a timer of the user's: any host
}

// clockView is the clock as one owner sees it.
type clockView struct {
	c     *clock
	owner owner
}

var _ tcpip.Clock = clockView{}

// Now implements tcpip.Clock: wall time.
func (v clockView) Now() time.Time { return startWall.Add(v.c.read()) }

// NowMonotonic implements tcpip.Clock.
func (v clockView) NowMonotonic() tcpip.MonotonicTime {
	return monotonic.At(startMonotonic + v.c.read())
}

// AfterFunc implements tcpip.Clock. Zero and negative times mean: at this
// instant, after what is under way.
func (v clockView) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &timer{c: v.c, f: f, owner: v.owner}
	t.Reset(d)
	return t
}

func (c *clock) read() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// next returns the time of the first timer.
func (c *clock) next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timers.Len() == 0 {
		return 0, false
	}
	return c.timers.First().At, true
}

// running is the number of timers that have yet to fire.
func (c *clock) running() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timers.Len()
}

// pop takes the first timer that is due by the limit, and moves the clock to
// its time.
func (c *clock) pop(limit time.Duration) *timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timers.Len() == 0 || c.timers.First().At > limit {
		return nil
	}
	t := c.timers.Pop()
	c.now = max(c.now, t.At)
	return t
}

// set moves the clock forward. Precondition: no timer is due before.
func (c *clock) set(to time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, to)
}

// timer is a tcpip.Timer.
type timer struct {
	c     *clock
	f     func()
	owner owner

	agenda.Slot // guarded by c.mu; Order: how often timers had been set before, one more
}

// Stop implements tcpip.Timer.
func (t *timer) Stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.Scheduled() {
		return false
	}
	t.c.timers.Remove(t)
	return true
}

// Reset implements tcpip.Timer. A reset timer counts as new: it fires after
// those that were set before for the same time.
func (t *timer) Reset(d time.Duration) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sequence++
	t.At, t.Order = c.now+max(d, 0), c.sequence
	if t.At < c.now { // an overflow: never
		t.At = 1<<63 - 1
	}
	if t.Scheduled() {
		c.timers.Fix(t)
	} else {
		c.timers.Add(t)
	}
}
