package endpoint

import (
	"net/netip"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/options"
)

// The way of a connection to a listener:
//
//	SYN ──▶ netstack's handshake ──▶ established ──▶ accepted
//	 └─ SO_CONDITIONAL_ACCEPT ─▶ requested ─ CF_ACCEPT ─▶ opening ──┘
//
// netstack's own queue is high (acceptQueue) and is emptied at once into
// listening.list, which is what the backlog bounds: netstack answers with SYN
// cookies near a small limit, drops SYNs beyond it, and resets what is queued
// in the order of a map.

// An incoming is a connection, or the request for one, that waits for accept.
type incoming struct {
	local, peer netip.AddrPort
	request     *Request // nil: the handshake was made without asking
	ep          tcpip.Endpoint
	queue       *waiter.Queue
	entry       waiter.Entry
	wire        *Wire
	over        atomic.Bool // the connection has ended

	asked   bool        // a condition function is running
	decided bool        // it has accepted
	call    *acceptance // the call that it has accepted for, and that waits
}

// established reports that the handshake is complete.
func (p *incoming) established() bool { return p.ep != nil }

// opening reports a handshake that runs after CF_ACCEPT.
func (p *incoming) opening() bool { return p.decided && p.ep == nil }

// listening is the part of a Socket that listens. Socket.mu guards it.
type listening struct {
	door    *Door
	backlog int
	list    []*incoming // in order of arrival
	live    int         // established, not ended, not accepted by a condition
	lost    bool        // a request has vanished: accept says so once (CA-7)
	timer   tcpip.Timer
	due     atomic.Bool // timer has fired
}

// signalOver is the waiter.EventListener of an incoming that is established.
type signalOver struct {
	p *incoming
	d *Door
}

// NotifyEvent is called with the endpoint locked, maybe.
func (o signalOver) NotifyEvent(waiter.EventMask) {
	if ended(tcp.EndpointState(o.p.ep.State())) {
		o.p.over.Store(true)
		o.d.stale.Store(true)
		o.d.socket.host.Signal(o.d.socket)
	}
}

// openLocked starts to listen, before netstack does.
func (s *Socket) openLocked(backlog int) {
	s.door = &listening{
		backlog: backlog,
		door:    &Door{socket: s, conditional: s.values.ConditionalAccept},
	}
	s.door.door.paused.Store(s.values.PauseAccept)
	s.wire.door = s.door.door
	s.wire.set(wireListener)
	s.listens.Store(true)
}

// takeInLocked moves what has arrived into the list, and takes out what is
// over.
func (s *Socket) takeInLocked() {
	l := s.door
	for _, r := range l.door.takeFresh() {
		l.list = append(l.list, &incoming{
			request: r,
			local:   s.present(tcpip.FullAddress{Addr: r.ID.LocalAddress, Port: r.ID.LocalPort}),
			peer:    s.present(tcpip.FullAddress{Addr: r.ID.RemoteAddress, Port: r.ID.RemotePort}),
		})
	}
	for {
		var peer tcpip.FullAddress
		ep, queue, err := s.ep.Accept(&peer)
		if err != nil {
			break
		}
		s.arriveLocked(ep, queue, peer)
	}
	if l.door.stale.Swap(false) {
		s.sweepLocked()
	}
	l.door.full.Store(l.live >= l.backlog)
}

// arriveLocked lists an established connection, or resets it when the backlog
// was used up during its handshake.
func (s *Socket) arriveLocked(ep tcpip.Endpoint, queue *waiter.Queue, peer tcpip.FullAddress) {
	l := s.door
	w := s.host.Adopt(ep)
	// The endpoint was made by netstack, its segments carry the listener as
	// owner until now; SetOwner without the lock would be a data race.
	t := ep.(*tcp.Endpoint)
	t.LockUser()
	t.SetOwner(w)
	t.UnlockUser()
	s.setHeadersLocked(ep, peer)

	p := l.opened(ep)
	if p == nil {
		if l.live >= l.backlog {
			ep.Abort()
			return
		}
		p = &incoming{peer: s.present(peer)}
		if local, err := ep.GetLocalAddress(); err == nil {
			p.local = s.present(local)
		}
		l.list = append(l.list, p)
		l.live++
	} else {
		l.door.done(p.request)
		s.calls.wake(waiter.ReadableEvents)
	}
	p.ep, p.queue, p.wire = ep, queue, w
	s.host.Watch(ep, w)
	p.entry.Init(signalOver{p, l.door}, waiter.EventHUp|waiter.EventErr)
	queue.EventRegister(&p.entry)
	if ended(tcp.EndpointState(ep.State())) { // before the registration
		p.over.Store(true)
		l.door.stale.Store(true)
	}
}

// opened is the request that an established connection was accepted for.
func (l *listening) opened(ep tcpip.Endpoint) *incoming {
	if !l.door.conditional {
		return nil
	}
	info, ok := ep.Info().(*stack.TransportEndpointInfo)
	if !ok {
		return nil
	}
	for _, p := range l.list {
		if p.opening() && p.request.ID == info.ID {
			return p
		}
	}
	return nil
}

// sweepLocked takes out requests that have vanished, and counts the
// connections that live. Those that have ended stay, because accept reports
// them, but make room: of them, too, no more than the backlog are kept.
func (s *Socket) sweepLocked() {
	l := s.door
	live, dead := 0, 0
	for _, p := range l.list {
		switch {
		case !p.established():
		case p.over.Load():
			dead++
		case p.request == nil:
			live++
		}
	}
	l.live = live
	kept := l.list[:0]
	for _, p := range l.list {
		switch {
		case p.request != nil && !p.established() && p.request.over.Load():
			l.lost = true
			if p.call != nil {
				p.call.accepted = nil
			}
		case p.established() && p.over.Load() && dead > l.backlog:
			dead--
			s.forgetLocked(p)
		default:
			kept = append(kept, p)
		}
	}
	clear(l.list[len(kept):])
	l.list = kept
}

// forgetLocked ends the watch of an established arrival.
func (s *Socket) forgetLocked(p *incoming) {
	p.queue.EventUnregister(&p.entry)
	s.host.Unwatch(p.ep)
}

// removeLocked takes an arrival out of the list.
func (l *listening) removeLocked(p *incoming) {
	for i, q := range l.list {
		if q != p {
			continue
		}
		l.list = append(l.list[:i], l.list[i+1:]...)
		if p.request == nil && !p.over.Load() {
			l.live--
		}
		break
	}
	l.door.full.Store(l.live >= l.backlog)
}

// next is the first arrival that a call may have: not one about which a
// condition function is being asked, or that another call waits for.
func (l *listening) next(a *acceptance) *incoming {
	for _, p := range l.list {
		if !p.asked && !p.opening() && (p.call == nil || p.call == a) {
			return p
		}
	}
	return nil
}

// acceptableLocked reports that accept returns at once.
func (s *Socket) acceptableLocked() bool {
	s.takeInLocked()
	return s.door.lost || s.door.next(nil) != nil
}

// serveListenerLocked is the pump's turn with a listener.
func (s *Socket) serveListenerLocked() {
	l := s.door
	s.takeInLocked()
	if !l.door.conditional {
		return
	}
	if l.timer != nil && !l.due.Swap(false) {
		return // it runs, and looks at whatever is held then
	}
	l.timer = nil
	next := l.door.expire(s.host.Clock().NowMonotonic())
	if next > 0 {
		l.timer = s.host.Clock().AfterFunc(next.Round(time.Microsecond)+time.Microsecond, func() {
			l.due.Store(true)
			s.host.Signal(s)
		})
	}
}

// closeListenerLocked resets whatever waits, oldest first (LG-16).
func (s *Socket) closeListenerLocked() {
	if s.state != options.Listening {
		return
	}
	l := s.door
	l.door.close()
	s.takeInLocked()
	if l.timer != nil {
		l.timer.Stop()
	}
	for _, p := range l.list {
		switch {
		case p.established():
			s.forgetLocked(p)
			p.ep.Abort()
		case !p.opening():
			s.refuseLocked(p)
		}
	}
	l.list = nil
	for _, h := range s.host.HalfOpen(s.wire) {
		s.sendReset(h.Wire, h.Local, h.Remote)
	}
}
