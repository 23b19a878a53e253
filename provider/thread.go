package provider

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"

	"github.com/wsstack/wsstack/wsa"
)

// A Thread is one thread of the client: the calls of Provider, with a last error
// (AV-16, AV-19) and the restrictions that the documents put on threads.
//
// A client of version 1.x has one outstanding call on each thread (BL-1). While
// a call blocks, its blocking hook runs, and every other call of the thread, on
// any socket, fails with WSAEINPROGRESS (BL-2), but for IsBlocking,
// CancelBlockingCall, GetLastError and SetLastError. Clients of version 2.x have
// no such restriction (BL-6). In a condition function, calls of its thread fail
// with WSAEINPROGRESS whatever the version (CA-10, BL-6).
//
// WSAEINPROGRESS comes after WSANOTINITIALISED and WSAENETDOWN and before all
// others (AV-1). Otherwise the calls are those of Provider. Go code that has no
// use for threads calls Provider itself, which is never restricted.
type Thread struct {
	p         *Provider
	core      *wait.Thread
	last      atomic.Int32
	callbacks atomic.Int32 // condition functions that run on the thread
}

// Thread makes a thread. A nil or zero Provider gives one whose calls fail with
// WSANOTINITIALISED.
func (p *Provider) Thread() *Thread {
	t := &Thread{p: p}
	if p != nil && p.host != nil {
		t.core = wait.NewThread(p.host)
	}
	return t
}

// GetLastError is WSAGetLastError: the code of the last call of the thread that
// failed. A successful call leaves it alone, but SetSockOpt and GetSockOpt,
// which set it to 0 (AV-16). It has nothing to do with SO_ERROR (EO-4).
func (t *Thread) GetLastError() wsa.Errno { return wsa.Errno(t.last.Load()) }

// SetLastError is WSASetLastError.
func (t *Thread) SetLastError(err wsa.Errno) { t.last.Store(int32(err)) }

// IsBlocking is WSAIsBlocking: whether a call of the thread blocks.
//
// Errors, of this call and the next three: WSAEOPNOTSUPP for a client of
// version 2.x (C-80).
func (t *Thread) IsBlocking() (bool, error) {
	if err := t.hooks(); err != 0 {
		return false, t.note(err)
	}
	return t.core.Blocking(), nil
}

// CancelBlockingCall is WSACancelBlockingCall: the call of the thread that
// blocks ends with WSAEINTR as soon as its hook has returned (BL-5). It is
// called by the hook or, as Go has no other way into a thread, by another
// goroutine. WSAEINVAL when no call blocks.
func (t *Thread) CancelBlockingCall() error {
	err := t.hooks()
	if err == 0 && !t.core.Cancel() {
		err = wsa.WSAEINVAL
	}
	return t.note(err)
}

// SetBlockingHook is WSASetBlockingHook: hook is called while a call of the
// thread waits, again at once when it returns TRUE, and after FALSE every 10 ms
// or when something has happened to the socket (BL-3, BL-4). It returns the hook
// before, nil when there was none. WSAEINPROGRESS while a call blocks.
func (t *Thread) SetBlockingHook(hook func() bool) (before func() bool, _ error) {
	err := t.hooks()
	if err == 0 {
		err = t.busy()
	}
	if err != 0 {
		return nil, t.note(err)
	}
	return t.core.SetHook(hook), nil
}

// UnhookBlockingHook is WSAUnhookBlockingHook: there is no hook any more.
func (t *Thread) UnhookBlockingHook() error {
	_, err := t.SetBlockingHook(nil)
	return err
}

// hooks holds the checks of the calls that are for version 1.x only.
func (t *Thread) hooks() wsa.Errno {
	err := t.p.enter()
	if err == 0 && !t.p.legacy() {
		err = wsa.WSAEOPNOTSUPP
	}
	return err
}

// busy is WSAEINPROGRESS while the thread may call nothing.
func (t *Thread) busy() wsa.Errno {
	if t.callbacks.Load() > 0 || t.p.legacy() && t.core.Blocking() {
		return wsa.WSAEINPROGRESS
	}
	return 0
}

// enter holds the checks that every call of a thread starts with.
func (t *Thread) enter() wsa.Errno {
	if err := t.p.enter(); err != 0 {
		return err
	}
	return t.busy()
}

// blocked is the thread for calls that may wait: nil where no hook runs.
func (t *Thread) blocked() *wait.Thread {
	if t.p.legacy() {
		return t.core
	}
	return nil
}

// note records the code of a call that failed, and returns the error.
func (t *Thread) note(err wsa.Errno) error { return t.noted(t.p.result(err)) }

func (t *Thread) noted(err error) error {
	if err == nil {
		return nil
	}
	if code := wsa.Errno(0); errors.As(err, &code) {
		t.SetLastError(code)
	}
	return err
}

// do is a call that never blocks.
func (t *Thread) do(call func() error) error {
	if err := t.enter(); err != 0 {
		return t.note(err)
	}
	return t.noted(call())
}

// socket is Provider.socket for a thread.
func (t *Thread) socket(s wsa.SOCKET) (*socket.Socket, wsa.Errno) {
	if err := t.enter(); err != 0 {
		return nil, err
	}
	return t.p.socket(s)
}

// Recv is Provider.Recv.
func (t *Thread) Recv(s wsa.SOCKET, buf []byte, flags int32) (n int, _ error) {
	sock, err := t.socket(s)
	if err == 0 {
		err = sock.CheckPeer()
	}
	if err == 0 {
		n, _, err = sock.RecvFromOn(t.blocked(), buf, flags)
	}
	return n, t.note(err)
}

// RecvFrom is Provider.RecvFrom.
func (t *Thread) RecvFrom(s wsa.SOCKET, buf []byte, flags int32) (n int, from netip.AddrPort, _ error) {
	sock, err := t.socket(s)
	if err == 0 {
		n, from, err = sock.RecvFromOn(t.blocked(), buf, flags)
	}
	return n, from, t.note(err)
}

// Send is Provider.Send.
func (t *Thread) Send(s wsa.SOCKET, buf []byte, flags int32) (n int, _ error) {
	sock, err := t.socket(s)
	if err == 0 {
		n, err = sock.SendOn(t.blocked(), buf, flags)
	}
	n, failure := t.p.sent(n, err)
	return n, t.noted(failure)
}

// SendTo is Provider.SendTo.
func (t *Thread) SendTo(s wsa.SOCKET, buf []byte, flags int32, to netip.AddrPort) (n int, _ error) {
	sock, err := t.socket(s)
	if err == 0 {
		n, err = sock.SendToOn(t.blocked(), buf, flags, to)
	}
	n, failure := t.p.sent(n, err)
	return n, t.noted(failure)
}

// Accept is Provider.Accept.
func (t *Thread) Accept(s wsa.SOCKET) (wsa.SOCKET, netip.AddrPort, error) {
	return t.AcceptCond(s, nil)
}

// AcceptCond is Provider.AcceptCond. While condition runs, the thread is in a
// callback: its calls fail with WSAEINPROGRESS (CA-10).
func (t *Thread) AcceptCond(s wsa.SOCKET, condition Condition) (wsa.SOCKET, netip.AddrPort, error) {
	if err := t.enter(); err != 0 {
		return wsa.INVALID_SOCKET, netip.AddrPort{}, t.note(err)
	}
	inside := condition
	if condition != nil {
		inside = func(caller, called netip.AddrPort) int32 {
			t.callbacks.Add(1)
			defer t.callbacks.Add(-1)
			return condition(caller, called)
		}
	}
	n, peer, err := t.p.acceptOn(t.blocked(), s, inside)
	return n, peer, t.noted(err)
}

// Connect is Provider.Connect.
func (t *Thread) Connect(s wsa.SOCKET, addr netip.AddrPort) error {
	if err := t.enter(); err != 0 {
		return t.note(err)
	}
	return t.noted(t.p.connectOn(t.blocked(), s, addr))
}

// CloseSocket is Provider.CloseSocket. A lingering close that is cancelled
// leaves the socket open (LG-10).
func (t *Thread) CloseSocket(s wsa.SOCKET) error {
	if err := t.p.enter(); err == 0 || err == wsa.WSAENETDOWN {
		if err := t.busy(); err != 0 {
			return t.note(err)
		}
	}
	return t.noted(t.p.closeOn(t.blocked(), s))
}

// Select is Provider.Select.
func (t *Thread) Select(read, write, except []wsa.SOCKET, timeout time.Duration) (r, w, e []wsa.SOCKET, _ error) {
	if err := t.enter(); err != 0 {
		return nil, nil, nil, t.note(err)
	}
	r, w, e, err := t.p.selectOn(t.blocked(), read, write, except, timeout)
	return r, w, e, t.noted(err)
}

// Socket is Provider.Socket.
func (t *Thread) Socket(af, typ, protocol int32) (s wsa.SOCKET, err error) {
	s = wsa.INVALID_SOCKET
	err = t.do(func() error { s, err = t.p.Socket(af, typ, protocol); return err })
	return s, err
}

// Bind is Provider.Bind.
func (t *Thread) Bind(s wsa.SOCKET, addr netip.AddrPort) error {
	return t.do(func() error { return t.p.Bind(s, addr) })
}

// Listen is Provider.Listen.
func (t *Thread) Listen(s wsa.SOCKET, backlog int32) error {
	return t.do(func() error { return t.p.Listen(s, backlog) })
}

// Shutdown is Provider.Shutdown.
func (t *Thread) Shutdown(s wsa.SOCKET, how int32) error {
	return t.do(func() error { return t.p.Shutdown(s, how) })
}

// SetSockOpt is Provider.SetSockOpt.
func (t *Thread) SetSockOpt(s wsa.SOCKET, level, optname int32, optval []byte, optlen int32) error {
	return t.cleared(t.do(func() error { return t.p.SetSockOpt(s, level, optname, optval, optlen) }))
}

// GetSockOpt is Provider.GetSockOpt.
func (t *Thread) GetSockOpt(s wsa.SOCKET, level, optname int32, optval []byte, optlen *int32) error {
	return t.cleared(t.do(func() error { return t.p.GetSockOpt(s, level, optname, optval, optlen) }))
}

// cleared is what success does to the last error (AV-16).
func (t *Thread) cleared(err error) error {
	if err == nil {
		t.SetLastError(0)
	}
	return err
}

// Ioctl is Provider.Ioctl.
func (t *Thread) Ioctl(s wsa.SOCKET, code uint32, in, out []byte) (n int, err error) {
	err = t.do(func() error { n, err = t.p.Ioctl(s, code, in, out); return err })
	return n, err
}

// GetSockName is Provider.GetSockName.
func (t *Thread) GetSockName(s wsa.SOCKET) (addr netip.AddrPort, err error) {
	err = t.do(func() error { addr, err = t.p.GetSockName(s); return err })
	return addr, err
}

// GetPeerName is Provider.GetPeerName.
func (t *Thread) GetPeerName(s wsa.SOCKET) (addr netip.AddrPort, err error) {
	err = t.do(func() error { addr, err = t.p.GetPeerName(s); return err })
	return addr, err
}

// EventSelect is Provider.EventSelect.
func (t *Thread) EventSelect(s wsa.SOCKET, ev *Event, mask int32) error {
	return t.do(func() error { return t.p.EventSelect(s, ev, mask) })
}

// EnumNetworkEvents is Provider.EnumNetworkEvents.
func (t *Thread) EnumNetworkEvents(s wsa.SOCKET, ev *Event) (events NetworkEvents, err error) {
	err = t.do(func() error { events, err = t.p.EnumNetworkEvents(s, ev); return err })
	return events, err
}
