package options

import "github.com/wsstack/wsstack/wsa"

// ip4Rows are the options that only IPPROTO_IP has.
func ip4Rows() []compiler {
	return []compiler{
		ip4.headerRow(wsa.IP_OPTIONS, "OPTIONS", "Options of the IPv4 header of what is sent, up to 40 bytes.",
			headerBytes(ipOptionList), func(v *IPValues) *string { return &v.Options }),
		ipRow(ip4, wsa.IP_TOS, "TOS", "Type of service. The congestion bits of a stream stay clear.",
			octet(0), func(v *IPValues) *uint8 { return &v.TOS }).of(classY),
		ipRow(ip4, wsa.IP_TTL, "TTL", "Time to live of unicast, 1 to 255.",
			octet(1), func(v *IPValues) *uint8 { return &v.TTL }). // BOOL on the page (C-63)
			of(classY).initially(defaultTTL),
		ipRow(ip4, wsa.IP_RECEIVE_BROADCAST, "RECEIVE_BROADCAST", "FALSE: datagrams sent to a broadcast address are dropped.",
			boolean, func(v *IPValues) *bool { return &v.ReceiveBroadcast }).initially(true).only(messageKinds),
		row[struct{}]{
			level: wsa.IPPROTO_IP, name: wsa.IP_RTHDR, symbol: "IP_RTHDR", tier: 'B',
			doc: "HDR", evidence: byObserved,
			text:   "Accepted without effect: IPv4 has no routing header. Reads as empty.",
			access: getAndSet, codec: noBytes, lengths: classD,
			load: func(*Values) struct{} { return struct{}{} },
		},
		row[struct{}]{
			level: wsa.IPPROTO_IP, name: wsa.IP_TCLASS, symbol: "IP_TCLASS", tier: 'B',
			doc: "HDR", text: "The type of a control message.", unsupported: "a control message, not an option",
			access: noAccess, codec: codec[struct{}]{typ: "control message"},
		},
	}
}
