package wait

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// hookRound is the time between two rounds of a blocking hook, when nothing
// happens on the socket. (The documents have the loop spin.)
const hookRound = 10 * time.Millisecond

// A Thread is a thread of a client of Winsock 1.1: while a call of it blocks, the
// blocking hook runs, and the call can be cancelled (BL-2 to BL-5):
//
//	idle ── a call would wait ──▶ blocking ── its outcome, or cancel: WSAEINTR ──▶ idle
//	                                │  ▲
//	           hook returns FALSE:  ▼  │ hookRound is over, or the socket was woken
//	                               waiting
//
// A nil Thread is none: calls that are given one wait as others do.
type Thread struct {
	host Host
	hook atomic.Pointer[func() bool]
	gate Deadline // passed: the call is cancelled

	mu     sync.Mutex // a leaf
	waiter Waiter     // of the call that blocks; nil: none does
}

// NewThread makes a thread for sockets of a stack.
func NewThread(h Host) *Thread {
	t := &Thread{host: h}
	t.gate.thread = t
	return t
}

// SetHook sets the blocking hook, nil for none, and returns the one before. It
// returns TRUE when it has done something and wants to be called again.
func (t *Thread) SetHook(hook func() bool) (before func() bool) {
	var p *func() bool
	if hook != nil {
		p = &hook
	}
	if old := t.hook.Swap(p); old != nil {
		return *old
	}
	return nil
}

// Blocking is WSAIsBlocking.
func (t *Thread) Blocking() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiter != nil
}

// Cancel is WSACancelBlockingCall: the call that blocks ends with WSAEINTR. It
// reports whether there is one.
func (t *Thread) Cancel() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiter == nil {
		return false
	}
	t.gate.passed.Store(true)
	t.waiter.Signal()
	return true
}

// Deadline is what the calls of t are bounded by.
func (t *Thread) Deadline() *Deadline {
	if t == nil {
		return nil
	}
	return &t.gate
}

// Leave ends the call of a thread and turns a cancellation into its code.
func (t *Thread) Leave(err wsa.Errno) wsa.Errno {
	if t == nil {
		return err
	}
	t.mu.Lock()
	t.waiter = nil
	t.gate.passed.Store(false)
	t.mu.Unlock()
	if err == ErrDeadline || err == ErrCanceled {
		return wsa.WSAEINTR
	}
	return err
}

// block begins to block, on a waiter.
func (t *Thread) block(w Waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiter = w
}

// A hookWaiter runs the blocking hook before it waits.
type hookWaiter struct {
	Waiter
	thread *Thread
}

// Wait is one round of the loop of the documents. The caller looks whether its
// operation is complete, or cancelled, and comes again.
func (w hookWaiter) Wait(reason string) {
	t := w.thread
	if t.hook.Load() == nil {
		w.Waiter.Wait(reason)
		return
	}
	for more := true; more; {
		hook := t.hook.Load()
		more = hook != nil && (*hook)() && !t.gate.passed.Load()
	}
	if t.gate.passed.Load() {
		return
	}
	timer := t.host.Clock().AfterFunc(hookRound, w.Signal)
	defer timer.Stop()
	w.Waiter.Wait(reason)
}
