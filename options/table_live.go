package options

import (
	"math"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// notConnected is what SO_CONNECT_TIME writes for a socket that is not
// connected (doc: API-AcceptEx).
const notConnected = math.MaxUint32

// liveRows are the options of SOL_SOCKET that report what the socket is and
// how it fares. Nothing is stored for them.
func liveRows() []compiler {
	return []compiler{
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_ACCEPTCONN, symbol: "SO_ACCEPTCONN", tier: 'A',
			doc:    "S-GET S-API",
			text:   "Whether the socket is a listener.",
			access: getAccess, codec: boolean, lengths: classB, kinds: Stream,
			live: func(_ *Values, ep Endpoint) (bool, wsa.Errno) { return ep.State() == Listening, 0 },
		},
		row[wsa.Errno]{
			level: wsa.SOL_SOCKET, name: wsa.SO_ERROR, symbol: "SO_ERROR", tier: 'A',
			doc:    "S-GET S-API",
			text:   "The pending error of the socket; reading clears it.",
			access: getAccess, codec: errorCode, lengths: classI, defText: "0",
			field:        func(v *Values) *wsa.Errno { return &v.StickyError }, // if measured
			live:         func(_ *Values, ep Endpoint) (wsa.Errno, wsa.Errno) { return ep.TakeError(), 0 },
			survivesDrop: true, listenerOnly: true,
			alt: []alternative[wsa.Errno]{{
				in: measuredProfiles, conflict: "C-02, C-02b", text: "reading keeps the error; it can be set",
				change: func(r *row[wsa.Errno]) {
					r.access, r.live = getAndSet, stickyError
				},
			}},
		},
		row[uint32]{
			level: wsa.SOL_SOCKET, name: wsa.SO_TYPE, symbol: "SO_TYPE", tier: 'A',
			doc:    "S-GET S-API API-set",
			text:   "The type the socket was created with: SOCK_STREAM, SOCK_DGRAM or SOCK_RAW.",
			access: getAccess, codec: dwordUpTo("int", math.MaxInt32), lengths: classI, defText: "as created",
			live: func(_ *Values, ep Endpoint) (uint32, wsa.Errno) { return uint32(socketType(ep.Kind())), 0 },
			alt: []alternative[uint32]{{
				in: measuredProfiles, conflict: "C-76", text: "set is WSAEINVAL on a datagram or raw socket",
				change: func(r *row[uint32]) { r.wrongAccess[1] = wsa.WSAEINVAL },
			}},
		},
		messageSizeRow(wsa.SO_MAX_MSG_SIZE, "SO_MAX_MSG_SIZE", 'A', "S-GET S-API", "unsigned int",
			"Bytes of the largest outbound message; 0 on a stream, which has no messages."),
		messageSizeRow(wsa.SO_MAXDG, "SO_MAXDG", 'B', "W-SOL", "int", "The same value as SO_MAX_MSG_SIZE."),
		messageSizeRow(wsa.SO_MAXPATHDG, "SO_MAXPATHDG", 'B', "W-SOL", "int", "The same value as SO_MAXDG, for the connected peer."),
		connectTimeRow(),
	}
}

// stickyError is SO_ERROR as measured: a get does not clear it (C-02). What a
// successful connect does to it is the endpoint's business.
func stickyError(v *Values, ep Endpoint) (wsa.Errno, wsa.Errno) {
	if e := ep.TakeError(); e != 0 {
		v.StickyError = e
	}
	return v.StickyError, 0
}

func socketType(k Kind) int32 {
	switch k {
	case Datagram:
		return wsa.SOCK_DGRAM
	case Raw:
		return wsa.SOCK_RAW
	}
	return wsa.SOCK_STREAM
}

// messageSizeRow is one of the three names of the largest outbound message.
func messageSizeRow(name int32, symbol string, tier byte, doc, typ, text string) row[uint32] {
	return row[uint32]{
		level: wsa.SOL_SOCKET, name: name, symbol: symbol, tier: tier,
		doc: doc, evidence: byObserved, text: text,
		access: getAccess, codec: dwordUpTo(typ, math.MaxUint32), lengths: classI, defText: "by protocol",
		live: func(_ *Values, ep Endpoint) (uint32, wsa.Errno) { return maxMessage(ep), 0 },
	}
}

// maxMessage is the largest message that fits an IP packet (C-18): 65535 less
// 8 of UDP, less 20 of the IPv4 header, which IPv6 does not count. The value
// of raw sockets is assumed.
func maxMessage(ep Endpoint) uint32 {
	switch {
	case ep.Kind() == Stream:
		return 0
	case ep.Kind() == Raw:
		return 65535 - 20
	case ep.Family() == wsa.AF_INET6:
		return 65535 - 8
	}
	return 65535 - 20 - 8
}

func connectTimeRow() row[uint32] {
	absent := uint32(notConnected)
	return row[uint32]{
		level: wsa.SOL_SOCKET, name: wsa.SO_CONNECT_TIME, symbol: "SO_CONNECT_TIME", tier: 'A',
		doc:    "S-API W-SOL API-AcceptEx",
		text:   "Whole seconds since the connection was established; WSAENOTCONN and 0xFFFFFFFF when there is none.",
		access: getAccess, codec: dword, lengths: classI, kinds: Stream, defText: "not connected",
		live:         connectTime,
		absent:       &absent,
		ofConnection: true,
		alt: []alternative[uint32]{{
			in: measuredProfiles, conflict: "C-01", text: "0xFFFFFFFF is a success, and the answer of every other kind of socket",
			change: func(r *row[uint32]) {
				r.kinds, r.ofConnection = AnyKind, false
				r.live = func(v *Values, ep Endpoint) (uint32, wsa.Errno) {
					if ep.Kind() != Stream {
						return notConnected, 0
					}
					n, err := connectTime(v, ep)
					if err != 0 {
						return notConnected, 0
					}
					return n, 0
				}
			},
		}},
	}
}

// connectTime saturates below the value that says "not connected" (CT-4).
func connectTime(_ *Values, ep Endpoint) (uint32, wsa.Errno) {
	d, ok := ep.ConnectedFor()
	if !ok {
		return notConnected, wsa.WSAENOTCONN
	}
	return uint32(min(d/time.Second, notConnected-1)), 0
}
