package options

import "github.com/wsstack/wsstack/wsa"

// urgentRows are the options of IPPROTO_TCP about urgent data.
func urgentRows() []compiler {
	return []compiler{
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_EXPEDITED_1122, symbol: "TCP_EXPEDITED_1122", tier: 'B',
			doc:    "W-TCP", // it cites RFC 1222 (C-51)
			text:   "The urgent pointer names the urgent byte itself, as in RFC 1122. Once TRUE, it stays.",
			access: getAndSet, codec: boolean, kinds: Stream,
			load:  func(v *Values) bool { return v.TCP.Urgent.AtByte },
			store: func(v *Values, on bool) { v.TCP.Urgent.turn(on) },
			check: func(v *Values, on bool) wsa.Errno { return v.TCP.Urgent.check(on) },
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_STDURG, symbol: "TCP_STDURG", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "As TCP_EXPEDITED_1122, and may be turned off again.",
			access: getAndSet, codec: boolean, kinds: Stream,
			load:  func(v *Values) bool { return v.TCP.Urgent.AtByte },
			store: func(v *Values, on bool) { v.TCP.Urgent.AtByte = on },
			check: func(v *Values, on bool) wsa.Errno { return notBoth(!on, v.TCP.Urgent.Fixed) },
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_NOURG, symbol: "TCP_NOURG", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "Incoming urgent data is ordinary data.",
			access: getAndSet, codec: boolean, kinds: Stream,
			field: func(v *Values) *bool { return &v.TCP.NoUrgent },
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_ATMARK, symbol: "TCP_ATMARK", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "The answer of SIOCATMARK: no urgent byte waits or, in line, is ahead.",
			access: getAccess, codec: boolean, kinds: Stream, defText: "TRUE",
			live:         func(_ *Values, ep Endpoint) (bool, wsa.Errno) { return ep.AtMark(), 0 },
			ofConnection: true,
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_BSDURGENT, symbol: "TCP_BSDURGENT", tier: 'B',
			doc:    "W-TCP",
			text:   "The opposite of TCP_EXPEDITED_1122; once FALSE, it stays.",
			access: getAndSet, codec: boolean, kinds: Stream,
			load:  func(v *Values) bool { return !v.TCP.Urgent.AtByte },
			store: func(v *Values, on bool) { v.TCP.Urgent.turn(!on) },
			check: func(v *Values, on bool) wsa.Errno { return v.TCP.Urgent.check(!on) },
			def:   true,
		},
	}
}

// turn stores a value of TCP_EXPEDITED_1122, which check has admitted.
func (u *Urgent) turn(on bool) {
	u.AtByte, u.Fixed = on, u.Fixed || on
}

// check refuses to turn TCP_EXPEDITED_1122 off (OB-18; the page names no code).
func (u *Urgent) check(on bool) wsa.Errno { return notBoth(!on, u.AtByte) }
