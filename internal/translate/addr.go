// Package translate gives addresses and errors of netstack the form that this project has for them,
// and addresses the other way round.
package translate

import (
	"net/netip"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/wsa"
)

// Address is an address in gVisor's form, as whoever binds and connects wants it: the unspecified
// and the invalid address are the empty one, which is netstack's wildcard, and an IPv4 address in
// IPv6 form is one of IPv4.
func Address(a netip.Addr) tcpip.Address {
	a = a.Unmap()
	switch {
	case !a.IsValid(), a.IsUnspecified():
		return tcpip.Address{}
	case a.Is4():
		return tcpip.AddrFrom4(a.As4())
	}
	return tcpip.AddrFrom16(a.As16())
}

// FullAddress is Address with a port. The interface is nic, or where that is 0, the zone of the
// address.
func FullAddress(nic tcpip.NICID, ap netip.AddrPort) tcpip.FullAddress {
	if nic == 0 {
		nic = Zone(ap.Addr())
	}
	return tcpip.FullAddress{NIC: nic, Addr: Address(ap.Addr()), Port: ap.Port()}
}

// Exact is an address in gVisor's form as it is, the unspecified address included. Only the invalid
// address is the empty one.
func Exact(a netip.Addr) tcpip.Address {
	switch {
	case a.Is4():
		return tcpip.AddrFrom4(a.As4())
	case a.IsValid():
		return tcpip.AddrFrom16(a.As16())
	}
	return tcpip.Address{}
}

// Addr is the inverse of Exact, and of Address but for the addresses that become another one there;
// the empty address becomes the invalid one.
func Addr(a tcpip.Address) netip.Addr {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return addr
}

// AddrPort is the inverse of FullAddress: a link-local address has the zone of the interface.
func AddrPort(fa tcpip.FullAddress) netip.AddrPort {
	return netip.AddrPortFrom(WithZone(Addr(fa.Addr), fa.NIC), fa.Port)
}

// Scoped reports whether an address means something on one link only, and so needs a zone: a
// link-local one of IPv6, unicast or multicast, or a multicast one of the interface (RFC 4007 §5).
func Scoped(a netip.Addr) bool {
	return a.Is6() && (a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast())
}

// Zone is the interface that the zone of an address names by its number; 0: none. Of an address
// that needs no zone it is 0.
func Zone(a netip.Addr) tcpip.NICID {
	if !Scoped(a) {
		return 0
	}
	return tcpip.NICID(wsa.ScopeID(a))
}

// Zoned is WithZone for an address that keeps what it has where the interface is 0.
func Zoned(a netip.Addr, nic tcpip.NICID) netip.Addr {
	if nic == 0 {
		return a
	}
	return WithZone(a, nic)
}

// WithZone is a link-local unicast address with the number of an interface as its zone, and every
// other address without a zone. The interface 0 is none.
func WithZone(a netip.Addr, nic tcpip.NICID) netip.Addr {
	a = a.WithZone("")
	if nic == 0 || !a.Is6() || !a.IsLinkLocalUnicast() {
		return a
	}
	return a.WithZone(strconv.Itoa(int(nic)))
}

// Protocol is the number of the network protocol that an address belongs to. An IPv4 address in
// IPv6 form is one of IPv4.
func Protocol(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Unmap().Is4() {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}
