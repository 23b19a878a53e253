package simnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// A Link joins two nodes, in both directions. The impairments may be changed at any time. The
// methods are safe for concurrent use.
type Link struct {
	n      *Network
	nodes  [2]Node
	ends   [2]*linkEnd       // ends[i] sends what nodes[i] sends
	wanted [2]tun.Impairment // what was set, which a Partition of a node overrides; guarded by topology.mu
}

// A LinkOption describes a link, or changes it.
type LinkOption func(*linkConfig) error

// A linkConfig is what options of a link set.
type linkConfig struct {
	nodes      [2]Node
	impairment [2]tun.Impairment   // of what nodes[i] sends
	chosen     [2]bool             // which directions options apply to
	addresses  [2][]netip.Prefix   // of the interface that nodes[i] gets
	nat        [2]*natChange       // of the ends of routers; nil: as it is
	mtu        [2]int              // of the interface that nodes[i] gets, in bytes; 0: the default
	making     bool                // Link makes the link; else Set changes it
	then       []func(*Link) error // what else is to be done, once the link is there
}

// From applies options only to the packets that node sends.
func From(node Node, opts ...LinkOption) LinkOption {
	return func(c *linkConfig) error {
		i := slices.Index(c.nodes[:], node)
		if i < 0 {
			return fmt.Errorf("simnet: From: %s is not on the link of %s and %s", node.Name(), c.nodes[0].Name(), c.nodes[1].Name())
		}
		before := c.chosen
		defer func() { c.chosen = before }()
		c.chosen = [2]bool{}
		c.chosen[i] = true
		return c.apply(opts)
	}
}

func (c *linkConfig) apply(opts []LinkOption) error {
	for _, o := range opts {
		if o == nil {
			return errors.New("simnet: an option of a link is nil")
		}
		if err := o(c); err != nil {
			return err
		}
	}
	return nil
}

// Addresses are the addresses of the interface that a router gets for this link, or a host that has
// a link already, such as "10.0.0.1/24". Only Link takes this option.
func Addresses(h *Host, addresses ...string) LinkOption {
	return func(c *linkConfig) error {
		i := slices.Index(c.nodes[:], Node(h))
		switch {
		case i < 0:
			return fmt.Errorf("simnet: Addresses: %s is not on the link of %s and %s", h.Name(), c.nodes[0].Name(), c.nodes[1].Name())
		case !c.making:
			return errors.New("simnet: Addresses is an option of Link alone: AddAddress of a host, with the Device of the link, adds one later")
		}
		prefixes, err := parsePrefixes(addresses)
		c.addresses[i] = prefixes
		return err
	}
}

// MTU is the MTU, in bytes, of the interfaces that are made for this link: of routers, and of hosts
// that have a link already. The first interface of a host has the MTU of its HostConfig. In From
// the option is about one end, which then takes no larger packets: they are lost as too big, and
// nobody is told. Only Link takes this option.
func MTU(bytes int) LinkOption {
	return func(c *linkConfig) error {
		switch {
		case bytes < inet.MinMTU4 || bytes > inet.MaxMTU:
			return fmt.Errorf("simnet: MTU: %d is not between %d and %d", bytes, inet.MinMTU4, inet.MaxMTU)
		case !c.making:
			return errors.New("simnet: MTU is an option of Link alone: interfaces keep their MTU")
		}
		for i, chosen := range c.chosen {
			if chosen {
				c.mtu[i] = bytes
			}
		}
		return nil
	}
}

// noInterface returns an error where options are about the interface of a node that has none. One
// MTU for both ends is about the other one.
func (c *linkConfig) noInterface(i int, kind string) error {
	if c.mtu[i] != 0 && c.mtu[i] != c.mtu[1-i] {
		return fmt.Errorf("simnet: MTU: %s is a %s, which has no interface", c.nodes[i].Name(), kind)
	}
	return nil
}

// Link joins two nodes. Options apply to both directions, unless they stand in From. An option with
// an impossible value is a failure, which names the field.
func (n *Network) Link(a, b Node, opts ...LinkOption) *Link {
	if n.tb != nil {
		n.tb.Helper()
	}
	l, err := n.newLink(a, b, opts)
	n.must(err)
	return l
}

func (n *Network) newLink(a, b Node, opts []LinkOption) (*Link, error) {
	n.topology.mu.Lock()
	defer n.topology.mu.Unlock()
	if err := n.canLink(a, b); err != nil {
		return nil, err
	}
	c := &linkConfig{nodes: [2]Node{a, b}, chosen: [2]bool{true, true}, making: true}
	if err := c.apply(opts); err != nil {
		return nil, err
	}
	l := &Link{n: n, nodes: c.nodes}
	for i, node := range c.nodes {
		p, err := node.nextEnd(c, i)
		if err != nil {
			return nil, err
		}
		l.ends[i] = p
	}
	if err := checkAddresses(l.ends); err != nil {
		return nil, err
	}
	if err := l.applyLocked(c.impairment); err != nil {
		return nil, err
	}
	l.join()
	n.mu.Lock()
	n.links = append(n.links[:len(n.links):len(n.links)], l)
	n.mu.Unlock()
	n.topology.changed()
	return l, l.finish(c)
}

// canLink returns an error where two nodes can't have a link.
func (n *Network) canLink(a, b Node) error {
	for _, node := range []Node{a, b} {
		switch h, isHost := node.(*Host); {
		case node == nil, isHost && h == nil:
			return errors.New("simnet: a link joins two nodes, not nothing (nil)")
		case node.network() != n:
			return fmt.Errorf("simnet: a link joins nodes of one network: %s is of another", node.Name())
		}
	}
	if a == b {
		return fmt.Errorf("simnet: a link joins two nodes, not %s with itself", a.Name())
	}
	return checkLoop(a, b)
}

// join makes the two ends each other's peers.
func (l *Link) join() {
	for i, p := range l.ends {
		p.mu.Lock()
		p.peer, p.link = l.ends[1-i], l
		p.mu.Unlock()
		if w, ok := l.nodes[i].(*Wire); ok {
			w.Link = l
		}
	}
}

// finish does what options want to be done at last.
func (l *Link) finish(c *linkConfig) error {
	for i, p := range l.ends {
		if c.nat[i] != nil {
			if err := c.nat[i].apply(p); err != nil {
				return err
			}
		}
	}
	for _, then := range c.then {
		if err := then(l); err != nil {
			return err
		}
	}
	return nil
}

// downLocked reports whether one of the nodes is cut. The caller holds topology.mu.
func (l *Link) downLocked() bool {
	return l.n.topology.down[l.nodes[0]] || l.n.topology.down[l.nodes[1]]
}

// applyLocked sets the impairments of what each node sends. The caller holds topology.mu.
func (l *Link) applyLocked(wanted [2]tun.Impairment) error {
	down := l.downLocked()
	for i, p := range l.ends {
		m := wanted[i]
		m.Partition = m.Partition || down
		if most := p.most(l.ends[1-i]); most < p.mtu && (m.MTU == 0 || m.MTU > most) {
			m.MTU = most // what the other end can't take is lost, and the trace says so
		}
		if err := p.impaired.SetOut(m); err != nil {
			return fmt.Errorf("simnet: link of %s and %s, from %s: %w", l.nodes[0].Name(), l.nodes[1].Name(), l.nodes[i].Name(), err)
		}
	}
	l.wanted = wanted
	return nil
}

// Set changes the link for the packets that are sent from now on. Impairments without an option
// stay as they are.
func (l *Link) Set(opts ...LinkOption) {
	if l.n.tb != nil {
		l.n.tb.Helper()
	}
	l.n.must(l.change(opts))
}

func (l *Link) change(opts []LinkOption) error {
	l.n.topology.mu.Lock()
	defer l.n.topology.mu.Unlock()
	c := &linkConfig{nodes: l.nodes, chosen: [2]bool{true, true}, impairment: l.wanted}
	if err := c.apply(opts); err != nil {
		return err
	}
	if err := l.applyLocked(c.impairment); err != nil {
		return err
	}
	return l.finish(c)
}

// Partition cuts the link in both directions.
func (l *Link) Partition() { l.Set(Partition(true)) }

// Heal ends a Partition, in both directions.
func (l *Link) Heal() { l.Set(Partition(false)) }

// Stats are the counters of what node has sent over the link.
func (l *Link) Stats(node Node) tun.ImpairStats {
	i := slices.Index(l.nodes[:], node)
	if i < 0 {
		return tun.ImpairStats{}
	}
	out, _ := l.ends[i].impaired.Stats()
	return out
}

// Device is the device that a host has for this link, which AddAddress, AddRoute and RemoveDevice
// of its Stack take. It is nil where the host isn't on the link.
func (l *Link) Device(h *Host) tun.Device {
	i := slices.Index(l.nodes[:], Node(h))
	if i < 0 {
		return nil
	}
	return l.ends[i].outer
}

// Nodes are the two nodes that the link joins, in the order in which Link was given them.
func (l *Link) Nodes() (a, b Node) { return l.nodes[0], l.nodes[1] }

// InFlight is how many packets are on their way, in both directions together.
func (l *Link) InFlight() int {
	sum := 0
	for _, p := range l.ends {
		sum += p.impaired.InFlight()
		p.mu.Lock()
		sum += len(p.inbox) - p.first
		p.mu.Unlock()
	}
	return sum
}
