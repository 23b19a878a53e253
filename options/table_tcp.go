package options

import (
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// The keep-alive parameters of a socket that set none.
const (
	defaultKeepIdle     = 2 * time.Hour
	defaultKeepInterval = time.Second
	defaultKeepCount    = 10
	legacyKeepCount     = 5 // Windows XP
	maxKeepCount        = 255
)

// Send MSS of a socket without a connection: the defaults of RFC 9293 §3.7.1.
const (
	defaultMSS4 = 536
	defaultMSS6 = 1220
)

// tcpRows is the level IPPROTO_TCP.
func tcpRows() []compiler {
	return []compiler{
		row[bool]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_NODELAY, symbol: "TCP_NODELAY", tier: 'A',
			doc:    "S-API S-SAN W-TCP",
			text:   "Turns the Nagle algorithm off.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Stream,
			field: func(v *Values) *bool { return &v.NoDelay },
			apply: func(ep Endpoint, _ *Values, on bool) wsa.Errno { return ep.SetNoDelay(on) },
			alt: []alternative[bool]{{
				in: []Profile{Windows}, conflict: "C-27", text: "WSAEINVAL while a connect is pending",
				change: func(r *row[bool]) { r.setIn = AnyState &^ Connecting },
			}},
		},
		row[time.Duration]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_KEEPIDLE, symbol: "TCP_KEEPIDLE", tier: 'B',
			doc:    "W-TCP",
			text:   "Seconds without a segment before the first keep-alive probe. Also called TCP_KEEPALIVE.",
			access: getAndSet, codec: keepSeconds, lengths: classD, kinds: Stream,
			field: func(v *Values) *time.Duration { return &v.KeepAlive.Idle },
			apply: func(ep Endpoint, v *Values, d time.Duration) wsa.Errno {
				k := v.KeepAlive
				k.Idle = d
				return ep.SetKeepAlive(k)
			},
			def: defaultKeepIdle,
		},
		row[uint32]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_MAXSEG, symbol: "TCP_MAXSEG", tier: 'A',
			doc:    "S-API HDR", // among the options of NSPROTO_IPX in S-API (C-17)
			text:   "Payload bytes of a full segment of this connection.",
			access: getAccess, codec: dwordUpTo("int", 65535), lengths: classD, kinds: Stream, defText: "536 (AF_INET), 1220 (AF_INET6)",
			live: func(_ *Values, ep Endpoint) (uint32, wsa.Errno) { return sendMSS(ep), 0 },
			alt: []alternative[uint32]{{
				in: []Profile{Legacy}, conflict: "C-17", text: "not supported",
				change: func(r *row[uint32]) { r.access = noAccess },
			}},
			ofConnection: true,
		},
		row[uint32]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_KEEPCNT, symbol: "TCP_KEEPCNT", tier: 'B',
			doc:    "W-TCP",
			text:   "Unanswered keep-alive probes before the connection is dropped, 0 to 255; 0: no probes, no drop.",
			access: getAndSet, codec: dwordUpTo("DWORD", maxKeepCount), lengths: classD, // 256: WSAEINVAL (observed)
			kinds: Stream,
			field: func(v *Values) *uint32 { return &v.KeepAlive.Count },
			apply: func(ep Endpoint, v *Values, n uint32) wsa.Errno {
				k := v.KeepAlive
				k.Count = n
				return ep.SetKeepAlive(k)
			},
			def: defaultKeepCount,
			alt: []alternative[uint32]{{
				in: []Profile{Legacy}, conflict: "C-49", text: "5 probes, not an option",
				change: func(r *row[uint32]) { r.def, r.access = legacyKeepCount, noAccess },
			}},
		},
		row[time.Duration]{
			level: wsa.IPPROTO_TCP, name: wsa.TCP_KEEPINTVL, symbol: "TCP_KEEPINTVL", tier: 'B',
			doc:    "W-TCP",
			text:   "Seconds between keep-alive probes.",
			access: getAndSet, codec: keepSeconds, lengths: classD, kinds: Stream,
			field: func(v *Values) *time.Duration { return &v.KeepAlive.Interval },
			apply: func(ep Endpoint, v *Values, d time.Duration) wsa.Errno {
				k := v.KeepAlive
				k.Interval = d
				return ep.SetKeepAlive(k)
			},
			def: defaultKeepInterval,
		},
	}
}

func sendMSS(ep Endpoint) uint32 {
	if mss, ok := ep.MSS(); ok {
		return uint32(mss)
	}
	if ep.Family() == wsa.AF_INET6 {
		return defaultMSS6
	}
	return defaultMSS4
}
