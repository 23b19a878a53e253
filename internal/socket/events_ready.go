package socket

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Readiness says what select reports of a socket (EV-9), and what WSAPoll does:
// a set of bits.
type Readiness uint16

// The bits of a Readiness.
const (
	// ReadyRead: a recv or accept returns at once, because there is data, the
	// end of the stream, a connection to accept, or an error.
	ReadyRead Readiness = 1 << iota

	// ReadyWrite: the socket is connected and a send returns at once, because
	// there is room for a byte or the connection has ended.
	ReadyWrite

	// ReadyExcept: the last connect was a non-blocking one and has failed;
	// SO_ERROR has the code until it is read. Or an urgent byte waits.
	ReadyExcept

	// ReadyClosed: the socket is closed, and none of the others is set.
	ReadyClosed

	// What WSAPoll tells apart, by the names of its flags. Ready leaves them
	// out.
	PollRead   // POLLRDNORM: data, or a connection to accept
	PollWrite  // POLLWRNORM
	PollUrgent // POLLRDBAND
	PollError  // POLLERR: the connect has failed, or the connection has died
	PollHangup // POLLHUP: so, or the peer has closed its side

	readyAll = ReadyRead | ReadyWrite | ReadyExcept
)

// Ready looks at the socket without waiting. After a reset, an abort or a drop
// it is readable and writable, not exceptional (RS-4, KA-31); when the network
// is down, everything (ND-2).
func (s *Socket) Ready() Readiness { return s.Look() & (readyAll | ReadyClosed) }

// Look is Ready with the bits of WSAPoll.
func (s *Socket) Look() Readiness {
	s.catchUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.enterLocked() {
	case wsa.WSAENETDOWN:
		return readyAll | PollError | PollHangup
	case wsa.WSAENOTSOCK:
		return ReadyClosed
	}
	return s.behaviour.readyLocked(s)
}

// readyLocked has the bits of WSAPoll: after a reset, an abort or a failed connect POLLERR,
// POLLHUP and POLLWRNORM (RS-4, EV-10), after a drop the first two (KA-31).
func (streamBehaviour) readyLocked(s *Socket) Readiness {
	r := s.readyStreamLocked()
	if s.urgentLocked() {
		r |= ReadyExcept | PollUrgent
	}
	switch {
	case s.droppedLocked():
		return r | PollError | PollHangup
	case s.state == options.Dead, r&ReadyExcept != 0 && s.state != options.Connected:
		return r | PollError | PollHangup | PollWrite
	}
	if r&ReadyRead != 0 && (s.state != options.Connected || s.hasDataLocked()) {
		r |= PollRead
	}
	if r&ReadyWrite != 0 {
		r |= PollWrite
	}
	if s.state == options.Connected && s.atEndLocked() {
		r |= PollHangup
	}
	return r
}

func (datagramBehaviour) readyLocked(s *Socket) Readiness {
	r := s.readyDatagramLocked()
	if r&ReadyRead != 0 {
		r |= PollRead
	}
	if r&ReadyWrite != 0 {
		r |= PollWrite
	}
	return r
}

func (s *Socket) readyStreamLocked() Readiness {
	switch s.state {
	case options.Listening:
		if s.backlog.Acceptable() {
			return ReadyRead
		}
		return 0
	case options.Connected:
		var r Readiness
		if s.writableLocked() {
			r |= ReadyWrite
		}
		if s.shutRecv || s.hasDataLocked() || s.atEndLocked() { // after SD_RECEIVE, recv fails at once
			r |= ReadyRead
		}
		return r
	case options.Dead:
		return ReadyRead | ReadyWrite
	}
	if s.attemptFailedLocked() {
		return ReadyExcept
	}
	return 0
}

// attemptFailedLocked reports that the last attempt to connect has failed, and that FD_CONNECT and
// exceptfds tell of it: that of a non-blocking connect, or in a profile any (WE-10).
func (s *Socket) attemptFailedLocked() bool {
	return s.connectErr != 0 && (s.async || s.host.Profile().Events().EveryConnect)
}

// readyDatagramLocked: a datagram socket is always sendable, bound or not, as
// far as netstack has room for a datagram.
func (s *Socket) readyDatagramLocked() Readiness {
	if s.ep == nil {
		return ReadyWrite
	}
	_ = s.ep.LastError() // netstack's view of an ICMP error
	r := s.epReadyLocked()
	if s.softErr != 0 || s.shutRecv || s.kept.count.Load() > 0 {
		r |= ReadyRead
	}
	return r
}

// epReadyLocked is what netstack says. An error that waits for a datagram
// socket is reported by recv.
func (s *Socket) epReadyLocked() (r Readiness) {
	mask := s.ep.Readiness(waiter.ReadableEvents | waiter.WritableEvents)
	if mask&(waiter.ReadableEvents|waiter.EventErr) != 0 {
		r |= ReadyRead
	}
	if mask&waiter.WritableEvents != 0 {
		r |= ReadyWrite
	}
	return r
}

// A Member is one socket of those that Await waits for.
type Member struct {
	Socket *Socket
	Want   Readiness // what is waited for; ReadyClosed always is
	Got    Readiness // what Await found of it
}

// Await waits until a member has something that it wants, or is closed, and
// leaves in Got what each of them had then. It reports false when the timeout
// is over first; zero is a look without waiting, a negative one is none. The
// time is that of h's clock, and the waiting is done on one Waiter of h,
// whatever the number of members. A socket may be a member several times.
func Await(h Host, members []Member, timeout time.Duration) bool {
	return await(h, members, timeout, nil)
}

// await is Await for a call of a thread, which can be cancelled.
func await(h Host, members []Member, timeout time.Duration, d *wait.Deadline) bool {
	if look(members) {
		return true
	}
	if timeout == 0 {
		return false
	}
	alarm := wait.NewWaiter(h)
	var expired atomic.Bool
	if timeout > 0 {
		timer := h.Clock().AfterFunc(timeout, func() {
			expired.Store(true)
			alarm.Signal()
		})
		defer timer.Stop()
	}
	w := d.BlockOn(alarm)
	calls := register(members, w)
	defer unregister(members, calls)
	for {
		switch late := expired.Load(); {
		case look(members):
			return true
		case late || d.Passed():
			return false
		}
		w.Wait("select")
	}
}

// look fills in Got and reports whether anything is in it.
func look(members []Member) (found bool) {
	for i := range members {
		m := &members[i]
		m.Got = m.Socket.Look() & (m.Want | ReadyClosed)
		found = found || m.Got != 0
	}
	return found
}

// register lists a call with every member, all on the same waiter.
func register(members []Member, w wait.Waiter) []wait.Call {
	calls := make([]wait.Call, len(members))
	for i, m := range members {
		calls[i].Init(w, m.Want.events())
		m.Socket.calls.Add(&calls[i])
	}
	return calls
}

func unregister(members []Member, calls []wait.Call) {
	for i, m := range members {
		m.Socket.calls.Remove(&calls[i])
	}
}

// events are the events of netstack, and of this package, that may set a bit
// of r. The end of an attempt or a connection comes with an error.
func (r Readiness) events() waiter.EventMask {
	mask := waiter.EventErr | waiter.EventHUp
	if r&(ReadyRead|ReadyExcept|PollRead|PollUrgent|PollHangup) != 0 {
		mask |= waiter.ReadableEvents
	}
	if r&(ReadyWrite|PollWrite) != 0 {
		mask |= waiter.WritableEvents
	}
	return mask
}
