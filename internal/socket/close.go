package socket

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	if how != wsa.SD_RECEIVE && how != wsa.SD_SEND && how != wsa.SD_BOTH {
		return wsa.WSAEINVAL
	}
	if err := s.behaviour.checkShutdownLocked(s); err != 0 {
		return err
	}
	s.shutRecv = s.shutRecv || how != wsa.SD_SEND
	if how != wsa.SD_RECEIVE {
		s.finishSendingLocked()
	}
	s.calls.Wake(wait.AnyEvent)
	if s.shutRecv {
		s.behaviour.shutRecvLocked(s)
	}
	return 0
}

// finishSendingLocked ends sending: there is nothing to send any more.
func (s *Socket) finishSendingLocked() {
	if s.shutSend {
		return
	}
	s.shutSend = true
	s.behaviour.shutSendLocked(s)
}

// resetIfUnreadLocked resets a connection that was shut down for receiving and
// has data queued, or is sent some. What comes when no receive is pending any more
// is not acknowledged: nobody gets it (SH-2). In the measured profiles the peer
// doesn't notice until its window is closed (WC-4).
func (s *Socket) resetIfUnreadLocked() {
	if !s.shutRecv || !s.host.Profile().Streams().ResetsUnread {
		return
	}
	pending := s.receiving.Load() > 0 || len(s.ops.queues[opRecv]) > 0 // they take the data (C-47)
	if s.conn == nil || s.state != options.Connected || s.closed || pending {
		return
	}
	s.noRecv.Store(false)
	s.conn.Do(func(_ time.Duration, e *tcp.Conn) {
		if e.Readable() > 0 {
			e.Abort()
			s.shutReset = true
		} else {
			e.Deafen(true)
		}
	})
	s.pollLocked()
}

// receiveEnded follows a receive call that was in progress. One that was pending at
// SD_RECEIVE takes the next data; what is left then resets (C-47). A DisconnectEx
// waits for it.
func (s *Socket) receiveEnded() {
	if s.receiving.Add(-1) == 0 && (s.noRecv.Load() || s.ops.pending.Load() > 0) {
		s.host.Signal(s)
	}
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
	s.mu.Lock()
	if s.closed {
		down := s.down
		s.mu.Unlock()
		if down {
			return 0 // closed by the stack; the handle is freed now (ND-1)
		}
		return wsa.WSAENOTSOCK
	}
	s.pollLocked()
	l := s.values.Linger
	alive := s.conn != nil && s.state == options.Connected
	lingers := patience && alive && l.On && l.Timeout > 0
	if lingers && s.nonblocking.Load() && !s.shutSend && s.conn.Queued() > 0 {
		s.mu.Unlock()
		return wsa.WSAEWOULDBLOCK // LG-7
	}
	unhold := s.unhold
	s.unhold = nil
	s.becomeClosedLocked()
	c, ep := s.takeLocked()
	s.mu.Unlock()

	switch {
	case c != nil && (!alive || l.On && l.Timeout == 0 || s.hasUnread(c)):
		c.Abort()
	case c != nil:
		c.Close()
	case ep != nil:
		s.closeDatagram(ep)
	}
	s.endAborted()
	if lingers && !s.nonblocking.Load() {
		s.linger(c, time.Duration(l.Timeout)*time.Second)
	}
	if c != nil {
		c.SetOwner(nil)
		if unhold != nil {
			c.AfterEnd(unhold)
		}
	}
	return 0
}

// takeLocked takes the connection, or the endpoint, out of a socket that is closed.
func (s *Socket) takeLocked() (*transport.Conn, tcpip.Endpoint) {
	c, ep := s.conn, s.ep
	s.conn, s.ep = nil, nil
	return c, ep
}

// hasUnread reports bytes that were received and that nobody has got (LG-13):
// urgent ones and those that a call with MSG_WAITALL has in hand count.
func (s *Socket) hasUnread(c *transport.Conn) (unread bool) {
	c.Do(func(now time.Duration, e *tcp.Conn) {
		s.urgent.Pull(now, e)
		s.urgent.Skip(now, e)
		unread = e.Readable() > 0 || s.partial.Load() > 0 || s.urgent.Waiting()
	})
	return unread
}

// closeDatagram closes the endpoint of a datagram socket, once nobody reads from it
// or writes to it.
func (s *Socket) closeDatagram(ep tcpip.Endpoint) {
	s.rmu.Lock()
	s.wmu.Lock()
	s.kept.takeAll()
	s.queue.EventUnregister(&s.entry)
	s.wmu.Unlock()
	s.rmu.Unlock()
	s.host.ForgetDatagrams(ep)
	ep.Close()
}

// becomeClosedLocked ends the socket's life for its callers; the connection may
// live on for a while.
func (s *Socket) becomeClosedLocked() {
	s.closed = true
	if s.backlog != nil {
		s.backlog.Close()
		s.backlog = nil
	}
	if s.binding != nil {
		s.host.Unbind(s.binding)
		s.binding = nil // s.local stays: net.Conn shows it after Close
	}
	s.leaveGroupsLocked()
	s.closeEventsLocked()
	s.abortOpsLocked()
	s.host.Unregister(s)
	s.calls.Wake(wait.AnyEvent)
}

// linger waits, after a graceful close, until the peer has acknowledged all data
// and the FIN. When the time is over it resets the connection (LG-4 to LG-6);
// the caller can't tell one from the other (LG-10).
func (s *Socket) linger(conn *transport.Conn, timeout time.Duration) {
	c := s.calls.Begin(s.host, wait.AnyEvent, timeout)
	defer s.calls.End(c)
	for {
		switch st, _ := conn.State(); {
		case finAcked(st):
			return
		case c.Expired(), s.host.Down():
			conn.Do(func(_ time.Duration, e *tcp.Conn) { e.Expire() })
			return
		}
		c.Wait("linger")
	}
}

// CloseDown ends the socket because its stack is being closed (ND-2): calls in
// progress and later ones get WSAENETDOWN, and the connection is reset.
func (s *Socket) CloseDown() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.down = true
	s.becomeClosedLocked()
	c, ep := s.takeLocked()
	s.unholdLocked()
	s.mu.Unlock()
	s.endAborted()
	if c != nil {
		c.Abort()
	}
	if ep != nil {
		ep.Abort()
	}
}
