package stack

import (
	"net/netip"
	"slices"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/wsa"
)

// A link-local address is one of each link (RFC 4007): its zone says of which. The zone is the
// index of an interface, which is the scope id of Winsock, or its name, as in fe80::1%tun0. In
// sockets it is the index, at the net faces the name.
//
// What the stack sends to a link-local address of its own, or from one to another address of the
// same interface, never leaves: the interface receives it (link.Options.Own), so that the zone stays
// what it is. All other own addresses are on the loopback.

// zoned gives an address the form that sockets have it in: the zone of a link-local address is an
// index, and other addresses have none. A zone that no interface has stays as it is.
func (s *Stack) zoned(a netip.Addr) netip.Addr {
	if a.Zone() == "" {
		return a
	}
	if !translate.Scoped(a) {
		return a.WithZone("")
	}
	if n := s.nicOfZone(a.Zone()); n != nil {
		return a.WithZone(strconv.Itoa(int(n.id)))
	}
	return a
}

// nicOfZone is the interface that has a name or an index; nil: none.
func (s *Stack) nicOfZone(zone string) *nic {
	index := wsa.ScopeID(netip.IPv6Unspecified().WithZone(zone))
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, n := range s.nics {
		if uint32(n.id) == index || n.name == zone {
			return n
		}
	}
	return nil
}

// zoneName is the address with the name of the interface as its zone, if it has a zone.
func (s *Stack) zoneName(a netip.Addr) netip.Addr {
	if a.Zone() == "" {
		return a
	}
	if n := s.nicOfZone(a.Zone()); n != nil {
		return a.WithZone(n.name)
	}
	return a
}

// ownZone completes a link-local address that lacks its zone by the interface that has the address;
// where none has, or several have, the address stays without one.
func (s *Stack) ownZone(a netip.Addr) netip.Addr {
	return s.complete(a, func(n *nic) bool { return n.has(a) })
}

// onlyZone completes a link-local address that lacks its zone by the only interface there is besides
// the loopback.
func (s *Stack) onlyZone(a netip.Addr) netip.Addr {
	return s.complete(a, func(*nic) bool { return true })
}

// complete gives a link-local unicast address without a zone that of the interface which fits, if
// exactly one does.
func (s *Stack) complete(a netip.Addr, fits func(*nic) bool) netip.Addr {
	if a = s.zoned(a); a.Zone() != "" || !translate.Scoped(a) || a.IsMulticast() {
		return a
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var one tcpip.NICID
	for _, n := range s.nics[1:] {
		if !fits(n) {
			continue
		}
		if one != 0 {
			return a
		}
		one = n.id
	}
	return translate.WithZone(a, one)
}

// sourceInZoneLocked is source for a link-local destination, unicast or multicast, on the link of an
// interface. The caller holds s.mu.
func (s *Stack) sourceInZoneLocked(zone tcpip.NICID, bound, remote netip.Addr) (netip.Addr, tcpip.NICID, wsa.Errno) {
	i := slices.IndexFunc(s.nics, func(n *nic) bool { return n.id == zone })
	if i < 0 || i == 0 && !remote.IsMulticast() { // the loopback is on no link
		return netip.Addr{}, 0, wsa.WSAENETUNREACH
	}
	source, ok := s.nics[i].source(remote, remote)
	if bound.IsValid() {
		source, ok = bound, s.nics[i].has(bound)
	}
	if !ok {
		return netip.Addr{}, 0, wsa.WSAENETUNREACH
	}
	return source, zone, 0
}

// reflects is link.Options.Own: it reports a packet that is for the interface that it would leave
// by, and that isn't the loopback's to carry.
func (s *Stack) reflects(n *nic) func(source, destination [16]byte) bool {
	return func(source, destination [16]byte) bool {
		return (linkLocal(source) || linkLocal(destination)) && s.own.Load().hasOn(destination, n.id)
	}
}

// linkLocal reports a link-local unicast address of IPv6.
func linkLocal(a [16]byte) bool {
	return a[0] == 0xfe && a[1]&0xc0 == 0x80
}

// zonedAddrPort is zonedAddr with a port.
func zonedAddrPort(ap netip.AddrPort, nic tcpip.NICID) netip.AddrPort {
	return netip.AddrPortFrom(translate.WithZone(ap.Addr(), nic), ap.Port())
}

// zonedAddr is an address of a packet, with the zone of the interface that the packet came by.
func zonedAddr(a tcpip.Address, nic tcpip.NICID) netip.Addr {
	return translate.WithZone(translate.Addr(a), nic)
}
