package urgent

import (
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
)

// Data is what a stream socket knows of the peer's urgent bytes. The engine
// notes where they are; the socket takes them out of the stream when recv comes to
// them. The connection's lock guards what isn't atomic: that of the connection that
// it is of, when it is looked at with the lock held. A call that has looked at the
// socket before DisconnectEx may come with another one.
type Data struct {
	of      atomic.Pointer[transport.Conn]
	marks   *Marks       // nil: none was announced yet
	modes   uint32       // Ignored and Inline
	queues  bool         // a second byte doesn't replace the first (C-13)
	moved   bool         // TakeOver has it: what is announced is another socket's
	pending atomic.Bool  // Pull has something to do, or will have
	waiting atomic.Bool  // for recv(MSG_OOB)
	holes   atomic.Int64 // bytes in the queue that aren't part of the stream
}

// Bits of the modes.
const (
	Ignored = 1 << iota // TCP_NOURG
	Inline              // SO_OOBINLINE
)

// SetModes makes options hold. It reports that calls should look again.
func (u *Data) SetModes(now time.Duration, e *tcp.Conn, modes uint32, queues bool) (wake bool) {
	old := u.modes
	u.modes, u.queues = modes, queues
	if u.marks == nil || (old^modes)&Inline == 0 {
		return false
	}
	if modes&Inline == 0 {
		u.marks.BecomeOutOfLine()
		return false
	}
	wake = u.Pull(now, e)
	if u.marks.BecomeInline() {
		u.Pull(now, e)
		wake = true
	}
	return wake
}

// TakeOver takes what another socket knows of the connection. That socket may be in
// a call of Pull, which waits for the connection.
func (u *Data) TakeOver(from *Data) {
	u.marks, u.modes = from.marks, from.modes
	from.moved = true
	u.pending.Store(true)
}

// Forget ends what is known of a connection, which is locked.
func (u *Data) Forget() {
	u.of.Store(nil)
	u.marks = nil
	u.pending.Store(false)
	u.waiting.Store(false)
	u.holes.Store(0)
}

// Pull looks what was announced, takes the urgent bytes that have come out of the
// stream, and puts those back that SO_OOBINLINE wants there. It is called before
// anybody looks what there is to read, and reports that calls should look again.
func (u *Data) Pull(now time.Duration, e *tcp.Conn) (wake bool) {
	if u.moved {
		return false
	}
	for _, n := range e.TakeNotices() {
		if u.modes&Ignored != 0 {
			continue
		}
		if u.marks == nil {
			u.marks = New(u.modes&Inline != 0)
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
func (u *Data) takeArrived(now time.Duration, e *tcp.Conn) (wake bool) {
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
func (u *Data) publish() {
	u.pending.Store(u.marks.Announced())
	u.waiting.Store(u.marks.Waits())
	u.holes.Store(int64(u.marks.Holes()))
}

// Skip takes bytes off the front that aren't part of the stream.
func (u *Data) Skip(now time.Duration, e *tcp.Conn) {
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

// Limit prepares a read of up to size bytes: it takes off what isn't part of the
// stream, and limits the read to what lies before the next mark (OB-6). more says
// that the call has bytes already, and stop that it goes no further.
func (u *Data) Limit(now time.Duration, e *tcp.Conn, size int, more bool) (n int, stop bool) {
	u.Pull(now, e)
	m := u.marks
	if m == nil {
		return size, false
	}
	if more && m.Boundary(e.Position()) {
		return 0, true
	}
	u.Skip(now, e)
	// A limit of 0 is a byte that hasn't come, and so is the end of what can be read
	// now.
	if limit, ok := m.Limit(e.Position()); ok && limit > 0 && limit < uint32(size) {
		size = int(limit)
	}
	return size, false
}

// Passed follows a read.
func (u *Data) Passed(e *tcp.Conn) {
	if u.marks != nil {
		u.marks.BecomePassed(e.Position())
		u.publish()
	}
}

// SetDefaults says what holds for a connection that is still to come.
func (u *Data) SetDefaults(modes uint32, queues bool) { u.modes, u.queues = modes, queues }

// Attach makes the urgent bytes those of a connection, which may have announced some already.
func (u *Data) Attach(c *transport.Conn) {
	u.of.Store(c)
	u.pending.Store(true)
}

// IsOf reports that the urgent bytes are those of a connection.
func (u *Data) IsOf(c *transport.Conn) bool { return u.of.Load() == c }

// Announced is told that a segment has announced something.
func (u *Data) Announced() { u.pending.Store(true) }

// Pending reports that Pull has something to do, or will have.
func (u *Data) Pending() bool { return u.pending.Load() }

// Waiting reports that a byte waits for recv(MSG_OOB).
func (u *Data) Waiting() bool { return u.waiting.Load() }

// Holes is how many bytes of what can be read aren't part of the stream.
func (u *Data) Holes() int { return int(u.holes.Load()) }

// Inflow is how many urgent bytes have come out of line, and how many bytes have come that are part
// of the stream, with the connection locked: its network events are told of both.
func (u *Data) Inflow(e *tcp.Conn) (urgent, ordinary uint32) {
	ordinary = uint32(e.Counters.BytesIn)
	if u.marks != nil {
		urgent, ordinary = u.marks.came, ordinary-u.marks.out
	}
	return urgent, ordinary
}

// Take is recv(MSG_OOB): the byte that waits.
func (u *Data) Take(now time.Duration, e *tcp.Conn, peek bool) (b byte, found bool) {
	u.Pull(now, e)
	if u.marks != nil {
		b, found = u.marks.Take(peek)
	}
	if found && !peek {
		u.Skip(now, e)
		u.publish()
	}
	return b, found
}

// AtMark is SIOCATMARK; see Marks.AtMark.
func (u *Data) AtMark(now time.Duration, e *tcp.Conn, always bool) bool {
	u.Pull(now, e)
	return u.marks == nil || u.marks.AtMark(e.Position(), always)
}
