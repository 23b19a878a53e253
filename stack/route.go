package stack

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/wsa"
)

// A route is a line of the route table, with netstack's copy of it.
type route struct {
	destination netip.Prefix
	gateway     netip.Addr
	nic         *nic
}

// groups are the destinations that no single host has: the limited broadcast address and multicast.
var groups = []netip.Prefix{
	netip.PrefixFrom(netip.AddrFrom4(limitedBroadcast), 32),
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("ff00::/8"),
}

// isOwn reports a route to an address of the stack.
func (r route) isOwn() bool {
	return r.nic.id == loopbackID && r.destination.IsSingleIP() && !r.isGroup()
}

// isGroup reports a route of routeGroups.
func (r route) isGroup() bool {
	return r.nic.id == loopbackID && slices.Contains(groups, r.destination)
}

// routeGroups routes the groups to the loopback, as long as it is the only interface.
func (s *Stack) routeGroups() {
	lo := s.nics[0]
	for _, p := range groups {
		s.addRoute(route{destination: p, nic: lo})
	}
}

// setRoutes adds Config.Routes, or the default routes through Config.Device.
func (s *Stack) setRoutes() error {
	routes := s.cfg.Routes
	if routes == nil && s.cfg.Device != nil {
		routes = []Route{{Destination: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}, {Destination: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}}
	}
	for i, r := range routes {
		d := r.Device
		if d == nil {
			d = s.cfg.Device
		}
		n := s.nicOf(d)
		if n == nil { // a second device: it comes with its own address-less interface
			if err := s.addDevice(d, 0, nil); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
			n = s.nicOf(d)
		}
		s.addRoute(route{destination: r.Destination.Masked(), gateway: r.Gateway, nic: n})
	}
	return nil
}

// addRoute adds a line to our table and to netstack's. netstack chooses the
// source of a datagram from a wildcard socket by the hint.
func (s *Stack) addRoute(r route) {
	s.mu.Lock()
	s.table = append(s.table, r)
	slices.SortStableFunc(s.table, func(a, b route) int { return cmp.Compare(b.destination.Bits(), a.destination.Bits()) })
	hint, _ := r.nic.source(r.hop(r.destination.Addr()), r.destination.Addr())
	if r.isOwn() {
		hint = r.destination.Addr()
	}
	s.changedLocked()
	s.mu.Unlock()
	line := r.line()
	line.SourceHint = translate.Address(hint)
	s.ns.AddRoute(line)
}

// line is the route in netstack's table, without the hint.
func (r route) line() tcpip.Route {
	subnet, err := tcpip.NewSubnet(translate.Exact(r.destination.Addr()),
		tcpip.MaskFromBytes(header4or6Mask(r.destination)))
	if err != nil {
		panic("stack: a masked prefix is no subnet: " + err.Error())
	}
	line := tcpip.Route{Destination: subnet, NIC: r.nic.id}
	if r.gateway.IsValid() {
		line.Gateway = translate.Exact(r.gateway)
	}
	return line
}

// removeRoutesLocked takes lines out of our table and out of netstack's. The caller holds s.mu.
func (s *Stack) removeRoutesLocked(match func(route) bool) {
	var gone []tcpip.Route
	s.table = slices.DeleteFunc(slices.Clone(s.table), func(r route) bool {
		if !match(r) {
			return false
		}
		gone = append(gone, r.line())
		return true
	})
	s.changedLocked()
	s.ns.RemoveRoutes(func(r tcpip.Route) bool {
		return slices.ContainsFunc(gone, func(o tcpip.Route) bool {
			return r.Equal(o) && r.Gateway == o.Gateway // Equal leaves the gateway out
		})
	})
}

// hasRoute reports a line of the table.
func (s *Stack) hasRoute(r route) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Contains(s.table, r)
}

// header4or6Mask is the netmask of a prefix.
func header4or6Mask(p netip.Prefix) []byte {
	mask := make([]byte, p.Addr().BitLen()/8)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}

// hop is where packets for an address of the destination go next.
func (r route) hop(remote netip.Addr) netip.Addr {
	if r.gateway.IsValid() {
		return r.gateway
	}
	return remote
}

// source chooses the local address for a destination, and the interface that packets leave by: see
// socket.Host.
func (s *Stack) source(bound, remote netip.Addr) (netip.Addr, tcpip.NICID, wsa.Errno) {
	bound, remote = bound.Unmap(), remote.Unmap()
	zone := translate.Zone(remote)
	switch {
	case zone != 0:
	case remote.Zone() != "": // a name that no interface has
		return netip.Addr{}, 0, wsa.WSAENETUNREACH
	default:
		zone = translate.Zone(bound)
	}
	remote = remote.WithZone("")
	s.mu.RLock()
	defer s.mu.RUnlock()
	if zone != 0 && translate.Scoped(remote) {
		return s.sourceInZoneLocked(zone, bound, remote)
	}
	for _, r := range s.table {
		if !r.destination.Contains(remote) || zone != 0 && r.nic.id != zone {
			continue
		}
		source, ok := r.nic.source(r.hop(remote), remote)
		switch {
		case r.nic.id == loopbackID && bound.IsValid():
			source, ok = bound, true // every own address is there, but link-local ones
		case r.isOwn():
			source = remote
		case bound.IsValid():
			source, ok = bound, r.nic.has(bound) || s.cfg.Forwarding && anyHas(s.nics[1:], bound) || s.adopted.has(bound)
		}
		if ok {
			return source, r.nic.id, 0
		}
	}
	return netip.Addr{}, 0, wsa.WSAENETUNREACH
}
