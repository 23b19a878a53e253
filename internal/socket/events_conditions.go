package socket

import (
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/netevents"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// conditionsLocked says which events' conditions hold (EV-2 to EV-5).
func (s *Socket) conditionsLocked() (c netevents.Conditions) {
	c = s.behaviour.conditionsLocked(s)
	if s.events.changes.addresses {
		c.Add(wsa.FD_ADDRESS_LIST_CHANGE_BIT, 0)
	}
	if s.events.changes.route {
		c.Add(wsa.FD_ROUTING_INTERFACE_CHANGE_BIT, s.events.changes.routeErr)
	}
	return c
}

func (streamBehaviour) conditionsLocked(s *Socket) (c netevents.Conditions) {
	switch s.state {
	case options.Listening:
		if s.readyStreamLocked()&ReadyRead != 0 {
			c.Add(wsa.FD_ACCEPT_BIT, 0)
		}
	case options.Connected:
		c = s.connectedConditionsLocked()
	case options.Dead:
		if !s.events.ownReset {
			c.Add(wsa.FD_CLOSE_BIT, s.host.Profile().Events().CloseCode(s.reason))
		}
	default:
		if s.attemptFailedLocked() {
			c.Add(wsa.FD_CONNECT_BIT, s.connectErr)
		}
	}
	return c
}

// connectedConditionsLocked are those of a connection. It may have been reset since the last look,
// and holds no data then: what there was counts all the same.
func (s *Socket) connectedConditionsLocked() (c netevents.Conditions) {
	if s.connects {
		c.Add(wsa.FD_CONNECT_BIT, 0)
	}
	in := s.inflowLocked()
	data := in.unread && !s.shutRecv
	if data {
		c.AddData(wsa.FD_READ_BIT, in.bytes)
	}
	if s.urgentLocked() {
		c.AddData(wsa.FD_OOB_BIT, in.urgent)
	}
	if s.sendableLocked() {
		c.Add(wsa.FD_WRITE_BIT, 0)
	}
	if s.atEndLocked() && (!data || s.host.Profile().Events().CloseBeforeData) {
		c.Add(wsa.FD_CLOSE_BIT, 0)
	}
	return c
}

// An inflow is what has come on a stream.
type inflow struct {
	unread bool   // bytes wait for recv, or did when the connection was reset
	bytes  uint32 // how many have come that are recv's
	urgent uint32 // how many have come that are recv's with MSG_OOB
}

func (s *Socket) inflowLocked() (in inflow) {
	wake := false
	s.conn.Do(func(now time.Duration, e *tcp.Conn) {
		wake = s.urgent.IsOf(s.conn) && s.urgent.Pull(now, e)
		in.urgent, in.bytes = s.urgent.Inflow(e)
		in.unread = uint32(e.Counters.BytesIn)-e.Position() != uint32(s.urgent.Holes())
	})
	if wake {
		s.calls.Wake(waiter.ReadableEvents)
	}
	return in
}

// sendableLocked is the condition of FD_WRITE. Where events are remembered, a connection is sendable
// until a send has found no room (WE-3). One that was reset isn't any more.
func (s *Socket) sendableLocked() bool {
	switch st, cause := s.conn.State(); {
	case s.shutSend:
		return false
	case !s.events.stuck.Load() && s.events.Remembers():
		return true
	case st == tcp.Closed && cause != tcp.None:
		return false
	}
	return s.writableLocked()
}

func (datagramBehaviour) conditionsLocked(s *Socket) (c netevents.Conditions) {
	rules := s.host.Profile().Events()
	if s.ep == nil && rules.WriteAtBind {
		return c
	}
	r := s.readyDatagramLocked()
	if s.events.Remembers() { // the next datagram is one when it is gathered
		r &^= ReadyRead
		if s.kept.count.Load() > 0 || s.softErr != 0 {
			r |= ReadyRead
		}
	}
	if r&ReadyRead != 0 && !s.shutRecv {
		c.AddData(wsa.FD_READ_BIT, s.kept.came.Load())
	}
	if r&ReadyWrite != 0 && !s.shutSend {
		c.Add(wsa.FD_WRITE_BIT, 0)
	}
	if s.state == options.Connected {
		c.Add(wsa.FD_CONNECT_BIT, 0)
	}
	return c
}

// rememberLocked records what holds at the end of a connection, for a selection that is to come
// (WE-1), where a profile remembers events.
func (s *Socket) rememberLocked() {
	if !s.events.Remembers() {
		return
	}
	if s.events.Observe(s.conditionsLocked()) {
		s.events.event.Set()
	}
	s.events.selected.Store(true) // a receive takes FD_READ back, though nothing has been selected yet
}

// hasDataLocked reports that a stream has bytes for recv.
func (s *Socket) hasDataLocked() bool {
	if s.shutRecv {
		return false
	}
	return s.readableOf(s.conn) > 0
}

// atEndLocked reports that the peer's FIN has come: on a connected stream. One that
// has died in the meantime is not at its end: pollLocked, which is to come, says why.
func (s *Socket) atEndLocked() bool {
	switch st, cause := s.conn.State(); st {
	case tcp.CloseWait, tcp.LastAck, tcp.Closing, tcp.TimeWait:
		return true
	case tcp.Closed:
		return cause == tcp.None
	}
	return false
}
