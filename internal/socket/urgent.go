package socket

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/urgent"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// urgentData is what a stream socket knows of the peer's urgent bytes. The engine
// notes where they are; the socket takes them out of the stream when recv comes to
// them. The connection's lock guards what isn't atomic: that of the connection that
// it is of, when it is looked at with the lock held. A call that has looked at the
// socket before DisconnectEx may come with another one.
type urgentData struct {
	of      atomic.Pointer[transport.Conn]
	marks   *urgent.Marks // nil: none was announced yet
	modes   uint32        // the urgent… bits
	queues  bool          // a second byte doesn't replace the first (C-13)
	moved   bool          // takeOver has it: what is announced is another socket's
	pending atomic.Bool   // pull has something to do, or will have
	waiting atomic.Bool   // for recv(MSG_OOB)
	holes   atomic.Int64  // bytes in the queue that aren't part of the stream
}

// Bits of urgentData.modes.
const (
	urgentIgnored = 1 << iota // TCP_NOURG
	urgentInline              // SO_OOBINLINE
)

func (s *Socket) urgentModesLocked() (modes uint32) {
	if s.values.TCP.NoUrgent {
		modes |= urgentIgnored
	}
	if s.values.OOBInline {
		modes |= urgentInline
	}
	return modes
}

// setModes makes options hold. It reports that calls should look again.
func (u *urgentData) setModes(now time.Duration, e *tcp.Conn, modes uint32, queues bool) (wake bool) {
	old := u.modes
	u.modes, u.queues = modes, queues
	if u.marks == nil || (old^modes)&urgentInline == 0 {
		return false
	}
	if modes&urgentInline == 0 {
		u.marks.BecomeOutOfLine()
		return false
	}
	wake = u.pull(now, e)
	if u.marks.BecomeInline() {
		u.pull(now, e)
		wake = true
	}
	return wake
}

// takeOver takes what another socket knows of the connection. That socket may be in
// a call of pull, which waits for the connection.
func (u *urgentData) takeOver(from *urgentData) {
	u.marks, u.modes = from.marks, from.modes
	from.moved = true
	u.pending.Store(true)
}

// forget ends what is known of a connection, which is locked.
func (u *urgentData) forget() {
	u.of.Store(nil)
	u.marks = nil
	u.pending.Store(false)
	u.waiting.Store(false)
	u.holes.Store(0)
}

// pull looks what was announced, takes the urgent bytes that have come out of the
// stream, and puts those back that SO_OOBINLINE wants there. It is called before
// anybody looks what there is to read, and reports that calls should look again.
func (u *urgentData) pull(now time.Duration, e *tcp.Conn) (wake bool) {
	if u.moved {
		return false
	}
	for _, n := range e.TakeNotices() {
		if u.modes&urgentIgnored != 0 {
			continue
		}
		if u.marks == nil {
			u.marks = urgent.New(u.modes&urgentInline != 0)
		}
		u.marks.Queues = u.queues
		u.marks.Announce(n.At, n.First, e.Position())
		wake = u.takeArrived(now, e) || wake // before the next one supersedes it
	}
	m := u.marks
	if m == nil {
		u.pending.Store(false)
		return false
	}
	if b := m.Returned(e.Position()); len(b) > 0 {
		e.Restore(b)
		wake = true
	}
	m.BecomePassed(e.Position())
	wake = u.takeArrived(now, e) || wake
	u.publish()
	return wake
}

// takeArrived takes the announced bytes that have come out of the stream.
func (u *urgentData) takeArrived(now time.Duration, e *tcp.Conn) (wake bool) {
	position := e.Position()
	for {
		at, found := u.marks.Arrived(position, uint32(e.Readable()))
		if !found {
			return wake
		}
		var b [1]byte
		e.Read(now, b[:], int(at-position), true)
		wake = u.marks.BecomeWaiting(at, b[0]) || wake
	}
}

// publish tells those who don't have the connection's lock.
func (u *urgentData) publish() {
	u.pending.Store(u.marks.Announced())
	u.waiting.Store(u.marks.Waits())
	u.holes.Store(int64(u.marks.Holes()))
}

// skip takes bytes off the front that aren't part of the stream.
func (u *urgentData) skip(now time.Duration, e *tcp.Conn) {
	m := u.marks
	if m == nil {
		return
	}
	for e.Readable() > 0 && m.Hole(e.Position()) {
		e.Discard(now, 1)
		m.BecomePassed(e.Position())
	}
	u.publish()
}

// limit prepares a read of up to size bytes: it takes off what isn't part of the
// stream, and limits the read to what lies before the next mark (OB-6). more says
// that the call has bytes already, and stop that it goes no further.
func (u *urgentData) limit(now time.Duration, e *tcp.Conn, size int, more bool) (n int, stop bool) {
	u.pull(now, e)
	m := u.marks
	if m == nil {
		return size, false
	}
	if more && m.Boundary(e.Position()) {
		return 0, true
	}
	u.skip(now, e)
	// A limit of 0 is a byte that hasn't come, and so is the end of what can be read
	// now.
	if limit, ok := m.Limit(e.Position()); ok && limit > 0 && limit < uint32(size) {
		size = int(limit)
	}
	return size, false
}

// passed follows a read.
func (u *urgentData) passed(e *tcp.Conn) {
	if u.marks != nil {
		u.marks.BecomePassed(e.Position())
		u.publish()
	}
}

// pullUrgent is pull, for who looks what there is to read.
func (s *Socket) pullUrgent() {
	if !s.urgent.pending.Load() {
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
		wake = s.urgent.of.Load() == conn && s.urgent.pull(now, e)
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
	var urgent byte
	found, end := false, false
	conn.Do(func(now time.Duration, e *tcp.Conn) {
		u := &s.urgent
		if u.of.Load() != conn {
			end = true
			return
		}
		u.pull(now, e)
		if u.marks != nil {
			urgent, found = u.marks.Take(peek)
		}
		if found && !peek {
			u.skip(now, e)
			u.publish()
		}
		end = streamEnded(e)
	})
	switch {
	case found:
		b[0] = urgent
		return 1, 0
	case end:
		return 0, s.endOfStream(waited)
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
		s.urgent.pull(now, e)
		if s.urgent.marks != nil {
			at = s.urgent.marks.AtMark(e.Position(), always)
		}
	})
	return at
}

// urgentLocked reports that an urgent byte waits to be read by recv(MSG_OOB):
// FD_OOB, exceptfds and POLLRDBAND (OB-5).
func (s *Socket) urgentLocked() bool {
	return s.state == options.Connected && !s.shutRecv && s.urgent.waiting.Load()
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
	conn.Do(func(now time.Duration, e *tcp.Conn) {
		if n = s.room(e, len(b)); n == 0 {
			err = wsa.WSAEWOULDBLOCK
			return
		}
		ahead := 0
		if follows {
			ahead = len(b) - n
		}
		up, ok := e.SendUrgent(now, b[:n], ahead)
		if !ok {
			n, err = 0, wsa.WSAESHUTDOWN
			return
		}
		s.accepted.Add(int64(n))
		*u = urgentSend{conn: conn, up: up, last: e.End()}
	})
	return n, err
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
