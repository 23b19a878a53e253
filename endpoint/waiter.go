package endpoint

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/wsa"
)

// A Waiter is what one blocking call waits on. stack.Config.NewWaiter supplies
// them, so that a virtual clock can know who waits; by default they are
// channels.
type Waiter interface {
	// Wait returns after a Signal; one that came before Wait counts. It may
	// return without one: callers look again. reason says what is waited for.
	Wait(reason string)

	// Signal never blocks, and may come with an endpoint locked.
	Signal()
}

// channelWaiter is the Waiter of real time: a channel that holds one signal.
type channelWaiter chan struct{}

func (c channelWaiter) Wait(string) { <-c }

func (c channelWaiter) Signal() {
	select {
	case c <- struct{}{}:
	default: // a signal is waiting already
	}
}

// NewWaiter returns what a call on a stack waits on: a waiter of the stack's
// Config.NewWaiter, else a channel.
func NewWaiter(h Host) Waiter {
	w := h.NewWaiter()
	if w == nil {
		h.Outside(func() { w = NewChannelWaiter() })
	}
	return w
}

// NewChannelWaiter returns the default Waiter, a channel.
func NewChannelWaiter() Waiter { return make(channelWaiter, 1) }

// Outcomes of a wait that are no Winsock codes. They never leave the package:
// the net faces turn them into os.ErrDeadlineExceeded and the context's error.
const (
	errDeadline wsa.Errno = -1 // SetDeadline expired
	errCanceled wsa.Errno = -2 // the context of a dial ended
)

// A call is one blocking call in progress on a socket.
type call struct {
	waiter  Waiter
	mask    waiter.EventMask
	expired atomic.Bool
	slot    int // in calls.list

	pooled bool    // what only the caller looks at, from here on
	thread *Thread // that the call blocks; nil: none

	clock tcpip.Clock
	timer tcpip.Timer // on clock; stopped but for timed
	timed bool
}

// wait waits for a signal.
func (c *call) wait(reason string) {
	if c.thread != nil {
		hookWaiter{c.waiter, c.thread}.Wait(reason)
		return
	}
	c.waiter.Wait(reason)
}

// start starts the timer. A call from the pool has one already, if its clock is
// that of this stack.
func (c *call) start(clock tcpip.Clock, timeout time.Duration) {
	c.timed = true
	if c.timer != nil && c.clock == clock {
		c.timer.Reset(timeout)
		return
	}
	c.clock, c.timer = clock, clock.AfterFunc(timeout, c.expire)
}

// expire is called by the timer.
func (c *call) expire() {
	c.expired.Store(true)
	c.waiter.Signal()
}

// callPool saves the allocations of a blocking call in real time. Waiters made
// by Config.NewWaiter are not pooled: they may belong to a goroutine.
var callPool sync.Pool

// pooledCall returns a call whose waiter is a channel.
func pooledCall(h Host) *call {
	if c, ok := callPool.Get().(*call); ok {
		c.expired.Store(false)
		return c
	}
	c := &call{pooled: true}
	h.Outside(func() { c.waiter = NewChannelWaiter() })
	return c
}

// calls are the calls in progress on one socket.
//
// Its lock is a leaf: netstack notifies with an endpoint locked, so nothing is
// called with mu held but Waiter.Signal.
type calls struct {
	mu   sync.Mutex
	list []*call
}

func (cs *calls) add(c *call) {
	cs.mu.Lock()
	c.slot = len(cs.list)
	cs.list = append(cs.list, c)
	cs.mu.Unlock()
}

func (cs *calls) remove(c *call) {
	cs.mu.Lock()
	last := len(cs.list) - 1
	cs.list[c.slot] = cs.list[last]
	cs.list[c.slot].slot = c.slot
	cs.list[last] = nil
	cs.list = cs.list[:last]
	cs.mu.Unlock()
}

// wake signals the calls that wait for any event of mask.
func (cs *calls) wake(mask waiter.EventMask) {
	cs.mu.Lock()
	for _, c := range cs.list {
		if c.mask&mask != 0 {
			c.waiter.Signal()
		}
	}
	cs.mu.Unlock()
}

// anyEvent wakes every call, whatever it waits for.
const anyEvent = ^waiter.EventMask(0)

// begin registers a blocking call that waits for mask. Zero timeout: none.
// The caller looks at the socket again after begin, so that no event is missed.
func (s *Socket) begin(mask waiter.EventMask, timeout time.Duration) *call {
	var c *call
	if w := s.host.NewWaiter(); w != nil {
		c = &call{waiter: w}
	} else {
		c = pooledCall(s.host)
	}
	c.mask = mask
	if timeout > 0 {
		c.start(s.host.Clock(), timeout)
	}
	s.calls.add(c)
	return c
}

// end is the counterpart of begin.
func (s *Socket) end(c *call) {
	s.calls.remove(c)
	if c.timed {
		// The timer's function may still be running: it owns c now.
		stopped := c.timer.Stop()
		c.pooled, c.timed = c.pooled && stopped, false
	}
	if c.pooled {
		select { // drop a signal that came too late
		case <-c.waiter.(channelWaiter):
		default:
		}
		callPool.Put(c)
	}
}

// A deadline is one direction's deadline of a net.Conn, on the stack's clock. It
// has one timer in its life, so that a deadline for each Read allocates nothing.
type deadline struct {
	mu      sync.Mutex
	timer   tcpip.Timer         // made with the first deadline that is still to come
	at      tcpip.MonotonicTime // when armed
	armed   bool                // it passes at at
	stopped bool                // by Close: no timer starts any more
	passed  atomic.Bool
	thread  *Thread // nil: of a net face
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

// set arms the deadline, to wake the calls of s that wait for mask when it has
// passed; the zero time disarms it.
func (d *deadline) set(s *Socket, mask waiter.EventMask, t time.Time) {
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
	clock := s.host.Clock()
	wait := until(clock, t)
	if wait <= 0 {
		d.passed.Store(true)
		s.calls.wake(mask)
		return
	}
	d.passed.Store(false)
	d.at, d.armed = clock.NowMonotonic().Add(wait), true
	if d.timer == nil {
		d.timer = clock.AfterFunc(wait, expiry(d, s, mask))
		return
	}
	d.timer.Reset(wait)
}

// expiry is the function of a deadline's timer. The clock has it until it runs, so
// it keeps neither the socket nor what the deadline is part of: see own. Whoever has
// the deadline has the socket, too.
func expiry(d *deadline, s *Socket, mask waiter.EventMask) func() {
	weakly, socket := weak.Make(d), weak.Make(s)
	return func() {
		if d, s := weakly.Value(), socket.Value(); d != nil && s != nil {
			d.fire(s, mask)
		}
	}
}

// fire is called by the timer. It may come late for a deadline that was there
// before.
func (d *deadline) fire(s *Socket, mask waiter.EventMask) {
	d.mu.Lock()
	rest := d.at.Sub(s.host.Clock().NowMonotonic())
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
		s.calls.wake(mask)
	}
}

func (d *deadline) disarmLocked() {
	d.armed = false
	if d.timer != nil {
		d.timer.Stop()
	}
}

// stop disarms the deadline for good.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.disarmLocked()
}
