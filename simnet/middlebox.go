package simnet

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/tun"
)

// An Inspector is a function that sees packets on their way and says what becomes of each. Calls of
// an Inspector that was given to one Middlebox or one Inspect never overlap. An Inspector must not
// wait, not use sockets, and not call what runs the network. It may change links and routes, and
// cut and heal nodes: packets that are sent from then on find the change. It doesn't see its own
// answers on the same link. Where Inspectors answer each other's answers, the ninth in a row is lost.
type Inspector func(p Passing) Verdict

// A Passing is a packet that an Inspector sees. What hosts send has whole headers; what a Wire sends,
// or a Filter makes, may have any length.
type Passing struct {
	At       time.Duration // now, as the time since New
	From, To string        // the names of the nodes that the packet comes from and goes to next
	Data     []byte        // a copy of the packet, which the Inspector may keep and change
}

// A Verdict is what becomes of a packet. The zero Verdict lets it pass as it is, whatever was done
// to the copy that the Inspector saw. Packets are whole IP packets with right checksums, and belong
// to the network from then on; an empty one is none.
type Verdict struct {
	Drop    bool     // the packet itself doesn't go on
	Forward [][]byte // packets that go on to the receiver, behind the packet if that isn't dropped
	Answer  [][]byte // packets that go back to where the packet came from
}

// Replace is a Verdict by which another packet goes on instead.
func Replace(packet []byte) Verdict { return Verdict{Drop: true, Forward: [][]byte{packet}} }

// Reject is a Verdict by which a packet goes no further, and another one goes back.
func Reject(answer []byte) Verdict { return Verdict{Drop: true, Answer: [][]byte{answer}} }

// A Middlebox is a node between two links that hands on what comes, unless its Inspector says
// otherwise: a firewall, a load balancer, a fault that has to be made by hand. It has no addresses
// and no hop: time to live and everything else stay as they are. Of three links the third is an
// error.
type Middlebox struct {
	n    *Network
	name string
	view inspection

	mu   sync.Mutex // a leaf; guards ends
	ends []*linkEnd // at most two
}

// Middlebox makes a Middlebox. Without an Inspector (nil) everything passes.
func (n *Network) Middlebox(name string, f Inspector) *Middlebox {
	if n.tb != nil {
		n.tb.Helper()
	}
	n.must(n.claim("middlebox", name))
	m := &Middlebox{n: n, name: name}
	m.view.f = f
	return m
}

// Name is the name that Network.Middlebox was called with.
func (m *Middlebox) Name() string { return m.name }

// Inspect replaces the Inspector, for packets that come from now on; with nil everything passes.
// An Inspector must not call it for its own Middlebox.
func (m *Middlebox) Inspect(f Inspector) {
	m.view.mu.Lock()
	defer m.view.mu.Unlock()
	m.view.f = f
}

// Links are the links of the Middlebox, the older one first.
func (m *Middlebox) Links() []*Link { return m.n.linksOf(m) }

// Partition cuts both links of the Middlebox until Heal. Links that are cut by themselves stay so.
func (m *Middlebox) Partition() { m.n.cut(m, true) }

// Heal ends a Partition.
func (m *Middlebox) Heal() { m.n.cut(m, false) }

func (m *Middlebox) network() *Network { return m.n }

func (m *Middlebox) nextEnd(c *linkConfig, i int) (*linkEnd, error) {
	if err := c.noInterface(i, "middlebox"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ends) == 2 {
		return nil, fmt.Errorf("simnet: middlebox %s has two links already: it stands between two nodes, and a Switch joins more", m.name)
	}
	e, err := m.n.newPort(fmt.Sprintf("%s/%d", m.name, len(m.ends)+1), m, m.receive)
	if err == nil {
		m.ends = append(m.ends, e)
	}
	return e, err
}

// ports are the ends of the Middlebox.
func (m *Middlebox) ports() []*linkEnd {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ends[:len(m.ends):len(m.ends)]
}

// other is the end beside another one; nil: there is none.
func (m *Middlebox) other(e *linkEnd) *linkEnd {
	for _, o := range m.ports() {
		if o != e {
			return o
		}
	}
	return nil
}

// receive takes what comes by an end. It owns the packets.
func (m *Middlebox) receive(in *linkEnd, packets []tun.Packet) {
	out := m.other(in)
	p := passage{n: m.n, from: in.peerName(), to: nowhere, back: in}
	if out != nil {
		p.to = out.peerName()
	}
	m.view.inspect(&p, packets, func(packet tun.Packet) {
		if out != nil {
			out.impaired.Send([]tun.Packet{packet}) // it fails only after Close
		}
		packet.Data.Release()
	})
}

// Inspect has an Inspector see the packets of a link, of both directions unless it stands in From.
// It sees packets that arrive, just before the receiver does: those that the link has lost aren't
// among them. What it answers is sent by the receiver's end of the link. With nil everything passes
// again. See Middlebox for one that stands between two links, and shows in traces.
func Inspect(f Inspector) LinkOption {
	return func(c *linkConfig) error {
		view := &inspection{f: f}
		for i, chosen := range c.chosen {
			if !chosen {
				continue
			}
			c.then = append(c.then, func(l *Link) error {
				receiver := l.ends[1-i]
				receiver.mu.Lock()
				defer receiver.mu.Unlock()
				receiver.view = view
				return nil
			})
		}
		return nil
	}
}

// An inspection is an Inspector with a lock, so that its calls don't overlap.
type inspection struct {
	mu sync.Mutex // held during calls of f; guards f
	f  Inspector  // nil: everything passes
}

// A passage is where packets pass an Inspector.
type passage struct {
	n        *Network
	from, to string
	back     *linkEnd // sends what goes back
	both     bool     // what goes back comes to the same Inspector
}

// answer sends a packet back, as an answer to another one.
func (at *passage) answer(to *tun.Packet, b []byte) {
	p := tun.Packet{Data: buffer.MakeWithData(b), Mark: to.Mark&^(markNext|markSeen) + markAnswer}
	if at.both {
		p.Mark |= markSeen
	}
	if p.Mark/markAnswer <= maxAnswers {
		at.back.impaired.Send([]tun.Packet{p}) // it fails only after Close
	}
	p.Data.Release()
}

// inspect asks the Inspector about packets, which it owns, and gives those that go on to a
// function, which owns them then. One packet has gone on before the Inspector sees the next.
func (v *inspection) inspect(at *passage, packets []tun.Packet, on func(tun.Packet)) {
	for _, packet := range packets {
		if packet.Mark&markSeen != 0 {
			packet.Mark &^= markSeen
			on(packet)
			continue
		}
		verdict := v.judge(at, &packet)
		for _, b := range verdict.Answer {
			if len(b) > 0 {
				at.answer(&packet, b)
			}
		}
		template := packet // its bytes aren't looked at where they are gone
		to, _ := destination(&packet)
		if verdict.Drop {
			packet.Data.Release()
		} else {
			on(packet)
		}
		for _, b := range verdict.Forward {
			if len(b) > 0 {
				on(inPlaceOf(template, to, b))
			}
		}
	}
}

// inPlaceOf is a packet with other bytes than one for an address. Where they go to the same
// address, they take the same way.
func inPlaceOf(packet tun.Packet, to netip.Addr, b []byte) tun.Packet {
	packet.Data = buffer.MakeWithData(b)
	if a, _ := destination(&packet); a != to {
		packet.Mark &^= markNext
	}
	return packet
}

// judge asks the Inspector about one packet.
func (v *inspection) judge(at *passage, packet *tun.Packet) Verdict {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.f == nil {
		return Verdict{}
	}
	b := make([]byte, packet.Data.Size())
	packet.Data.ReadAt(b, 0) // its error says only that the end was reached
	return v.f(Passing{At: at.n.Now(), From: at.from, To: at.to, Data: b})
}
