package wait

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// A Deadline bounds the calls of one direction of a net.Conn, on the stack's clock, or
// those of a Thread. It has one timer in its life, so that a deadline for each Read
// allocates nothing. A nil Deadline never passes.
type Deadline struct {
	mu      sync.Mutex
	timer   tcpip.Timer         // made with the first deadline that is still to come
	at      tcpip.MonotonicTime // when it passes, while armed is set
	armed   bool
	stopped bool // by Close: no timer starts any more
	passed  atomic.Bool
	thread  *Thread // the thread whose calls it bounds; nil: it is of a net face
}

// Passed reports that calls must end.
func (d *Deadline) Passed() bool { return d != nil && d.passed.Load() }

// Block makes a call that is about to wait do so as its thread does, if the deadline is
// of one, and returns the call. The call is listed: its waiter stays the one that others
// signal.
func (d *Deadline) Block(c *Call) *Call {
	if d != nil && d.thread != nil {
		c.thread, c.pooled = d.thread, false
		d.thread.block(c.waiter)
	}
	return c
}

// BlockOn is Block for a call that waits on w and is in no list: it returns what to wait
// on.
func (d *Deadline) BlockOn(w Waiter) Waiter {
	if d == nil || d.thread == nil {
		return w
	}
	d.thread.block(w)
	return hookWaiter{w, d.thread}
}

// until is how far a time is away that the user of a clock has: one that is
// read in a bubble of testing/synctest has a word for it.
func until(clock tcpip.Clock, t time.Time) time.Duration {
	if c, ok := clock.(interface {
		Until(time.Time) time.Duration
	}); ok {
		return c.Until(t)
	}
	return t.Sub(clock.Now())
}

// Set arms the deadline, to wake the calls that wait for mask when it has
// passed; the zero time disarms it. The clock and the calls are the same each time.
func (d *Deadline) Set(clock tcpip.Clock, calls *Calls, mask waiter.EventMask, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.disarmLocked()
	if d.stopped {
		return
	}
	if t.IsZero() {
		d.passed.Store(false)
		return
	}
	wait := until(clock, t)
	if wait <= 0 {
		d.passed.Store(true)
		calls.Wake(mask)
		return
	}
	d.passed.Store(false)
	d.at, d.armed = clock.NowMonotonic().Add(wait), true
	if d.timer == nil {
		d.timer = clock.AfterFunc(wait, expiry(d, clock, calls, mask))
		return
	}
	d.timer.Reset(wait)
}

// expiry is the function of a deadline's timer. The clock has it until it runs, so
// it keeps neither the socket, of which the calls are a part, nor the net face, of which
// the deadline is one: that is closed when it has become garbage. Whoever has the
// deadline has the socket, too.
func expiry(d *Deadline, clock tcpip.Clock, calls *Calls, mask waiter.EventMask) func() {
	weakDeadline, weakCalls := weak.Make(d), weak.Make(calls)
	return func() {
		if d, calls := weakDeadline.Value(), weakCalls.Value(); d != nil && calls != nil {
			d.fire(clock, calls, mask)
		}
	}
}

// fire is called by the timer. It may come late for a deadline that was there
// before.
func (d *Deadline) fire(clock tcpip.Clock, calls *Calls, mask waiter.EventMask) {
	d.mu.Lock()
	rest := d.at.Sub(clock.NowMonotonic())
	due := d.armed && rest <= 0
	switch {
	case due:
		d.armed = false
		d.passed.Store(true)
	case d.armed:
		d.timer.Reset(rest)
	}
	d.mu.Unlock()
	if due {
		calls.Wake(mask)
	}
}

func (d *Deadline) disarmLocked() {
	d.armed = false
	if d.timer != nil {
		d.timer.Stop()
	}
}

// Stop disarms the deadline for good.
func (d *Deadline) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.disarmLocked()
}
