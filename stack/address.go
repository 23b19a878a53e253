package stack

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/translate"

	"gvisor.dev/gvisor/pkg/tcpip"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// AddAddress gives the interface of a device another address, and routes what is on link with the
// address there; nil is Config.Device. An error says what is wrong
// with the address, such as that an interface has it already.
func (s *Stack) AddAddress(d tun.Device, p netip.Prefix) error {
	return s.change("AddAddress", func() (uint32, error) {
		n, err := s.interfaceOf(d)
		if err != nil {
			return 0, err
		}
		if err := validPrefix(p); err != nil {
			return 0, err
		}
		if err := validMTU(0, n.link.MTU(), []netip.Prefix{p}); err != nil {
			return 0, err
		}
		if a := p.Addr(); n.has(a) || !translate.Scoped(a) && s.isLocal(a) {
			return 0, fmt.Errorf("address %v is in use", a)
		}
		return changesOf([]netip.Prefix{p}), s.addOnLink(n, p)
	})
}

// AddRoute adds a line to the route table. Connections that exist keep the route that they have. An error says what is wrong with the route, such as that it is
// there already, or that its device is none of the stack's.
func (s *Stack) AddRoute(r Route) error {
	return s.change("AddRoute", func() (uint32, error) {
		line, err := s.line(r)
		if err != nil {
			return 0, err
		}
		if s.hasRoute(line) {
			return 0, errors.New("there is such a route already")
		}
		s.addRoute(line)
		return socket.ChangedRoutes, nil
	})
}

// RemoveRoute takes a line out of the route table: one of Config.Routes or
// AddRoute, or, without a Gateway, what is on link with an address. Connections
// that exist keep the route that they have. An error says that there is no such line.
func (s *Stack) RemoveRoute(r Route) error {
	return s.change("RemoveRoute", func() (uint32, error) {
		line, err := s.line(r)
		if err != nil {
			return 0, err
		}
		if !s.hasRoute(line) {
			return 0, errors.New("there is no such route")
		}
		s.mu.Lock()
		s.removeRoutesLocked(func(r route) bool { return r == line })
		s.mu.Unlock()
		return socket.ChangedRoutes, nil
	})
}

// RemoveDevice takes the interface of a device away, with its addresses and
// routes, and closes the device. Connections from the addresses end as those of
// RemoveAddress do. The error is that of closing, or says that the stack hasn't
// the device.
func (s *Stack) RemoveDevice(d tun.Device) error {
	return s.change("RemoveDevice", func() (uint32, error) {
		if d == nil {
			return 0, errors.New("no device")
		}
		n, err := s.interfaceOf(d)
		if err != nil {
			return 0, err
		}
		addrs := n.addresses // replaced, never changed
		for _, p := range addrs {
			s.loseAddress(translate.WithZone(p.Addr(), n.id))
		}
		s.removeNIC(n)
		return changesOf(addrs) | socket.ChangedRoutes, d.Close()
	})
}

// change makes a change of the interfaces, and tells the sockets what has
// changed. Close must find such a change whole.
func (s *Stack) change(name string, fn func() (changes uint32, err error)) error {
	s.settleMu.Lock()
	defer s.settleMu.Unlock()
	if s.down.Load() {
		return fmt.Errorf("stack: %s: %w", name, wsa.WSAENETDOWN)
	}
	changes, err := fn()
	s.announce(changes)
	if err != nil {
		return fmt.Errorf("stack: %s: %w", name, err)
	}
	return nil
}

// interfaceOf is the interface of a device; nil is Config.Device.
func (s *Stack) interfaceOf(d tun.Device) (*nic, error) {
	if d == nil {
		d = s.cfg.Device
	}
	if d != nil {
		if n := s.nicOf(d); n != nil {
			return n, nil
		}
	}
	return nil, errors.New("the device is none of the stack's: AddDevice makes it one")
}

// line is a Route as the table has it.
func (s *Stack) line(r Route) (route, error) {
	if err := r.validate(); err != nil {
		return route{}, err
	}
	n, err := s.interfaceOf(r.Device)
	return route{destination: r.Destination.Masked(), gateway: r.Gateway, nic: n}, err
}

// RemoveAddress takes an address from the interface that has it. Connections
// from it end with WSAECONNABORTED, without a segment (ND-3); sockets that are
// bound to it stay, but receive nothing. A link-local address has its zone, unless
// one interface alone has it. An error says that no interface has
// the address, or that it is one of the loopback's own.
func (s *Stack) RemoveAddress(a netip.Addr) error {
	return s.change("RemoveAddress", func() (uint32, error) {
		a := s.ownZone(a)
		p, ok := s.loseAddress(a)
		if !ok {
			return 0, fmt.Errorf("no interface has %v", a)
		}
		return changesOf([]netip.Prefix{p}), nil
	})
}

// loseAddress removes an address, and ends the connections from it.
func (s *Stack) loseAddress(a netip.Addr) (netip.Prefix, bool) {
	p, ok := s.forget(a)
	if ok {
		for _, sock := range s.sockets.list() {
			sock.AddressRemoved(a)
		}
	}
	return p, ok
}

// forget removes an address, the route to it through the loopback, and what was
// on link with it and with no other address.
func (s *Stack) forget(a netip.Addr) (netip.Prefix, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	zone := translate.Zone(a)
	if translate.Scoped(a) && zone == 0 {
		return netip.Prefix{}, false
	}
	a = a.WithZone("")
	for _, n := range s.nics[1:] {
		if zone != 0 && zone != n.id {
			continue
		}
		i := slices.IndexFunc(n.addresses, func(p netip.Prefix) bool { return p.Addr() == a })
		if i < 0 {
			continue
		}
		p := n.addresses[i]
		n.addresses = slices.Delete(slices.Clone(n.addresses), i, i+1)
		shared := slices.ContainsFunc(n.addresses, func(o netip.Prefix) bool { return o.Masked() == p.Masked() })
		gone := func(destination netip.Prefix, id tcpip.NICID) bool {
			return id == loopbackID && destination == netip.PrefixFrom(a, a.BitLen()) ||
				id == n.id && destination == p.Masked() && !shared
		}
		s.removeRoutesLocked(func(r route) bool { return !r.gateway.IsValid() && gone(r.destination, r.nic.id) })
		s.setOwnLocked()
		for _, o := range sharing(a, n, s.nics) {
			s.ns.RemoveAddress(o.id, translate.Address(a))
		}
		return p, true
	}
	return netip.Prefix{}, false
}

// sharing is the interfaces that netstack has an address of n on: its own, the loopback and, of a
// router, all. A link-local one is on its own alone.
func sharing(a netip.Addr, n *nic, all []*nic) []*nic {
	if translate.Scoped(a) {
		return []*nic{n}
	}
	return all
}

// share gives the other interfaces of a router an address of n: it may be spoken
// to from each link (RFC 1812 §5.2.3), and answers there. Nothing else leaves with
// it there by itself.
func (s *Stack) share(n *nic, a netip.Addr) error {
	if !s.cfg.Forwarding || translate.Scoped(a) {
		return nil
	}
	for _, o := range s.nics[1:] {
		if o == n {
			continue
		}
		if err := s.addProtocolAddress(o.id, netip.PrefixFrom(a, a.BitLen()), netstack.NeverPrimaryEndpoint); err != nil {
			return err
		}
	}
	return nil
}

// shareWith gives a new interface the addresses that are adopted and, in a
// router, those of the others.
func (s *Stack) shareWith(n *nic) error {
	for _, a := range s.adopted.list() {
		s.shareAdopted(n, a)
	}
	if !s.cfg.Forwarding {
		return nil
	}
	for _, o := range s.nics[1:] {
		for _, p := range o.addresses {
			a := p.Addr()
			if translate.Scoped(a) {
				continue
			}
			if err := s.addProtocolAddress(n.id, netip.PrefixFrom(a, a.BitLen()), netstack.NeverPrimaryEndpoint); err != nil {
				return err
			}
		}
	}
	return nil
}
