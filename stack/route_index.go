package stack

import (
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/tun"
)

// A routeIndex finds routes in a time that depends on how many lengths of prefixes there are, and
// not on how many routes. It is made of a table, and never changes.
type routeIndex struct {
	bits   [2][]int // the lengths of the prefixes of IPv4 and of IPv6, the longest first
	routes map[netip.Prefix][]route
}

// newRouteIndex makes the index of a table. The routes of a prefix keep their order.
func newRouteIndex(table []route) *routeIndex {
	x := &routeIndex{routes: make(map[netip.Prefix][]route, len(table))}
	for _, r := range table { // the longest prefixes come first
		x.routes[r.destination] = append(x.routes[r.destination], r)
		bits := &x.bits[family(r.destination.Addr())]
		if !slices.Contains(*bits, r.destination.Bits()) {
			*bits = append(*bits, r.destination.Bits())
		}
	}
	return x
}

// family is the index of the family of an address: 0 is IPv4, 1 is IPv6.
func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// find returns the first route to an address that match accepts, of those with the longest prefix.
func (x *routeIndex) find(to netip.Addr, match func(route) bool) (route, bool) {
	for _, bits := range x.bits[family(to)] {
		p, err := to.Prefix(bits)
		if err != nil {
			continue
		}
		for _, r := range x.routes[p] {
			if match(r) {
				return r, true
			}
		}
	}
	return route{}, false
}

// routeIndex returns the index of the route table as it is now.
func (s *Stack) routeIndex() *routeIndex {
	if x := s.index.Load(); x != nil {
		return x
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := newRouteIndex(s.table)
	s.index.Store(x)
	return x
}

// nextLink is the interface that the route table has for another host.
func (s *Stack) nextLink(to netip.Addr) *nic {
	r, _ := s.routeIndex().find(to, func(r route) bool { return r.nic.id != loopbackID })
	return r.nic
}

// DeviceTo is the device by which packets for another host leave; nil: there is no route. DeviceTo
// must not be called in Device.Send.
func (s *Stack) DeviceTo(to netip.Addr) tun.Device {
	if n := s.nextLink(to.Unmap().WithZone("")); n != nil {
		return n.device
	}
	return nil
}

// NextHop is who takes a packet for an address that leaves by a device: the gateway of the route
// that the stack has for the address by this device, or the address itself, where it is on link.
// The result isn't valid where there is no such route. A nil device is Config.Device. A device that
// knows several neighbours, such as a switch, asks for it; NextHop must not be called in
// Device.Send.
func (s *Stack) NextHop(d tun.Device, to netip.Addr) netip.Addr {
	n, err := s.interfaceOf(d)
	if err != nil || !to.IsValid() {
		return netip.Addr{}
	}
	to = to.Unmap().WithZone("")
	r, ok := s.routeIndex().find(to, func(r route) bool { return r.nic == n })
	if !ok {
		return netip.Addr{}
	}
	return r.hop(to)
}

// Addresses are the addresses of the interface of a device, each with the prefix that is on link,
// in the order in which it got them. A nil device is Config.Device.
func (s *Stack) Addresses(d tun.Device) []netip.Prefix {
	n, err := s.interfaceOf(d)
	if err != nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(n.addresses)
}

// changedLocked forgets what was made of the addresses and routes, and tells Config.Changed. The
// caller holds s.mu.
func (s *Stack) changedLocked() {
	s.index.Store(nil)
	if s.cfg.Changed != nil {
		s.cfg.Changed()
	}
}
