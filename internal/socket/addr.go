package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/wsa"
)

// present gives an address the form a socket of this family shows: IPv4 as
// 4in6 on an AF_INET6 socket, the empty address as the family's wildcard.
func (s *Socket) present(fa tcpip.FullAddress) netip.AddrPort {
	ap := translate.AddrPort(fa)
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
