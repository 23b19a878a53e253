package simnet

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"
)

// The scheduler does one thing at a time:
//
//	          ┌────────────── the oldest turn ──────────────┐
//	turns ────┤  a goroutine runs until it waits            ├──▶ settle ──┐
//	          │  a packet goes from a link to its receiver  │             │
//	          └─────────────────────────────────────────────┘             │
//	none left ──▶ the first timer: move the clock, run it ───▶ settle ──┤
//	none left ──▶ idle                                                    │
//	  ▲                                                                   │
//	  └───────────────────────────────────────────────────────────────────┘
//
// Settling waits until the stacks concerned have done all that follows, so
// nothing runs at the same time as anything else, and the same seed gives the
// same packets. Whatever becomes ready meanwhile is queued as a turn.

// A turn is something to do now: one of the two.
type turn struct {
	task *task    // a goroutine to run
	end  *linkEnd // an end whose oldest packet is to be delivered
}

// pushLocked queues a turn.
func (n *Network) pushLocked(t turn) { n.turns.Push(t) }

// step does one thing, and reports whether there was one to do by the limit, a time since New.
func (n *Network) step(limit time.Duration) bool {
	n.mu.Lock()
	var t turn
	ok := n.turns.Len() > 0
	if ok {
		t = n.turns.Pop()
	}
	n.current = t.task
	n.mu.Unlock()
	switch {
	case ok && t.task != nil:
		n.resume(t.task)
		n.settleAll()
	case ok:
		if t.end.deliver() && t.end.host != nil {
			t.end.host.settle()
		}
	default:
		timer := n.clock.pop(limit)
		if timer == nil {
			return false
		}
		timer.f()
		switch {
		case timer.owner.host != nil:
			timer.owner.host.settle()
		case timer.owner.all:
			n.settleAll()
		}
	}
	return true
}

// resume runs a task until it waits or ends. It panics as the task does.
func (n *Network) resume(t *task) {
	defer func() {
		n.mu.Lock()
		n.current = nil
		n.mu.Unlock()
	}()
	t.next()
}

// settleAll settles all hosts.
func (n *Network) settleAll() {
	n.mu.Lock()
	hosts := n.hosts
	n.mu.Unlock()
	for _, h := range hosts {
		h.settle()
	}
}

// settle lets the host's stack do everything that follows from what was given to it.
func (h *Host) settle() { h.Stack.Settle() }

// An outcome is why drive has returned.
type outcome int

const (
	met  outcome = iota // the condition holds
	late                // there is more to do, but not by the limit
	idle                // nothing can happen any more
)

// maxStepsPerInstant is how much may happen without time passing before the
// network is said to run in circles.
const maxStepsPerInstant = 20_000_000

// drive runs the network until the condition holds or there is nothing to do by the limit, a time
// since New. The clock stands at the last timer that fired then.
func (n *Network) drive(limit time.Duration, until func() bool) (outcome, error) {
	n.beginDrive()
	defer n.endDrive()
	instant, steps := n.clock.read(), 0
	for until == nil || !until() {
		if !n.step(limit) {
			if _, more := n.clock.next(); more {
				return late, nil
			}
			return idle, nil
		}
		n.steps.Add(1)
		if now := n.clock.read(); now != instant {
			instant, steps = now, 0
		} else if steps++; steps == maxStepsPerInstant {
			return late, fmt.Errorf("simnet: %d steps at %s without an end: something runs in circles\n%s", steps, seconds(now), n.report())
		}
	}
	return met, nil
}

func (n *Network) beginDrive() {
	n.mustBeHere("a call that runs the network")
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		panic("simnet: the network is closed")
	case n.driving:
		panic("simnet: the network is running already: goroutines of Go use Sleep instead of Advance and Run, and one goroutine at a time runs the network")
	}
	n.driving = true
	n.watchdog.start(n)
}

func (n *Network) endDrive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.driving = false
	n.watchdog.stop()
}

// stallLimit is how long, in real time, one step may take before the network
// says so: a goroutine that waits for a channel or a mutex stops everything.
// Variables for tests.
var (
	stallLimit            = 20 * time.Second
	stallOutput io.Writer = os.Stderr
)

// watchdog tells when nothing moves in real time. The network can't report that
// as an error, because the goroutine that would is the one that is stuck.
type watchdog struct {
	timer *time.Timer
	last  uint64
}

func (w *watchdog) start(n *Network) {
	w.last = n.steps.Load()
	if w.timer == nil {
		w.timer = time.AfterFunc(stallLimit, func() { n.checkStall() })
	} else {
		w.timer.Reset(stallLimit)
	}
}

func (w *watchdog) stop() { w.timer.Stop() }

func (n *Network) checkStall() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.driving {
		return
	}
	if steps := n.steps.Load(); steps != n.watchdog.last {
		n.watchdog.last = steps
		n.watchdog.timer.Reset(stallLimit)
		return
	}
	what := "a stack that doesn't settle, or a timer's function that doesn't return"
	if n.current != nil {
		what = fmt.Sprintf("goroutine %q: it must not wait for anything outside the network, such as a channel or a mutex", n.current.name)
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	fmt.Fprintf(stallOutput, "simnet: no progress for %v of real time, because of %s\n\n%s\n", stallLimit, what, stacks)
}

// steps are how many things the scheduler has done.
type steps = atomic.Uint64

func funcEntry(f any) uintptr { return reflect.ValueOf(f).Pointer() }
