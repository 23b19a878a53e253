package wait

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// AnyEvent is the mask that wakes every call, whatever it waits for.
const AnyEvent = ^waiter.EventMask(0)

// A Call is one blocking call in progress on a socket, or whoever else is told when
// calls are woken.
type Call struct {
	waiter  Waiter
	mask    waiter.EventMask
	expired atomic.Bool
	slot    int // its place in the list of the Calls that it was added to

	pooled bool    // it goes back to the pool; only the caller looks at this and what follows
	thread *Thread // the thread that the call blocks; nil: none

	clock tcpip.Clock
	timer tcpip.Timer // on clock; it runs while timed is set
	timed bool
}

// Init makes c a call that signals w when an event of mask happens.
//
// Precondition: c is in no list.
func (c *Call) Init(w Waiter, mask waiter.EventMask) { c.waiter, c.mask = w, mask }

// Wait waits for a signal. reason says what for.
func (c *Call) Wait(reason string) {
	if c.thread != nil {
		hookWaiter{c.waiter, c.thread}.Wait(reason)
		return
	}
	c.waiter.Wait(reason)
}

// Signal ends Wait, or the next one.
func (c *Call) Signal() { c.waiter.Signal() }

// Expired reports that the time-out of Begin is over.
func (c *Call) Expired() bool { return c.expired.Load() }

// start starts the timer. A call from the pool has one already, if its clock is
// that of this stack.
func (c *Call) start(clock tcpip.Clock, timeout time.Duration) {
	c.timed = true
	if c.timer != nil && c.clock == clock {
		c.timer.Reset(timeout)
		return
	}
	c.clock, c.timer = clock, clock.AfterFunc(timeout, c.expire)
}

// expire is called by the timer.
func (c *Call) expire() {
	c.expired.Store(true)
	c.waiter.Signal()
}

// callPool saves the allocations of a blocking call in real time. Waiters made
// by Config.NewWaiter are not pooled: they may belong to a goroutine.
var callPool sync.Pool

// pooledCall returns a call whose waiter is a channel.
func pooledCall(h Host) *Call {
	if c, ok := callPool.Get().(*Call); ok {
		c.expired.Store(false)
		return c
	}
	c := &Call{pooled: true}
	h.Outside(func() { c.waiter = NewChannelWaiter() })
	return c
}

// Calls are the calls in progress on one socket. The zero value is ready to use, and all
// methods are safe for concurrent use.
//
// Its lock is a leaf: netstack notifies with an endpoint locked, so nothing is
// called with mu held but Waiter.Signal.
type Calls struct {
	mu   sync.Mutex
	list []*Call
}

// Begin registers a blocking call that waits for mask on a stack. Zero timeout: none.
// The caller looks at its socket again after Begin, so that no event is missed.
func (cs *Calls) Begin(h Host, mask waiter.EventMask, timeout time.Duration) *Call {
	var c *Call
	if w := h.NewWaiter(); w != nil {
		c = &Call{waiter: w}
	} else {
		c = pooledCall(h)
	}
	c.mask = mask
	if timeout > 0 {
		c.start(h.Clock(), timeout)
	}
	cs.Add(c)
	return c
}

// End is the counterpart of Begin.
func (cs *Calls) End(c *Call) {
	cs.Remove(c)
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

// Add lists a call.
func (cs *Calls) Add(c *Call) {
	cs.mu.Lock()
	c.slot = len(cs.list)
	cs.list = append(cs.list, c)
	cs.mu.Unlock()
}

// Remove undoes Add.
func (cs *Calls) Remove(c *Call) {
	cs.mu.Lock()
	last := len(cs.list) - 1
	cs.list[c.slot] = cs.list[last]
	cs.list[c.slot].slot = c.slot
	cs.list[last] = nil
	cs.list = cs.list[:last]
	cs.mu.Unlock()
}

// Wake signals the calls that wait for any event of mask.
func (cs *Calls) Wake(mask waiter.EventMask) {
	cs.mu.Lock()
	for _, c := range cs.list {
		if c.mask&mask != 0 {
			c.waiter.Signal()
		}
	}
	cs.mu.Unlock()
}
