package endpoint

import (
	"io"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/nagle"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// The way of a byte that was sent on a stream:
//
//	send ──▶ tail, held by the Gate ──▶ netstack ──▶ wire ──▶ acknowledged
//	          less than a segment        as its windows allow
//	          in most cases
//
// netstack's own Nagle algorithm is off: it sends partial segments with data
// in flight, and holds whole ones where the device segments.

// gather is the payload of one write to netstack: of the tail and what follows,
// limit bytes at most.
type gather struct {
	first, second []byte
	limit         int
}

// Len implements tcpip.Payloader.
func (g *gather) Len() int { return min(len(g.first)+len(g.second), g.limit) }

// Read implements tcpip.Payloader.
func (g *gather) Read(b []byte) (int, error) {
	if g.Len() == 0 {
		return 0, io.EOF
	}
	b = b[:min(len(b), g.limit)]
	n := copy(b, g.first)
	m := copy(b[n:], g.second)
	g.first, g.second = g.first[n:], g.second[m:]
	g.limit -= n + m
	return n + m, nil
}

// largestSegment is the payload that netstack gives to a device that segments.
// It cuts what is queued there, or at the end of the peer's window, and not at a
// multiple of the MSS.
const largestSegment = 1<<16 - header.TCPTotalHeaderMaximumSize - 1

// giveLocked gives netstack bytes in writes that it needn't cut. n < len(first) +
// len(second) when the connection is over.
func (s *Socket) giveLocked(ep tcpip.Endpoint, w *Wire, first, second []byte) (n int, _ tcpip.Error) {
	s.src = gather{first: first, second: second}
	defer func() { s.src = gather{} }()
	mss := w.MSS()
	whole := max(largestSegment/mss, 1) * mss
	for total := len(first) + len(second); n < total; {
		s.src.limit = whole
		want := s.src.Len()
		written, err := ep.Write(&s.src, tcpip.WriteOptions{})
		w.wrote(int(written))
		if n += int(written); err != nil || int(written) < want {
			return n, err
		}
	}
	return n, nil
}

// writeStream accepts bytes from the application: it gives netstack what may
// leave now and keeps a rest that is less than a segment.
func (s *Socket) writeStream(ep tcpip.Endpoint, w *Wire, b []byte) (int, wsa.Errno) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.pushLocked(ep, w, b, pushOrdinary)
}

// A push says why bytes are given to netstack.
type push uint8

const (
	pushOrdinary push = iota // as the Gate allows
	pushUrgent               // urgent data is among them: all leave
	pushFinal                // a FIN follows: all leave
)

// pushLocked is writeStream with wmu held.
func (s *Socket) pushLocked(ep tcpip.Endpoint, w *Wire, b []byte, why push) (int, wsa.Errno) {
	if len(b) > 0 {
		if b = b[:s.roomLocked(w, len(b))]; len(b) == 0 {
			return 0, wsa.WSAEWOULDBLOCK
		}
	}
	held := len(s.tail)
	release := s.releaseLocked(w, held+len(b), why)
	accepted := 0
	if release > 0 {
		// The tail may be longer than what leaves: segments can get smaller.
		n, err := s.giveLocked(ep, w, s.tail[:min(held, release)], b[:max(0, release-held)])
		fromTail := min(n, held)
		s.tail = append(s.tail[:0], s.tail[fromTail:]...)
		accepted = n - fromTail
		if n < release { // the connection is over
			if over(err) {
				s.tail = s.tail[:0] // or the pump would try again and again
			}
			s.holdLocked(w, accepted)
			if accepted > 0 {
				return accepted, 0
			}
			if err == nil {
				return 0, wsa.WSAEWOULDBLOCK
			}
			return 0, errno(err)
		}
	}
	s.tail = append(s.tail, b[accepted:]...)
	s.holdLocked(w, len(b))
	return len(b), 0
}

// releaseLocked asks the Gate.
func (s *Socket) releaseLocked(w *Wire, queued int, why push) int {
	state := w.gateState(queued)
	state.FIN, state.Urgent, state.Override = why == pushFinal, why == pushUrgent, s.sillyFired.Load()
	stalled := 0
	if w.hidden.Load() { // what netstack has leaves together with this, or not
		stalled = state.Unsent
		state.Queued, state.Unsent = queued+stalled, 0
	}
	return max(0, nagle.Gate{NoDelay: s.noDelay.Load()}.Release(state)-stalled)
}

// sillyTimeout is the override of silly-window avoidance: RFC 1122 §4.2.3.4
// wants 0.1 to 1.0 s. It is shorter than netstack's shortest probe of a closed
// window, which netstack takes a window for that it mustn't see.
const sillyTimeout = 150 * time.Millisecond

// holdLocked tells the hooks how much waits here, after n more bytes were
// accepted. What was in flight may have been acknowledged while the bytes
// became the tail; then nobody else would let them go.
func (s *Socket) holdLocked(w *Wire, n int) {
	s.accepted.Add(int64(n))
	s.waiting.Store(int64(len(s.tail)))
	state := w.gateState(len(s.tail))
	switch silly := state.Silly() || w.hidden.Load(); {
	case silly && state.InFlight == 0 && s.silly == nil:
		s.silly = s.host.Clock().AfterFunc(sillyTimeout, func() {
			s.sillyFired.Store(true)
			s.host.Signal(s)
		})
	case !silly || state.InFlight > 0:
		s.stopSillyLocked()
		if len(s.tail) > 0 && state.InFlight+state.Unsent == 0 {
			s.host.Signal(s)
		}
	}
}

func (s *Socket) stopSillyLocked() {
	if s.silly != nil {
		s.silly.Stop()
		s.silly = nil
	}
	s.sillyFired.Store(false)
}

// flush gives netstack what the Gate lets go of the tail, and shows it a window
// that it was hidden when that may be used after all. It runs on the pump, and
// when TCP_NODELAY was set.
func (s *Socket) flush() {
	s.mu.Lock()
	ep, w := s.ep, s.wire
	usable := s.kind == options.Stream && ep != nil && s.state == options.Connected
	s.mu.Unlock()
	if !usable || s.waiting.Load() == 0 && !w.hidden.Load() && !s.sillyFired.Load() {
		return
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	reveal := w.hidden.Load() && (s.sillyFired.Load() || !w.gateState(len(s.tail)).Silly())
	if before := len(s.tail); before > 0 {
		s.flushLocked(ep, w, false)
		if len(s.tail) < before {
			// There is room. Without the condition, a socket that the pump
			// watches would be served again and again.
			s.calls.wake(waiter.EventOut)
		}
	} else {
		s.holdLocked(w, 0)
	}
	if reveal {
		s.revealLocked(ep, w)
	}
}

// revealLocked shows netstack the window that it was hidden.
func (s *Socket) revealLocked(ep tcpip.Endpoint, w *Wire) {
	w.hidden.Store(false)
	s.host.Inject(ep, w.revealed(s.host.Clock()))
	s.stopSillyLocked()
}

// flushLocked is flush with wmu held; all says that nothing may come between the
// data and a FIN.
func (s *Socket) flushLocked(ep tcpip.Endpoint, w *Wire, all bool) {
	why := pushOrdinary
	if all {
		why = pushFinal
		s.lastUrgentLocked(w)
	}
	if len(s.tail) > 0 {
		s.pushLocked(ep, w, nil, why)
	}
}

// over reports an error of a write that no later write will not meet.
func over(err tcpip.Error) bool {
	if err == nil {
		return false
	}
	_, full := err.(*tcpip.ErrWouldBlock)
	return !full
}

// queued is what was accepted and isn't acknowledged, in bytes.
func (s *Socket) queued() int { return s.wire.Unacked() + int(s.waiting.Load()) }
