// Package backlog has the connections of a listening socket that wait for accept.
package backlog

import (
	"slices"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
)

// A Queue is what a listening socket shares with its transport.Listener: whether
// connections come in, and those that wait for accept, in order of arrival:
//
//	SYN ──▶ handshake ──▶ established ──▶ accepted
//	 └─ SO_CONDITIONAL_ACCEPT ─▶ requested ─ CF_ACCEPT ─▶ opening ──┘
//
// The backlog bounds those that are established and not accepted; half-open ones
// don't count, so that spoofed SYNs keep nobody out. Its lock is a leaf: the
// listener calls it with its own lock held.
type Queue struct {
	calls       *wait.Calls // those of the socket
	tap         transport.Tap
	conditional bool // SO_CONDITIONAL_ACCEPT when listen was called
	limit       int  // the backlog
	listener    *transport.Listener

	mu       sync.Mutex
	settings [2]transport.Settings // for IPv4 and IPv6
	admits   func(transport.ID) bool
	paused   bool // SO_PAUSE_ACCEPT
	closed   bool
	list     []*Arrival
	live     int  // of the list, those that are counted: see fullLocked
	lost     bool // a request has vanished: accept says so once (CA-7)
}

// New makes the queue of a socket that is about to listen: limit is the backlog, conditional
// says that requests wait for a condition function (SO_CONDITIONAL_ACCEPT). calls are woken
// when something has come; tap is shown the segments of the listener.
func New(limit int, conditional bool, calls *wait.Calls, tap transport.Tap) *Queue {
	return &Queue{limit: limit, conditional: conditional, calls: calls, tap: tap}
}

// Open listens on the address that cfg names. It is called once, after Set.
func (q *Queue) Open(p *transport.Protocol, cfg transport.ListenConfig) tcpip.Error {
	cfg.Make, cfg.Ask, cfg.Arrived, cfg.Lost, cfg.Tap = q.make, q.ask, q.arrived, q.vanish, q.tap
	listener, err := p.Listen(cfg)
	if err == nil {
		q.listener = listener
	}
	return err
}

// A Claim is what one accept call has on the arrival whose handshake it waits for. The lock of
// the queue guards it.
type Claim struct {
	arrival *Arrival
}

// An Arrival is a connection, or the request for one, that waits for accept. The
// lock of its queue guards it; what doesn't change is read without.
type Arrival struct {
	ID        transport.ID
	Requested bool            // it came as a request
	conn      *transport.Conn // nil until the handshake is complete

	counted bool   // it has a place of the backlog
	asked   bool   // a condition function is running
	decided bool   // it has accepted
	over    bool   // the request has vanished
	claim   *Claim // of the call that it has accepted for, and that waits
}

// opening reports a handshake that runs after CF_ACCEPT.
func (p *Arrival) opening() bool { return p.decided && p.conn == nil }

// ended reports a connection that is over.
func (p *Arrival) ended() bool {
	st, _ := p.conn.State()
	return st == tcp.Closed
}

// Set tells what holds for SYNs from now on (IN-4). admits, which takes no lock, says whose are taken;
// the others find nobody who listens.
func (q *Queue) Set(paused bool, admits func(transport.ID) bool, v4, v6 transport.Settings) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused, q.admits, q.settings = paused, admits, [2]transport.Settings{v4, v6}
}

// make implements transport.ListenConfig.
func (q *Queue) make(id transport.ID) transport.Settings {
	q.mu.Lock()
	defer q.mu.Unlock()
	if id.LocalAddress.BitLen() == header.IPv4AddressSizeBits {
		return q.settings[0]
	}
	return q.settings[1]
}

// ask implements transport.ListenConfig: it decides about a SYN (API-listen,
// SO_PAUSE_ACCEPT, SO_CONDITIONAL_ACCEPT).
func (q *Queue) ask(id transport.ID, _ *tcp.Segment) transport.Decision {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.paused, q.closed, !q.admits(id):
		return transport.Reject
	case q.conditional:
		q.list = append(q.list, &Arrival{ID: id, Requested: true})
		q.calls.Wake(waiter.ReadableEvents)
		return transport.Hold
	case q.fullLocked():
		return transport.Reject
	}
	return transport.Admit
}

// fullLocked reports that as many connections wait as the backlog allows. A
// connection has its place from its arrival on, unless a condition has accepted it,
// until somebody takes it, or until it has ended and the place is wanted.
func (q *Queue) fullLocked() bool {
	if q.live < q.limit {
		return false
	}
	for _, p := range q.list {
		if p.counted && p.ended() {
			p.counted = false
			q.live--
		}
	}
	return q.live >= q.limit
}

// arrived implements transport.ListenConfig. It refuses a connection when the
// backlog was used up during its handshake.
func (q *Queue) arrived(c *transport.Conn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.openedLocked(c.ID())
	switch {
	case p != nil:
	case q.closed, q.fullLocked():
		return false
	default:
		p = &Arrival{ID: c.ID(), counted: true}
		q.forgetLocked()
		q.list = append(q.list, p)
		q.live++
	}
	p.conn = c
	q.calls.Wake(waiter.ReadableEvents)
	return true
}

// openedLocked is the request that a connection was accepted for; nil: none.
func (q *Queue) openedLocked(id transport.ID) *Arrival {
	if !q.conditional {
		return nil
	}
	for _, p := range q.list {
		if p.opening() && p.ID == id {
			return p
		}
	}
	return nil
}

// forgetLocked bounds the connections that have ended and wait, because accept
// reports them: of those, too, no more than the backlog are kept.
func (q *Queue) forgetLocked() {
	if len(q.list) < 2*q.limit {
		return
	}
	for i, p := range q.list {
		if p.conn != nil && p.ended() {
			q.removeAtLocked(i)
			return
		}
	}
}

// vanish implements transport.ListenConfig: a request was reset or given up by the
// peer, or its handshake has failed.
func (q *Queue) vanish(id transport.ID) {
	if !q.conditional { // nobody has asked for it; in a flood there are many
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, p := range q.list {
		if p.conn == nil && p.ID == id {
			p.over, q.lost = true, true
			q.removeAtLocked(i)
			q.calls.Wake(waiter.ReadableEvents)
			return
		}
	}
}

// remove takes an arrival out of the list.
func (q *Queue) remove(p *Arrival) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.list, p); i >= 0 {
		q.removeAtLocked(i)
	}
}

func (q *Queue) removeAtLocked(i int) {
	p := q.list[i]
	if p.counted {
		q.live--
	}
	if i == 0 { // the usual case costs nothing
		q.list[0] = nil
		q.list = q.list[1:]
		return
	}
	copy(q.list[i:], q.list[i+1:])
	q.list[len(q.list)-1] = nil
	q.list = q.list[:len(q.list)-1]
}

// Next is the first arrival that a call may have: not one about which a
// condition function is being asked, or that another call waits for. lost says, where
// there is none, that a request has vanished that nobody was told of.
func (q *Queue) Next(c *Claim) (p *Arrival, lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.list {
		if !p.asked && !p.opening() && (p.claim == nil || p.claim == c) {
			return p, false
		}
	}
	return nil, q.lost
}

// Take takes an arrival out of the list when its connection is established. The
// connection is nil when it isn't, or when another call was faster.
func (q *Queue) Take(p *Arrival) *transport.Conn {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.list, p)
	if i < 0 || p.conn == nil {
		return nil
	}
	q.removeAtLocked(i)
	return p.conn
}

// Accept answers a request that a condition has accepted, and that no other call may have
// then: c is the claim of a call that waits for the handshake, or nil. It reports false when
// the request has vanished.
func (q *Queue) Accept(p *Arrival, c *Claim) bool {
	if !q.decide(p, c) {
		return false
	}
	q.listener.Decide(p.ID, transport.Admit) // where the peer was faster, vanish follows
	return true
}

func (q *Queue) decide(p *Arrival, c *Claim) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.over || !slices.Contains(q.list, p) {
		return false
	}
	p.decided = true
	if c != nil {
		p.claim, c.arrival = c, p
	}
	return true
}

// Claimed looks what became of the handshake that a call waits for: p is nil when the call waits
// for none. An arrival that has vanished isn't claimed any more.
func (q *Queue) Claimed(c *Claim) (p *Arrival, over, opening bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p = c.arrival; p == nil {
		return nil, false, false
	}
	if p.over {
		c.arrival = nil
	}
	return p, p.over, p.opening()
}

// Release ends a claim, and reports whether there was one.
func (q *Queue) Release(c *Claim) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := c.arrival
	if p != nil {
		p.claim, c.arrival = nil, nil
	}
	return p != nil
}

// Refuse resets an arrival.
func (q *Queue) Refuse(p *Arrival) {
	if c := q.Take(p); c != nil {
		c.Abort()
		return
	}
	q.remove(p)
	q.listener.Decide(p.ID, transport.Reject)
}

// Decided reports that a condition has accepted an arrival.
func (q *Queue) Decided(p *Arrival) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return p.decided
}

// SetAsked notes that a condition function is asked about an arrival.
func (q *Queue) SetAsked(p *Arrival, on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.asked = on
}

// Gone reports a request that has vanished.
func (q *Queue) Gone(p *Arrival) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return p.over
}

// Told notes that somebody has heard of it.
func (q *Queue) Told() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost = false
}

// Acceptable reports that an accept returns at once.
func (q *Queue) Acceptable() bool {
	p, lost := q.Next(nil)
	return p != nil || lost
}

// Close stops listening, and resets whatever waits, oldest first (LG-16).
func (q *Queue) Close() {
	q.mu.Lock()
	list := q.list
	q.closed, q.list, q.live = true, nil, 0
	q.mu.Unlock()
	for _, p := range list {
		switch {
		case p.conn != nil:
			p.conn.Abort()
		case !p.decided:
			q.listener.Decide(p.ID, transport.Reject)
		}
	}
	q.listener.Close()
}
