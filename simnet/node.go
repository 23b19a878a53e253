package simnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/tun"
)

// A Node is what a link has at an end: a Host, which may be a router, a Switch, a Middlebox or a
// Wire. No two nodes of a network have the same name.
type Node interface {
	// Name is the name that the Node was made with.
	Name() string

	network() *Network
	nextEnd(c *linkConfig, i int) (*linkEnd, error)
}

var (
	_ Node = (*Host)(nil)
	_ Node = (*Switch)(nil)
	_ Node = (*Middlebox)(nil)
	_ Node = (*Wire)(nil)
)

// A topology is what a network knows of its nodes and links.
type topology struct {
	changes atomic.Uint64 // how often an address, a route or a link has changed
	lastID  atomic.Uint32 // the id of the newest linkEnd

	mu    sync.Mutex        // taken before every other lock of the network; guards the fields below
	names map[string]string // the kind of each node, by its name
	down  map[Node]bool     // the nodes that are cut
}

// What a network notes in the Mark of a packet.
const (
	markNext   = 1<<24 - 1 // the id of the end that takes it next, as the first Switch has found out; 0: none
	markSeen   = 1 << 24   // the Inspector that it comes to next has made it itself
	markAnswer = 1 << 25   // how often Inspectors have answered answers, times this
)

// maxAnswers is how often in a row Inspectors answer each other's answers: two that answer
// everything would never end.
const maxAnswers = 8

// claim takes a name for a node of a kind, such as "host".
func (n *Network) claim(kind, name string) error {
	if n.isClosed() {
		return closedError(kind, name)
	}
	t := &n.topology
	t.mu.Lock()
	defer t.mu.Unlock()
	if other, ok := t.names[name]; ok {
		return fmt.Errorf("simnet: there is a %s %q already", other, name)
	}
	if t.names == nil {
		t.names = map[string]string{}
	}
	t.names[name] = kind
	return nil
}

// closedError is that a node can't be made any more.
func closedError(kind, name string) error {
	return fmt.Errorf("simnet: %s %s: the network is closed", kind, name)
}

// release gives back the name of a node that couldn't be made.
func (n *Network) release(name string) {
	n.topology.mu.Lock()
	defer n.topology.mu.Unlock()
	delete(n.topology.names, name)
}

// changed tells everybody to look at the topology again.
func (t *topology) changed() { t.changes.Add(1) }

// newPort makes an end of a switch or middlebox, and starts it.
func (n *Network) newPort(name string, node Node, receive func(in *linkEnd, packets []tun.Packet)) (*linkEnd, error) {
	e, err := n.newLinkEnd(name, node, anyMTU)
	if err != nil {
		return nil, err
	}
	if err := e.impaired.Start(func(packets []tun.Packet) { receive(e, packets) }); err != nil {
		e.closeFar()
		return nil, errors.Join(err, e.impaired.Close())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports = append(n.ports, e)
	return e, nil
}

// closePorts closes the ends of switches and middleboxes.
func (n *Network) closePorts() error {
	n.mu.Lock()
	ends := n.ports
	n.mu.Unlock()
	var errs []error
	for _, e := range ends {
		errs = append(errs, e.impaired.Close())
		e.closeFar()
	}
	return errors.Join(errs...)
}

// cut pulls the cables of a node, or plugs them in again.
func (n *Network) cut(node Node, cut bool) {
	t := &n.topology
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.down == nil {
		t.down = map[Node]bool{}
	}
	t.down[node] = cut
	n.mu.Lock()
	links := n.links
	n.mu.Unlock()
	for _, l := range links {
		if slices.Contains(l.nodes[:], node) {
			_ = l.applyLocked(l.wanted) // what is wanted was possible before
		}
	}
}

// linksOf returns the links of a node, the oldest first.
func (n *Network) linksOf(node Node) (links []*Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		if slices.Contains(l.nodes[:], node) {
			links = append(links, l)
		}
	}
	return links
}

// linked is the other end of the link; nil: there is no link.
func (e *linkEnd) linked() *linkEnd {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.peer
}

// stations calls f with the ends of the hosts and wires that packets from e can reach without being
// routed: behind the link, and behind the switches and middleboxes there. There are no loops of
// these: newLink sees to that.
func (e *linkEnd) stations(f func(*linkEnd)) {
	e.walk(func(*linkEnd) bool { return true }, f)
}

// walk is stations without those behind links that aren't open.
func (e *linkEnd) walk(open func(*linkEnd) bool, f func(*linkEnd)) {
	peer := e.linked()
	if peer == nil || !open(e) {
		return
	}
	switch node := peer.owner.(type) {
	case *Switch:
		for _, p := range node.ports() {
			if p != peer {
				p.walk(open, f)
			}
		}
	case *Middlebox:
		if p := node.other(peer); p != nil {
			p.walk(open, f)
		}
	default:
		f(peer)
	}
}

// connectedLocked reports whether there is a link that isn't cut, in either direction. The caller
// holds topology.mu.
func (e *linkEnd) connectedLocked() bool {
	e.mu.Lock()
	l := e.link
	e.mu.Unlock()
	return l != nil && !l.wanted[0].Partition && !l.wanted[1].Partition && !l.downLocked()
}

// station is the end of the only host or wire that sends to e: at the other end of the link, or
// behind middleboxes. It is nil where there is none, or a switch.
func (e *linkEnd) station() *linkEnd {
	peer := e.linked()
	if peer == nil {
		return nil
	}
	switch node := peer.owner.(type) {
	case *Switch:
		return nil
	case *Middlebox:
		if p := node.other(peer); p != nil {
			return p.station()
		}
		return nil
	}
	return peer
}

// bridges reports whether a node hands packets on without routing them.
func bridges(node Node) bool {
	switch node.(type) {
	case *Switch, *Middlebox:
		return true
	}
	return false
}

// leadsTo reports whether a packet that e sends may come to a node without being routed.
func (e *linkEnd) leadsTo(to Node) bool {
	peer := e.linked()
	if peer == nil {
		return false
	}
	if peer.owner == to {
		return true
	}
	switch node := peer.owner.(type) {
	case *Switch:
		return slices.ContainsFunc(node.ports(), func(p *linkEnd) bool { return p != peer && p.leadsTo(to) })
	case *Middlebox:
		p := node.other(peer)
		return p != nil && p.leadsTo(to)
	}
	return false
}

// checkLoop returns an error where a link of two nodes would let packets go round in a circle of
// switches and middleboxes, which nothing would ever end.
func checkLoop(a, b Node) error {
	if !bridges(a) || !bridges(b) {
		return nil
	}
	for _, e := range endsOf(a) {
		if e.leadsTo(b) {
			return fmt.Errorf("simnet: a link of %s and %s would close a circle of switches and middleboxes: packets would go round in it for ever", a.Name(), b.Name())
		}
	}
	return nil
}

// endsOf are the ends that a switch or middlebox has.
func endsOf(node Node) []*linkEnd {
	switch node := node.(type) {
	case *Switch:
		return node.ports()
	case *Middlebox:
		return node.ports()
	}
	return nil
}

// checkAddresses returns an error where a link of two ends would give a switch two neighbours with
// the same address.
func checkAddresses(ends [2]*linkEnd) error {
	_, first := ends[0].owner.(*Switch)
	_, second := ends[1].owner.(*Switch)
	if !first && !second {
		return nil
	}
	owners := map[netip.Addr]*linkEnd{}
	for _, e := range ends[0].side() {
		for _, p := range e.addresses() {
			owners[p.Addr()] = e
		}
	}
	for _, e := range ends[1].side() {
		for _, p := range e.addresses() {
			if o := owners[p.Addr()]; o != nil {
				return fmt.Errorf("simnet: link of %s and %s: both %s and %s would have the address %s beside the same switch",
					ends[0].node(), ends[1].node(), o.node(), e.node(), p.Addr())
			}
		}
	}
	return nil
}

// side is the hosts and wires on this side of a link that is about to be made: the owner of the
// end, or who the owner bridges to.
func (e *linkEnd) side() (list []*linkEnd) {
	if !bridges(e.owner) {
		return []*linkEnd{e}
	}
	for _, p := range endsOf(e.owner) {
		if p != e {
			p.stations(func(s *linkEnd) { list = append(list, s) })
		}
	}
	return list
}

// addresses are what the stack or wire at an end can be spoken to by, each with the prefix that is
// on link. Those of a wire have no more than themselves on link.
func (e *linkEnd) addresses() []netip.Prefix {
	switch node := e.owner.(type) {
	case *Host:
		return node.Stack.Addresses(e.outer)
	case *Wire:
		list := make([]netip.Prefix, len(node.addresses))
		for i, a := range node.addresses {
			list[i] = netip.PrefixFrom(a.WithZone(""), a.BitLen())
		}
		return list
	}
	return nil
}
