package simnet

import (
	"sync"

	"github.com/wsstack/wsstack/tun"
)

// A port is one end of a link.
//
//	stack ── tun.Impaired ── port ─┬─ Send ──▶ inbox of the peer ──turn──▶ receive ── tun.Impaired ── stack
//	                               └─ no peer: gone
//
// In virtual time it is the device: Send only queues, and the scheduler calls
// deliver. In real time the device is one end of a tun.Pipe, and far its other
// end.
type port struct {
	n        *Network
	name     string
	host     *Host // nil: a wire
	mtu      int
	impaired *tun.Impaired
	far      tun.Device // in real time
	near     tun.Device // in real time

	mu      sync.Mutex // a leaf, but for n.mu
	peer    *port
	link    *Link
	receive func([]tun.Packet)
	inbox   []tun.Packet // waiting for turns; begins at first
	first   int
	bytes   int64
	drops   uint64
	closed  bool
	one     [1]tun.Packet // of deliver
}

func (n *Network) newPort(name string, h *Host, mtu int) (p *port, err error) {
	p = &port{n: n, name: name, host: h, mtu: mtu}
	if n.real {
		p.near, p.far = tun.Pipe(mtu)
		if err := p.far.Start(p.forward); err != nil {
			return nil, err
		}
	}
	p.impaired, err = n.impaired(p)
	return p, err
}

// device is what the impairments wrap.
func (p *port) device() tun.Device {
	if p.near != nil {
		return p.near
	}
	return p
}

// forward carries packets in real time.
func (p *port) forward(packets []tun.Packet) {
	p.mu.Lock()
	peer := p.peer
	p.mu.Unlock()
	if peer != nil {
		peer.far.Send(packets) // an error means that the peer has been closed
	}
	for i := range packets {
		packets[i].Data.Release()
	}
}

func (p *port) closeFar() {
	if p.far != nil {
		p.far.Close() // an in-memory device: there is no error
	}
}

// observe is told of every packet that the node sends, before it leaves.
func (p *port) observe(packet *tun.Packet, fate tun.Fate) {
	p.mu.Lock()
	peer, link := p.peer, p.link
	p.mu.Unlock()
	to := "nowhere"
	if peer != nil {
		to = peer.node()
	}
	p.n.trace.add(p.n.now(), p.n.wall.Now(), link, p.node(), to, packet, fate)
}

// node is the name of the host or wire.
func (p *port) node() string {
	if p.host != nil {
		return p.host.name
	}
	return p.name
}

// MTU implements tun.Device.
func (p *port) MTU() int { return p.mtu }

// Offload implements tun.Device: plain packets only.
func (p *port) Offload() tun.Offload { return tun.Offload{} }

// Start implements tun.Device.
func (p *port) Start(receive func([]tun.Packet)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return tun.ErrClosed
	case p.receive != nil:
		return tun.ErrStarted
	}
	p.receive = receive
	return nil
}

// Send implements tun.Device.
func (p *port) Send(packets []tun.Packet) error {
	p.mu.Lock()
	peer, closed := p.peer, p.closed
	p.mu.Unlock()
	switch {
	case closed:
		return tun.ErrClosed
	case peer == nil:
		return nil
	}
	for i := range packets {
		if packets[i].Data.Size() <= int64(peer.mtu) {
			peer.put(packets[i])
		}
	}
	return nil
}

// put queues a packet for this end, and asks for a turn to deliver it. The
// bounds are those of every in-memory device.
func (p *port) put(packet tun.Packet) {
	size := packet.Data.Size()
	p.mu.Lock()
	if p.closed || p.receive == nil || len(p.inbox)-p.first >= tun.QueuePackets || p.bytes+size > tun.QueueBytes {
		p.drops++
		p.mu.Unlock()
		return
	}
	packet.Data = packet.Data.Clone()
	if p.first == len(p.inbox) {
		p.inbox, p.first = p.inbox[:0], 0
	}
	p.inbox = append(p.inbox, packet)
	p.bytes += size
	p.mu.Unlock()
	p.n.mu.Lock()
	p.n.pushLocked(turn{port: p})
	p.n.mu.Unlock()
}

// deliver hands over the oldest packet, and reports whether there was one. The
// scheduler calls it.
func (p *port) deliver() bool {
	p.mu.Lock()
	if p.first == len(p.inbox) {
		p.mu.Unlock()
		return false // the port was closed
	}
	p.one[0] = p.inbox[p.first]
	p.inbox[p.first] = tun.Packet{}
	p.first++
	p.bytes -= p.one[0].Data.Size()
	if p.first > 4096 && 2*p.first > len(p.inbox) {
		p.inbox = append(p.inbox[:0], p.inbox[p.first:]...)
		p.first = 0
	}
	receive := p.receive
	p.mu.Unlock()
	receive(p.one[:])
	return true
}

// Close implements tun.Device.
func (p *port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for i := p.first; i < len(p.inbox); i++ {
		p.inbox[i].Data.Release()
	}
	p.inbox, p.first, p.bytes = nil, 0, 0
	return nil
}

// Drops implements tun.Dropper: packets that came when the inbox was full.
func (p *port) Drops() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drops
}
