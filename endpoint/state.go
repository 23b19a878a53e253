package endpoint

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

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
	s.stopSynTimerLocked()
	s.synPlan = nil
	if s.ep != nil {
		if local, err := s.ep.GetLocalAddress(); err == nil {
			if s.kind == options.Raw {
				local.Port = 0 // netstack shows the protocol
			}
			s.local = s.present(local)
		}
	}
	if s.values.KeepAlive.On {
		// A time so long ago that a probe is overdue counts as just that long ago.
		k, from := s.values.KeepAlive, instant(at)
		if oldest := s.now().Add(-k.Idle); from.Before(oldest) {
			from = oldest
		}
		s.startKeepAliveLocked(k, from) // KA-16
	}
	s.debugStateLocked(0)
	s.observeLocked()
}

// becomeUnconnectedLocked is the end of an attempt to connect that failed: the
// socket is what it was before, so that a new attempt is permitted (NB), but
// an address that connect chose is given back.
func (s *Socket) becomeUnconnectedLocked() {
	s.undecided.Store(false)
	s.stopSynTimerLocked()
	s.synPlan = nil
	s.dropEndpointLocked()
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

// becomeDeadLocked latches why the connection ended. Every later code follows
// from the first reason, never from what netstack says afterwards
// (RS-1).
func (s *Socket) becomeDeadLocked(reason wsa.Errno) {
	if s.state == options.Dead {
		return
	}
	s.state, s.reason = options.Dead, reason
	if !s.host.Profile().Endings().ConnectErrors {
		s.pending = reason
	}
	s.stopKeepAliveLocked()
	s.stopRetransmitLocked()
	s.debugStateLocked(reason)
	s.observeLocked()
	s.calls.wake(anyEvent)
}

// pollLocked looks what became of the netstack endpoint since the last call,
// and moves the socket. Every call starts with it.
func (s *Socket) pollLocked() {
	if s.kind != options.Stream || s.ep == nil || s.closed {
		return
	}
	switch st := tcp.EndpointState(s.ep.State()); s.state {
	case options.Connecting:
		switch {
		case established(st):
			s.becomeConnectedLocked(s.wire.Established(s.host.Clock().NowMonotonic()))
			s.calls.wake(anyEvent)
		case ended(st), s.wire.has(wireUnreachable), s.serveSynLocked():
			err := s.connectErrorLocked(ended(st))
			if err == wsa.WSAETIMEDOUT && ended(st) && s.restartHandshakeLocked() {
				return
			}
			s.connectErr = err
			if s.async { // a blocking call returns it instead (EO-6)
				s.pending = s.connectErr
			}
			s.becomeUnconnectedLocked()
			s.observeLocked()
			s.calls.wake(anyEvent)
		}
	case options.Connected:
		if !ended(st) {
			return
		}
		// Without an error, CLOSED is the end of a graceful close.
		if err := s.ep.LastError(); err != nil || st == tcp.StateError || s.wire.Reset() {
			s.becomeDeadLocked(s.verdict(err))
		}
	}
}

// connectErrorLocked is the code of an attempt to connect that has failed.
func (s *Socket) connectErrorLocked(ended bool) wsa.Errno {
	switch {
	case s.wire.has(wireUnreachable):
		s.icmpError = s.wire.icmpError.Load()
		return wsa.WSAEHOSTUNREACH
	case !ended:
		return wsa.WSAETIMEDOUT
	}
	switch err := s.ep.LastError().(type) {
	case *tcpip.ErrConnectionReset:
		return wsa.WSAECONNREFUSED
	case nil, *tcpip.ErrAborted, *tcpip.ErrConnectionAborted:
		return wsa.WSAETIMEDOUT
	default:
		return errno(err)
	}
}

// verdict says why an established connection ended, from what netstack reports
// and what the hooks saw. A drop by keep-alive isn't among the reasons: that is
// latched where it is decided.
func (s *Socket) verdict(err tcpip.Error) wsa.Errno {
	_, timedOut := err.(*tcpip.ErrTimeout)
	_, reset := err.(*tcpip.ErrConnectionReset)
	_, aborted := err.(*tcpip.ErrAborted) // what netstack says of a RST in CLOSE-WAIT
	cause := keepalive.Verdict(keepalive.Evidence{
		// netstack may have dropped the one that the hooks saw: after a
		// time-out, it wasn't the reset.
		ResetSeen:  reset || s.wire.Reset() && !timedOut,
		PeerClosed: s.wire.has(wireFIN) || aborted,
		TimedOut:   timedOut,
		Unacked:    s.wire.Unacked(),
	})
	if cause == keepalive.ClosedReset {
		return s.host.Profile().Endings().ClosedReset
	}
	return cause.InProgress()
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

// established reports a TCP state in which the handshake is over and the
// endpoint is still in use.
func established(st tcp.EndpointState) bool {
	switch st {
	case tcp.StateEstablished, tcp.StateFinWait1, tcp.StateFinWait2, tcp.StateCloseWait,
		tcp.StateClosing, tcp.StateLastAck, tcp.StateTimeWait:
		return true
	}
	return false
}

func ended(st tcp.EndpointState) bool { return st == tcp.StateClose || st == tcp.StateError }

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
	if s.kind != options.Stream || s.closed || s.local.Addr().Unmap() != a {
		return
	}
	s.pollLocked()
	switch s.state {
	case options.Connected:
		s.becomeDeadLocked(wsa.WSAECONNABORTED)
		s.ep.Abort()
	case options.Connecting:
		s.connectErr = wsa.WSAECONNABORTED
		if s.async {
			s.pending = s.connectErr
		}
		s.becomeUnconnectedLocked()
		s.calls.wake(anyEvent)
	}
}
