package stack

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/tun"
)

// Times and sizes of requests. A request is given up when the next retransmission of its SYN is
// overdue, as that of SO_CONDITIONAL_ACCEPT is (CA-7): the gaps between retransmissions double. A
// handshake takes 21 s at most, so a decision that none has followed by then is forgotten.
const (
	firstPatience = 7500 * time.Millisecond // the first gap is 3 s at most
	gapPatience   = 2.5                     // times the last gap
	decisionLife  = 30 * time.Second        // from Connect's decision to the end of the handshake
	maxHeldSYN    = 2048                    // bytes: a SYN that is longer is dropped
)

// A flow is who speaks to whom.
type flow struct{ source, destination netip.AddrPort }

// A request is a SYN that Connect is asked about, and then the handshake that Connect has agreed
// to:
//
//	SYN ──▶ asked ──Connect──▶ agreed ──ACK──▶ an arrival
//	          │ └──an error──▶ told          └──RST, time-out──▶ discarded
//	          └── RST, silence ──▶ gone, Connect's context ends
type request struct {
	agenda.Slot
	flow
	in   *nic          // where the SYN came from
	ctx  *wait.Context // of Connect
	syn  []byte        // the packet with the SYN
	gso  tun.GSO       // its metadata
	seq  uint32        // its number
	last time.Duration // when it came last

	agreed bool
	value  any // what Connect has returned
}

// connects are the requests of a Forwarder. The lock is a leaf, but that a goroutine is started
// under it, so that none starts once the Forwarder is closed.
type connects struct {
	f *Forwarder

	mu       sync.Mutex
	requests map[flow]*request
	agenda   agenda.Agenda[*request]
	timer    forwarderTimer
	entered  uint64 // how many requests there have been
	busy     int    // calls of Connect, and requests that are agreed
	closed   bool
}

func (c *connects) init(f *Forwarder) { c.f, c.requests = f, map[flow]*request{} }

// knock is a SYN to a destination of the Forwarder. It passes where it may be answered.
func (f *Forwarder) knock(in *nic, t *transit, p *tun.Packet, segment header.TCP) verdict {
	to := flow{netip.AddrPortFrom(t.source, segment.SourcePort()), netip.AddrPortFrom(t.destination, segment.DestinationPort())}
	switch {
	case f.cfg.Connect == nil && f.stack.tcp.HalfOpen() >= f.cfg.InFlight:
		return refuse
	case f.cfg.Connect != nil && !f.stack.tcp.Has(to.id()):
		if v := f.connects.syn(in, t, p, to, segment); v != pass {
			return v
		}
	}
	if !f.stack.adopt(t.destination) {
		return refuse
	}
	return pass
}

// id is the tuple of the connection from the point of view of who stands in for the destination.
func (k *flow) id() transport.ID {
	return transport.ID{
		LocalAddress: translate.Address(k.destination.Addr()), LocalPort: k.destination.Port(),
		RemoteAddress: translate.Address(k.source.Addr()), RemotePort: k.source.Port(),
	}
}

// flowOf is the inverse of flow.id.
func flowOf(id transport.ID) flow {
	return flow{
		source:      translate.AddrPort(tcpip.FullAddress{Addr: id.RemoteAddress, Port: id.RemotePort}),
		destination: translate.AddrPort(tcpip.FullAddress{Addr: id.LocalAddress, Port: id.LocalPort}),
	}
}

// syn takes a SYN that no connection has. It passes once Connect has agreed.
func (c *connects) syn(in *nic, t *transit, p *tun.Packet, to flow, segment header.TCP) verdict {
	now := c.f.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.requests[to]
	switch {
	case r != nil && r.agreed:
		return pass
	case r != nil:
		c.againLocked(r, now, t, p, segment)
		return taken
	case c.closed || c.busy >= c.f.cfg.InFlight || t.size > maxHeldSYN:
		return refuse
	}
	c.entered++
	r = &request{flow: to, in: in, ctx: c.f.stack.newContext(c.f.ctx), last: now}
	r.hold(t, p, segment)
	r.At, r.Order = now+firstPatience, c.entered
	c.requests[to] = r
	c.agenda.Add(r)
	c.busy++
	c.timer.set(c.f.stack, now, r.At, c.due)
	c.f.start(func() { c.f.decide(r) })
	return taken
}

// hold keeps the packet with the SYN.
func (r *request) hold(t *transit, p *tun.Packet, segment header.TCP) {
	r.syn, r.gso, r.seq = opening(p, t.size, t.size), p.GSO, segment.SequenceNumber()
}

// againLocked takes a further SYN of a request that Connect is being asked about: a copy renews the
// patience, one with another number is a new attempt, which takes the place of the first.
func (c *connects) againLocked(r *request, now time.Duration, t *transit, p *tun.Packet, segment header.TCP) {
	patience := max(firstPatience, time.Duration(float64(now-r.last)*gapPatience))
	if segment.SequenceNumber() != r.seq && t.size <= maxHeldSYN {
		r.hold(t, p, segment)
		patience = firstPatience
	}
	r.last, r.At = now, now+patience
	c.agenda.Fix(r)
}

// reset takes a RST: it ends a request whose SYN it is for (RFC 9293 §3.10.7.3).
func (c *connects) reset(of flow, seq uint32) {
	c.mu.Lock()
	r := c.requests[of]
	if r == nil || r.agreed || seq != r.seq && seq != r.seq+1 {
		c.mu.Unlock()
		return
	}
	c.removeLocked(r)
	c.mu.Unlock()
	r.ctx.End(context.Canceled)
}

// removeLocked takes a request out.
func (c *connects) removeLocked(r *request) {
	delete(c.requests, r.flow)
	c.agenda.Remove(r)
	if r.agreed {
		c.busy--
	}
}

// decide asks Connect, and does what it says.
func (f *Forwarder) decide(r *request) {
	value, err := f.cfg.Connect(r.ctx, r.source, r.destination)
	packet, there := f.connects.decided(r, value, err)
	r.ctx.End(context.Canceled) // what Connect has started beside
	switch {
	case err == nil && there:
		r.in.link.Receive(tun.Packet{Data: buffer.MakeWithData(packet), GSO: r.gso})
	case err == nil:
		discard(value)
	case there:
		f.stack.hooks.dropped.Add(1)
		f.tellSYN(r, packet, err)
	}
}

// tellSYN tells the client what Connect has failed with.
func (f *Forwarder) tellSYN(r *request, packet []byte, err error) {
	p := tun.Packet{Data: buffer.MakeWithData(packet)}
	defer p.Data.Release()
	var t transit
	ok := t.parse(&p)
	u := t.upper(&p)
	if !ok || u.protocol != uint8(header.TCPProtocolNumber) {
		return
	}
	var ip [header.IPv6MinimumSize]byte
	t.plainHeader(ip[:], u.protocol, t.size-u.at)
	f.tell(r.in, t.source, t.destination, ip[:], packet[u.at:t.size], err)
}

// decided notes what Connect has decided. It returns the packet with the SYN, and whether
// somebody still waits for the decision.
func (c *connects) decided(r *request, value any, err error) (packet []byte, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	packet = r.syn
	switch there = c.requests[r.flow] == r; {
	case !there:
		c.busy--
	case err != nil:
		c.removeLocked(r)
		c.busy--
	default:
		now := c.f.now()
		r.agreed, r.value, r.syn = true, value, nil
		r.At = now + decisionLife
		c.agenda.Fix(r)
		c.timer.set(c.f.stack, now, r.At, c.due)
	}
	return packet, there
}

// due gives up the requests whose time is over.
func (c *connects) due() {
	var gone []*request
	c.mu.Lock()
	now := c.f.now()
	c.timer.armed = 0
	for c.agenda.Len() > 0 && c.agenda.First().At <= now {
		r := c.agenda.First()
		if c.removeLocked(r); r.agreed {
			c.discardLocked(r.value)
		} else {
			gone = append(gone, r)
		}
	}
	if c.agenda.Len() > 0 {
		c.timer.set(c.f.stack, now, c.agenda.First().At, c.due)
	}
	c.mu.Unlock()
	for _, r := range gone {
		r.ctx.End(context.Canceled)
	}
}

// discardLocked closes a value on a goroutine of its own: its Close may wait.
func (c *connects) discardLocked(value any) {
	if value != nil && !c.closed {
		c.f.start(func() { discard(value) })
	}
}

// close ends the requests, and returns the values that nobody gets. The contexts have ended.
func (c *connects) close() (values []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.timer.stop()
	for _, r := range c.requests {
		if r.agreed {
			values = append(values, r.value)
		}
	}
	c.requests, c.agenda = map[flow]*request{}, agenda.Agenda[*request]{}
	return values
}

// stands is transport.ListenConfig.Takes.
func (f *Forwarder) stands(a tcpip.Address) bool {
	addr := translate.Addr(a)
	return f.stack.adopted.has(addr) && f.takes(addr)
}

// ask is transport.ListenConfig.Ask: it sees the SYNs that knock has let pass, and those that came
// in fragments.
func (f *Forwarder) ask(id transport.ID, _ *tcp.Segment) transport.Decision {
	if f.cfg.Connect != nil {
		if !f.connects.has(flowOf(id)) {
			return transport.Drop
		}
	} else if f.stack.tcp.HalfOpen() >= f.cfg.InFlight {
		return transport.Drop
	}
	return transport.Admit
}

// has reports a request that Connect has agreed to.
func (c *connects) has(of flow) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.requests[of]
	return r != nil && r.agreed
}

// take takes out a request that Connect has agreed to, and returns its value.
func (c *connects) take(of flow) (value any, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.requests[of]
	if r == nil || !r.agreed {
		return nil, false
	}
	c.removeLocked(r)
	return r.value, true
}

// lost is transport.ListenConfig.Lost: a handshake has failed. A connection that was reset in the
// meantime is told of here as well.
func (f *Forwarder) lost(id transport.ID) {
	c := &f.connects
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.requests[flowOf(id)]; r != nil && r.agreed {
		c.removeLocked(r)
		c.discardLocked(r.value)
	}
}
