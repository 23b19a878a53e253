package wsa

// The control codes of ioctlsocket and WSAIoctl (page "Winsock IOCTLs"). They are of type uint32,
// because several don't fit an int32. A code consists of bits for the direction (0x20000000 no
// data, 0x40000000 out, 0x80000000 in), of an owner (0x08000000 Winsock 2, 0x18000000 vendor) and a
// number.
const (
	FIONREAD   = 0x4004667F // out u32: bytes that one recv would return
	FIONBIO    = 0x8004667E // in u32: non-blocking on or off
	FIOASYNC   = 0x8004667D // not supported
	SIOCATMARK = 0x40047307 // out u32: TRUE when no urgent byte waits or, in line, is ahead

	SIO_KEEPALIVE_VALS            = 0x98000004 // in [TCPKeepalive], milliseconds
	SIO_UDP_CONNRESET             = 0x9800000C // in BOOL: port unreachable fails recv
	SIO_UDP_NETRESET              = 0x9800000F // in BOOL: TTL expiry fails recv
	SIO_LOOPBACK_FAST_PATH        = 0x98000010 // in u32: accepted, no effect
	SIO_TCP_INITIAL_RTO           = 0x98000011 // in [TCPInitialRTOParameters]
	SIO_TCP_SET_ICW               = 0x98000016 // in: initial congestion window
	SIO_TCP_SET_ACK_FREQUENCY     = 0x98000017 // in u8: segments per ACK
	SIO_TCP_INFO                  = 0xD8000027 // in u32 version, out [TCPInfo]
	SIO_SET_COMPATIBILITY_MODE    = 0x9800012C // in WSA_COMPATIBILITY_MODE
	SIO_IDEAL_SEND_BACKLOG_CHANGE = 0x2000747A // pends until the ideal amount changes
	SIO_IDEAL_SEND_BACKLOG_QUERY  = 0x4004747B // out u32, bytes

	SIO_FLUSH                          = 0x28000004 // not supported
	SIO_GET_BROADCAST_ADDRESS          = 0x48000005
	SIO_GET_EXTENSION_FUNCTION_POINTER = 0xC8000006
	SIO_GET_QOS                        = 0xC8000007 // not supported
	SIO_GET_GROUP_QOS                  = 0xC8000008 // not supported
	SIO_SET_QOS                        = 0x8800000B // not supported
	SIO_SET_GROUP_QOS                  = 0x8800000C // not supported
	SIO_ROUTING_INTERFACE_QUERY        = 0xC8000014
	SIO_ROUTING_INTERFACE_CHANGE       = 0x88000015
	SIO_ADDRESS_LIST_QUERY             = 0x48000016
	SIO_ADDRESS_LIST_CHANGE            = 0x28000017
	SIO_BASE_HANDLE                    = 0x48000022
	SIO_GET_INTERFACE_LIST             = 0x4004747F
)

// The special values of [TCPInitialRTOParameters] (SIO_TCP_INITIAL_RTO).
const (
	TCP_INITIAL_RTO_DEFAULT_RTT                         = 0
	TCP_INITIAL_RTO_UNSPECIFIED_RTT                     = 0xFFFF
	TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS     = 0
	TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS = 0xFF
	TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS              = 0xFE
)

// The values of [CompatibilityMode.BehaviorID] (SIO_SET_COMPATIBILITY_MODE).
const (
	WsaBehaviorAll              = 0
	WsaBehaviorReceiveBuffering = 1 // SO_RCVBUF may shrink on a connected socket
	WsaBehaviorAutoTuning       = 2
)
