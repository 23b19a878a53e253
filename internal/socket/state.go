package socket

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/keepalive"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// The states of a socket, with the calls and events that move it:
//
//	           bind              listen
//	Fresh ────────────▶ Bound ─────────────▶ Listening
//	  │  ▲                │ ▲
//	  │  └── failed ──┐   │ └── failed ──┐
//	  └── connect ──▶ Connecting ◀───────┴── connect from Bound
//	                      │ SYN-ACK accepted
//	                      ▼
//	accept ──────────▶ Connected ── reset, abort, time-out, drop ──▶ Dead
//	                      │ DisconnectEx with TF_REUSE_SOCKET, both FINs
//	                      ▼
//	     Bound after connect, Fresh after accept
//
// Closing is not a state here: a closed socket answers WSAENOTSOCK whatever it
// was. A connection that ended with both FINs stays Connected, as WSAEISCONN
// and end-of-file are what the documents want of it.

func (s *Socket) becomeBoundLocked(b *Binding, implicit bool) {
	s.binding, s.implicit, s.local = b, implicit, b.Addr
	if s.state == options.Fresh {
		s.state = options.Bound
	}
	s.debugStateLocked(0)
}

func (s *Socket) becomeListeningLocked() {
	s.state = options.Listening
	s.debugStateLocked(0)
}

func (s *Socket) becomeConnectingLocked() {
	s.state, s.connects = options.Connecting, true
	s.undecided.Store(true)
	s.debugStateLocked(0)
}

func (s *Socket) becomeConnectedLocked(at tcpip.MonotonicTime) {
	s.state, s.connected = options.Connected, at
	s.undecided.Store(false)
	s.values.StickyError = 0 // C-02; the documented SO_ERROR isn't there
	switch {
	case s.conn != nil:
		id := s.conn.ID()
		s.local, _ = s.ends(id)
	case s.ep != nil:
		if local, err := s.ep.GetLocalAddress(); err == nil {
			if !s.behaviour.hasPorts() {
				local.Port = 0 // netstack shows the protocol
			}
			s.local = s.present(local)
		}
	}
	if s.values.KeepAlive.On {
		s.startKeepAliveLocked(s.values.KeepAlive, at) // KA-16
	}
	s.debugStateLocked(0)
	s.observeLocked()
}

// becomeUnconnectedLocked is the end of an attempt to connect that failed: the
// socket is what it was before, so that a new attempt is permitted (NB), but
// an address that connect chose is given back.
func (s *Socket) becomeUnconnectedLocked() {
	s.undecided.Store(false)
	s.dropConnLocked()
	s.remote = netip.AddrPort{}
	s.state, s.connects = options.Bound, false
	if s.context != nil { // of ConnectEx
		s.values, s.context = s.context.values, nil
	}
	if s.implicit || s.binding == nil {
		s.unbindLocked()
		s.state = options.Fresh
	} else {
		s.local = s.binding.Addr
	}
	s.debugStateLocked(s.connectErr)
}

// becomeDisconnectedLocked follows the end of a connection after which another may
// follow: the socket is what it was before its connect or accept (API-ConnectEx,
// API-AcceptEx). A port that connect has chosen stays.
func (s *Socket) becomeDisconnectedLocked() {
	s.leaveConnLocked()
	if c := s.context; c != nil && !c.accepted { // the options of before ConnectEx
		s.values = c.values
	}
	s.context = nil
	s.remote, s.local, s.state = netip.AddrPort{}, netip.AddrPort{}, options.Fresh
	if s.binding != nil {
		s.local, s.implicit, s.state = s.binding.Addr, false, options.Bound
	}
	s.connects, s.connectErr = false, 0
	s.shutSend, s.shutRecv = false, false
	s.noRecv.Store(false)
	s.events.BecomeUnconnected()
	s.applyLocked()
	s.debugStateLocked(0)
	s.observeLocked()
	s.calls.Wake(wait.AnyEvent)
}

// becomeDeadLocked latches why the connection ended. Every later code follows
// from the first reason, never from what happens afterwards
// (RS-1).
func (s *Socket) becomeDeadLocked(reason wsa.Errno) {
	if s.state == options.Dead {
		return
	}
	s.rememberLocked()
	s.state, s.reason = options.Dead, reason
	if !s.host.Profile().Endings().ConnectErrors {
		s.pending = reason
	}
	s.debugStateLocked(reason)
	s.observeLocked()
	s.calls.Wake(wait.AnyEvent)
}

// pollLocked looks what became of the connection since the last call, and moves the
// socket. Every call starts with it.
func (s *Socket) pollLocked() {
	if s.conn == nil || s.closed {
		return
	}
	st, cause := s.conn.State()
	if s.state == options.Connecting {
		switch at := s.establishedLocked(st); {
		case at != 0:
			s.becomeConnectedLocked(transport.Clock(at))
			s.calls.Wake(wait.AnyEvent)
		case st == tcp.Closed:
			s.connectErr = s.connectErrorLocked(cause)
			if s.async { // a blocking call returns it instead (EO-6)
				s.pending = s.connectErr
			}
			s.becomeUnconnectedLocked()
			s.observeLocked()
			s.calls.Wake(wait.AnyEvent)
		}
	}
	// Without a cause, CLOSED is the end of a graceful close.
	if s.state == options.Connected && st == tcp.Closed && cause != tcp.None {
		s.endLocked(cause)
	}
}

// establishedLocked is when the handshake was complete, if it is; else 0. The
// connection may have ended since.
func (s *Socket) establishedLocked(st tcp.State) (at time.Duration) {
	if st.Synchronized() || st == tcp.Closed {
		s.conn.Do(func(_ time.Duration, e *tcp.Conn) { at = e.Established() })
	}
	return at
}

// connectErrorLocked is the code of an attempt to connect that has failed.
func (s *Socket) connectErrorLocked(cause tcp.Cause) wsa.Errno {
	switch cause {
	case tcp.PeerUnreachable:
		s.icmpError = s.conn.Unreachable()
		return wsa.WSAEHOSTUNREACH
	case tcp.Refused, tcp.ResetByPeer:
		return wsa.WSAECONNREFUSED
	}
	return wsa.WSAETIMEDOUT
}

// endLocked latches why an established connection has ended. When the peer is gone
// (KA-19, TCP_MAXRT) the port is free from then on.
func (s *Socket) endLocked(cause tcp.Cause) {
	s.shutReset = s.shutReset || cause == tcp.Unwanted
	s.becomeDeadLocked(s.verdictLocked(cause))
	if cause != tcp.KeepAliveDrop && cause != tcp.UserTimeout {
		return
	}
	if s.binding != nil {
		s.host.Unbind(s.binding)
		s.binding = nil
	}
	s.dropped.Store(true)
}

// verdictLocked is the code for the calls in progress.
func (s *Socket) verdictLocked(cause tcp.Cause) wsa.Errno {
	e := keepalive.Evidence{
		Dropped:     cause == tcp.KeepAliveDrop,
		ResetSeen:   cause == tcp.ResetByPeer,
		TimedOut:    cause == tcp.TimedOut,
		UserTimeout: cause == tcp.UserTimeout,
		Aborted:     cause == tcp.Aborted || cause == tcp.Unwanted,
	}
	s.conn.Do(func(_ time.Duration, c *tcp.Conn) { e.PeerClosed, e.Unacked = c.PeerClosed(), c.Left() })
	verdict := keepalive.Verdict(e)
	if verdict == keepalive.ClosedReset {
		return s.host.Profile().Endings().ClosedReset
	}
	return verdict.InProgress()
}

// deadErrnoLocked is what recv, send and shutdown return on a dead connection.
// waited says that the call was in progress when it died (KA-30, KA-31).
func (s *Socket) deadErrnoLocked(waited bool) wsa.Errno {
	if s.reason != wsa.WSAENETRESET || waited {
		s.dropSeen = true
		return s.reason
	}
	ends := s.host.Profile().Endings()
	if ends.UnseenDrop && !s.dropSeen {
		s.dropSeen = true
		return s.reason
	}
	return ends.LaterDrop
}

// toldLocked follows a WSAEnumNetworkEvents that has returned these events. A drop is then no news
// to a set of SO_KEEPALIVE (C-11), and SO_ERROR hasn't the error of a connect that FD_CONNECT had
// (WC-2).
func (s *Socket) toldLocked(events int32, codes *[wsa.FD_MAX_EVENTS]wsa.Errno) {
	s.dropTold = s.dropTold || events&wsa.FD_CLOSE != 0 && s.droppedLocked()
	if events&wsa.FD_CONNECT != 0 && codes[wsa.FD_CONNECT_BIT] != 0 && s.host.Profile().Endings().EventTakesError {
		s.pending, s.values.StickyError = 0, 0
	}
}

// enterLocked holds the checks that every call but closesocket starts with, in
// the order of the documents: WSAENETDOWN, then WSAENOTSOCK.
func (s *Socket) enterLocked() wsa.Errno {
	if err := s.closedLocked(); err != 0 {
		return err
	}
	s.pollLocked()
	return 0
}

// closedLocked is why no call is possible any more; 0: they are.
func (s *Socket) closedLocked() wsa.Errno {
	switch {
	case s.down || s.host.Down():
		return wsa.WSAENETDOWN
	case s.closed:
		return wsa.WSAENOTSOCK
	}
	return 0
}

// droppedLocked reports that keep-alive has dropped the connection: then every
// call fails with WSAENOTCONN that KA-31 doesn't except.
func (s *Socket) droppedLocked() bool {
	return s.state == options.Dead && s.reason == wsa.WSAENETRESET
}

// enterConnectionLocked is enterLocked for the calls that fail with WSAENOTCONN
// after a keep-alive drop though they have nothing to do with the connection
// (KA-31).
func (s *Socket) enterConnectionLocked() wsa.Errno {
	if err := s.enterLocked(); err != 0 {
		return err
	}
	return (*optionView)(s).ConnectionError(false)
}

// AddressRemoved tells that the stack has lost an address. A connection from it
// ends (ND-3).
func (s *Socket) AddressRemoved(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.closed || s.local.Addr().Unmap() != a {
		return
	}
	s.pollLocked()
	switch s.state {
	case options.Connected:
		s.becomeDeadLocked(wsa.WSAECONNABORTED)
		s.conn.Abort()
	case options.Connecting:
		s.connectErr = wsa.WSAECONNABORTED
		if s.async {
			s.pending = s.connectErr
		}
		s.becomeUnconnectedLocked()
		s.calls.Wake(wait.AnyEvent)
	}
}
