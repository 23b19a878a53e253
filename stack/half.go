package stack

import (
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/endpoint"
)

// How long a handshake with a listener may take. netstack sends the SYN-ACK at
// 0, 1, 3, 7, 15 s and so on and gives up after more than a minute; a flood of
// SYNs would keep it at SYN cookies for as long. So we end it: after the time
// that a connect has (NB-1), and while many are half open, after two
// retransmissions. Nobody hears of it: a client that still wants to connect
// sends its SYN again.
const (
	halfPatience    = 21 * time.Second
	floodedPatience = 7 * time.Second
	flooded         = 1024 // half open, of all listeners
)

// halfLimit bounds the records of half-open connections: those of two listeners
// under attack, as netstack keeps 4,095 of each before it turns to cookies. A
// connection without a record is accepted all the same, and counts as
// established when it arrived.
const halfLimit = 8192

// halfLimitNoCookies bounds them, and the connections, where there are no SYN
// cookies: half of what netstack keeps of one listener before it turns to them, as
// it forgets a connection later than we do. Further SYNs are dropped.
const halfLimitNoCookies = 2048

// halfOpen holds the records of connections between their SYN and the end of
// the handshake.
type halfOpen struct {
	mu    sync.Mutex // a leaf
	byID  map[netstack.TransportEndpointID]*halfRecord
	queue []*halfRecord // in order of arrival; those that are done are skipped
	done  int           // how many of queue are
	timer bool          // the reaper's timer runs, or will at once
	limit int           // of byID

	reaper  tcpip.Timer // the last that was started; may be nil
	stopped bool        // by Close: none is started any more
}

type halfRecord struct {
	id       netstack.TransportEndpointID
	nic      tcpip.NICID
	wire     *endpoint.Wire
	listener *endpoint.Wire
	at       tcpip.MonotonicTime
	done     bool
}

func (o *halfOpen) init(noCookies bool) {
	o.byID = map[netstack.TransportEndpointID]*halfRecord{}
	o.limit = halfLimit
	if noCookies {
		o.limit = halfLimitNoCookies
	}
}

func (o *halfOpen) find(id netstack.TransportEndpointID) *endpoint.Wire {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.byID[id]; r != nil {
		return r.wire
	}
	return nil
}

// start returns the record for a SYN, and whether a timer has to be started.
// A retransmitted SYN finds the first one's. There is none when there are too
// many.
func (o *halfOpen) start(id netstack.TransportEndpointID, nic tcpip.NICID, listener *endpoint.Wire, now tcpip.MonotonicTime) (w *endpoint.Wire, arm bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.byID[id]; r != nil {
		if !r.wire.Acknowledged() {
			return r.wire, false
		}
		o.removeLocked(r)
	}
	if len(o.byID) >= o.limit {
		return nil, false
	}
	r := &halfRecord{id: id, nic: nic, wire: endpoint.NewWire(listener), listener: listener, at: now}
	o.byID[id] = r
	o.queue = append(o.queue, r)
	arm = !o.timer
	o.timer = true
	return r.wire, arm
}

// count is how many are half open.
func (o *halfOpen) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.byID)
}

// take removes a record and returns it.
func (o *halfOpen) take(id netstack.TransportEndpointID) *halfRecord {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.byID[id]
	if r != nil {
		o.removeLocked(r)
	}
	return r
}

// removeLocked takes a record out. The queue is made anew when most of it is
// done.
func (o *halfOpen) removeLocked(r *halfRecord) {
	delete(o.byID, r.id)
	r.done = true
	o.done++
	if len(o.byID) == 0 {
		o.queue, o.done = o.queue[:0], 0
		return
	}
	if o.done <= len(o.byID)+16 {
		return
	}
	kept := o.queue[:0]
	for _, q := range o.queue {
		if !q.done {
			kept = append(kept, q)
		}
	}
	clear(o.queue[len(kept):])
	o.queue, o.done = kept, 0
}

// overdue returns the records whose time is over, oldest first, and how long
// until the next one's is. The timer counts as running until reap has looked
// what is left, or start would begin another.
func (o *halfOpen) overdue(now tcpip.MonotonicTime) (list []*halfRecord, next time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	patience := halfPatience
	if len(o.byID) >= flooded {
		patience = floodedPatience
	}
	for _, r := range o.queue {
		switch left := patience - now.Sub(r.at); {
		case r.done:
		case left > 0:
			// When the flood begins only now, this one is due earlier.
			return list, min(left, floodedPatience)
		default:
			list = append(list, r)
		}
	}
	return list, floodedPatience
}

// of returns the records of a listener, oldest first, and removes them.
func (o *halfOpen) of(listener *endpoint.Wire) (list []*halfRecord) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.queue {
		if !r.done && r.listener == listener {
			list = append(list, r)
		}
	}
	for _, r := range list {
		o.removeLocked(r)
	}
	return list
}

// startHalf starts the record of a SYN.
func (h *hooks) startHalf(id netstack.TransportEndpointID, nic tcpip.NICID, listener *endpoint.Wire) *endpoint.Wire {
	w, arm := h.half.start(id, nic, listener, h.clock.NowMonotonic())
	if arm {
		h.armReaper(floodedPatience)
	}
	return w
}

// armReaper makes the pump look at the half-open connections after a while.
func (h *hooks) armReaper(d time.Duration) {
	timer := h.clock.AfterFunc(d, func() {
		h.stack.work.reap.Store(true)
		h.stack.work.wake()
	})
	h.half.mu.Lock()
	defer h.half.mu.Unlock()
	h.half.reaper = timer
	if h.half.stopped {
		timer.Stop()
	}
}

// stop ends the reaper.
func (o *halfOpen) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
	if o.reaper != nil {
		o.reaper.Stop()
	}
}

// reap ends the handshakes that take too long.
func (h *hooks) reap() {
	list, next := h.half.overdue(h.clock.NowMonotonic())
	for _, r := range list {
		if h.endHalf(r) {
			h.lost(r.id)
		}
	}
	h.half.mu.Lock()
	h.half.timer = len(h.half.byID) > 0
	again := h.half.timer
	h.half.mu.Unlock()
	if again {
		h.armReaper(next)
	}
}

// lost forgets a half-open connection that the peer has reset.
func (h *hooks) lost(id netstack.TransportEndpointID) {
	if r := h.half.take(id); r != nil {
		r.listener.Door().Lost(r.id)
	}
}

// endHalf takes a connection out of netstack, silently, whose handshake isn't
// complete. It reports false when it is by now.
func (h *hooks) endHalf(r *halfRecord) bool {
	proto := header.IPv6ProtocolNumber
	if r.id.LocalAddress.Len() == header.IPv4AddressSize {
		proto = header.IPv4ProtocolNumber
	}
	ep, ok := h.stack.ns.FindTransportEndpoint(proto, header.TCPProtocolNumber, r.id, r.nic).(*tcp.Endpoint)
	if !ok || ep.EndpointState() == tcp.StateListen { // only the listener is there: it was reset
		return true
	}
	switch ep.EndpointState() {
	case tcp.StateSynRecv, tcp.StateConnecting:
		ep.Close()
		return true
	}
	return false
}

// HalfOpen implements endpoint.Host.
func (s *Stack) HalfOpen(listener *endpoint.Wire) []endpoint.HalfOpen {
	var list []endpoint.HalfOpen
	for _, r := range s.hooks.half.of(listener) {
		if s.hooks.endHalf(r) {
			list = append(list, endpoint.HalfOpen{
				Local:  addrPort(r.id.LocalAddress, r.id.LocalPort),
				Remote: addrPort(r.id.RemoteAddress, r.id.RemotePort),
				Wire:   r.wire,
			})
		}
	}
	return list
}

func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	return endpoint.AddrPort(tcpip.FullAddress{Addr: a, Port: port})
}
