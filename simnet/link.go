package simnet

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// A Link joins two nodes, in both directions. The impairments may be changed at any time. The
// methods are safe for concurrent use.
type Link struct {
	n     *Network
	nodes [2]Node
	ends  [2]*linkEnd // ends[i] sends what nodes[i] sends
}

// A LinkOption describes a link, or changes it.
type LinkOption func(*linkConfig) error

// A linkConfig is what options of a link set.
type linkConfig struct {
	nodes      [2]Node
	impairment [2]tun.Impairment // of what nodes[i] sends
	chosen     [2]bool           // which directions options apply to
	addresses  [2][]netip.Prefix // of the interface that nodes[i] gets
	mtu        int               // of the interfaces, in bytes; 0: the default
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
		if err := o(c); err != nil {
			return err
		}
	}
	return nil
}

// Addresses are the addresses of a host's interface at this link, for hosts that have a link
// already. Only Link takes this option.
func Addresses(h *Host, addresses ...string) LinkOption {
	return func(c *linkConfig) error {
		i := slices.Index(c.nodes[:], Node(h))
		if i < 0 {
			return fmt.Errorf("simnet: Addresses: %s is not on the link", h.Name())
		}
		prefixes, err := parsePrefixes(addresses)
		c.addresses[i] = prefixes
		return err
	}
}

// MTU is the MTU, in bytes, of the interfaces that are made for this link: of hosts that have a
// link already. The first interface of a host has the MTU of its HostConfig. Only Link takes this
// option.
func MTU(bytes int) LinkOption {
	return func(c *linkConfig) error {
		if bytes < inet.MinMTU4 || bytes > inet.MaxMTU {
			return fmt.Errorf("simnet: MTU: %d is not between %d and %d", bytes, inet.MinMTU4, inet.MaxMTU)
		}
		c.mtu = bytes
		return nil
	}
}

// Link joins two hosts. Options apply to both directions, unless they stand in From. An option with
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
	if a == b {
		return nil, fmt.Errorf("simnet: a link joins two nodes, not %s with itself", a.Name())
	}
	c := &linkConfig{nodes: [2]Node{a, b}, chosen: [2]bool{true, true}}
	if err := c.apply(opts); err != nil {
		return nil, err
	}
	l := &Link{n: n, nodes: c.nodes}
	for i, node := range c.nodes {
		p, err := node.nextEnd(c.addresses[i], c.mtu)
		if err != nil {
			return nil, err
		}
		l.ends[i] = p
	}
	if err := l.set(c); err != nil {
		return nil, err
	}
	for i, p := range l.ends {
		p.mu.Lock()
		p.peer, p.link = l.ends[1-i], l
		p.mu.Unlock()
	}
	n.mu.Lock()
	n.links = append(n.links, l)
	n.mu.Unlock()
	return l, nil
}

func (l *Link) set(c *linkConfig) error {
	for i, p := range l.ends {
		if err := p.impaired.SetOut(c.impairment[i]); err != nil {
			return fmt.Errorf("simnet: link of %s and %s, from %s: %w", l.nodes[0].Name(), l.nodes[1].Name(), l.nodes[i].Name(), err)
		}
	}
	return nil
}

// Set changes the link for the packets that are sent from now on. Impairments without an option
// stay as they are.
func (l *Link) Set(opts ...LinkOption) {
	if l.n.tb != nil {
		l.n.tb.Helper()
	}
	c := &linkConfig{nodes: l.nodes, chosen: [2]bool{true, true}}
	for i, p := range l.ends {
		c.impairment[i], _ = p.impaired.Impairments()
	}
	err := c.apply(opts)
	if err == nil {
		err = l.set(c)
	}
	l.n.must(err)
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
