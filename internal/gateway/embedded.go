package gateway

import "net/netip"

// carriers are the prefixes of IPv6 whose addresses have one of IPv4 in them, which
// a router, a translator or the host itself may go on to.
var carriers = []struct {
	prefix netip.Prefix
	at     int  // the byte where the address of IPv4 begins
	flip   byte // what its bytes are combined with
}{
	{netip.MustParsePrefix("::/96"), 12, 0},           // IPv4-compatible: RFC 4291 §2.5.5.1
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12, 0}, // IPv4-translated: RFC 2765 §2.1
	{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},    // NAT64: RFC 6052 §2.1
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12, 0},  // NAT64 with a /96 of this: RFC 8215
	{netip.MustParsePrefix("2002::/16"), 2, 0},        // 6to4: RFC 3056 §2
	{netip.MustParsePrefix("2001::/32"), 12, 0xff},    // Teredo, the client: RFC 4380 §4
}

// embedded returns the address of IPv4 in one of IPv6. IPv4-mapped ones are none of
// IPv6 here: see Policy.Resolve.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if a.Is4() {
		return a, false
	}
	b := a.As16()
	for _, c := range carriers {
		if c.prefix.Contains(a) {
			return inner(b[c.at:], c.flip), true
		}
	}
	// ISATAP, behind any prefix, with the bit of universal identifiers or without:
	// RFC 5214 §6.1.
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		return inner(b[12:], 0), true
	}
	return a, false
}

func inner(b []byte, flip byte) netip.Addr {
	var v4 [4]byte
	for i := range v4 {
		v4[i] = b[i] ^ flip
	}
	return netip.AddrFrom4(v4)
}
