package socket

import (
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/urgent"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

func (s *Socket) urgentModesLocked() (modes uint32) {
	if s.values.TCP.NoUrgent {
		modes |= urgent.Ignored
	}
	if s.values.OOBInline {
		modes |= urgent.Inline
	}
	return modes
}

// pullUrgent is Pull of the urgent bytes, for who looks what there is to read.
func (s *Socket) pullUrgent() {
	if !s.urgent.Pending() {
		return
	}
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn == nil {
		return
	}
	wake := false
	conn.Do(func(now time.Duration, e *tcp.Conn) {
		wake = s.urgent.IsOf(conn) && s.urgent.Pull(now, e)
	})
	if wake {
		s.calls.Wake(waiter.ReadableEvents)
	}
}

// readUrgent is recv(MSG_OOB) (OB-4): one byte, or none at the end of the stream.
func (s *Socket) readUrgent(conn *transport.Conn, b []byte, peek, waited bool) (n int, err wsa.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	var waiting byte
	found, end := false, false
	conn.Do(func(now time.Duration, e *tcp.Conn) {
		if !s.urgent.IsOf(conn) {
			end = true
			return
		}
		waiting, found = s.urgent.Take(now, e, peek)
		end = streamEnded(e)
	})
	switch {
	case found:
		b[0] = waiting
		return 1, 0
	case end:
		return 0, s.ended(waited, 0)
	}
	return 0, wsa.WSAEWOULDBLOCK
}

// AtMark is SIOCATMARK: whether no urgent byte waits or, with SO_OOBINLINE,
// whether everything before the mark has been read (OB-9, OB-10). TRUE where
// there is no connection yet; WSAEINVAL on datagram sockets (OB-11), WSAENOTCONN
// when the connection was reset, aborted or dropped (KA-31).
func (s *Socket) AtMark() (bool, wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return false, err
	}
	if !s.behaviour.connectionOriented() {
		return false, wsa.WSAEINVAL
	}
	if s.state == options.Dead {
		return false, wsa.WSAENOTCONN
	}
	return s.atMarkLocked(), 0
}

func (s *Socket) atMarkLocked() bool {
	if s.conn == nil || s.state != options.Connected {
		return true
	}
	at, always := true, s.host.Profile().Urgent().InlineAtMark
	s.conn.Do(func(now time.Duration, e *tcp.Conn) {
		at = s.urgent.AtMark(now, e, always)
	})
	return at
}

// urgentLocked reports that an urgent byte waits to be read by recv(MSG_OOB):
// FD_OOB, exceptfds and POLLRDBAND (OB-5).
func (s *Socket) urgentLocked() bool {
	return s.state == options.Connected && !s.shutRecv && s.urgent.Waiting()
}

// An urgentSend is what a send(MSG_OOB) has said of its urgent byte. A call or an
// operation has one from its beginning to its end, where it takes back what didn't
// come true: others send urgent bytes meanwhile, whose pointer isn't its to change.
type urgentSend struct {
	conn *transport.Conn // nil: nothing was said
	up   tcp.Seq         // SND.UP, as it was set last
	last tcp.Seq         // the sequence number behind what was accepted
}

// writeUrgent is send(MSG_OOB) (OB-1): the last byte of b is urgent. All that
// is held leaves with it (NG-2), and where a window doesn't let it, a segment
// without data tells of it. follows says that what isn't accepted now will be
// later: it is one notification.
func (s *Socket) writeUrgent(conn *transport.Conn, b []byte, u *urgentSend, follows bool) (n int, err wsa.Errno) {
	return s.give(conn, len(b), func(now time.Duration, e *tcp.Conn, room int) (int, bool) {
		ahead := 0
		if follows {
			ahead = len(b) - room
		}
		up, ok := e.SendUrgent(now, b[:room], ahead)
		if ok {
			*u = urgentSend{conn: conn, up: up, last: e.End()}
		}
		return room, ok
	})
}

// end follows a send(MSG_OOB) that a time-out, say, has cut short: the last byte of
// it that was accepted is the urgent one, unless another send has moved the pointer
// since.
func (u *urgentSend) end() {
	if u.conn != nil && u.up != u.last {
		u.conn.Do(func(_ time.Duration, e *tcp.Conn) { e.AmendUrgent(u.up, u.last) })
	}
	u.conn = nil
}
