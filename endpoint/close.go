package endpoint

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Shutdown disables receives (wsa.SD_RECEIVE), sends (SD_SEND) or both. It
// never waits (LG-27) and can't be undone; repeating it succeeds.
//
// Errors (SH-6): WSAEINVAL for another how, WSAENOTCONN on a stream that isn't
// connected, the code of its end on one that was.
func (s *Socket) Shutdown(how int32) (code wsa.Errno) {
	defer s.debugCall("shutdown", &code)
	s.rmu.Lock() // no recv has bytes in hand that it gives back
	defer s.rmu.Unlock()
	s.wmu.Lock() // no send comes between the tail and the FIN
	defer s.wmu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	if how != wsa.SD_RECEIVE && how != wsa.SD_SEND && how != wsa.SD_BOTH {
		return wsa.WSAEINVAL
	}
	if s.kind == options.Stream {
		switch {
		case s.state == options.Dead:
			return s.deadErrnoLocked(false)
		case s.state != options.Connected, s.context != nil: // IN-5, IN-6
			return wsa.WSAENOTCONN
		}
	}
	s.shutRecv = s.shutRecv || how != wsa.SD_SEND
	if how != wsa.SD_RECEIVE && !s.shutSend {
		s.shutSend = true
		if s.kind == options.Stream {
			s.flushLocked(s.ep, s.wire, true)
			s.ep.Shutdown(tcpip.ShutdownWrite)
		}
	}
	s.calls.wake(anyEvent)
	// Data that nobody can receive any more resets the connection, now or
	// when it comes (SH-2). Datagrams are queued as before (SH-3).
	if s.kind == options.Stream && s.shutRecv {
		s.noRecv.Store(true)
		s.events.ownReset = true
		s.resetIfUnreadLocked()
		s.events.ownReset = s.state == options.Dead
	}
	return 0
}

// resetIfUnreadLocked resets a connection that was shut down for receiving and
// has data queued, or was sent some since. What comes when no receive is
// pending any more is not acknowledged: nobody gets it (SH-2).
func (s *Socket) resetIfUnreadLocked() {
	pending := s.receiving.Load() > 0 || len(s.ops.queues[opRecv]) > 0 // they take the data (C-47)
	if !s.shutRecv || s.state != options.Connected || s.closed || pending {
		return
	}
	s.refuses.Store(true)
	queued, _ := s.ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	if queued == 0 && s.held.Load() == 0 && !s.refused.Load() {
		return
	}
	s.shutReset = true
	s.ep.Abort()
	s.becomeDeadLocked(wsa.WSAECONNABORTED)
}

// Close is closesocket. What it does to a connection is the close matrix LG-2
// to LG-8: WSAEWOULDBLOCK, with the socket still open, is for a non-blocking
// socket that lingers with data pending; a blocking one that lingers waits.
// Calls blocked on the socket end with WSAEINTR, later ones with WSAENOTSOCK.
func (s *Socket) Close() wsa.Errno { return s.close(true) }

// close is Close. Without patience it neither waits nor refuses: where Close
// would linger, the connection is closed gracefully, and nobody looks for how long.
func (s *Socket) close(patience bool) (code wsa.Errno) {
	defer s.debugCall("close", &code)
	s.rmu.Lock() // no recv has bytes in hand that it gives back
	s.wmu.Lock() // no send comes between the tail and the FIN
	s.mu.Lock()
	unlock := func() {
		s.mu.Unlock()
		s.wmu.Unlock()
		s.rmu.Unlock()
	}
	if s.closed {
		down := s.down
		unlock()
		if down {
			return 0 // closed by the stack; the handle is freed now (ND-1)
		}
		return wsa.WSAENOTSOCK
	}
	s.pollLocked()
	l, ep := s.values.Linger, s.ep
	alive := s.kind == options.Stream && s.state == options.Connected
	lingers := patience && alive && l.On && l.Timeout > 0
	if lingers && s.nonblocking.Load() && !s.shutSend && s.queued() > 0 {
		unlock()
		return wsa.WSAEWOULDBLOCK // LG-7
	}
	unread := len(s.unread)+s.partial > 0 || alive && s.wire.urgent.waiting.Load()
	hard := alive && l.On && l.Timeout == 0
	if alive && !hard && !s.shutSend {
		s.flushLocked(ep, s.wire, true) // NG-14
	}
	if s.kind != options.Stream {
		s.dgram.kept.takeAll()
	}
	s.stopSillyLocked()
	s.resetHandshakeLocked()
	s.becomeClosedLocked()
	s.mu.Unlock()
	s.wmu.Unlock()

	switch {
	case ep == nil:
	case alive && unread:
		ep.Abort() // LG-13, for bytes that netstack believes were read
		lingers = false
	case hard:
		s.hardClose(ep)
	default:
		ep.Close()
	}
	s.rmu.Unlock()
	s.endAborted()
	if lingers && !s.nonblocking.Load() {
		s.linger(ep, time.Duration(l.Timeout)*time.Second)
	}
	s.Serve() // an endpoint that is done already sends no event
	s.becomeOrphan()
	return 0
}

// becomeClosedLocked ends the socket's life for its callers; the connection may
// live on for a while.
func (s *Socket) becomeClosedLocked() {
	s.closed = true
	s.stopSynTimerLocked()
	s.stopKeepAliveLocked()
	if s.down {
		s.stopRetransmitLocked()
	}
	s.closeListenerLocked()
	if s.state == options.Listening {
		s.host.NotListening(s.binding, s.ep)
	}
	if s.binding != nil {
		s.host.Unbind(s.binding)
		s.binding = nil // s.local stays: net.Conn shows it after Close
	}
	s.leaveGroupsLocked()
	s.closeEventsLocked()
	s.abortOpsLocked()
	s.host.Unregister(s)
	s.calls.wake(anyEvent)
}

// linger waits, after a graceful close, until the peer has acknowledged all data
// and the FIN. When the time is over it resets the connection (LG-4 to LG-6);
// the caller can't tell one from the other (LG-10).
func (s *Socket) linger(ep tcpip.Endpoint, timeout time.Duration) {
	c := s.begin(anyEvent, timeout)
	defer s.end(c)
	for {
		switch st := tcp.EndpointState(ep.State()); {
		case ended(st), st == tcp.StateFinWait2, st == tcp.StateTimeWait, s.wire.FinAcked():
			return
		case c.expired.Load(), s.host.Down():
			ep.Abort()
			return
		}
		c.waiter.Wait("linger")
	}
}

// CloseDown ends the socket because its stack is being closed (ND-2): calls in
// progress and later ones get WSAENETDOWN, and the connection is reset.
func (s *Socket) CloseDown() {
	s.wmu.Lock()
	s.mu.Lock()
	ep := s.ep
	if s.closed {
		s.mu.Unlock()
		s.wmu.Unlock()
		return
	}
	s.down = true
	s.stopSillyLocked()
	s.becomeClosedLocked()
	s.mu.Unlock()
	s.wmu.Unlock()
	s.endAborted()
	if ep != nil {
		ep.Abort()
	}
}

// serveClosedLocked lets the hooks forget an endpoint that is done.
func (s *Socket) serveClosedLocked() {
	if s.ep == nil {
		return
	}
	timeWait := false
	if s.kind == options.Stream {
		st := tcp.EndpointState(s.ep.State())
		timeWait = st == tcp.StateTimeWait
		if !ended(st) && !timeWait {
			s.answerLocked()
			s.serveOrphanLocked()
			return
		}
		s.endOrphanLocked()
		s.wire.attach(nil) // the records of halfOpen may outlive the socket
	}
	s.stopRetransmitLocked()
	s.host.Unwatch(s.ep)
	s.queue.EventUnregister(&s.entry)
	s.unholdLocked()
	if timeWait {
		s.host.Leave(Remnant{s.ep, s.queue, s.wire, s.takeTupleLocked()})
	}
	s.vacateLocked()
	s.ep = nil
}
