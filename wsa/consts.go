package wsa

// SOCKET is a socket handle. The numbers have no meaning for an application but for INVALID_SOCKET,
// which is never the handle of a socket.
type SOCKET uintptr

// The results and limits of winsock2.h.
const (
	INVALID_SOCKET  = ^SOCKET(0)
	SOCKET_ERROR    = -1
	SOMAXCONN       = 0x7FFFFFFF
	WINSOCK_VERSION = 0x0202 // WSAStartup: the highest version there is
)

// The bounds of the dynamic port range, both included (RFC 6335 §6).
const (
	DynamicPortFirst = 49152
	DynamicPortLast  = 65535
)

// The address families.
const (
	AF_UNSPEC    = 0
	AF_INET      = 2
	AF_IPX       = 6
	AF_APPLETALK = 16
	AF_ATM       = 22
	AF_INET6     = 23
	AF_IRDA      = 26
)

// The socket types, the values of SO_TYPE.
const (
	SOCK_STREAM    = 1
	SOCK_DGRAM     = 2
	SOCK_RAW       = 3
	SOCK_RDM       = 4
	SOCK_SEQPACKET = 5
)

// The protocols. IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP and IPPROTO_IPV6 are option
// levels too; IPPROTO_IP as a protocol means "the usual one".
const (
	IPPROTO_IP     = 0
	IPPROTO_ICMP   = 1
	IPPROTO_IGMP   = 2
	IPPROTO_TCP    = 6
	IPPROTO_UDP    = 17
	IPPROTO_IPV6   = 41
	IPPROTO_ICMPV6 = 58
	IPPROTO_RM     = 113
	IPPROTO_PGM    = IPPROTO_RM
	IPPROTO_RAW    = 255
)

// The flags of WSASocket.
const (
	WSA_FLAG_OVERLAPPED             = 0x01
	WSA_FLAG_MULTIPOINT_C_ROOT      = 0x02
	WSA_FLAG_MULTIPOINT_C_LEAF      = 0x04
	WSA_FLAG_MULTIPOINT_D_ROOT      = 0x08
	WSA_FLAG_MULTIPOINT_D_LEAF      = 0x10
	WSA_FLAG_ACCESS_SYSTEM_SECURITY = 0x40
	WSA_FLAG_NO_HANDLE_INHERIT      = 0x80
	WSA_FLAG_REGISTERED_IO          = 0x100
)

// The values of the parameter g of WSASocket.
const (
	SG_UNCONSTRAINED_GROUP = 1
	SG_CONSTRAINED_GROUP   = 2
)

// The flags of send and recv.
const (
	MSG_OOB            = 0x1
	MSG_PEEK           = 0x2
	MSG_DONTROUTE      = 0x4
	MSG_WAITALL        = 0x8
	MSG_PUSH_IMMEDIATE = 0x20
	MSG_PARTIAL        = 0x8000
)

// The flags that WSARecvMsg returns with a message. MSG_ERRQUEUE is a flag of the call as well.
const (
	MSG_TRUNC    = 0x0100
	MSG_CTRUNC   = 0x0200
	MSG_BCAST    = 0x0400
	MSG_MCAST    = 0x0800
	MSG_ERRQUEUE = 0x1000
)

// The values of the parameter how of shutdown.
const (
	SD_RECEIVE = 0
	SD_SEND    = 1
	SD_BOTH    = 2
)

// The flags of TransmitFile, TransmitPackets and DisconnectEx (mswsock.h).
const (
	TF_DISCONNECT         = 0x01 // a FIN follows the data
	TF_REUSE_SOCKET       = 0x02 // another connection is to follow
	TF_WRITE_BEHIND       = 0x04 // done when the data is accepted
	TF_USE_DEFAULT_WORKER = 0x00 // which thread reads the file
	TF_USE_SYSTEM_THREAD  = 0x10
	TF_USE_KERNEL_APC     = 0x20

	TP_DISCONNECT         = TF_DISCONNECT
	TP_REUSE_SOCKET       = TF_REUSE_SOCKET
	TP_USE_DEFAULT_WORKER = TF_USE_DEFAULT_WORKER
	TP_USE_SYSTEM_THREAD  = TF_USE_SYSTEM_THREAD
	TP_USE_KERNEL_APC     = TF_USE_KERNEL_APC
)

// The flags of an element of TransmitPackets (mswsock.h).
const (
	TP_ELEMENT_MEMORY = 0x1
	TP_ELEMENT_FILE   = 0x2
	TP_ELEMENT_EOP    = 0x4 // what follows is another packet
)

// The results of the condition function of WSAAccept.
const (
	CF_ACCEPT = 0
	CF_REJECT = 1
	CF_DEFER  = 2
)

// Network events of WSAEventSelect.
const (
	FD_READ                     = 1 << FD_READ_BIT
	FD_WRITE                    = 1 << FD_WRITE_BIT
	FD_OOB                      = 1 << FD_OOB_BIT
	FD_ACCEPT                   = 1 << FD_ACCEPT_BIT
	FD_CONNECT                  = 1 << FD_CONNECT_BIT
	FD_CLOSE                    = 1 << FD_CLOSE_BIT
	FD_QOS                      = 1 << FD_QOS_BIT
	FD_GROUP_QOS                = 1 << FD_GROUP_QOS_BIT
	FD_ROUTING_INTERFACE_CHANGE = 1 << FD_ROUTING_INTERFACE_CHANGE_BIT
	FD_ADDRESS_LIST_CHANGE      = 1 << FD_ADDRESS_LIST_CHANGE_BIT

	FD_MAX_EVENTS = 10
	FD_ALL_EVENTS = 1<<FD_MAX_EVENTS - 1
)

// The flags of WSAPoll, of which POLLPRI and POLLWRBAND are not supported.
const (
	POLLERR    = 0x0001
	POLLHUP    = 0x0002
	POLLNVAL   = 0x0004
	POLLWRNORM = 0x0010
	POLLWRBAND = 0x0020
	POLLRDNORM = 0x0100
	POLLRDBAND = 0x0200
	POLLPRI    = 0x0400

	POLLIN  = POLLRDNORM | POLLRDBAND
	POLLOUT = POLLWRNORM
)

// The index of each network event in the array iErrorCode of WSANETWORKEVENTS.
const (
	FD_READ_BIT                     = 0
	FD_WRITE_BIT                    = 1
	FD_OOB_BIT                      = 2
	FD_ACCEPT_BIT                   = 3
	FD_CONNECT_BIT                  = 4
	FD_CLOSE_BIT                    = 5
	FD_QOS_BIT                      = 6
	FD_GROUP_QOS_BIT                = 7
	FD_ROUTING_INTERFACE_CHANGE_BIT = 8
	FD_ADDRESS_LIST_CHANGE_BIT      = 9
)

// The values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER. The headers of the SDK have the names
// IP_PMTUDISC_…, and the pages of the options the enumeration PMTUD_STATE.
const (
	PMTUD_NOT_SET = 0
	PMTUD_DO      = 1
	PMTUD_DONT    = 2
	PMTUD_PROBE   = 3

	IP_PMTUDISC_NOT_SET = PMTUD_NOT_SET
	IP_PMTUDISC_DO      = PMTUD_DO
	IP_PMTUDISC_DONT    = PMTUD_DONT
	IP_PMTUDISC_PROBE   = PMTUD_PROBE
)

// IP_UNSPECIFIED_USER_MTU is the value of IP_USER_MTU and of IPV6_USER_MTU on a socket that hasn't
// set the option. The value doesn't fit an int32.
const IP_UNSPECIFIED_USER_MTU = 0xFFFFFFFF

// The values of IPV6_PROTECTION_LEVEL and IP_PROTECTION_LEVEL.
const (
	PROTECTION_LEVEL_UNRESTRICTED   = 10
	PROTECTION_LEVEL_EDGERESTRICTED = 20
	PROTECTION_LEVEL_RESTRICTED     = 30
	PROTECTION_LEVEL_DEFAULT        = -1 // unspecified; cannot be set
)

// The service flags of [ProtocolInfo] (dwServiceFlags1, winsock2.h).
const (
	XP1_CONNECTIONLESS           = 0x00000001
	XP1_GUARANTEED_DELIVERY      = 0x00000002
	XP1_GUARANTEED_ORDER         = 0x00000004
	XP1_MESSAGE_ORIENTED         = 0x00000008
	XP1_PSEUDO_STREAM            = 0x00000010
	XP1_GRACEFUL_CLOSE           = 0x00000020
	XP1_EXPEDITED_DATA           = 0x00000040
	XP1_CONNECT_DATA             = 0x00000080
	XP1_DISCONNECT_DATA          = 0x00000100
	XP1_SUPPORT_BROADCAST        = 0x00000200
	XP1_SUPPORT_MULTIPOINT       = 0x00000400
	XP1_MULTIPOINT_CONTROL_PLANE = 0x00000800
	XP1_MULTIPOINT_DATA_PLANE    = 0x00001000
	XP1_QOS_SUPPORTED            = 0x00002000
	XP1_INTERRUPT                = 0x00004000
	XP1_UNI_SEND                 = 0x00008000
	XP1_UNI_RECV                 = 0x00010000
	XP1_IFS_HANDLES              = 0x00020000
	XP1_PARTIAL_MESSAGE          = 0x00040000
	XP1_SAN_SUPPORT_SDP          = 0x00080000
)

// The provider flags of [ProtocolInfo] (dwProviderFlags).
const (
	PFL_MULTIPLE_PROTO_ENTRIES  = 0x1
	PFL_RECOMMENDED_PROTO_ENTRY = 0x2
	PFL_HIDDEN                  = 0x4
	PFL_MATCHES_PROTOCOL_ZERO   = 0x8
)

// The values of iNetworkByteOrder and iSecurityScheme of [ProtocolInfo].
const (
	BIGENDIAN              = 0
	LITTLEENDIAN           = 1
	SECURITY_PROTOCOL_NONE = 0
)
