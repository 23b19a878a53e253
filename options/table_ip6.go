package options

import "github.com/wsstack/wsstack/wsa"

// icmpChecksum is where ICMPv6 has its checksum (RFC 3542 §3.1).
const icmpChecksum = 2

// ip6Rows are the options that only IPPROTO_IPV6 has.
func ip6Rows() []compiler {
	checksum := ipRow(ip6, wsa.IPV6_CHECKSUM, "CHECKSUM",
		"Offset at which the stack computes and verifies a checksum, even; -1: none. ICMPv6 always has one, at 2, which can't be set.",
		checksumOffset, func(v *IPValues) *int32 { return &v.Checksum }).
		initially(unspecified).only(Raw).onlyInHeaders()
	checksum.live = func(v *Values, ep Endpoint) (int32, wsa.Errno) {
		if ep.Protocol() == wsa.IPPROTO_ICMPV6 {
			return icmpChecksum, 0
		}
		return v.IPv6.Checksum, 0
	}
	checksum.resolve = func(ep Endpoint, _ *Values, offset int32) (int32, wsa.Errno) {
		if ep.Protocol() == wsa.IPPROTO_ICMPV6 {
			return offset, wsa.WSAEINVAL
		}
		return offset, 0
	}
	return []compiler{
		ip6.headerRow(wsa.IPV6_HOPOPTS, "HOPOPTS", "Header of hop-by-hop options of what is sent, up to 256 bytes.",
			headerBytes(optionsHeader), func(v *IPValues) *string { return &v.Options }).onlyInHeaders(),
		ip6.headerRow(wsa.IPV6_DSTOPTS, "DSTOPTS", "Header of destination options of what is sent, up to 256 bytes.",
			headerBytes(optionsHeader), func(v *IPValues) *string { return &v.DestOptions }).onlyInHeaders(),
		ip6.headerRow(wsa.IPV6_RTHDR, "RTHDR", "Routing header of what is sent, up to 256 bytes; not of type 0.",
			headerBytes(routingHeader), func(v *IPValues) *string { return &v.RoutingHeader }).onlyInHeaders(),
		ipRow(ip6, wsa.IPV6_UNICAST_HOPS, "UNICAST_HOPS", "Hop limit of unicast, 0 to 255; -1 sets the default.",
			hops, func(v *IPValues) *uint8 { return &v.TTL }).
			of(classY).initially(defaultTTL),
		ipRow(ip6, wsa.IPV6_TCLASS, "TCLASS", "Traffic class. The congestion bits of a stream stay clear.",
			octet(0), func(v *IPValues) *uint8 { return &v.TOS }).onlyInHeaders(),
		checksum,
		row[bool]{
			level: wsa.IPPROTO_IPV6, name: wsa.IPV6_V6ONLY, symbol: "IPV6_V6ONLY", tier: 'B',
			doc:    "W-IP6 W-dual",
			text:   "FALSE: the socket carries IPv4 traffic as well, with mapped addresses. Set before bind; without effect on AF_INET.",
			access: getAndSet, codec: boolean, lengths: classF,
			field: func(v *Values) *bool { return &v.V6Only },
			def:   true,
			resolve: func(ep Endpoint, _ *Values, on bool) (bool, wsa.Errno) {
				if ep.State() != Fresh { // observed: fails, on AF_INET as well
					return on, wsa.WSAEINVAL
				}
				return on, 0 // on AF_INET without effect (C-79)
			},
		},
	}
}

// headerRow is a row of header options that a socket adds to what it sends.
func (l ipLevel) headerRow(name int32, suffix, text string, c codec[string], field func(*IPValues) *string) row[string] {
	r := ipRow(l, name, suffix, text, c, field)
	r.length, r.defText = func(v *Values) int { return len(*field(l.values(v))) }, "empty"
	return r
}
