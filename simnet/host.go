package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A Host is a stack on the network, with one interface to begin with. The network closes the Host.
// Closing it before is a crash, of which the peers learn only by the resets that the Host sends.
type Host struct {
	*stack.Stack
	name string
	n    *Network
	mu   sync.Mutex // guards ends
	ends []*linkEnd // the interfaces, the first one first
}

// A Node is one end of a link: a Host or a Wire.
type Node interface {
	Name() string
	nextEnd(addrs []netip.Prefix, mtu int) (*linkEnd, error)
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
// interface, 1500 unless given. Device stays nil, and the network supplies Clock and, in virtual
// time, NewWaiter and Stepped; Rand, unless given, is seeded with the network's seed and the name.
func (n *Network) HostConfig(name string, cfg stack.Config) *Host {
	if n.tb != nil {
		n.tb.Helper()
	}
	h, err := n.newHost(name, cfg)
	n.must(err)
	return h
}

func (n *Network) newHost(name string, cfg stack.Config) (*Host, error) {
	if cfg.Device != nil || cfg.Clock != nil || cfg.NewWaiter != nil {
		return nil, fmt.Errorf("simnet: host %s: Device, Clock and NewWaiter are the network's", name)
	}
	if err := n.checkBubble("Host"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	for _, h := range n.hosts {
		if h.name == name {
			n.mu.Unlock()
			return nil, fmt.Errorf("simnet: there is a host %q already", name)
		}
	}
	n.mu.Unlock()
	h := &Host{name: name, n: n}
	mtu := int(cfg.MTU)
	if mtu == 0 {
		mtu = defaultMTU
	}
	if mtu < inet.MinMTU4 || mtu > inet.MaxMTU {
		return nil, fmt.Errorf("simnet: host %s: Config.MTU: %d is not between %d and %d", name, mtu, inet.MinMTU4, inet.MaxMTU)
	}
	if cfg.Rand == nil {
		cfg.Rand = n.reader("host " + name)
	}
	if !n.real {
		cfg.Clock = clockView{n.clock, owner{host: h}}
		cfg.Stepped = true
	}
	if n.bubble != 0 {
		cfg.Clock = n.wall
	}
	if !n.real || n.bubble != 0 {
		cfg.NewWaiter = n.newSocketWaiter
	}
	p, err := n.newLinkEnd(name, h, mtu)
	if err != nil {
		return nil, err
	}
	cfg.Device = p.impaired
	h.ends = []*linkEnd{p}
	if h.Stack, err = stack.New(cfg); err != nil {
		p.closeFar()
		return nil, fmt.Errorf("simnet: host %s: %w", name, errors.Join(err, p.impaired.Close()))
	}
	n.mu.Lock()
	n.hosts = append(n.hosts[:len(n.hosts):len(n.hosts)], h)
	n.mu.Unlock()
	n.records.made(h)
	return h, nil
}

// Name is the name that Host was called with.
func (h *Host) Name() string { return h.name }

// nextEnd returns an interface that has no link. The first interface is there from the beginning;
// others need addresses.
func (h *Host) nextEnd(addrs []netip.Prefix, mtu int) (*linkEnd, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first := h.ends[0]; first.peer == nil {
		switch {
		case mtu != 0 && mtu != first.mtu:
			return nil, fmt.Errorf("simnet: the MTU of %s's first interface is set by HostConfig", h.name)
		case len(addrs) > 0:
			return nil, fmt.Errorf("simnet: the addresses of %s's first interface are set by Host", h.name)
		}
		return first, nil
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("simnet: another link of %s needs Addresses for it", h.name)
	}
	if mtu == 0 {
		mtu = defaultMTU
	}
	p, err := h.n.newLinkEnd(fmt.Sprintf("%s/%d", h.name, len(h.ends)), h, mtu)
	if err != nil {
		return nil, err
	}
	if err := h.Stack.AddDevice(p.impaired, addrs...); err != nil {
		p.closeFar()
		return nil, fmt.Errorf("simnet: host %s: %w", h.name, errors.Join(err, p.impaired.Close()))
	}
	h.ends = append(h.ends, p)
	return p, nil
}

// closeEnds closes the interfaces in real time.
func (h *Host) closeEnds() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.ends {
		p.closeFar()
	}
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
