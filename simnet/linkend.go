package simnet

import (
	"sync"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// A linkEnd is one end of a link.
//
//	stack ── tun.Impaired ── linkEnd ─┬─ Send ──▶ inbox of the peer ──turn──▶ arrive, receive
//	                                  └─ no peer: gone                          │
//	                           stack, Switch, Middlebox or Wire ── tun.Impaired ┘
//
// In virtual time the linkEnd is the device below the impairments: Send only queues, and the
// scheduler calls deliver. In real time that device is one end of a tun.Pipe, near, and far is the
// other end of the Pipe.
type linkEnd struct {
	n        *Network
	id       uint32        // not 0, and no other end's
	name     string        // of the node, with a number where it has several ends
	owner    Node          // whose end it is
	host     *Host         // the owner, if that is a host; else nil
	mtu      int           // in bytes
	impaired *tun.Impaired // the device that the owner has
	outer    tun.Device    // the device that the stack of a host has, which is impaired or wraps it
	port     *port         // of a router; nil: it isn't one's
	near     tun.Device    // nil in virtual time
	far      tun.Device    // nil in virtual time

	mu      sync.Mutex         // a leaf, but for n.mu; guards the fields below
	peer    *linkEnd           // the other end; nil: there is no link yet
	link    *Link              // nil: there is no link yet
	view    *inspection        // sees what arrives, first; nil: nobody does
	receive func([]tun.Packet) // takes what arrives; nil: not started
	inbox   []tun.Packet       // what has arrived, from first on: each packet waits for its turn
	first   int
	bytes   int64  // the size of the packets in the inbox
	drops   uint64 // how many packets came when the inbox was full
	deaf    bool   // the host was closed: nothing arrives any more
	closed  bool
	one     [1]tun.Packet // the argument of receive
}

// anyMTU is the MTU of ends without an interface: the smaller one of a link counts.
const anyMTU = inet.MaxMTU

// newLinkEnd makes an end of a node.
func (n *Network) newLinkEnd(name string, owner Node, mtu int) (e *linkEnd, err error) {
	e = &linkEnd{n: n, id: n.topology.lastID.Add(1), name: name, owner: owner, mtu: mtu}
	e.host, _ = owner.(*Host)
	if n.real {
		e.near, e.far = tun.Pipe(mtu)
		if err := e.far.Start(e.forward); err != nil {
			return nil, err
		}
	}
	e.impaired, err = n.impaired(e)
	return e, err
}

// device is the device that the impairments wrap.
func (e *linkEnd) device() tun.Device {
	if e.near != nil {
		return e.near
	}
	return e
}

// forward carries packets to the peer in real time.
func (e *linkEnd) forward(packets []tun.Packet) {
	if peer := e.linked(); peer != nil && peer.hears() {
		packets = peer.arrive(packets)
		peer.far.Send(packets) // an error means that the peer has been closed
	}
	for i := range packets {
		packets[i].Data.Release()
	}
}

// arrive has the Inspector, if there is one, see packets that arrive. It owns the packets, and
// returns those that the node gets, which the caller owns.
func (e *linkEnd) arrive(packets []tun.Packet) (on []tun.Packet) {
	e.mu.Lock()
	view := e.view
	e.mu.Unlock()
	if view == nil {
		return packets
	}
	at := &passage{n: e.n, from: e.peerName(), to: e.node(), back: e}
	if peer := e.linked(); peer != nil {
		peer.mu.Lock()
		at.both = peer.view == view
		peer.mu.Unlock()
	}
	view.inspect(at, packets, func(p tun.Packet) { on = append(on, p) })
	return on
}

// closeFar closes the end in real time.
func (e *linkEnd) closeFar() {
	if e.far != nil {
		e.far.Close() // an in-memory device: there is no error
	}
}

// observe is told of every packet that the node sends, before it leaves, and again when a queue
// drops or marks it.
func (e *linkEnd) observe(packet *tun.Packet, fate tun.Fate) {
	e.mu.Lock()
	link := e.link
	e.mu.Unlock()
	to := e.peerName()
	e.n.sent()
	e.n.trace.add(&sending{at: e.n.now(), wall: e.n.wall.Now(), link: link, from: e.node(), to: to, packet: packet, fate: fate}, &e.n.records)
}

// node is the name of the owner.
func (e *linkEnd) node() string { return e.owner.Name() }

// peerName is the name of the node at the other end of the link.
func (e *linkEnd) peerName() string {
	if peer := e.linked(); peer != nil {
		return peer.node()
	}
	return nowhere
}

// MTU implements tun.Device.
func (e *linkEnd) MTU() int { return e.mtu }

// Offload implements tun.Device: plain packets only.
func (e *linkEnd) Offload() tun.Offload { return tun.Offload{} }

// most is the size of the largest packet that this end may send to the other one. That of a Wire
// plays a card as well, which may have put several segments together.
func (e *linkEnd) most(peer *linkEnd) int {
	if _, wire := e.owner.(*Wire); wire {
		return anyMTU
	}
	return peer.mtu
}

// Start implements tun.Device.
func (e *linkEnd) Start(receive func([]tun.Packet)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return tun.ErrClosed
	case e.receive != nil:
		return tun.ErrStarted
	}
	e.receive = receive
	return nil
}

// Send implements tun.Device.
func (e *linkEnd) Send(packets []tun.Packet) error {
	e.mu.Lock()
	peer, closed := e.peer, e.closed
	e.mu.Unlock()
	switch {
	case closed:
		return tun.ErrClosed
	case peer == nil:
		return nil
	}
	for i := range packets {
		if packets[i].Data.Size() <= int64(e.most(peer)) {
			peer.put(packets[i])
		}
	}
	return nil
}

// put queues a packet for this end, and asks for a turn to deliver it. The
// bounds are those of every in-memory device.
func (e *linkEnd) put(packet tun.Packet) {
	size := packet.Data.Size()
	e.mu.Lock()
	if e.deaf || e.receive == nil || len(e.inbox)-e.first >= tun.QueuePackets || e.bytes+size > tun.QueueBytes {
		e.drops++
		e.mu.Unlock()
		return
	}
	packet.Data = packet.Data.Clone()
	if e.first == len(e.inbox) {
		e.inbox, e.first = e.inbox[:0], 0
	}
	e.inbox = append(e.inbox, packet)
	e.bytes += size
	e.mu.Unlock()
	e.n.mu.Lock()
	e.n.pushLocked(turn{end: e})
	e.n.mu.Unlock()
}

// deliver hands over the oldest packet, and reports whether there was one. The
// scheduler calls it.
func (e *linkEnd) deliver() bool {
	e.mu.Lock()
	if e.first == len(e.inbox) {
		e.mu.Unlock()
		return false // the end was closed
	}
	e.one[0] = e.inbox[e.first]
	e.inbox[e.first] = tun.Packet{}
	e.first++
	e.bytes -= e.one[0].Data.Size()
	if e.first > 4096 && 2*e.first > len(e.inbox) {
		e.inbox = append(e.inbox[:0], e.inbox[e.first:]...)
		e.first = 0
	}
	receive, view := e.receive, e.view
	e.mu.Unlock()
	packets := e.one[:]
	if view != nil {
		packets = e.arrive(packets)
	}
	receive(packets)
	return true
}

// Close implements tun.Device.
func (e *linkEnd) Close() error {
	e.deafen()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

// deafen makes everything vanish that comes for this end.
func (e *linkEnd) deafen() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = true
	for i := e.first; i < len(e.inbox); i++ {
		e.inbox[i].Data.Release()
	}
	e.inbox, e.first, e.bytes = nil, 0, 0
}

// hears reports whether anything still arrives at this end.
func (e *linkEnd) hears() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.deaf
}

// Drops implements tun.Dropper: it is how many packets came when the inbox was full.
func (e *linkEnd) Drops() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.drops
}
