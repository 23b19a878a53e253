package options

import (
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// teredo is the prefix of the addresses that Teredo gives (RFC 4380 §2.6).
var teredo = netip.MustParsePrefix("2001::/32")

// AdmitsPeer reports whether a socket with a level of IP_PROTECTION_LEVEL or IPV6_PROTECTION_LEVEL
// receives what peer sends to local: with PROTECTION_LEVEL_RESTRICTED from the same link or site,
// by the scope of the address, with PROTECTION_LEVEL_EDGERESTRICTED, and as long as no level is set
// (C-43), not from Teredo. What a host sends to itself is always received (ZN-5).
func AdmitsPeer(level int32, peer, local netip.Addr) bool {
	peer = peer.Unmap().WithZone("")
	switch {
	case level == wsa.PROTECTION_LEVEL_UNRESTRICTED, peer == local.Unmap().WithZone(""):
		return true
	case level == wsa.PROTECTION_LEVEL_RESTRICTED:
		return nearby(peer)
	}
	return !teredo.Contains(peer)
}

// nearby reports an address whose scope is the link or the site (RFC 3484 §3.1 and §3.2): the unique
// local addresses of IPv6 are global in that sense (RFC 4193 §3.3), the private ones of IPv4 aren't.
func nearby(a netip.Addr) bool {
	const siteLocal = 0xfec0
	if a.IsLoopback() || a.IsLinkLocalUnicast() || a.Is4() && a.IsPrivate() {
		return true
	}
	b := a.As16()
	return a.Is6() && uint16(b[0])<<8|uint16(b[1]&0xc0) == siteLocal
}
