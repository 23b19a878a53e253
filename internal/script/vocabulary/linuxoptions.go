package vocabulary

// Levels of options, in the numbers of Linux.
const (
	linuxSocket = 1
	linuxIP     = 0
	linuxTCP    = 6
	linuxUDP    = 17
	linuxIPv6   = 41
)

// A linuxOption is an option of Linux, with what the option table has instead.
type linuxOption struct {
	symbol string
	level  int32
	number int32
	typ    string // "": int
	same   string // the symbol of the same option in the option table; "": there is none
	hint   string // what to write where there is none; "": nothing known
}

// Hints for options that this stack has nothing like.
const (
	noFastOpen  = "this stack makes ordinary handshakes; write connect and send"
	noQuickAck  = "write ioctl(3, SIO_TCP_SET_ACK_FREQUENCY, [1]), which is for good"
	noInfo      = "write an assert, such as: assert tcpi_snd_cwnd == 10"
	noBuffering = "write the data with one call, or leave TCP_NODELAY off"
	noSynCount  = "write ioctl(3, SIO_TCP_INITIAL_RTO, {Rtt=1000, MaxSynRetransmissions=1})"
)

// linuxOptions are the options of Linux.
var linuxOptions = []linuxOption{
	{"SO_DEBUG", linuxSocket, 1, "", "SO_DEBUG", ""},
	{"SO_REUSEADDR", linuxSocket, 2, "", "SO_REUSEADDR", ""},
	{"SO_TYPE", linuxSocket, 3, "", "SO_TYPE", ""},
	{"SO_ERROR", linuxSocket, 4, "", "SO_ERROR", ""},
	{"SO_DONTROUTE", linuxSocket, 5, "", "SO_DONTROUTE", ""},
	{"SO_BROADCAST", linuxSocket, 6, "", "SO_BROADCAST", ""},
	{"SO_SNDBUF", linuxSocket, 7, "", "SO_SNDBUF", ""},
	{"SO_RCVBUF", linuxSocket, 8, "", "SO_RCVBUF", ""},
	{"SO_KEEPALIVE", linuxSocket, 9, "", "SO_KEEPALIVE", ""},
	{"SO_OOBINLINE", linuxSocket, 10, "", "SO_OOBINLINE", ""},
	{"SO_NO_CHECK", linuxSocket, 11, "", "UDP_NOCHECKSUM", ""},
	{"SO_PRIORITY", linuxSocket, 12, "", "", "write IP_TOS"},
	{"SO_LINGER", linuxSocket, 13, "struct linger", "SO_LINGER", ""},
	{"SO_BSDCOMPAT", linuxSocket, 14, "", "", ""},
	{"SO_REUSEPORT", linuxSocket, 15, "", "SO_REUSEADDR", ""},
	{"SO_PASSCRED", linuxSocket, 16, "", "", ""},
	{"SO_PEERCRED", linuxSocket, 17, "", "", ""},
	{"SO_RCVLOWAT", linuxSocket, 18, "", "SO_RCVLOWAT", ""},
	{"SO_SNDLOWAT", linuxSocket, 19, "", "SO_SNDLOWAT", ""},
	{"SO_RCVTIMEO", linuxSocket, 20, "struct timeval", "SO_RCVTIMEO", ""},
	{"SO_SNDTIMEO", linuxSocket, 21, "struct timeval", "SO_SNDTIMEO", ""},
	{"SO_BINDTODEVICE", linuxSocket, 25, "string", "", "write IP_UNICAST_IF"},
	{"SO_ATTACH_FILTER", linuxSocket, 26, "", "", ""},
	{"SO_DETACH_FILTER", linuxSocket, 27, "", "", ""},
	{"SO_TIMESTAMP", linuxSocket, 29, "", "", ""},
	{"SO_ACCEPTCONN", linuxSocket, 30, "", "SO_ACCEPTCONN", ""},
	{"SO_MARK", linuxSocket, 36, "", "", ""},
	{"SO_TIMESTAMPING", linuxSocket, 37, "", "", ""},
	{"SO_PROTOCOL", linuxSocket, 38, "", "", ""},
	{"SO_DOMAIN", linuxSocket, 39, "", "", ""},
	{"SO_RXQ_OVFL", linuxSocket, 40, "", "", ""},
	{"SO_BUSY_POLL", linuxSocket, 46, "", "", ""},
	{"SO_MAX_PACING_RATE", linuxSocket, 47, "", "", "this stack doesn't pace; link rate=… limits the way"},
	{"SO_INCOMING_CPU", linuxSocket, 49, "", "", ""},
	{"SO_ZEROCOPY", linuxSocket, 60, "", "", "send copies; leave it out"},

	{"TCP_NODELAY", linuxTCP, 1, "", "TCP_NODELAY", ""},
	{"TCP_MAXSEG", linuxTCP, 2, "", "TCP_MAXSEG", ""},
	{"TCP_CORK", linuxTCP, 3, "", "", noBuffering},
	{"TCP_KEEPIDLE", linuxTCP, 4, "", "TCP_KEEPIDLE", ""},
	{"TCP_KEEPINTVL", linuxTCP, 5, "", "TCP_KEEPINTVL", ""},
	{"TCP_KEEPCNT", linuxTCP, 6, "", "TCP_KEEPCNT", ""},
	{"TCP_SYNCNT", linuxTCP, 7, "", "", noSynCount},
	{"TCP_LINGER2", linuxTCP, 8, "", "", ""},
	{"TCP_DEFER_ACCEPT", linuxTCP, 9, "", "", ""},
	{"TCP_WINDOW_CLAMP", linuxTCP, 10, "", "", "write SO_RCVBUF"},
	{"TCP_INFO", linuxTCP, 11, "struct tcp_info", "", noInfo},
	{"TCP_QUICKACK", linuxTCP, 12, "", "", noQuickAck},
	{"TCP_CONGESTION", linuxTCP, 13, "string", "TCP_CONGESTION_ALGORITHM", ""},
	{"TCP_MD5SIG", linuxTCP, 14, "struct", "", ""},
	{"TCP_THIN_LINEAR_TIMEOUTS", linuxTCP, 16, "", "", ""},
	{"TCP_THIN_DUPACK", linuxTCP, 17, "", "", ""},
	{"TCP_USER_TIMEOUT", linuxTCP, 18, "", "TCP_MAXRTMS", ""},
	{"TCP_REPAIR", linuxTCP, 19, "", "", ""},
	{"TCP_FASTOPEN", linuxTCP, 23, "", "TCP_FASTOPEN", ""},
	{"TCP_TIMESTAMP", linuxTCP, 24, "", "", "TCP_TIMESTAMPS turns the option of segments on"},
	{"TCP_NOTSENT_LOWAT", linuxTCP, 25, "", "", ""},
	{"TCP_CC_INFO", linuxTCP, 26, "struct", "", noInfo},
	{"TCP_SAVE_SYN", linuxTCP, 27, "", "", ""},
	{"TCP_SAVED_SYN", linuxTCP, 28, "bytes", "", ""},
	{"TCP_FASTOPEN_CONNECT", linuxTCP, 30, "", "", noFastOpen},
	{"TCP_ULP", linuxTCP, 31, "string", "", ""},
	{"TCP_FASTOPEN_KEY", linuxTCP, 33, "bytes", "", noFastOpen},
	{"TCP_FASTOPEN_NO_COOKIE", linuxTCP, 34, "", "", noFastOpen},
	{"TCP_ZEROCOPY_RECEIVE", linuxTCP, 35, "struct", "", ""},
	{"TCP_INQ", linuxTCP, 36, "", "", "write ioctl(3, FIONREAD, [10])"},
	{"TCP_TX_DELAY", linuxTCP, 37, "", "", "write link delay=…"},

	{"IP_TOS", linuxIP, 1, "", "IP_TOS", ""},
	{"IP_TTL", linuxIP, 2, "", "IP_TTL", ""},
	{"IP_HDRINCL", linuxIP, 3, "", "IP_HDRINCL", ""},
	{"IP_OPTIONS", linuxIP, 4, "bytes", "IP_OPTIONS", ""},
	{"IP_ROUTER_ALERT", linuxIP, 5, "", "", ""},
	{"IP_RECVOPTS", linuxIP, 6, "", "", ""},
	{"IP_RETOPTS", linuxIP, 7, "", "", ""},
	{"IP_PKTINFO", linuxIP, 8, "", "IP_PKTINFO", ""},
	{"IP_MTU_DISCOVER", linuxIP, 10, "", "IP_MTU_DISCOVER", ""},
	{"IP_RECVERR", linuxIP, 11, "", "IP_RECVERR", ""},
	{"IP_RECVTTL", linuxIP, 12, "", "IP_RECVTTL", ""},
	{"IP_RECVTOS", linuxIP, 13, "", "IP_RECVTOS", ""},
	{"IP_MTU", linuxIP, 14, "", "IP_MTU", ""},
	{"IP_FREEBIND", linuxIP, 15, "", "", ""},
	{"IP_TRANSPARENT", linuxIP, 19, "", "", ""},
	{"IP_MINTTL", linuxIP, 21, "", "", ""},
	{"IP_MULTICAST_IF", linuxIP, 32, "", "IP_MULTICAST_IF", ""},
	{"IP_MULTICAST_TTL", linuxIP, 33, "", "IP_MULTICAST_TTL", ""},
	{"IP_MULTICAST_LOOP", linuxIP, 34, "", "IP_MULTICAST_LOOP", ""},
	{"IP_ADD_MEMBERSHIP", linuxIP, 35, "struct ip_mreq", "IP_ADD_MEMBERSHIP", ""},
	{"IP_DROP_MEMBERSHIP", linuxIP, 36, "struct ip_mreq", "IP_DROP_MEMBERSHIP", ""},
	{"IP_UNBLOCK_SOURCE", linuxIP, 37, "struct ip_mreq_source", "IP_UNBLOCK_SOURCE", ""},
	{"IP_BLOCK_SOURCE", linuxIP, 38, "struct ip_mreq_source", "IP_BLOCK_SOURCE", ""},
	{"IP_ADD_SOURCE_MEMBERSHIP", linuxIP, 39, "struct ip_mreq_source", "IP_ADD_SOURCE_MEMBERSHIP", ""},
	{"IP_DROP_SOURCE_MEMBERSHIP", linuxIP, 40, "struct ip_mreq_source", "IP_DROP_SOURCE_MEMBERSHIP", ""},
	{"MCAST_JOIN_GROUP", linuxIP, 42, "struct group_req", "MCAST_JOIN_GROUP", ""},
	{"MCAST_BLOCK_SOURCE", linuxIP, 43, "struct group_source_req", "MCAST_BLOCK_SOURCE", ""},
	{"MCAST_UNBLOCK_SOURCE", linuxIP, 44, "struct group_source_req", "MCAST_UNBLOCK_SOURCE", ""},
	{"MCAST_LEAVE_GROUP", linuxIP, 45, "struct group_req", "MCAST_LEAVE_GROUP", ""},
	{"MCAST_JOIN_SOURCE_GROUP", linuxIP, 46, "struct group_source_req", "MCAST_JOIN_SOURCE_GROUP", ""},
	{"MCAST_LEAVE_SOURCE_GROUP", linuxIP, 47, "struct group_source_req", "MCAST_LEAVE_SOURCE_GROUP", ""},
	{"IP_MULTICAST_ALL", linuxIP, 49, "", "", ""},
	{"IP_UNICAST_IF", linuxIP, 50, "", "IP_UNICAST_IF", ""},

	{"IPV6_CHECKSUM", linuxIPv6, 7, "", "IPV6_CHECKSUM", ""},
	{"IPV6_UNICAST_HOPS", linuxIPv6, 16, "", "IPV6_UNICAST_HOPS", ""},
	{"IPV6_MULTICAST_IF", linuxIPv6, 17, "", "IPV6_MULTICAST_IF", ""},
	{"IPV6_MULTICAST_HOPS", linuxIPv6, 18, "", "IPV6_MULTICAST_HOPS", ""},
	{"IPV6_MULTICAST_LOOP", linuxIPv6, 19, "", "IPV6_MULTICAST_LOOP", ""},
	{"IPV6_ADD_MEMBERSHIP", linuxIPv6, 20, "struct ipv6_mreq", "IPV6_ADD_MEMBERSHIP", ""},
	{"IPV6_DROP_MEMBERSHIP", linuxIPv6, 21, "struct ipv6_mreq", "IPV6_DROP_MEMBERSHIP", ""},
	{"IPV6_MTU_DISCOVER", linuxIPv6, 23, "", "IPV6_MTU_DISCOVER", ""},
	{"IPV6_MTU", linuxIPv6, 24, "", "IPV6_MTU", ""},
	{"IPV6_RECVERR", linuxIPv6, 25, "", "IPV6_RECVERR", ""},
	{"IPV6_V6ONLY", linuxIPv6, 26, "", "IPV6_V6ONLY", ""},
	{"MCAST_JOIN_GROUP", linuxIPv6, 42, "struct group_req", "MCAST_JOIN_GROUP", ""},
	{"MCAST_BLOCK_SOURCE", linuxIPv6, 43, "struct group_source_req", "MCAST_BLOCK_SOURCE", ""},
	{"MCAST_UNBLOCK_SOURCE", linuxIPv6, 44, "struct group_source_req", "MCAST_UNBLOCK_SOURCE", ""},
	{"MCAST_LEAVE_GROUP", linuxIPv6, 45, "struct group_req", "MCAST_LEAVE_GROUP", ""},
	{"MCAST_JOIN_SOURCE_GROUP", linuxIPv6, 46, "struct group_source_req", "MCAST_JOIN_SOURCE_GROUP", ""},
	{"MCAST_LEAVE_SOURCE_GROUP", linuxIPv6, 47, "struct group_source_req", "MCAST_LEAVE_SOURCE_GROUP", ""},
	{"IPV6_RECVPKTINFO", linuxIPv6, 49, "", "IPV6_PKTINFO", ""},
	{"IPV6_RECVHOPLIMIT", linuxIPv6, 51, "", "IPV6_HOPLIMIT", ""},
	{"IPV6_HOPOPTS", linuxIPv6, 54, "bytes", "IPV6_HOPOPTS", ""},
	{"IPV6_RECVRTHDR", linuxIPv6, 56, "", "IPV6_RECVRTHDR", ""},
	{"IPV6_RTHDR", linuxIPv6, 57, "bytes", "IPV6_RTHDR", ""},
	{"IPV6_DSTOPTS", linuxIPv6, 59, "bytes", "IPV6_DSTOPTS", ""},
	{"IPV6_DONTFRAG", linuxIPv6, 62, "", "IPV6_DONTFRAG", ""},
	{"IPV6_RECVTCLASS", linuxIPv6, 66, "", "IPV6_RECVTCLASS", ""},
	{"IPV6_TCLASS", linuxIPv6, 67, "", "IPV6_TCLASS", ""},
	{"IPV6_AUTOFLOWLABEL", linuxIPv6, 70, "", "", ""},
	{"IPV6_FREEBIND", linuxIPv6, 78, "", "", ""},
	{"IPV6_UNICAST_IF", linuxIPv6, 76, "", "IPV6_UNICAST_IF", ""},

	{"UDP_CORK", linuxUDP, 1, "", "", noBuffering},
	{"UDP_SEGMENT", linuxUDP, 103, "", "UDP_SEND_MSG_SIZE", ""},
	{"UDP_GRO", linuxUDP, 104, "", "", "write UDP_RECV_MAX_COALESCED_SIZE"},
}
