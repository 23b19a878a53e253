package transport

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
)

// maxHalfOpen bounds the half-open connections of a listener; a SYN beyond it is
// dropped.
const maxHalfOpen = 1024

// A Listener has the connections to a port that were not accepted. It is safe for
// concurrent use.
//
//	SYN ──▶ half-open ──ACK──▶ queue, at most backlog ──▶ Accept
type Listener struct {
	proto *Protocol
	at    endpoint
	queue *waiter.Queue
	cfg   tcp.Config
	quota int
	isn   func(ID) tcp.Seq

	mu      sync.Mutex
	half    map[ID]*half
	ready   []*Conn
	backlog int
	timer   tcpip.Timer
	running bool
	closed  bool
}

// A half is a half-open connection.
type half struct {
	tcp.HalfOpen
	nic tcpip.NICID
}

// Listen takes the connections to an address and port that nobody listens on; an
// empty address is any. cfg is what they are made with, and isn chooses their
// initial sequence numbers.
func (p *Protocol) Listen(addr tcpip.Address, port uint16, net tcpip.NetworkProtocolNumber, backlog int, cfg tcp.Config, quota int, isn func(ID) tcp.Seq, q *waiter.Queue) (*Listener, tcpip.Error) {
	l := &Listener{proto: p, at: endpoint{addr, port, net}, queue: q, cfg: cfg, quota: quota, isn: isn,
		half: map[ID]*half{}, backlog: max(backlog, 1)}
	if !p.table.listen(l) {
		return nil, &tcpip.ErrPortInUse{}
	}
	return l, nil
}

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
		taken, answer := l.synLocked(a, s, after)
		l.mu.Unlock()
		answer.send()
		return taken
	}
	v, answer := h.Segment(s, 65535)
	switch v {
	case tcp.Stays:
		l.mu.Unlock()
		if answer.Flags != 0 {
			l.proto.reply(a, &answer)
		}
	case tcp.SynRepeat:
		again := l.answerLocked(a.id, h)
		l.mu.Unlock()
		again.send()
	case tcp.Ends:
		delete(l.half, a.id)
		l.mu.Unlock()
	case tcp.Complete:
		c := l.completeLocked(a, h)
		l.mu.Unlock()
		if c == nil {
			break // the queue is full: the peer's data, or the SYN-ACK again, asks anew
		}
		first := arrived{segment: *s}
		first.segment.Payload = s.Payload.Clone() // the caller releases its own
		c.deliver(&first)
		l.queue.Notify(waiter.ReadableEvents)
	}
	return true
}

// synLocked takes a SYN (RFC 9293 §3.10.7.2). Everything else is answered by a
// RST, or dropped when it is one.
func (l *Listener) synLocked(a arrival, s *tcp.Segment, after tcp.Seq) (taken bool, answer synAck) {
	switch {
	case s.Flags.Has(tcp.RST):
		return true, synAck{}
	case s.Flags.Has(tcp.ACK) || !s.Flags.Has(tcp.SYN):
		return s.Flags&(tcp.ACK|tcp.SYN) == 0, synAck{} // without both it is dropped
	case len(l.half) >= maxHalfOpen:
		return true, synAck{}
	}
	iss := l.isn(a.id)
	if after != 0 && !iss.After(after) {
		iss = after.Add(1 << 16)
	}
	h := &half{HalfOpen: tcp.NewHalfOpen(iss, s), nic: a.nic}
	l.half[a.id] = h
	answer = l.answerLocked(a.id, h)
	l.armLocked()
	return true, answer
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
	route, err := l.proto.find(h.nic, &id, l.at.net)
	if err != nil {
		return synAck{}
	}
	a := synAck{path: path{route: route, id: id}}
	cfg := l.cfg
	a.path.configure(&cfg)
	a.s = h.SynAck(l.proto.now(), cfg)
	return a
}

// completeLocked makes the connection; nil: there is no room for it.
func (l *Listener) completeLocked(a arrival, h *half) *Conn {
	if len(l.ready) >= l.backlog {
		return nil
	}
	id := a.id
	route, err := l.proto.find(h.nic, &id, l.at.net)
	if err != nil {
		return nil
	}
	c := &Conn{proto: l.proto, path: path{route: route, id: id}, quota: l.quota, queue: &waiter.Queue{}}
	cfg := l.cfg
	c.path.configure(&cfg)
	c.engine = h.Conn(l.proto.now(), cfg)
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
	if l.running || len(l.half) == 0 {
		return
	}
	next := time.Duration(0)
	for _, h := range l.half {
		if at := h.Next(); next == 0 || at < next {
			next = at
		}
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
		case h.Next() > now:
		case h.Tries >= synTries:
			delete(l.half, id)
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
