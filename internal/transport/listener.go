package transport

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
)

// maxHalfOpen bounds the half-open connections of a listener; a SYN beyond it gets a
// SYN cookie, and is forgotten.
const maxHalfOpen = 1024

// cookieLife is how long an acknowledgement of a cookie may come.
const cookieLife = 128 * time.Second

// A Decision says what becomes of a SYN.
type Decision uint8

// The decisions.
const (
	Admit  Decision = iota // the SYN-ACK leaves
	Hold                   // nothing leaves until Listener.Decide says more
	Drop                   // nobody hears of it
	Reject                 // a RST answers it
)

// A ListenConfig says how a listener takes connections. Its functions are called
// with the listener locked: they return at once, and call nothing of this package.
type ListenConfig struct {
	Addr    tcpip.Address // empty: any
	Port    uint16
	Net     tcpip.NetworkProtocolNumber
	Backlog int           // of connections that nobody has accepted; at least 1
	Queue   *waiter.Queue // told of connections

	// Make returns what the connection of a SYN is made with, and its send quota
	// in bytes: the options of the listener at that time.
	Make func(ID) (cfg tcp.Config, quota int)

	// Ask decides about a SYN that came for the first time; nil: Admit.
	Ask func(ID, *tcp.Segment) Decision

	// Lost is told of a connection that Ask knows of and that the peer has reset,
	// or that was given up, before it was complete; nil: nobody.
	Lost func(ID)
}

// A Listener has the connections to a port that were not accepted. It is safe for
// concurrent use.
//
//	SYN ──▶ Ask ──▶ half-open ──ACK──▶ queue, at most Backlog ──▶ Accept
//	         └─▶ held ──Decide──▲
type Listener struct {
	proto *Protocol
	cfg   ListenConfig

	mu      sync.Mutex
	half    map[ID]*half
	ready   []*Conn
	cookies time.Duration // until when acknowledgements of SYN cookies may come
	timer   tcpip.Timer
	running bool
	closed  bool
}

// A half is a half-open connection.
type half struct {
	tcp.HalfOpen
	nic   tcpip.NICID
	cfg   tcp.Config // with what the way to the peer decides
	quota int
	held  bool // nothing leaves yet
}

// Listen takes the connections to an address and port that nobody listens on.
func (p *Protocol) Listen(cfg ListenConfig) (*Listener, tcpip.Error) {
	cfg.Backlog = max(cfg.Backlog, 1)
	if cfg.Ask == nil {
		cfg.Ask = func(ID, *tcp.Segment) Decision { return Admit }
	}
	if cfg.Lost == nil {
		cfg.Lost = func(ID) {}
	}
	l := &Listener{proto: p, cfg: cfg, half: map[ID]*half{}}
	if !p.table.listen(l) {
		return nil, &tcpip.ErrPortInUse{}
	}
	return l, nil
}

func (c *ListenConfig) at() endpoint { return endpoint{c.Addr, c.Port, c.Net} }

// deliver takes a segment for the port that belongs to no connection, and reports
// whether it was the listener's. after is what a new connection's numbers are to
// lie beyond; 0: anything.
func (l *Listener) deliver(a arrival, s *tcp.Segment, after tcp.Seq) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	h := l.half[a.id]
	if h == nil {
		taken, answer, c := l.firstLocked(a, s, after)
		l.mu.Unlock()
		answer.send()
		l.begin(c, s)
		return taken
	}
	if h.held && !s.Flags.Has(tcp.RST) { // it waits for Decide, not for the peer
		l.mu.Unlock()
		return true
	}
	v, answer := h.Segment(s, 65535)
	switch v {
	case tcp.Stays:
		l.mu.Unlock()
		if answer.Flags != 0 {
			l.proto.reply(a, &answer)
		}
	case tcp.SynRepeat:
		again := l.pathLocked(a.id, h)
		again.s = h.Again(l.proto.now(), h.cfg)
		l.mu.Unlock()
		again.send()
	case tcp.Ends:
		delete(l.half, a.id)
		l.cfg.Lost(a.id)
		l.mu.Unlock()
	case tcp.Complete:
		c := l.completeLocked(a, h)
		l.mu.Unlock()
		l.begin(c, s)
	}
	return true
}

// begin gives a connection the segment that completed it; nil: the queue is full,
// and the peer's data, or the SYN-ACK again, asks anew.
func (l *Listener) begin(c *Conn, s *tcp.Segment) {
	if c == nil {
		return
	}
	first := arrived{segment: *s}
	first.segment.Payload = s.Payload.Clone() // the caller releases its own
	c.deliver(&first)
	l.cfg.Queue.Notify(waiter.ReadableEvents)
}

// firstLocked takes the first segment of a connection: a SYN, or the
// acknowledgement of a cookie (RFC 9293 §3.10.7.2). Everything else is answered by
// a RST, or dropped when it is one.
func (l *Listener) firstLocked(a arrival, s *tcp.Segment, after tcp.Seq) (taken bool, answer synAck, made *Conn) {
	switch {
	case s.Flags.Has(tcp.RST):
		return true, synAck{}, nil
	case s.Flags.Has(tcp.ACK):
		h := l.cookieLocked(a, s)
		if h == nil {
			return false, synAck{}, nil
		}
		return true, synAck{}, l.completeLocked(a, h)
	case !s.Flags.Has(tcp.SYN):
		return true, synAck{}, nil
	}
	decision := l.cfg.Ask(a.id, s)
	switch decision {
	case Drop:
		return true, synAck{}, nil
	case Reject:
		return false, synAck{}, nil
	}
	h := &half{nic: a.nic, held: decision == Hold}
	h.cfg, h.quota = l.cfg.Make(a.id)
	l.proto.number(&a.id, &h.cfg)
	if len(l.half) >= maxHalfOpen {
		if h.held {
			return true, synAck{}, nil
		}
		now, t := l.proto.now(), tupleOf(&a.id)
		h.HalfOpen = l.proto.secret.Cookie(now, t.slice(), s)
		l.cookies = now + cookieLife
		return true, l.answerLocked(a.id, h), nil
	}
	if after != 0 && !h.cfg.ISS.After(after) {
		h.cfg.ISS = after.Add(1 << 16)
	}
	h.HalfOpen = tcp.NewHalfOpen(h.cfg.ISS, s)
	l.half[a.id] = h
	if !h.held {
		answer = l.answerLocked(a.id, h)
		l.armLocked()
	}
	return true, answer, nil
}

// cookieLocked returns the record of a connection whose SYN got a cookie that this
// segment acknowledges; nil: there was none.
func (l *Listener) cookieLocked(a arrival, s *tcp.Segment) *half {
	now := l.proto.now()
	if now > l.cookies {
		return nil
	}
	t := tupleOf(&a.id)
	record, ok := l.proto.secret.Check(now, t.slice(), s)
	if !ok {
		return nil
	}
	h := &half{HalfOpen: record, nic: a.nic}
	h.cfg, h.quota = l.cfg.Make(a.id)
	l.proto.number(&a.id, &h.cfg)
	return h
}

// Decide ends a Hold: with Admit the SYN-ACK leaves, with Reject a RST, with Drop
// nothing, as if the SYN had not come. It reports whether the connection was there.
func (l *Listener) Decide(id ID, d Decision) bool {
	l.mu.Lock()
	h := l.half[id]
	if h == nil || !h.held || d == Hold {
		l.mu.Unlock()
		return false
	}
	var answer synAck
	if d == Admit {
		h.held = false
		answer = l.answerLocked(id, h)
		l.armLocked()
	} else {
		delete(l.half, id)
	}
	l.mu.Unlock()
	answer.send()
	if d == Reject {
		l.proto.reply(arrival{id: id, nic: h.nic, net: l.cfg.Net}, &tcp.Segment{Ack: h.IRS + 1, Flags: tcp.RST | tcp.ACK})
	}
	return true
}

// A synAck is a SYN-ACK that is to leave, once no lock is held.
type synAck struct {
	path path
	s    tcp.Segment
}

func (a *synAck) send() {
	if a.path.route != nil {
		a.path.write(&a.s)
		a.path.route.Release()
	}
}

// answerLocked makes the SYN-ACK.
func (l *Listener) answerLocked(id ID, h *half) synAck {
	a := l.pathLocked(id, h)
	a.s = h.SynAck(l.proto.now(), h.cfg)
	return a
}

// pathLocked is a SYN-ACK without its segment; one without a route doesn't leave.
func (l *Listener) pathLocked(id ID, h *half) synAck {
	route, err := l.proto.find(h.nic, &id, l.cfg.Net)
	if err != nil {
		return synAck{}
	}
	a := synAck{path: path{route: route, id: id}}
	a.path.configure(&h.cfg)
	return a
}

// completeLocked makes the connection; nil: there is no room for it.
func (l *Listener) completeLocked(a arrival, h *half) *Conn {
	if len(l.ready) >= l.cfg.Backlog {
		return nil
	}
	id := a.id
	route, err := l.proto.find(h.nic, &id, l.cfg.Net)
	if err != nil {
		return nil
	}
	c := &Conn{proto: l.proto, path: path{route: route, id: id}, quota: h.quota, queue: &waiter.Queue{}}
	c.engine = h.Conn(l.proto.now(), h.cfg)
	if !l.proto.table.add(c) {
		route.Release()
		return nil
	}
	delete(l.half, a.id)
	l.ready = append(l.ready, c)
	return c
}

// armLocked sets the timer for the next SYN-ACK that is due again.
func (l *Listener) armLocked() {
	if l.running {
		return
	}
	next := time.Duration(0)
	for _, h := range l.half {
		if at := h.Next(); !h.held && (next == 0 || at < next) {
			next = at
		}
	}
	if next == 0 {
		return
	}
	l.running = true
	wait := max(next-l.proto.now(), 0)
	if l.timer == nil {
		l.timer = l.proto.clock.AfterFunc(wait, l.fire)
		return
	}
	l.timer.Reset(wait)
}

// synTries is how often a SYN-ACK is sent.
const synTries = 5

func (l *Listener) fire() {
	l.mu.Lock()
	l.running = false
	now := l.proto.now()
	var again []synAck
	for id, h := range l.half {
		switch {
		case h.held || h.Next() > now:
		case h.Tries >= synTries:
			delete(l.half, id)
			l.cfg.Lost(id)
		default:
			again = append(again, l.answerLocked(id, h))
		}
	}
	l.armLocked()
	l.mu.Unlock()
	for i := range again {
		again[i].send()
	}
}

// Accept returns the connection that came first, and the queue that it tells;
// nil: there is none.
func (l *Listener) Accept() (*Conn, *waiter.Queue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) == 0 {
		return nil, nil
	}
	c := l.ready[0]
	l.ready[0] = nil
	l.ready = l.ready[1:]
	return c, c.queue
}

// Close ends the listener; connections that nobody accepted are reset.
func (l *Listener) Close() {
	l.proto.table.unlisten(l)
	l.mu.Lock()
	ready := l.ready
	l.closed, l.ready, l.half = true, nil, nil
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	for _, c := range ready {
		c.Abort()
	}
}
