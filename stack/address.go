package stack

import (
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// RemoveAddress takes an address from the interface that has it. Connections
// from it end with WSAECONNABORTED, without a segment (ND-3); sockets that are
// bound to it stay, but receive nothing. An error says that no interface has
// the address, or that it is one of the loopback's own.
func (s *Stack) RemoveAddress(a netip.Addr) error {
	s.settleMu.Lock() // as AddDevice
	defer s.settleMu.Unlock()
	if s.Down() {
		return fmt.Errorf("stack: RemoveAddress: %w", wsa.WSAENETDOWN)
	}
	p, ok := s.forget(a)
	if !ok {
		return fmt.Errorf("stack: RemoveAddress: no interface has %v", a)
	}
	for _, sock := range s.sockets.list() {
		sock.AddressRemoved(a)
	}
	s.announce([]netip.Prefix{p})
	return nil
}

// forget removes an address, the route to it through the loopback, and what was
// on link with it and with no other address.
func (s *Stack) forget(a netip.Addr) (netip.Prefix, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nics[1:] {
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
		s.table = slices.DeleteFunc(s.table, func(r route) bool { return !r.gateway.IsValid() && gone(r.destination, r.nic.id) })
		s.setOwnLocked()
		s.ns.RemoveRoutes(func(r tcpip.Route) bool {
			to := endpoint.AddrPort(tcpip.FullAddress{Addr: r.Destination.ID()}).Addr()
			return r.Gateway.Len() == 0 && gone(netip.PrefixFrom(to, r.Destination.Prefix()), r.NIC)
		})
		for _, id := range []tcpip.NICID{n.id, loopbackID} {
			s.ns.RemoveAddress(id, tcpip.AddrFromSlice(a.AsSlice()))
		}
		return p, true
	}
	return netip.Prefix{}, false
}
