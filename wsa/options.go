package wsa

// The levels of setsockopt and getsockopt that aren't protocol numbers. All 32 bits of a level are
// significant. The protocol numbers that are levels are IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP and
// IPPROTO_IPV6.
const (
	SOL_SOCKET = 0xFFFF
	SOL_IP     = SOL_SOCKET - 4 // internal to Windows, not an application level
	SOL_IPV6   = SOL_SOCKET - 5 // internal to Windows, not an application level

	SOL_IRLMP     = 0x00FF // the same number as IPPROTO_RAW
	NSPROTO_IPX   = 1000
	NSPROTO_SPX   = 1256
	NSPROTO_SPXII = 1257
	SOL_APPLETALK = 1000 * AF_APPLETALK
)

// The options of SOL_SOCKET, winsock2.h and mswsock.h (page
// "SOL_SOCKET Socket Options").
const (
	SO_DEBUG       = 0x0001 // Boolean: emit debug output
	SO_ACCEPTCONN  = 0x0002 // Boolean, get: listening
	SO_REUSEADDR   = 0x0004 // Boolean: bind to an address in use
	SO_KEEPALIVE   = 0x0008 // Boolean: send keep-alive probes
	SO_DONTROUTE   = 0x0010 // Boolean: accepted, no effect
	SO_BROADCAST   = 0x0020 // Boolean: permit broadcast
	SO_USELOOPBACK = 0x0040 // not supported
	SO_LINGER      = 0x0080 // [Linger], seconds
	SO_OOBINLINE   = 0x0100 // Boolean: urgent byte stays in the stream

	SO_DONTLINGER       = ^SO_LINGER    // -129, Boolean: opposite of l_onoff
	SO_EXCLUSIVEADDRUSE = ^SO_REUSEADDR // -5, Boolean: nobody else binds here

	SO_SNDBUF    = 0x1001 // int, bytes
	SO_RCVBUF    = 0x1002 // int, bytes
	SO_SNDLOWAT  = 0x1003 // not supported
	SO_RCVLOWAT  = 0x1004 // not supported
	SO_SNDTIMEO  = 0x1005 // DWORD, milliseconds; 0 is infinite
	SO_RCVTIMEO  = 0x1006 // DWORD, milliseconds; 0 is infinite
	SO_ERROR     = 0x1007 // int, get: pending error, cleared by the get
	SO_TYPE      = 0x1008 // int, get: SOCK_STREAM, SOCK_DGRAM, …
	SO_BSP_STATE = 0x1009 // [CSAddrInfo], get

	SO_GROUP_ID       = 0x2001 // GROUP, get
	SO_GROUP_PRIORITY = 0x2002 // int: 0 is served first
	SO_MAX_MSG_SIZE   = 0x2003 // unsigned int, bytes, get: largest outbound message
	SO_PROTOCOL_INFOA = 0x2004 // [ProtocolInfo] in its 372-byte form, get
	SO_PROTOCOL_INFOW = 0x2005 // [ProtocolInfo] in its 628-byte form, get

	PVD_CONFIG             = 0x3001 // opaque: the provider's configuration
	SO_CONDITIONAL_ACCEPT  = 0x3002 // Boolean: the condition function decides before SYN-ACK
	SO_PAUSE_ACCEPT        = 0x3003 // Boolean: answer every SYN with RST
	SO_COMPARTMENT_ID      = 0x3004 // DWORD: routing compartment
	SO_RANDOMIZE_PORT      = 0x3005 // Boolean: random ephemeral port
	SO_PORT_SCALABILITY    = 0x3006 // Boolean: ephemeral ports per local address
	SO_REUSE_UNICASTPORT   = 0x3007 // Boolean: share ephemeral ports
	SO_REUSE_MULTICASTPORT = 0x3008 // DWORD: 1 receives no unicast
	SO_TIMESTAMP           = 0x300A // control message only, UINT64
	SO_TIMESTAMP_ID        = 0x300B // control message only, UINT32
	SO_ORIGINAL_DST        = 0x300F // sockaddr, get
	SO_RECEIVED_HOPLIMIT   = 0x3010
	SO_RECEIVED_PROCESSOR  = 0x3011

	SO_CONNDATA               = 0x7000 // OSI and DECnet, not supported
	SO_CONNOPT                = 0x7001 // OSI and DECnet, not supported
	SO_DISCDATA               = 0x7002 // OSI and DECnet, not supported
	SO_DISCOPT                = 0x7003 // OSI and DECnet, not supported
	SO_CONNDATALEN            = 0x7004 // OSI and DECnet, not supported
	SO_CONNOPTLEN             = 0x7005 // OSI and DECnet, not supported
	SO_DISCDATALEN            = 0x7006 // OSI and DECnet, not supported
	SO_DISCOPTLEN             = 0x7007 // OSI and DECnet, not supported
	SO_OPENTYPE               = 0x7008 // int: SO_SYNCHRONOUS_ALERT or _NONALERT, per thread
	SO_MAXDG                  = 0x7009 // int, bytes, get: largest outbound datagram
	SO_MAXPATHDG              = 0x700A // int, bytes, get: largest datagram to the peer
	SO_UPDATE_ACCEPT_CONTEXT  = 0x700B // SOCKET of the listener, set
	SO_CONNECT_TIME           = 0x700C // DWORD, seconds since established, get
	SO_MAX_RDMA_SIZE          = 0x700D // SAN providers
	SO_RDMA_THRESHOLD_SIZE    = 0x700E // SAN providers
	SO_UPDATE_CONNECT_CONTEXT = 0x7010 // no value, set
)

// The values of SO_OPENTYPE.
const (
	SO_SYNCHRONOUS_ALERT    = 0x10
	SO_SYNCHRONOUS_NONALERT = 0x20
)

// The options of IPPROTO_TCP, ws2ipdef.h (page "IPPROTO_TCP socket
// options").
const (
	TCP_NODELAY                    = 1      // Boolean: Nagle off
	TCP_EXPEDITED_1122             = 2      // Boolean, one way: urgent pointer as RFC 1122 §4.2.2.4
	TCP_KEEPIDLE                   = 3      // DWORD, seconds before the first probe
	TCP_KEEPALIVE                  = 3      // the older name of TCP_KEEPIDLE
	TCP_MAXSEG                     = 4      // DWORD, bytes, get: effective send MSS
	TCP_MAXRT                      = 5      // int, seconds of retransmission; -1 is for ever
	TCP_STDURG                     = 6      // Boolean: as TCP_EXPEDITED_1122, reversible
	TCP_NOURG                      = 7      // Boolean: ignore incoming URG
	TCP_ATMARK                     = 8      // Boolean, get: as SIOCATMARK
	TCP_NOSYNRETRIES               = 9      // Boolean: one SYN only
	TCP_TIMESTAMPS                 = 10     // Boolean: RFC 7323 timestamps
	TCP_OFFLOAD_PREFERENCE         = 11     // DWORD: TCP_OFFLOAD_…
	TCP_CONGESTION_ALGORITHM       = 12     // DWORD: own enumeration
	TCP_DELAY_FIN_ACK              = 13     // Boolean
	TCP_MAXRTMS                    = 14     // int, milliseconds: TCP_MAXRT
	TCP_FASTOPEN                   = 15     // Boolean: RFC 7413
	TCP_KEEPCNT                    = 16     // DWORD: unanswered probes before the drop
	TCP_KEEPINTVL                  = 17     // DWORD, seconds between probes
	TCP_FAIL_CONNECT_ON_ICMP_ERROR = 18     // Boolean
	TCP_ICMP_ERROR_INFO            = 19     // [ICMPErrorInfo], get
	TCP_BSDURGENT                  = 0x7000 // Boolean, one way: opposite of TCP_EXPEDITED_1122
)

// The values of TCP_OFFLOAD_PREFERENCE.
const (
	TCP_OFFLOAD_NO_PREFERENCE = 0
	TCP_OFFLOAD_NOT_PREFERRED = 1
	TCP_OFFLOAD_PREFERRED     = 2
)

// The options of IPPROTO_IP, ws2ipdef.h (page "IPPROTO_IP socket
// options").
const (
	IP_OPTIONS                = 1  // bytes, 0 to 40
	IP_HDRINCL                = 2  // Boolean
	IP_TOS                    = 3  // DWORD 0 to 255; type of the control message of IP_RECVTOS
	IP_TTL                    = 4  // DWORD 1 to 255; type of the control message of IP_RECVTTL
	IP_MULTICAST_IF           = 9  // address or 0.x.y.z index, network order
	IP_MULTICAST_TTL          = 10 // DWORD 0 to 255
	IP_MULTICAST_LOOP         = 11 // Boolean
	IP_ADD_MEMBERSHIP         = 12 // [IPMreq], set
	IP_DROP_MEMBERSHIP        = 13 // [IPMreq], set
	IP_DONTFRAGMENT           = 14 // Boolean
	IP_DONTFRAG               = 14 // the same
	IP_ADD_SOURCE_MEMBERSHIP  = 15 // [IPMreqSource], set
	IP_DROP_SOURCE_MEMBERSHIP = 16 // [IPMreqSource], set
	IP_BLOCK_SOURCE           = 17 // [IPMreqSource], set
	IP_UNBLOCK_SOURCE         = 18 // [IPMreqSource], set
	IP_PKTINFO                = 19 // Boolean; control message [InPktinfo]
	IP_RECVTTL                = 21 // Boolean
	IP_HOPLIMIT               = 21 // the same
	IP_RECEIVE_BROADCAST      = 22 // Boolean
	IP_PROTECTION_LEVEL       = 23 // DWORD: PROTECTION_LEVEL_…
	IP_RECVIF                 = 24 // Boolean
	IP_RECVDSTADDR            = 25 // Boolean
	IP_IFLIST                 = 28 // Boolean
	IP_ADD_IFLIST             = 29 // interface index, set
	IP_DEL_IFLIST             = 30 // interface index, set
	IP_UNICAST_IF             = 31 // interface index, network order
	IP_RTHDR                  = 32 // bytes, no effect
	IP_GET_IFLIST             = 33 // interface indexes, get
	IP_RECVRTHDR              = 38 // Boolean, no effect
	IP_TCLASS                 = 39 // control message only
	IP_RECVTOS                = 40 // Boolean
	IP_RECVTCLASS             = 40 // the same
	IP_ORIGINAL_ARRIVAL_IF    = 47 // Boolean; the same number at IPPROTO_IPV6
	IP_RECVECN                = 50 // Boolean; type of its control message
	IP_ECN                    = 50 // the same
	IP_PKTINFO_EX             = 51 // Boolean
	IP_WFP_REDIRECT_RECORDS   = 60 // filtering platform
	IP_WFP_REDIRECT_CONTEXT   = 70 // filtering platform
	IP_MTU_DISCOVER           = 71 // DWORD: IP_PMTUDISC_…
	IP_MTU                    = 73 // DWORD, bytes, get
	IP_NRT_INTERFACE          = 74 // interface index
	IP_RECVERR                = 75 // Boolean
	IP_USER_MTU               = 76 // DWORD, bytes
)

// The protocol-independent multicast options: these numbers at IPPROTO_IP and at
// IPPROTO_IPV6 (RFC 3678).
const (
	MCAST_JOIN_GROUP         = 41 // [GroupReq], set
	MCAST_LEAVE_GROUP        = 42 // [GroupReq], set
	MCAST_BLOCK_SOURCE       = 43 // [GroupSourceReq], set
	MCAST_UNBLOCK_SOURCE     = 44 // [GroupSourceReq], set
	MCAST_JOIN_SOURCE_GROUP  = 45 // [GroupSourceReq], set
	MCAST_LEAVE_SOURCE_GROUP = 46 // [GroupSourceReq], set
)

// The options of IPPROTO_IPV6, ws2ipdef.h (page "IPPROTO_IPV6
// socket options").
const (
	IPV6_HOPOPTS              = 1  // bytes, multiple of 8
	IPV6_HDRINCL              = 2  // Boolean
	IPV6_UNICAST_HOPS         = 4  // DWORD 0 to 255
	IPV6_MULTICAST_IF         = 9  // interface index, host order
	IPV6_MULTICAST_HOPS       = 10 // DWORD 0 to 255
	IPV6_MULTICAST_LOOP       = 11 // Boolean
	IPV6_ADD_MEMBERSHIP       = 12 // [IPv6Mreq], set
	IPV6_JOIN_GROUP           = 12 // the same
	IPV6_DROP_MEMBERSHIP      = 13 // [IPv6Mreq], set
	IPV6_LEAVE_GROUP          = 13 // the same
	IPV6_DONTFRAG             = 14 // Boolean
	IPV6_PKTINFO              = 19 // Boolean; control message [In6Pktinfo]
	IPV6_HOPLIMIT             = 21 // Boolean
	IPV6_PROTECTION_LEVEL     = 23 // DWORD: PROTECTION_LEVEL_…
	IPV6_RECVIF               = 24 // Boolean
	IPV6_RECVDSTADDR          = 25 // Boolean
	IPV6_CHECKSUM             = 26 // int: even offset, or -1 for off
	IPV6_V6ONLY               = 27 // Boolean
	IPV6_IFLIST               = 28 // Boolean
	IPV6_ADD_IFLIST           = 29 // interface index, set
	IPV6_DEL_IFLIST           = 30 // interface index, set
	IPV6_UNICAST_IF           = 31 // interface index, host order
	IPV6_RTHDR                = 32 // bytes
	IPV6_GET_IFLIST           = 33 // interface indexes, get
	IPV6_RECVRTHDR            = 38 // Boolean
	IPV6_TCLASS               = 39 // DWORD 0 to 255; type of the control message of IPV6_RECVTCLASS
	IPV6_RECVTCLASS           = 40 // Boolean
	IPV6_RECVECN              = 50 // Boolean; type of its control message
	IPV6_ECN                  = 50 // the same
	IPV6_PKTINFO_EX           = 51 // Boolean
	IPV6_DSTOPTS              = 59 // bytes, multiple of 8; Linux's number, as the SDK has none
	IPV6_WFP_REDIRECT_RECORDS = 60 // filtering platform
	IPV6_WFP_REDIRECT_CONTEXT = 70 // filtering platform
	IPV6_MTU_DISCOVER         = 71 // DWORD: IP_PMTUDISC_…
	IPV6_MTU                  = 72 // DWORD, bytes, get; one less than IP_MTU
	IPV6_NRT_INTERFACE        = 74 // interface index
	IPV6_RECVERR              = 75 // Boolean
	IPV6_USER_MTU             = 76 // DWORD, bytes
)

// The options of IPPROTO_UDP, ws2ipdef.h and ws2tcpip.h (page
// "IPPROTO_UDP socket options").
const (
	UDP_NOCHECKSUM              = 1  // Boolean
	UDP_SEND_MSG_SIZE           = 2  // DWORD, bytes; 0 is off
	UDP_RECV_MAX_COALESCED_SIZE = 3  // DWORD, bytes; 0 is off
	UDP_CHECKSUM_COVERAGE       = 20 // Boolean: opposite of UDP_NOCHECKSUM

	UDP_COALESCED_INFO = 3 // control message type at IPPROTO_UDP: DWORD, segment size
)

// The options of NSPROTO_IPX, wsnwlink.h. No provider of this
// stack accepts the level; the names serve tables and messages.
const (
	IPX_PTYPE                  = 0x4000
	IPX_FILTERPTYPE            = 0x4001
	IPX_DSTYPE                 = 0x4002
	IPX_STOPFILTERPTYPE        = 0x4003
	IPX_EXTENDED_ADDRESS       = 0x4004
	IPX_RECVHDR                = 0x4005
	IPX_MAXSIZE                = 0x4006
	IPX_ADDRESS                = 0x4007
	IPX_GETNETINFO             = 0x4008
	IPX_GETNETINFO_NORIP       = 0x4009
	IPX_SPXGETCONNECTIONSTATUS = 0x400B
	IPX_ADDRESS_NOTIFY         = 0x400C
	IPX_MAX_ADAPTER_NUM        = 0x400D
	IPX_RERIPNETNUMBER         = 0x400E
	IPX_RECEIVE_BROADCAST      = 0x400F
	IPX_IMMEDIATESPXACK        = 0x4010
)

// The options of SOL_IRLMP, af_irda.h, for names only.
const (
	IRLMP_ENUMDEVICES    = 0x10
	IRLMP_IAS_SET        = 0x11
	IRLMP_IAS_QUERY      = 0x12
	IRLMP_SEND_PDU_LEN   = 0x13
	IRLMP_EXCLUSIVE_MODE = 0x14
	IRLMP_IRLPT_MODE     = 0x15
	IRLMP_9WIRE_MODE     = 0x16
	IRLMP_TINYTP_MODE    = 0x17
	IRLMP_PARAMETERS     = 0x18
	IRLMP_DISCOVERY_MODE = 0x19
	IRLMP_SHARP_MODE     = 0x20
)

// The options of SOL_APPLETALK, atalkwsh.h, for names only. Two
// of them share 0xA007.
const (
	SO_REGISTER_NAME            = 0xA000
	SO_DEREGISTER_NAME          = 0xA001
	SO_REMOVE_NAME              = SO_DEREGISTER_NAME
	SO_LOOKUP_NAME              = 0xA002
	SO_CONFIRM_NAME             = 0xA003
	SO_LOOKUP_MYZONE            = 0xA004
	SO_GETMYZONE                = SO_LOOKUP_MYZONE
	SO_LOOKUP_ZONES             = 0xA005
	SO_GETZONELIST              = SO_LOOKUP_ZONES
	SO_LOOKUP_ZONES_ON_ADAPTER  = 0xA006
	SO_GETLOCALZONES            = SO_LOOKUP_ZONES_ON_ADAPTER
	SO_LOOKUP_NETDEF_ON_ADAPTER = 0xA007
	SO_GETNETINFO               = SO_LOOKUP_NETDEF_ON_ADAPTER
	SO_PAP_SET_SERVER_STATUS    = 0xA007
	SO_PAP_GET_SERVER_STATUS    = 0xA008
	SO_PAP_PRIME_READ           = 0xA009
)

// The options of IPPROTO_RM, wsrm.h, for names only.
const (
	RM_RATE_WINDOW_SIZE             = 1001
	RM_SET_MESSAGE_BOUNDARY         = 1002
	RM_FLUSHCACHE                   = 1003
	RM_SENDER_WINDOW_ADVANCE_METHOD = 1004
	RM_SENDER_STATISTICS            = 1005
	RM_LATEJOIN                     = 1006
	RM_SET_SEND_IF                  = 1007
	RM_ADD_RECEIVE_IF               = 1008
	RM_DEL_RECEIVE_IF               = 1009
	RM_SEND_WINDOW_ADV_RATE         = 1010
	RM_USE_FEC                      = 1011
	RM_SET_MCAST_TTL                = 1012
	RM_RECEIVER_STATISTICS          = 1013
	RM_HIGH_SPEED_INTRANET_OPT      = 1014
)
