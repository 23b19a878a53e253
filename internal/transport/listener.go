package transport

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/tcp"
)

// The bounds of a listener. A SYN beyond the half-open connections is answered by a SYN cookie, and
// forgotten (RFC 4987 §3.6); a SYN beyond the requests that are held is dropped, and comes again
// (CA-8).
const (
	maxHalfOpen = 4096
	maxHeld     = 1024
)

// cookieLife is how long after a cookie was sent its acknowledgement may come.
const cookieLife = 128 * time.Second

// A Decision says what becomes of a SYN.
type Decision uint8

// The decisions.
const (
	Admit  Decision = iota // the SYN-ACK leaves
	Hold                   // nothing leaves until Listener.Decide says more
	Drop                   // nothing happens, and nobody hears of the SYN
	Reject                 // a RST answers the SYN
)

// A ListenConfig says how a listener takes connections. Make, Ask and Lost are
// called with the listener locked: they return at once, and call nothing of this
// package that takes a lock.
type ListenConfig struct {
	Addr tcpip.Address               // the local address; empty: any
	Zone tcpip.NICID                 // the interface that Addr is of; 0: any
	Port uint16                      // the local port
	Net  tcpip.NetworkProtocolNumber // the version of IP that Addr is of
	Dual bool                        // a listener on the IPv6 wildcard takes IPv4 as well

	// Takes reports a local address whose connections to every port the listener takes, if nobody
	// else listens there; Addr, Zone, Port, Net and Dual don't count then. It may be nil. It is
	// called with nothing of this package locked, and takes leaf locks at most.
	Takes func(tcpip.Address) bool

	// Order decides among several listeners on one address: the one with the least Order gets
	// all connections (RU-8).
	Order uint64

	// Make returns the settings of the connection that a SYN, or the
	// acknowledgement of a SYN cookie, asks for: those of the listener at that time.
	Make func(ID) Settings

	// Ask decides about a SYN that came for the first time; where Ask is nil, the decision is
	// Admit. The segment is only lent. Ask isn't called while 1,024 requests are held.
	Ask func(ID, *tcp.Segment) Decision

	// Arrived takes a connection that is complete and has no owner yet; no lock of this package is
	// held. Where Arrived returns false, the connection isn't wanted, and is reset. While Close
	// runs a connection may still arrive.
	Arrived func(*Conn) bool

	// Lost is told of a request or a half-open connection that the peer has reset, or whose time is
	// over. It may be nil. Close doesn't call it.
	Lost func(ID)

	// Tap is shown every segment that comes to the listener, and the answers. It may be nil.
	Tap Tap
}

// A Listener has the connections to a port whose handshake isn't complete. It is
// safe for concurrent use.
//
//	SYN ──▶ Ask ──▶ half-open ──ACK──▶ Arrived
//	         └─▶ held ──Decide──▲
type Listener struct {
	proto *Protocol
	cfg   ListenConfig

	mu      sync.Mutex           // guards the fields below
	closed  bool                 // nothing comes any more
	records map[ID]*half         // half-open connections, and requests that are held
	agenda  agenda.Agenda[*half] // the same records, in the order in which something is due
	entered uint64               // how many records there have been
	held    int                  // how many requests wait for Decide
	cookies time.Duration        // until when acknowledgements of SYN cookies may come
	timer   tcpip.Timer
	armed   time.Duration // when the timer fires; 0: it isn't set
}

// Listen takes the connections to an address and port. It fails when the Protocol is
// closed.
func (p *Protocol) Listen(cfg ListenConfig) (*Listener, tcpip.Error) {
	if cfg.Ask == nil {
		cfg.Ask = func(ID, *tcp.Segment) Decision { return Admit }
	}
	if cfg.Lost == nil {
		cfg.Lost = func(ID) {}
	}
	l := &Listener{proto: p, cfg: cfg, records: map[ID]*half{}}
	if !p.listeners.add(l) {
		return nil, &tcpip.ErrInvalidEndpointState{}
	}
	return l, nil
}

// Close ends the listener. A RST answers each half-open connection (LG-16) and each request that is
// held, in the order in which they came. Connections that have arrived belong to their owners.
func (l *Listener) Close() {
	l.proto.listeners.remove(l)
	for _, h := range l.empty() {
		if h.held {
			l.proto.reply(h.origin, h.refusal(), l.cfg.Tap)
		} else {
			l.answer(h, h.reset())
		}
	}
}

// empty ends the listener without a segment, and returns the records that there were, in order of
// arrival.
func (l *Listener) empty() []*half {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.inOrderLocked()
	for _, h := range all {
		l.removeLocked(h)
	}
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	return all
}

// inOrderLocked returns the records in order of arrival.
func (l *Listener) inOrderLocked() []*half {
	return slices.SortedFunc(maps.Values(l.records), func(a, b *half) int { return cmp.Compare(a.Order, b.Order) })
}

// deliver takes a segment for the port that belongs to no connection, and reports whether the
// listener wants it; a RST answers a segment that nobody wants. Our numbers in a new connection are
// to lie beyond after, unless that is 0.
func (l *Listener) deliver(a origin, s *tcp.Segment, after tcp.Seq) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.cfg.Tap.show(false, s)
	var o outcome
	switch h := l.records[a.id]; {
	case h == nil:
		o = l.firstLocked(a, s, after)
	case h.held:
		o = l.againLocked(h, a, s)
	default:
		o = l.laterLocked(h, s)
	}
	l.mu.Unlock()
	l.send(&o)
	if o.made != nil {
		l.begin(o.made, s)
	}
	return !o.refused
}

// An outcome is what a segment leads to, once no lock is held.
type outcome struct {
	refused bool        // a RST answers the segment, as if nobody listened
	about   *half       // the record whose peer gets the answer; nil: nobody gets one
	answer  tcp.Segment // the answer, which leaves with the settings of the record
	made    *Conn       // the connection whose handshake the segment has completed; nil: none
}

// begin hands on a connection and gives it the segment that has completed the handshake.
func (l *Listener) begin(c *Conn, s *tcp.Segment) {
	if !l.cfg.Arrived(c) {
		l.proto.stack.Stats().TCP.ListenOverflowAckDrop.Increment()
		c.Abort()
		return
	}
	first := delivery{segment: *s, tapped: true} // to the listener's tap
	first.segment.Payload = s.Payload.Clone()    // the caller releases its own
	c.deliver(&first)
}

// send sends the answer of an outcome, if there is one.
func (l *Listener) send(o *outcome) {
	if o.about != nil {
		l.answer(o.about, &o.answer)
	}
}

// answer sends a segment to the peer of a half-open connection.
func (l *Listener) answer(h *half, s *tcp.Segment) {
	set := h.set
	w, err := l.proto.find(h.origin, &set)
	if err != nil {
		return
	}
	if w.tap = l.cfg.Tap; h.set.Tap != nil {
		w.tap = h.set.Tap
	}
	w.write(s)
	w.route.Release()
}
