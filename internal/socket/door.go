package socket

import (
	"net/netip"
	"slices"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
)

// A door is what a listening socket shares with its transport.Listener: whether
// connections come in, and those that wait for accept, in order of arrival:
//
//	SYN ──▶ handshake ──▶ established ──▶ accepted
//	 └─ SO_CONDITIONAL_ACCEPT ─▶ requested ─ CF_ACCEPT ─▶ opening ──┘
//
// The backlog bounds those that are established and not accepted; half-open ones
// don't count, so that spoofed SYNs keep nobody out. Its lock is a leaf: the
// listener calls it with its own lock held.
type door struct {
	socket      *Socket
	conditional bool // SO_CONDITIONAL_ACCEPT when listen was called
	backlog     int
	listener    *transport.Listener // set before the socket is Listening

	mu       sync.Mutex
	settings [2]transport.Settings // for IPv4 and IPv6
	paused   bool                  // SO_PAUSE_ACCEPT
	closed   bool
	list     []*incoming
	live     int  // of the list, those that are counted: see fullLocked
	lost     bool // a request has vanished: accept says so once (CA-7)
}

// An incoming is a connection, or the request for one, that waits for accept. The
// lock of its door guards it; what doesn't change is read without.
type incoming struct {
	id        transport.ID
	requested bool            // it came as a request
	conn      *transport.Conn // nil until the handshake is complete

	counted bool        // it has a place of the backlog
	asked   bool        // a condition function is running
	decided bool        // it has accepted
	over    bool        // the request has vanished
	call    *acceptance // the call that it has accepted for, and that waits
}

// opening reports a handshake that runs after CF_ACCEPT.
func (p *incoming) opening() bool { return p.decided && p.conn == nil }

// ended reports a connection that is over.
func (p *incoming) ended() bool {
	st, _ := p.conn.State()
	return st == tcp.Closed
}

// set tells what holds for SYNs from now on (IN-4).
func (d *door) set(paused bool, v4, v6 transport.Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused, d.settings = paused, [2]transport.Settings{v4, v6}
}

// config is what the Listener of the door is made with.
func (d *door) config() transport.ListenConfig {
	return transport.ListenConfig{Make: d.make, Ask: d.ask, Arrived: d.arrived, Lost: d.vanish, Tap: d.socket.tapSegment}
}

// make implements transport.ListenConfig.
func (d *door) make(id transport.ID) transport.Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id.LocalAddress.BitLen() == header.IPv4AddressSizeBits {
		return d.settings[0]
	}
	return d.settings[1]
}

// ask implements transport.ListenConfig: it decides about a SYN (API-listen,
// SO_PAUSE_ACCEPT, SO_CONDITIONAL_ACCEPT).
func (d *door) ask(id transport.ID, _ *tcp.Segment) transport.Decision {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.paused, d.closed:
		return transport.Reject
	case d.conditional:
		d.list = append(d.list, &incoming{id: id, requested: true})
		d.socket.calls.Wake(waiter.ReadableEvents)
		return transport.Hold
	case d.fullLocked():
		return transport.Reject
	}
	return transport.Admit
}

// fullLocked reports that as many connections wait as the backlog allows. A
// connection has its place from its arrival on, unless a condition has accepted it,
// until somebody takes it, or until it has ended and the place is wanted.
func (d *door) fullLocked() bool {
	if d.live < d.backlog {
		return false
	}
	for _, p := range d.list {
		if p.counted && p.ended() {
			p.counted = false
			d.live--
		}
	}
	return d.live >= d.backlog
}

// arrived implements transport.ListenConfig. It refuses a connection when the
// backlog was used up during its handshake.
func (d *door) arrived(c *transport.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.openedLocked(c.ID())
	switch {
	case p != nil:
	case d.closed, d.fullLocked():
		return false
	default:
		p = &incoming{id: c.ID(), counted: true}
		d.forgetLocked()
		d.list = append(d.list, p)
		d.live++
	}
	p.conn = c
	d.socket.calls.Wake(waiter.ReadableEvents)
	return true
}

// openedLocked is the request that a connection was accepted for; nil: none.
func (d *door) openedLocked(id transport.ID) *incoming {
	if !d.conditional {
		return nil
	}
	for _, p := range d.list {
		if p.opening() && p.id == id {
			return p
		}
	}
	return nil
}

// forgetLocked bounds the connections that have ended and wait, because accept
// reports them: of those, too, no more than the backlog are kept.
func (d *door) forgetLocked() {
	if len(d.list) < 2*d.backlog {
		return
	}
	for i, p := range d.list {
		if p.conn != nil && p.ended() {
			d.removeAtLocked(i)
			return
		}
	}
}

// vanish implements transport.ListenConfig: a request was reset or given up by the
// peer, or its handshake has failed.
func (d *door) vanish(id transport.ID) {
	if !d.conditional { // nobody has asked for it; in a flood there are many
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, p := range d.list {
		if p.conn == nil && p.id == id {
			p.over, d.lost = true, true
			d.removeAtLocked(i)
			d.socket.calls.Wake(waiter.ReadableEvents)
			return
		}
	}
}

// remove takes an arrival out of the list.
func (d *door) remove(p *incoming) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.list, p); i >= 0 {
		d.removeAtLocked(i)
	}
}

func (d *door) removeAtLocked(i int) {
	p := d.list[i]
	if p.counted {
		d.live--
	}
	if i == 0 { // the usual case costs nothing
		d.list[0] = nil
		d.list = d.list[1:]
		return
	}
	copy(d.list[i:], d.list[i+1:])
	d.list[len(d.list)-1] = nil
	d.list = d.list[:len(d.list)-1]
}

// next is the first arrival that a call may have: not one about which a
// condition function is being asked, or that another call waits for. lost says, where
// there is none, that a request has vanished that nobody was told of.
func (d *door) next(a *acceptance) (p *incoming, lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.list {
		if !p.asked && !p.opening() && (p.call == nil || p.call == a) {
			return p, false
		}
	}
	return nil, d.lost
}

// take takes an arrival out of the list when its connection is established. The
// connection is nil when it isn't, or when another call was faster.
func (d *door) take(p *incoming) *transport.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.list, p)
	if i < 0 || p.conn == nil {
		return nil
	}
	d.removeAtLocked(i)
	return p.conn
}

// decide notes that a condition has accepted a request: false when that has
// vanished.
func (d *door) decide(a *acceptance, p *incoming) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.over || !slices.Contains(d.list, p) {
		return false
	}
	p.decided = true
	if a.blocking {
		p.call, a.accepted = a, p
	}
	return true
}

// setAsked notes that a condition function is asked about an arrival.
func (d *door) setAsked(p *incoming, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.asked = on
}

// gone reports a request that has vanished.
func (d *door) gone(p *incoming) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return p.over
}

// told notes that somebody has heard of it.
func (d *door) told() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = false
}

// close refuses what comes from now on, and returns what waits.
func (d *door) close() []*incoming {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.list
	d.closed, d.list, d.live = true, nil, 0
	return list
}

// acceptableLocked reports that accept returns at once.
func (s *Socket) acceptableLocked() bool {
	p, lost := s.door.next(nil)
	return p != nil || lost
}

// closeListenerLocked resets whatever waits, oldest first (LG-16).
func (s *Socket) closeListenerLocked() {
	if s.door == nil {
		return
	}
	for _, p := range s.door.close() {
		switch {
		case p.conn != nil:
			p.conn.Abort()
		case !p.decided:
			s.door.listener.Decide(p.id, transport.Reject)
		}
	}
	s.door.listener.Close()
	s.door = nil
}

// ends are the addresses of an arrival.
func (s *Socket) ends(id transport.ID) (local, peer netip.AddrPort) {
	return s.present(tcpip.FullAddress{Addr: id.LocalAddress, Port: id.LocalPort}),
		s.present(tcpip.FullAddress{Addr: id.RemoteAddress, Port: id.RemotePort})
}
