package simnet

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// A Switch joins the hosts, routers and wires at its links as one network, with all other switches
// that it is linked with. It has no addresses and no hop. A packet goes to the neighbour that its
// sender's route table says: to the gateway of the route, or to the destination itself. Where a
// host has no gateway and no neighbour has the destination, nor a network that it is in, the packet
// goes to the router that was linked first; so hosts beside one router need no routes. Broadcasts
// and multicasts go to everybody. What nobody takes is dropped, as where nobody answers ARP; if a
// router has sent it there, it tells the sender.
//
// Links are those of layer 3 everywhere: there is no Ethernet, and there are no MAC addresses,
// VLANs and spanning trees. A circle of switches is an error of Link.
type Switch struct {
	n     *Network
	name  string
	table atomic.Pointer[switchTable] // may be out of date; nil: there is none yet

	forwarded, flooded, unknown atomic.Uint64 // see SwitchStats

	mu   sync.Mutex // a leaf; guards ends
	ends []*linkEnd // the ports, the oldest first
}

// SwitchStats are the counters of a Switch. Those of a port are Link.Stats.
type SwitchStats struct {
	Forwarded uint64 // packets that went on to one neighbour
	Flooded   uint64 // broadcasts and multicasts, each of which went on to all others
	Unknown   uint64 // packets that no neighbour takes, which were dropped
}

// Switch makes a Switch.
func (n *Network) Switch(name string) *Switch {
	if n.tb != nil {
		n.tb.Helper()
	}
	n.must(n.claim("switch", name))
	return &Switch{n: n, name: name}
}

// Name is the name that Network.Switch was called with.
func (s *Switch) Name() string { return s.name }

// Links are the links of the Switch, the oldest first.
func (s *Switch) Links() []*Link { return s.n.linksOf(s) }

// Stats are the counters of the Switch.
func (s *Switch) Stats() SwitchStats {
	return SwitchStats{Forwarded: s.forwarded.Load(), Flooded: s.flooded.Load(), Unknown: s.unknown.Load()}
}

// Partition cuts all links of the Switch until Heal. Links that are cut by themselves stay so.
func (s *Switch) Partition() { s.n.cut(s, true) }

// Heal ends a Partition.
func (s *Switch) Heal() { s.n.cut(s, false) }

func (s *Switch) network() *Network { return s.n }

func (s *Switch) nextEnd(c *linkConfig, i int) (*linkEnd, error) {
	if err := c.noInterface(i, "switch"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.n.newPort(fmt.Sprintf("%s/%d", s.name, len(s.ends)+1), s, s.receive)
	if err == nil {
		s.ends = append(s.ends, e)
	}
	return e, err
}

// ports are the ends of the Switch.
func (s *Switch) ports() []*linkEnd {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends[:len(s.ends):len(s.ends)]
}

// receive takes what comes by a port. It owns the packets.
func (s *Switch) receive(in *linkEnd, packets []tun.Packet) {
	t := s.current()
	for i := range packets {
		s.pass(t, in, packets[i])
		packets[i].Data.Release()
	}
}

// pass sends a packet on, which it borrows.
func (s *Switch) pass(t *switchTable, in *linkEnd, packet tun.Packet) {
	to, ok := destination(&packet)
	if ok && t.isGroup(to) {
		s.flooded.Add(1)
		packet.Mark &^= markNext
		for _, port := range s.ports() {
			if port != in {
				port.impaired.Send([]tun.Packet{packet}) // it fails only after Close
			}
		}
		return
	}
	next := uint32(0)
	if ok {
		next = t.next(in, packet.Mark&markNext, to)
	}
	packet.Mark = packet.Mark&^markNext | next
	port := t.toward[next]
	if port == nil || port == in {
		s.unknown.Add(1)
		if from := t.behind[in]; from != nil && from.host != nil {
			from.host.Undelivered(&packet)
		}
		return
	}
	s.forwarded.Add(1)
	port.impaired.Send([]tun.Packet{packet})
}

// destination is where the header of a packet says that it goes.
func destination(p *tun.Packet) (netip.Addr, bool) {
	var b [header.IPv6MinimumSize]byte
	n, _ := p.Data.ReadAt(b[:], 0)
	switch {
	case n >= header.IPv4MinimumSize && header.IPVersion(b[:]) == header.IPv4Version:
		return netip.AddrFrom4([4]byte(b[16:])), true
	case n == header.IPv6MinimumSize && header.IPVersion(b[:]) == header.IPv6Version:
		return netip.AddrFrom16([16]byte(b[24:])), true
	}
	return netip.Addr{}, false
}

// A switchTable is what a Switch knows of its neighbours, which are those of the other switches
// that it is linked with, too. It never changes: the Switch makes a new one when the topology has
// changed.
type switchTable struct {
	version   uint64                  // topology.changes
	owners    map[netip.Addr]*linkEnd // the neighbour that has an address
	broadcast map[netip.Addr]bool     // the broadcast addresses of the networks
	networks  map[netip.Prefix]bool   // what is on link with some neighbour
	routers   []*linkEnd              // the neighbours that route, the oldest first
	toward    map[uint32]*linkEnd     // the port that leads to a neighbour, by the id of that
	behind    map[*linkEnd]*linkEnd   // the only neighbour that sends by a port; none: a switch does
}

// current returns a table that is up to date.
func (s *Switch) current() *switchTable {
	version := s.n.topology.changes.Load()
	t := s.table.Load()
	if t == nil || t.version != version {
		t = s.newTable(version)
		s.table.Store(t)
	}
	return t
}

func (s *Switch) newTable(version uint64) *switchTable {
	t := &switchTable{
		version: version, owners: map[netip.Addr]*linkEnd{}, broadcast: map[netip.Addr]bool{}, networks: map[netip.Prefix]bool{},
		toward: map[uint32]*linkEnd{}, behind: map[*linkEnd]*linkEnd{},
	}
	for _, port := range s.ports() {
		if from := port.station(); from != nil {
			t.behind[port] = from
		}
		port.stations(func(e *linkEnd) { t.add(port, e) })
	}
	return t
}

// add adds a neighbour that a port leads to.
func (t *switchTable) add(port, e *linkEnd) {
	t.toward[e.id] = port
	if e.host != nil && e.host.forwards && !e.host.closed.Load() {
		t.routers = append(t.routers, e)
	}
	for _, p := range e.addresses() {
		if _, taken := t.owners[p.Addr()]; !taken {
			t.owners[p.Addr()] = e
		}
		if p.Addr().Is4() && p.Bits() < 31 {
			t.broadcast[lastAddress(p)] = true
		}
		t.networks[p.Masked()] = true
	}
}

// lastAddress is the highest address of a prefix of IPv4.
func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// isGroup reports whether everybody gets what is for an address.
func (t *switchTable) isGroup(a netip.Addr) bool {
	return a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || t.broadcast[a]
}

// next is the id of the neighbour that takes a packet next; 0: nobody does. mark is what the switch
// before has found out.
func (t *switchTable) next(in *linkEnd, mark uint32, to netip.Addr) uint32 {
	from := t.behind[in]
	hop := to
	switch {
	case from == nil && mark != 0:
		return mark
	case from == nil:
	case from.host != nil:
		if a := from.host.NextHop(from.outer, to); a.IsValid() {
			hop = a.WithZone("")
		}
	}
	if e := t.owners[hop]; e != nil {
		return e.id
	}
	if hop == to && from != nil && (from.host == nil || !from.host.forwards) && !t.onLink(to) {
		for _, r := range t.routers {
			if r != from {
				return r.id
			}
		}
	}
	return 0
}

// onLink reports whether an address is of a network that some neighbour is in.
func (t *switchTable) onLink(a netip.Addr) bool {
	for p := range t.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
