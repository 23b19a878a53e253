package options

import "github.com/wsstack/wsstack/wsa"

// udpRows is the level IPPROTO_UDP.
func udpRows() []compiler {
	return []compiler{
		row[bool]{
			level: wsa.IPPROTO_UDP, name: wsa.UDP_NOCHECKSUM, symbol: "UDP_NOCHECKSUM", tier: 'B',
			doc:    "W-UDP",
			text:   "Datagrams are sent with a checksum field of 0. AF_INET6 doesn't have the option.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Datagram, families: inet4,
			field: func(v *Values) *bool { return &v.UDP.NoChecksum },
		},
		row[uint32]{
			level: wsa.IPPROTO_UDP, name: wsa.UDP_SEND_MSG_SIZE, symbol: "UDP_SEND_MSG_SIZE", tier: 'B',
			doc:    "W-UDP",
			text:   "One send becomes datagrams of this many bytes, the last one shorter; 0: off.",
			access: getAndSet, codec: dwordUpTo("DWORD", 65507), lengths: classD, kinds: Datagram,
			field: func(v *Values) *uint32 { return &v.UDP.SendSize },
		},
		row[uint32]{
			level: wsa.IPPROTO_UDP, name: wsa.UDP_RECV_MAX_COALESCED_SIZE, symbol: "UDP_RECV_MAX_COALESCED_SIZE", tier: 'B',
			doc:    "W-UDP",
			text:   "WSARecvMsg may return datagrams of one source and one size, the last one shorter, as one message of up to this many bytes, with UDP_COALESCED_INFO; 0: off.",
			access: getAndSet, codec: dword, lengths: classD, kinds: Datagram,
			field: func(v *Values) *uint32 { return &v.UDP.CoalesceMax },
		},
		row[bool]{
			level: wsa.IPPROTO_UDP, name: wsa.UDP_CHECKSUM_COVERAGE, symbol: "UDP_CHECKSUM_COVERAGE", tier: 'B',
			doc:    "W-UDP", // a Boolean, whatever the name suggests (C-62)
			text:   "Datagrams are sent with a checksum: the opposite of UDP_NOCHECKSUM. FALSE is WSAEINVAL on AF_INET6.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Datagram,
			load:  func(v *Values) bool { return !v.UDP.NoChecksum },
			store: func(v *Values, on bool) { v.UDP.NoChecksum = !on },
			def:   true,
			resolve: func(ep Endpoint, _ *Values, on bool) (bool, wsa.Errno) {
				if !on && ep.Family() == wsa.AF_INET6 {
					return on, wsa.WSAEINVAL
				}
				return on, 0
			},
		},
	}
}
