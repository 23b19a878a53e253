package options

import (
	"encoding/binary"

	"github.com/wsstack/wsstack/wsa"
)

// controls are the control codes that set a value. The length of the input and
// the code on a socket of the wrong kind are assumed where no page has them.
var controls = []control{
	{
		code: wsa.SIO_KEEPALIVE_VALS, symbol: "SIO_KEEPALIVE_VALS", typ: "struct tcp_keepalive", size: wsa.SizeofTCPKeepalive,
		text:       "Turns keep-alive on or off, with idle time and interval in milliseconds.",
		incomplete: "",
		kinds:      Stream, wrongKind: wsa.WSAENOPROTOOPT,
		apply: keepAliveVals,
	},
	{
		code: wsa.SIO_UDP_CONNRESET, symbol: "SIO_UDP_CONNRESET", typ: "BOOL", size: 4,
		text:  "A port that is unreachable fails recv with WSAECONNRESET. TRUE until set.",
		kinds: Datagram,
		def:   func(v *Values) { v.UDP.ConnReset = true },
		apply: switchOf(func(v *Values) *bool { return &v.UDP.ConnReset }),
	},
	{
		code: wsa.SIO_UDP_NETRESET, symbol: "SIO_UDP_NETRESET", typ: "BOOL", size: 4,
		text:  "A time to live that expired fails recv with WSAENETRESET. TRUE until set.",
		kinds: Datagram,
		def:   func(v *Values) { v.UDP.NetReset = true },
		apply: switchOf(func(v *Values) *bool { return &v.UDP.NetReset }),
	},
	{
		code: wsa.SIO_LOOPBACK_FAST_PATH, symbol: "SIO_LOOPBACK_FAST_PATH", typ: "BOOL", size: 4,
		text:  "Deprecated; accepted without effect.",
		kinds: Stream,
		apply: switchOf(func(v *Values) *bool { return &v.FastLoopback }),
	},
	{
		code: wsa.SIO_TCP_INITIAL_RTO, symbol: "SIO_TCP_INITIAL_RTO", typ: "TCP_INITIAL_RTO_PARAMETERS", size: wsa.SizeofTCPInitialRTOParameters,
		text:       "First retransmission time-out and number of SYN retransmissions; before connect.",
		incomplete: "it changes the number of SYNs, not their spacing",
		kinds:      Stream, wrongKind: wsa.WSAEINVAL, setIn: untilConnect,
		apply: initialRTO,
	},
	{
		code: wsa.SIO_TCP_SET_ICW, symbol: "SIO_TCP_SET_ICW", typ: "DWORD", size: 4, evidence: byAssumed,
		text:  "A hint for the initial congestion window, stored.",
		kinds: Stream,
		apply: func(v *Values, _ Endpoint, in []byte) wsa.Errno {
			v.TCP.InitialWindow = binary.LittleEndian.Uint32(in)
			return 0
		},
	},
	{
		code: wsa.SIO_TCP_SET_ACK_FREQUENCY, symbol: "SIO_TCP_SET_ACK_FREQUENCY", typ: "BYTE", size: 1,
		text:  "Segments per acknowledgement. Every batch is acknowledged at once, as with 1.",
		kinds: Stream,
		apply: func(v *Values, _ Endpoint, in []byte) wsa.Errno {
			v.TCP.AckFrequency = in[0]
			return 0
		},
	},
	{
		code: wsa.SIO_SET_COMPATIBILITY_MODE, symbol: "SIO_SET_COMPATIBILITY_MODE", typ: "WSA_COMPATIBILITY_MODE", size: wsa.SizeofCompatibilityMode,
		text:  "WsaBehaviorReceiveBuffering permits a smaller SO_RCVBUF on a connected socket, which this stack always does.",
		kinds: AnyKind,
		apply: compatibilityMode,
	},
}
