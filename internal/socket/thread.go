package socket

import (
	"context"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// RecvFromOn is RecvFrom on a thread. As in the other calls with a thread, nil is none.
func (s *Socket) RecvFromOn(t *wait.Thread, b []byte, flags int32) (int, netip.AddrPort, wsa.Errno) {
	n, from, err := s.RecvUntil(b, flags, t.Deadline())
	return n, from, t.Leave(err)
}

// SendToOn is SendTo on a thread.
func (s *Socket) SendToOn(t *wait.Thread, b []byte, flags int32, to netip.AddrPort) (int, wsa.Errno) {
	oriented := s.behaviour.connectionOriented()
	if oriented {
		to = netip.AddrPort{}
	}
	n, err := s.SendUntil(b, flags, to, t.Deadline())
	if err == wsa.WSAENOTCONN && !oriented {
		err = wsa.WSAEDESTADDRREQ
	}
	return n, t.Leave(err)
}

// SendOn is Send on a thread.
func (s *Socket) SendOn(t *wait.Thread, b []byte, flags int32) (int, wsa.Errno) {
	n, err := s.SendUntil(b, flags, netip.AddrPort{}, t.Deadline())
	return n, t.Leave(err)
}

// AcceptOn is WSAAccept on a thread, which may be nil, with a condition function or nil. With
// SO_CONDITIONAL_ACCEPT it decides about a SYN that nobody has answered yet,
// without it about an established connection (CA-1).
//
// CF_ACCEPT: the connection, once its handshake is complete; a non-blocking
// call returns WSAEWOULDBLOCK after it has sent the SYN-ACK, and the listener
// is readable again when the connection is established, which the next call
// returns without asking. CF_REJECT: WSAECONNREFUSED, and a RST. CF_DEFER:
// WSATRY_AGAIN, the connection stays the first in the queue. Anything else:
// WSAEINVAL, and nothing has changed. Other errors are those of Accept; a
// request that has vanished is WSAECONNRESET for a non-blocking call, a
// blocking one goes on waiting (CA-7).
func (s *Socket) AcceptOn(t *wait.Thread, condition Condition) (*Socket, netip.AddrPort, wsa.Errno) {
	n, from, err := s.AcceptUntil(condition, t.Deadline())
	return n, from, t.Leave(err)
}

// ConnectOn is Connect on a thread. A cancelled attempt is abandoned.
func (s *Socket) ConnectOn(t *wait.Thread, addr netip.AddrPort) wsa.Errno {
	return t.Leave(s.ConnectUntil(context.Background(), addr, t.Deadline()))
}

// AwaitOn is Await on a thread. A cancelled one is WSAEINTR, unless a member has something.
func AwaitOn(t *wait.Thread, h Host, members []Member, timeout time.Duration) wsa.Errno {
	d := t.Deadline()
	found := await(h, members, timeout, d)
	if !found && d.Passed() {
		return t.Leave(wait.ErrDeadline)
	}
	return t.Leave(0)
}

// CloseOn is Close on a thread. Where that waits (LG-4), the wait can be cancelled: the
// socket is still open then, with its sending side shut down (LG-10).
func (s *Socket) CloseOn(t *wait.Thread) wsa.Errno {
	if t == nil {
		return s.Close()
	}
	s.mu.Lock()
	s.pollLocked()
	l := s.values.Linger
	waits := s.conn != nil && s.state == options.Connected && !s.closed && s.context == nil &&
		l.On && l.Timeout > 0 && !s.nonblocking.Load() && !s.hasDataLocked()
	s.mu.Unlock()
	if !waits || s.Shutdown(wsa.SD_SEND) != 0 {
		return s.Close()
	}
	err := s.lingerOpen(t, time.Duration(l.Timeout)*time.Second)
	switch err = t.Leave(err); err {
	case wsa.WSAEINTR:
		return err
	case wsa.WSAETIMEDOUT:
		return s.closeByReset()
	}
	s.mu.Lock()
	s.values.Linger.On = false // everything is acknowledged
	s.mu.Unlock()
	return s.Close()
}

// lingerOpen waits as linger does, with the socket open.
func (s *Socket) lingerOpen(t *wait.Thread, timeout time.Duration) wsa.Errno {
	d := t.Deadline()
	c := d.Block(s.calls.Begin(s.host, wait.AnyEvent, timeout))
	defer s.calls.End(c)
	for {
		s.mu.Lock()
		over := s.closed || s.conn == nil || s.state != options.Connected || finAcked(s.connState())
		s.mu.Unlock()
		switch {
		case over:
			return 0
		case d.Passed():
			return wait.ErrDeadline
		case c.Expired():
			return wsa.WSAETIMEDOUT
		}
		c.Wait("linger")
	}
}

// closeByReset closes and resets, in every TCP state (LG-6, LG-17).
func (s *Socket) closeByReset() wsa.Errno {
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
