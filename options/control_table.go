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
		text:  "Turns keep-alive on or off, with idle time and interval in milliseconds.",
		kinds: Stream, wrongKind: wsa.WSAENOPROTOOPT,
		apply: keepAliveVals,
	},
	{
		code: wsa.SIO_UDP_CONNRESET, symbol: "SIO_UDP_CONNRESET", typ: "BOOL", size: 4,
		text:  "Whether recv fails with WSAECONNRESET after an ICMP error for an unreachable port. TRUE until set.",
		kinds: Datagram,
		def:   func(v *Values) { v.UDP.ConnReset = true },
		apply: switchOf(func(v *Values) *bool { return &v.UDP.ConnReset }),
	},
	{
		code: wsa.SIO_UDP_NETRESET, symbol: "SIO_UDP_NETRESET", typ: "BOOL", size: 4,
		text:  "Whether recv fails with WSAENETRESET after an ICMP error for an expired time to live. TRUE until set.",
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
		code: wsa.SIO_TCP_INFO, symbol: "SIO_TCP_INFO", typ: "DWORD", size: 4, exact: true, badSize: wsa.WSAEMSGSIZE, output: "TCP_INFO_v0, _v1, _v2",
		text:  "Statistics of the connection; the input is the version. The nine SndLim fields of v1 are 0: nothing counts what limits the sender.",
		kinds: Stream, setIn: AnyState &^ Dead, wrongIn: wsa.WSAENOTCONN, answer: tcpInfo, // KA-31
	},
	{
		code: wsa.SIO_IDEAL_SEND_BACKLOG_QUERY, symbol: "SIO_IDEAL_SEND_BACKLOG_QUERY", output: "ULONG", outSize: 4, evidence: byObserved,
		text:  "Bytes that an application should have queued for sending: what may be in flight, and 65536 at least.",
		kinds: Stream, setIn: Connected, wrongIn: wsa.WSAENOTCONN, answer: idealBacklog,
	},
	{
		code: wsa.SIO_TCP_INITIAL_RTO, symbol: "SIO_TCP_INITIAL_RTO", typ: "TCP_INITIAL_RTO_PARAMETERS", size: wsa.SizeofTCPInitialRTOParameters,
		text:  "First retransmission time-out of a SYN in milliseconds, and number of its retransmissions; before connect.",
		kinds: Stream, wrongKind: wsa.WSAEINVAL, setIn: untilConnect,
		apply: initialRTO,
	},
	{
		code: wsa.SIO_TCP_SET_ICW, symbol: "SIO_TCP_SET_ICW", typ: "DWORD", size: 4, evidence: byAssumed,
		text:  "A hint for the initial congestion window, stored without effect.",
		kinds: Stream,
		apply: func(v *Values, _ Endpoint, in []byte) wsa.Errno {
			v.TCP.InitialWindow = binary.LittleEndian.Uint32(in)
			return 0
		},
	},
	{
		code: wsa.SIO_TCP_SET_ACK_FREQUENCY, symbol: "SIO_TCP_SET_ACK_FREQUENCY", typ: "BYTE", size: 1,
		text:  "Segments per acknowledgement, in profiles that delay acknowledgements: with 1 none waits. A second full segment never lets one wait.",
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
	{
		code: wsa.SIO_ADDRESS_LIST_QUERY, symbol: "SIO_ADDRESS_LIST_QUERY", output: "SOCKET_ADDRESS_LIST",
		text:   "The addresses of the socket's family to bind to, those of the loopback excepted. A short buffer: WSAEFAULT, and the size needed.",
		answer: addressList,
	},
	{
		code: wsa.SIO_ROUTING_INTERFACE_QUERY, symbol: "SIO_ROUTING_INTERFACE_QUERY", typ: "SOCKADDR", size: 2, output: "SOCKADDR",
		text:   "The local address from which a destination is reached; WSAENETUNREACH without a route.",
		answer: routingInterface,
	},
	{
		code: wsa.SIO_GET_INTERFACE_LIST, symbol: "SIO_GET_INTERFACE_LIST", output: "INTERFACE_INFO[]",
		text:   "The interfaces, one entry for each address of the socket's family, with flags, broadcast address and netmask.",
		answer: interfaceInfos,
	},
	{
		code: wsa.SIO_GET_BROADCAST_ADDRESS, symbol: "SIO_GET_BROADCAST_ADDRESS", output: "SOCKADDR_IN", outSize: wsa.SizeofSockaddrIn,
		text:     "255.255.255.255, on AF_INET.",
		families: inet4, answer: broadcastAddress,
	},
	{
		code: wsa.SIO_BASE_HANDLE, symbol: "SIO_BASE_HANDLE", output: "SOCKET", outSize: 8,
		text:   "The handle of the base provider, which is the socket's own: nothing is layered.",
		answer: baseHandle,
	},
	{
		code: wsa.SIO_GET_EXTENSION_FUNCTION_POINTER, symbol: "SIO_GET_EXTENSION_FUNCTION_POINTER", typ: "GUID", size: 16, evidence: byAssumed,
		text: "Address of an extension function.", unsupported: "there are no function pointers at a Go interface",
	},
	{
		code: wsa.SIO_IDEAL_SEND_BACKLOG_CHANGE, symbol: "SIO_IDEAL_SEND_BACKLOG_CHANGE",
		text:  "Completes when the ideal send backlog changes.",
		kinds: Stream, unsupported: "nothing reports a change: query it instead",
	},
	{code: wsa.SIO_FLUSH, symbol: "SIO_FLUSH", text: "Discards the send queue.", unsupported: "not of TCP/IP (C-44)"},
	{code: wsa.SIO_GET_QOS, symbol: "SIO_GET_QOS", text: "Quality of service.", unsupported: noQoS},
	{code: wsa.SIO_SET_QOS, symbol: "SIO_SET_QOS", text: "Quality of service.", unsupported: noQoS},
	{code: wsa.SIO_GET_GROUP_QOS, symbol: "SIO_GET_GROUP_QOS", text: "Reserved for groups.", unsupported: noQoS},
	{code: wsa.SIO_SET_GROUP_QOS, symbol: "SIO_SET_GROUP_QOS", text: "Reserved for groups.", unsupported: noQoS},
	{code: wsa.FIOASYNC, symbol: "FIOASYNC", text: "Signal-driven input and output.", unsupported: "not of Winsock"},
	{
		code: wsa.FIONBIO, symbol: "FIONBIO", typ: "u_long", size: 4,
		text: "Turns non-blocking mode on or off.",
	},
	{
		code: wsa.FIONREAD, symbol: "FIONREAD", output: "u_long", outSize: 4,
		text: "Bytes that one recv would return.",
	},
	{
		code: wsa.SIOCATMARK, symbol: "SIOCATMARK", output: "BOOL", outSize: 4, kinds: Stream, wrongKind: wsa.WSAEINVAL,
		text: "FALSE while an urgent byte waits or, with SO_OOBINLINE, lies ahead in the stream.",
	},
	{
		code: wsa.SIO_ADDRESS_LIST_CHANGE, symbol: "SIO_ADDRESS_LIST_CHANGE",
		text: "Waits until the addresses of the socket's family change.",
	},
	{
		code: wsa.SIO_ROUTING_INTERFACE_CHANGE, symbol: "SIO_ROUTING_INTERFACE_CHANGE", typ: "SOCKADDR", size: 2,
		text: "Waits until another interface leads to a destination.",
	},
}

const noQoS = "there is no quality of service"
