package simnet

import (
	"container/heap"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
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
	timers   timerHeap
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
	return tcpip.MonotonicTime{}.Add(startMonotonic + v.c.read())
}

// AfterFunc implements tcpip.Clock. Zero and negative times mean: at this
// instant, after what is under way.
func (v clockView) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &timer{c: v.c, f: f, owner: v.owner, index: -1}
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
	if len(c.timers) == 0 {
		return 0, false
	}
	return c.timers[0].when, true
}

// running is the number of timers that have yet to fire.
func (c *clock) running() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// pop takes the first timer that is due by the limit, and moves the clock to
// its time.
func (c *clock) pop(limit time.Duration) *timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 || c.timers[0].when > limit {
		return nil
	}
	t := heap.Pop(&c.timers).(*timer)
	c.now = max(c.now, t.when)
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

	when     time.Duration // this and the rest: guarded by c.mu
	sequence uint64
	index    int // in c.timers; -1: not running
}

// Stop implements tcpip.Timer.
func (t *timer) Stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.c.timers, t.index)
	return true
}

// Reset implements tcpip.Timer. A reset timer counts as new: it fires after
// those that were set before for the same time.
func (t *timer) Reset(d time.Duration) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sequence++
	t.when, t.sequence = c.now+max(d, 0), c.sequence
	if t.when < c.now { // an overflow: never
		t.when = 1<<63 - 1
	}
	if t.index < 0 {
		heap.Push(&c.timers, t)
	} else {
		heap.Fix(&c.timers, t.index)
	}
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].when != h[j].when {
		return h[i].when < h[j].when
	}
	return h[i].sequence < h[j].sequence
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *timerHeap) Pop() any {
	old := *h
	last := len(old) - 1
	t := old[last]
	old[last] = nil
	t.index = -1
	*h = old[:last]
	return t
}
