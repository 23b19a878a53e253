// Package translate gives addresses and errors of netstack the form that this project has for them,
// and addresses the other way round.
package translate

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
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

// FullAddress is Address with a port.
func FullAddress(nic tcpip.NICID, ap netip.AddrPort) tcpip.FullAddress {
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

// AddrPort is the inverse of FullAddress.
func AddrPort(fa tcpip.FullAddress) netip.AddrPort {
	return netip.AddrPortFrom(Addr(fa.Addr), fa.Port)
}

// Protocol is the number of the network protocol that an address belongs to. An IPv4 address in
// IPv6 form is one of IPv4.
func Protocol(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Unmap().Is4() {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}
