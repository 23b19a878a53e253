package endpoint

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/options"
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
// Methods of a Socket that take a Thread may be given nil: no thread.
type Thread struct {
	host Host
	hook atomic.Pointer[func() bool]
	gate deadline // passed: the call is cancelled

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

// deadline is what the calls of t are bounded by.
func (t *Thread) deadline() *deadline {
	if t == nil {
		return nil
	}
	return &t.gate
}

// leave ends the call of a thread and turns a cancellation into its code.
func (t *Thread) leave(err wsa.Errno) wsa.Errno {
	if t == nil {
		return err
	}
	t.mu.Lock()
	t.waiter = nil
	t.gate.passed.Store(false)
	t.mu.Unlock()
	if err == errDeadline || err == errCanceled {
		return wsa.WSAEINTR
	}
	return err
}

// on makes a call that is about to wait do so as its thread does. The call is listed:
// its waiter stays the one that others signal.
func (d *deadline) on(c *call) *call {
	if d != nil && d.thread != nil {
		c.thread, c.pooled = d.thread, false
		d.thread.block(c.waiter)
	}
	return c
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

// RecvFromOn, SendOn, SendToOn, AcceptOn and ConnectOn are the calls of a
// thread.
func (s *Socket) RecvFromOn(t *Thread, b []byte, flags int32) (int, netip.AddrPort, wsa.Errno) {
	n, from, err := s.recv(b, flags, t.deadline())
	return n, from, t.leave(err)
}

// SendToOn is SendTo; an address that isn't valid on a stream is none.
func (s *Socket) SendToOn(t *Thread, b []byte, flags int32, to netip.AddrPort) (int, wsa.Errno) {
	if s.kind == options.Stream {
		to = netip.AddrPort{}
	}
	n, err := s.send(b, flags, to, t.deadline())
	if err == wsa.WSAENOTCONN && s.kind != options.Stream {
		err = wsa.WSAEDESTADDRREQ
	}
	return n, t.leave(err)
}

// SendOn is Send.
func (s *Socket) SendOn(t *Thread, b []byte, flags int32) (int, wsa.Errno) {
	n, err := s.send(b, flags, netip.AddrPort{}, t.deadline())
	return n, t.leave(err)
}

// AcceptOn is AcceptCond.
func (s *Socket) AcceptOn(t *Thread, condition Condition) (*Socket, netip.AddrPort, wsa.Errno) {
	n, from, err := s.accept(condition, t.deadline())
	return n, from, t.leave(err)
}

// ConnectOn is Connect. A cancelled attempt is abandoned.
func (s *Socket) ConnectOn(t *Thread, addr netip.AddrPort) wsa.Errno {
	return t.leave(s.connect(noContext(), addr, t.deadline()))
}

// AwaitOn is Await. A cancelled one is WSAEINTR, unless a member has something.
func AwaitOn(t *Thread, h Host, members []Member, timeout time.Duration) wsa.Errno {
	d := t.deadline()
	found := await(h, members, timeout, d)
	if !found && d != nil && d.passed.Load() {
		return t.leave(errDeadline)
	}
	return t.leave(0)
}

// CloseOn is Close. Where that waits (LG-4), the wait can be cancelled: the
// socket is still open then, with its sending side shut down (LG-10).
func (s *Socket) CloseOn(t *Thread) wsa.Errno {
	if t == nil {
		return s.Close()
	}
	s.mu.Lock()
	s.pollLocked()
	l := s.values.Linger
	waits := s.kind == options.Stream && s.state == options.Connected && !s.closed && s.context == nil &&
		l.On && l.Timeout > 0 && !s.nonblocking.Load() && !s.hasDataLocked()
	s.mu.Unlock()
	if !waits || s.Shutdown(wsa.SD_SEND) != 0 {
		return s.Close()
	}
	err := s.lingerOpen(t, time.Duration(l.Timeout)*time.Second)
	switch err = t.leave(err); err {
	case wsa.WSAEINTR:
		return err
	case wsa.WSAETIMEDOUT:
		return s.closeHard()
	}
	s.mu.Lock()
	s.values.Linger.On = false // everything is acknowledged
	s.mu.Unlock()
	return s.Close()
}

// lingerOpen waits as linger does, with the socket open.
func (s *Socket) lingerOpen(t *Thread, timeout time.Duration) wsa.Errno {
	d := t.deadline()
	c := d.on(s.begin(anyEvent, timeout))
	defer s.end(c)
	for {
		s.mu.Lock()
		over := s.closed || s.conn == nil || s.state != options.Connected || finAcked(s.connState())
		s.mu.Unlock()
		switch {
		case over:
			return 0
		case d.passed.Load():
			return errDeadline
		case c.expired.Load():
			return wsa.WSAETIMEDOUT
		}
		c.wait("linger")
	}
}

// closeHard closes and resets, in every TCP state (LG-6, LG-17).
func (s *Socket) closeHard() wsa.Errno {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return wsa.WSAENOTSOCK
	}
	s.becomeClosedLocked()
	c, _ := s.takeLocked()
	s.unholdLocked()
	s.mu.Unlock()
	s.endAborted()
	if c != nil {
		c.SetOwner(nil)
		c.Do(func(_ time.Duration, e *tcp.Conn) { e.Expire() })
	}
	return 0
}
