package options

import "github.com/wsstack/wsstack/wsa"

// urgentRows are the options of IPPROTO_TCP about urgent data.
func urgentRows() []compiler {
	return []compiler{
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_EXPEDITED_1122, symbol: "TCP_EXPEDITED_1122", tier: 'B',
			doc:    "W-TCP", // it cites RFC 1222 (C-51)
			text:   "The urgent pointer points to the urgent byte itself, as in RFC 1122. Once TRUE, the option stays TRUE.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Stream,
			load:  func(v *Values) bool { return v.TCP.Urgent.AtByte },
			store: func(v *Values, on bool) { v.TCP.Urgent.turn(on) },
			check: func(v *Values, on bool) wsa.Errno { return v.TCP.Urgent.check(on) },
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_STDURG, symbol: "TCP_STDURG", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "Does what TCP_EXPEDITED_1122 does, and may be turned off again.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Stream,
			load:  func(v *Values) bool { return v.TCP.Urgent.AtByte },
			store: func(v *Values, on bool) { v.TCP.Urgent.AtByte = on },
			check: func(v *Values, on bool) wsa.Errno { return notBoth(!on, v.TCP.Urgent.Fixed) },
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_NOURG, symbol: "TCP_NOURG", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "Incoming urgent data is ordinary data.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Stream,
			field: func(v *Values) *bool { return &v.TCP.NoUrgent },
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_ATMARK, symbol: "TCP_ATMARK", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "The answer of SIOCATMARK: FALSE while an urgent byte waits or, with SO_OOBINLINE, lies ahead in the stream.",
			access: getAccess, codec: boolean, lengths: classF, kinds: Stream, defText: "TRUE",
			live:         func(_ *Values, ep Endpoint) (bool, wsa.Errno) { return ep.AtMark(), 0 },
			ofConnection: true,
		},
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_BSDURGENT, symbol: "TCP_BSDURGENT", tier: 'B',
			doc:    "W-TCP",
			text:   "The opposite of TCP_EXPEDITED_1122. Once FALSE, the option stays FALSE.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Stream,
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
