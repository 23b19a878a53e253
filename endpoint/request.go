package endpoint

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"
)

// heldRequests bounds the requests that one listener holds unanswered (CA-8).
// Beyond it SYNs are dropped silently: their senders try again.
const heldRequests = 1024

// A request is forgotten when the next retransmission of its SYN is overdue:
// its sender has given up. The gaps between retransmissions double.
const (
	firstPatience = 7500 * time.Millisecond // the first gap is 3 s at most
	gapPatience   = 2.5
)

// A Door is what a listening socket and the hooks share: whether connections
// come in, and the requests that wait for a decision (SO_CONDITIONAL_ACCEPT).
// Its lock is a leaf.
type Door struct {
	socket      *Socket
	conditional bool        // SO_CONDITIONAL_ACCEPT when listen was called
	paused      atomic.Bool // SO_PAUSE_ACCEPT
	full        atomic.Bool // as many connections wait as the backlog allows
	stale       atomic.Bool // a connection or request that waits may be over

	mu     sync.Mutex
	closed bool
	byID   map[stack.TransportEndpointID]*Request
	fresh  []*Request // held since the socket looked last
}

// A Request is a SYN that waits for a condition function. The fields that
// aren't atomic are guarded by the Door.
type Request struct {
	ID       stack.TransportEndpointID
	Endpoint stack.TransportEndpoint
	Packet   *stack.PacketBuffer // ours; nil once it was answered
	seq      uint32
	last     tcpip.MonotonicTime // when a copy of the SYN came last
	patience time.Duration       // how long the next one may take
	over     atomic.Bool         // reset or given up by the peer
}

// Syn decides about a SYN. One that is held is copied: pkt stays the caller's.
func (d *Door) Syn(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer, seq uint32, now tcpip.MonotonicTime) Fate {
	switch {
	case d.paused.Load():
		return Reject
	case d.conditional:
		return d.hold(ep, id, pkt, seq, now)
	case d.full.Load():
		return Reject
	}
	return 0
}

func (d *Door) hold(ep stack.TransportEndpoint, id stack.TransportEndpointID, pkt *stack.PacketBuffer, seq uint32, now tcpip.MonotonicTime) Fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch r := d.byID[id]; {
	case d.closed:
		return Reject
	case r != nil && r.Packet == nil:
		return 0 // accepted: netstack has lost the connection, or not begun it
	case r != nil:
		r.again(pkt, seq, now)
		return Ignore
	case len(d.byID) >= heldRequests:
		return Ignore
	}
	r := &Request{ID: id, Endpoint: ep, Packet: pkt.Clone(), seq: seq, last: now, patience: firstPatience}
	if d.byID == nil {
		d.byID = map[stack.TransportEndpointID]*Request{}
	}
	d.byID[id] = r
	d.fresh = append(d.fresh, r)
	d.socket.calls.wake(waiter.ReadableEvents)
	d.socket.host.Signal(d.socket)
	return Ignore
}

// again takes note of a copy of the SYN (CA-7). One with another sequence
// number is a new attempt of the same peer: it takes the place of the first.
func (r *Request) again(pkt *stack.PacketBuffer, seq uint32, now tcpip.MonotonicTime) {
	if seq == r.seq {
		gap := now.Sub(r.last)
		r.patience = max(firstPatience, time.Duration(float64(gap)*gapPatience))
	} else {
		r.Packet.DecRef()
		r.Packet, r.seq, r.patience = pkt.Clone(), seq, firstPatience
	}
	r.last = now
}

// Reset ends the request that a RST names: one with the SYN's sequence number
// or the next; anybody can send one.
func (d *Door) Reset(id stack.TransportEndpointID, seq uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.byID[id]; r != nil && (seq == r.seq || seq == r.seq+1) {
		d.endLocked(r)
	}
}

// Lost ends an accepted request whose handshake has failed.
func (d *Door) Lost(id stack.TransportEndpointID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.byID[id]; r != nil && r.Packet == nil {
		d.endLocked(r)
	}
}

func (d *Door) endLocked(r *Request) {
	d.forgetLocked(r)
	r.over.Store(true)
	d.stale.Store(true)
	d.socket.calls.wake(waiter.ReadableEvents)
	d.socket.host.Signal(d.socket)
}

// forgetLocked takes a request out. The fresh ones are taken by the socket.
func (d *Door) forgetLocked(r *Request) {
	if d.byID[r.ID] == r {
		delete(d.byID, r.ID)
	}
	if r.Packet != nil {
		r.Packet.DecRef()
		r.Packet = nil
	}
}

// takeFresh returns the requests that came since the last call, oldest first.
func (d *Door) takeFresh() []*Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := d.fresh
	d.fresh = nil
	return fresh
}

// take takes the SYN out of a request, to be answered. It is nil when the peer
// was faster. The request stays known, so that copies of the SYN pass, unless
// the answer is final.
func (d *Door) take(r *Request, final bool) *stack.PacketBuffer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.over.Load() {
		return nil
	}
	pkt := r.Packet
	r.Packet = nil
	if final {
		d.forgetLocked(r)
	}
	return pkt
}

// done forgets an accepted request: its connection is established.
func (d *Door) done(r *Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetLocked(r)
}

// expire ends the requests whose senders have given up, and returns when to
// look again; zero when nothing is held.
func (d *Door) expire(now tcpip.MonotonicTime) (next time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.byID {
		if r.Packet == nil {
			continue // the half-open connection has a limit of its own
		}
		left := r.patience - now.Sub(r.last)
		if left <= 0 {
			d.endLocked(r)
		} else if next == 0 || left < next {
			next = left
		}
	}
	return next
}

// close refuses requests from now on.
func (d *Door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}
