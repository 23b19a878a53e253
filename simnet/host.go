package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A Host is a stack on the network, with one interface to begin with, or a router. The network
// closes the Host. Closing it before is a crash, of which the peers learn only by the resets that
// the Host sends.
type Host struct {
	*stack.Stack
	name     string
	n        *Network
	forwards bool // Config.Forwarding
	router   bool // made by Router or RouterConfig: there is no first interface

	closed atomic.Bool

	translators atomic.Pointer[[]*Translator] // the NATs of its ports; nil: none

	mu     sync.Mutex                   // guards the fields below
	ends   []*linkEnd                   // the interfaces, the oldest first
	routes map[netip.Prefix]stack.Route // those of Config, Route and AutoRoutes, by destination
	auto   map[netip.Prefix]bool        // which of them are of AutoRoutes
}

// defaultMTU is the MTU of Ethernet, in bytes.
const defaultMTU = 1500

// Host makes a host with addresses such as "10.0.0.1/24".
func (n *Network) Host(name string, addresses ...string) *Host {
	if n.tb != nil {
		n.tb.Helper()
	}
	prefixes, err := parsePrefixes(addresses)
	n.must(err)
	return n.HostConfig(name, stack.Config{Addresses: prefixes})
}

// HostConfig makes a host with a configuration of your own. Config.MTU is that of the host's
// interface, 1500 unless given. Device, Clock, NewWaiter and Changed stay nil: they are the network's,
// and so is Stepped in virtual time. Rand, unless given, is seeded with the network's seed and the
// name. In a bubble SendBuffer is 64 MiB and Memory 1 TiB unless given.
func (n *Network) HostConfig(name string, cfg stack.Config) *Host {
	if n.tb != nil {
		n.tb.Helper()
	}
	h, err := n.newHost(name, cfg, false)
	n.must(err)
	return h
}

func (n *Network) newHost(name string, cfg stack.Config, router bool) (*Host, error) {
	if cfg.Device != nil || cfg.Clock != nil || cfg.NewWaiter != nil || cfg.Changed != nil {
		return nil, fmt.Errorf("simnet: host %s: Device, Clock, NewWaiter and Changed are the network's", name)
	}
	if err := n.checkBubble("Host"); err != nil {
		return nil, err
	}
	h := &Host{name: name, n: n, forwards: cfg.Forwarding, router: router, auto: map[netip.Prefix]bool{}}
	mtu := int(cfg.MTU)
	if mtu == 0 {
		mtu = defaultMTU
	}
	if mtu < inet.MinMTU4 || mtu > inet.MaxMTU {
		return nil, fmt.Errorf("simnet: host %s: Config.MTU: %d is not between %d and %d", name, mtu, inet.MinMTU4, inet.MaxMTU)
	}
	if err := n.claim("host", name); err != nil {
		return nil, err
	}
	if err := n.makeHost(h, cfg, mtu); err != nil {
		n.release(name)
		return nil, err
	}
	return h, nil
}

// makeHost makes the stack of a host, and lists the host.
func (n *Network) makeHost(h *Host, cfg stack.Config, mtu int) error {
	if cfg.Rand == nil {
		cfg.Rand = n.reader("host " + h.name)
	}
	cfg.Changed = n.topology.changed
	if !n.real {
		cfg.Clock = clockView{n.clock, owner{host: h}}
		cfg.Stepped = true
	}
	if n.bubble != 0 {
		cfg.Clock = n.wall
		if cfg.SendBuffer == 0 {
			cfg.SendBuffer = bubbleSendBuffer
		}
		if cfg.Memory == 0 {
			cfg.Memory = bubbleMemory
		}
	}
	cfg.NewWaiter = n.newSocketWaiter
	var err error
	if !h.router {
		err = h.addFirst(&cfg, mtu)
	} else if h.Stack, err = stack.New(cfg); err != nil {
		err = fmt.Errorf("simnet: router %s: %w", h.name, err)
	}
	if err != nil {
		return err
	}
	h.routes = routesOf(&cfg)
	n.mu.Lock()
	closed := n.closed
	if !closed {
		n.hosts = append(n.hosts[:len(n.hosts):len(n.hosts)], h)
	}
	n.mu.Unlock()
	if closed { // meanwhile
		return errors.Join(closedError("host", h.name), h.Stack.Close(), h.closeEnds())
	}
	n.records.made(h)
	return nil
}

// addFirst makes the stack of a host, with its first interface.
func (h *Host) addFirst(cfg *stack.Config, mtu int) error {
	p, err := h.n.newLinkEnd(h.name, h, mtu)
	if err != nil {
		return err
	}
	cfg.Device = h.attach(p)
	h.ends = []*linkEnd{p}
	if h.Stack, err = stack.New(*cfg); err != nil {
		p.closeFar()
		return fmt.Errorf("simnet: host %s: %w", h.name, errors.Join(err, p.impaired.Close()))
	}
	return nil
}

// attach returns the device that the stack has for an end.
func (h *Host) attach(p *linkEnd) tun.Device {
	p.outer = &plug{Impaired: p.impaired, end: p}
	if h.forwards {
		p.outer = h.newPort(p, p.outer)
	}
	return p.outer
}

// Close closes the stack: see stack.Stack. To the network it is a crash.
func (h *Host) Close() error {
	h.closed.Store(true)
	h.n.topology.changed()
	return h.Stack.Close()
}

// Name is the name that Host was called with.
func (h *Host) Name() string { return h.name }

// String is the name, for logs.
func (h *Host) String() string { return h.name }

func (h *Host) network() *Network { return h.n }

// nextEnd returns an interface that has no link. The first interface of a host that is no router is
// there from the beginning; others need addresses.
func (h *Host) nextEnd(c *linkConfig, i int) (*linkEnd, error) {
	addrs, mtu := c.addresses[i], c.mtu[i]
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.router && h.ends[0].linked() == nil {
		first := h.ends[0]
		switch {
		case mtu != 0 && mtu != first.mtu:
			return nil, fmt.Errorf("simnet: the MTU of %s's first interface is set by HostConfig; From(%s, MTU(%d)) sets that of the other end alone",
				h.name, c.nodes[1-i].Name(), mtu)
		case len(addrs) > 0:
			return nil, fmt.Errorf("simnet: the addresses of %s's first interface are set by Host", h.name)
		}
		return first, nil
	}
	if err := h.checkPort(addrs, c.nodes[1-i]); err != nil {
		return nil, err
	}
	if mtu == 0 {
		mtu = defaultMTU
	}
	number := len(h.ends)
	if h.router {
		number++
	}
	p, err := h.n.newLinkEnd(fmt.Sprintf("%s/%d", h.name, number), h, mtu)
	if err != nil {
		return nil, err
	}
	if err := h.Stack.AddDevice(h.attach(p), addrs...); err != nil {
		p.closeFar()
		return nil, fmt.Errorf("simnet: host %s: %w", h.name, errors.Join(err, p.impaired.Close()))
	}
	h.ends = append(h.ends, p)
	return p, nil
}

// checkPort returns an error where an interface to a node can't have these addresses. The caller
// holds h.mu.
func (h *Host) checkPort(addrs []netip.Prefix, to Node) error {
	if len(addrs) == 0 && h.router {
		return fmt.Errorf("simnet: the link of router %s and %s needs Addresses of the router, such as 10.0.0.1/24", h.name, to.Name())
	}
	if len(addrs) == 0 {
		return fmt.Errorf("simnet: another link of %s needs Addresses for it", h.name)
	}
	if !h.forwards {
		return nil
	}
	for _, p := range h.ends {
		for _, old := range p.addresses() {
			for _, a := range addrs {
				if old.Masked() == a.Masked() && !a.Addr().IsLinkLocalUnicast() {
					return fmt.Errorf("simnet: %s and %s of router %s are of one network, but of two links: "+
						"the router couldn't tell by which link the others of that network are reached", old, a, h.name)
				}
			}
		}
	}
	return nil
}

// closeEnds closes the ends of links. The stack of the host is closed already.
func (h *Host) closeEnds() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, p := range h.ends {
		errs = append(errs, p.impaired.Close())
		p.closeFar()
	}
	return errors.Join(errs...)
}

// parsePrefixes reads addresses with their prefix lengths.
func parsePrefixes(s []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, len(s))
	for i, a := range s {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return nil, fmt.Errorf("simnet: address %q: want an address and a prefix length, such as 10.0.0.1/24", a)
		}
		prefixes[i] = p
	}
	return prefixes, nil
}

// key is a seed for one purpose, derived from the network's.
func (n *Network) key(purpose string) [32]byte {
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, n.seed), purpose...))
}

// reader makes a seeded source of bytes.
func (n *Network) reader(purpose string) *seededReader {
	return &seededReader{source: rand.NewChaCha8(n.key(purpose))}
}

// source makes a seeded source of numbers.
func (n *Network) source(purpose string) rand.Source { return rand.NewChaCha8(n.key(purpose)) }

// A seededReader is a seeded source of bytes. It is safe for concurrent use.
type seededReader struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// Read implements io.Reader. The bytes depend on the sizes of the reads before, which are the same
// in every run.
func (r *seededReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(b)
}

var _ tun.Device = (*linkEnd)(nil)
