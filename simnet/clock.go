package simnet

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/monotonic"
)

// The origins of virtual time: netstack takes time zero for "not set", so that neither clock starts
// there.
var startWall = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const startMonotonic = time.Hour

// A clock is virtual time, which stands still until the scheduler moves it.
//
//	AfterFunc, Reset ──▶ agenda, by (time, setting) ──pop──▶ the scheduler runs the function
//	                      │
//	                      └──Stop──▶ gone
//
// The functions of timers run one at a time, on the goroutine of the scheduler. mu is a leaf:
// nothing is called with it held.
type clock struct {
	mu       sync.Mutex
	now      time.Duration         // since New
	sequence uint64                // how often a timer was set
	timers   agenda.Agenda[*timer] // those that have yet to fire
}

// An owner says which hosts have to settle after a timer has fired.
type owner struct {
	host *Host // the host whose timer it is; nil: see all
	all  bool  // the timer is one of the user's: all hosts have to settle
}

// A clockView is the clock as one owner sees it.
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

// AfterFunc implements tcpip.Clock. A timer for a zero or negative time fires at this instant,
// after what is under way.
func (v clockView) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &timer{c: v.c, f: f, owner: v.owner}
	t.Reset(d)
	return t
}

// read is the time since New.
func (c *clock) read() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// next returns the time of the first timer, and whether there is one.
func (c *clock) next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timers.Len() == 0 {
		return 0, false
	}
	return c.timers.First().At, true
}

// running is how many timers have yet to fire.
func (c *clock) running() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timers.Len()
}

// pop takes the first timer that is due by the limit, and moves the clock to the time of the timer.
// It returns nil where no timer is due by then.
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

// A timer is a tcpip.Timer of virtual time.
type timer struct {
	c     *clock
	f     func()
	owner owner

	agenda.Slot // guarded by c.mu; At: when the timer fires; Order: clock.sequence when it was set
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
