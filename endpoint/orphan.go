package endpoint

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/options"
)

// A connection whose socket is closed is an orphan until both FINs are
// acknowledged: it still holds what was sent. netstack waits for a peer with a
// closed window for ever, as it has to while somebody owns the connection
// (BF-23); so orphans are bounded in time here, and in number by the Host.

// orphanPatience is how long an orphan waits for its peer to acknowledge
// anything new. It is looked at once in this time, so that the peer has up to
// twice as long.
const orphanPatience = 4 * time.Minute

// orphan is the part of a closed Socket whose connection lives on. Socket.mu
// guards it.
type orphan struct {
	timer tcpip.Timer
	una   uint32      // SND.UNA when the timer was set
	due   atomic.Bool // the timer has fired
}

// becomeOrphan follows a closesocket whose connection lives on.
func (s *Socket) becomeOrphan() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ep == nil || s.kind != options.Stream || s.orphan != nil {
		return
	}
	s.orphan = &orphan{}
	s.armOrphanLocked()
	s.host.Orphan(s, s.queued())
	if s.host.Down() { // since then: the stack may have missed it
		s.abandonLocked()
	}
}

func (s *Socket) armOrphanLocked() {
	o := s.orphan
	o.una = s.wire.una.Load()
	o.timer = s.host.Clock().AfterFunc(orphanPatience, func() {
		o.due.Store(true)
		s.host.Signal(s)
	})
}

// Evict makes an orphan give up: there are too many, and it is the oldest. It
// takes no lock.
func (s *Socket) Evict() {
	s.evicted.Store(true)
	s.host.Signal(s)
}

// Abandon resets an orphan because its stack is being closed.
func (s *Socket) Abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandonLocked()
}

func (s *Socket) abandonLocked() {
	if s.ep == nil {
		return
	}
	s.ep.Abort()
	s.endOrphanLocked() // the pump doesn't
	s.stopRetransmitLocked()
}

// serveOrphanLocked gives up when it is time.
func (s *Socket) serveOrphanLocked() {
	o := s.orphan
	if o == nil {
		return
	}
	late := o.due.Swap(false)
	switch {
	case s.evicted.Load(), late && s.wire.una.Load() == o.una:
		s.ep.Abort()
	case late:
		s.armOrphanLocked()
	}
}

// endOrphanLocked follows the end of the connection.
func (s *Socket) endOrphanLocked() {
	if s.orphan != nil {
		s.orphan.timer.Stop()
		s.orphan = nil
		s.host.NoOrphan(s)
	}
}

// hardClose resets a connection. In the states whose FINs have crossed, or are
// both there, no RST leaves (LG-17; RFC 9293 §3.10.5).
func (s *Socket) hardClose(ep tcpip.Endpoint) {
	switch tcp.EndpointState(ep.State()) {
	case tcp.StateClosing, tcp.StateLastAck, tcp.StateTimeWait:
		s.wire.set(wireMute)
	}
	ep.Abort()
}

// resetHandshakeLocked resets a connect that the peer's own has met, at
// closesocket (LG-15): netstack does it silently.
func (s *Socket) resetHandshakeLocked() {
	if s.state == options.Connecting && s.ep != nil && tcp.EndpointState(s.ep.State()) == tcp.StateSynRecv {
		s.sendReset(s.wire, s.local, s.remote)
	}
}

// received follows a receive call that was in progress. One that was pending at
// SD_RECEIVE takes the next data; what is left then resets (C-47).
func (s *Socket) received() {
	if s.receiving.Add(-1) == 0 && s.noRecv.Load() {
		s.host.Signal(s)
	}
}

// answerLocked acknowledges a segment that was dropped because it acknowledged
// what was never sent (RFC 9293 §3.10.7.4).
func (s *Socket) answerLocked() {
	if s.wire != nil && s.ep != nil && s.wire.answer.Swap(false) {
		s.sendOwn(s.bareAckLocked(s.wire.nxt.Load()))
	}
}
