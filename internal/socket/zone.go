package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A link-local address of IPv6 is one of each link, and its zone, the scope id of Winsock, says of
// which: the index of the interface. What callers pass gets its zone here; sockets hold no
// link-local unicast address without one.

// destinationLocked gives a destination its zone: the one that it names, else that of the address
// that the socket is bound to, else IPV6_UNICAST_IF, else that of the only interface.
func (s *Socket) destinationLocked(to netip.AddrPort) netip.AddrPort {
	a := to.Addr()
	if a.Zone() == "" && !translate.Scoped(a) {
		return to
	}
	if a.Zone() == "" {
		zone := translate.Zone(s.boundAddr())
		if zone == 0 {
			zone = tcpip.NICID(s.values.IPv6.UnicastIf)
		}
		a = translate.Zoned(a, zone)
	}
	return netip.AddrPortFrom(s.host.RemoteZone(a), to.Port())
}

// checkZoneLocked refuses link-local destinations on a link that the stack hasn't, or that the
// address of the socket isn't on; without a zone, where there are several links, they are no address
// of a host (assumed; ZN-3).
func (s *Socket) checkZoneLocked(a netip.Addr) wsa.Errno {
	switch {
	case !translate.Scoped(a), a.Zone() == "" && a.IsMulticast():
		return 0
	case a.Zone() == "":
		return wsa.WSAEADDRNOTAVAIL
	}
	_, _, err := s.host.Source(s.boundAddr(), a)
	return err
}

// protectionLocked says whose SYNs are taken, by IP_PROTECTION_LEVEL and IPV6_PROTECTION_LEVEL (ZN-5).
func (s *Socket) protectionLocked() func(transport.ID) bool {
	v4, v6 := s.values.IPv4.ProtectionLevel, s.values.IPv6.ProtectionLevel
	return func(id transport.ID) bool {
		peer, level := translate.Addr(id.RemoteAddress), v6
		if peer.Is4() {
			level = v4
		}
		return options.AdmitsPeer(level, peer, translate.Addr(id.LocalAddress))
	}
}

// changesEndpoint reports whether a datagram socket that is bound to the wildcard has another
// endpoint of netstack while it has a peer: a dual-stack one, as its port would leak, and one whose
// peer is on one link only, as it receives from there.
func (s *Socket) changesEndpoint(peer netip.Addr) bool {
	if !s.behaviour.hasPorts() || !s.binding.Addr.Addr().Unmap().IsUnspecified() {
		return false
	}
	return s.dualStack() && s.binding.DualStack || translate.Zone(peer) != 0
}
