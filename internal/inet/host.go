package inet

import "net/netip"

// IsHost reports whether a may be the address of a host in p. The first address of an IPv4 subnet
// names the subnet and the last one is its broadcast address (RFC 922 §7), except in a /31 (RFC
// 3021) and in a single address. The first one of an IPv6 subnet is the routers' anycast address
// (RFC 4291 §2.6.1).
func IsHost(a netip.Addr, p netip.Prefix) bool {
	if p.Bits() >= a.BitLen()-1 {
		return true
	}
	if a == p.Masked().Addr() {
		return false
	}
	return a.Is6() || p.Contains(a.Next())
}
