package endpoint

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/wsa"
)

// FullAddress converts to netstack's form. 4in6 addresses become IPv4, and the
// unspecified address the empty one, which is netstack's wildcard.
func FullAddress(nic tcpip.NICID, ap netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: Address(ap.Addr()), Port: ap.Port()}
}

// Address converts to netstack's form; see FullAddress.
func Address(a netip.Addr) tcpip.Address {
	a = a.Unmap()
	if !a.IsValid() || a.IsUnspecified() {
		return tcpip.Address{}
	}
	if a.Is4() {
		return tcpip.AddrFrom4(a.As4())
	}
	return tcpip.AddrFrom16(a.As16())
}

// AddrPort converts from netstack's form: the inverse of FullAddress.
func AddrPort(fa tcpip.FullAddress) netip.AddrPort {
	a, _ := netip.AddrFromSlice(fa.Addr.AsSlice())
	return netip.AddrPortFrom(a, fa.Port)
}

// present gives an address the form a socket of this family shows: IPv4 as
// 4in6 on an AF_INET6 socket, the empty address as the family's wildcard.
func (s *Socket) present(fa tcpip.FullAddress) netip.AddrPort {
	ap := AddrPort(fa)
	a := ap.Addr()
	switch {
	case !a.IsValid() && s.family == wsa.AF_INET6:
		a = netip.IPv6Unspecified()
	case !a.IsValid():
		a = netip.IPv4Unspecified()
	case a.Is4() && s.family == wsa.AF_INET6:
		a = netip.AddrFrom16(a.As16())
	}
	return netip.AddrPortFrom(a, ap.Port())
}

// checkFamily is the first check of every address a caller passes: the zero
// value is the NULL name (WSAEFAULT), 4in6 addresses are IPv6 (C-48).
func (s *Socket) checkFamily(ap netip.AddrPort) wsa.Errno {
	switch a := ap.Addr(); {
	case !a.IsValid():
		return wsa.WSAEFAULT
	case a.Is4() != (s.family == wsa.AF_INET):
		return wsa.WSAEAFNOSUPPORT
	}
	return 0
}

// netProto is netstack's protocol number for an address.
func netProto(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Unmap().Is4() {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}
