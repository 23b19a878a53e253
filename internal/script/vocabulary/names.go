package vocabulary

import (
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A traits says what the numbers of a kind are like.
type traits struct {
	what  string // for messages
	flags bool   // bits that are joined with |; of SocketType, all bits above the lowest four
	only  system // which system has the kind
}

// A system is one of the two, or both.
type system uint8

const (
	both system = iota
	linuxOnly
	winsockOnly
)

// kinds has the traits of each kind.
var kinds = map[Kind]traits{
	Plain:           {what: "a number"},
	Family:          {what: "an address family"},
	SocketType:      {what: "a type of socket", flags: true},
	Protocol:        {what: "a protocol"},
	MsgFlags:        {what: "a flag of a message", flags: true},
	ShutdownHow:     {what: "a direction of shutdown"},
	PollEvents:      {what: "an event of poll", flags: true},
	EpollEvents:     {what: "an event of epoll", flags: true, only: linuxOnly},
	EpollOperation:  {what: "an operation of epoll_ctl", only: linuxOnly},
	EpollFlags:      {what: "a flag of epoll_create1", flags: true, only: linuxOnly},
	FcntlCommand:    {what: "a command of fcntl", only: linuxOnly},
	FileFlags:       {what: "a flag of a file", flags: true, only: linuxOnly},
	DescriptorFlags: {what: "a flag of a descriptor", flags: true, only: linuxOnly},
	ControlCode:     {what: "a control code"},
	SocketFlags:     {what: "a flag of WSASocket", flags: true, only: winsockOnly},
	NetworkEvents:   {what: "a network event", flags: true, only: winsockOnly},
	TransmitFlags:   {what: "a flag of TransmitFile", flags: true, only: winsockOnly},
	AcceptDecision:  {what: "a result of a condition function", only: winsockOnly},
	ErrorCode:       {what: "an error code"},
	MTUDiscovery:    {what: "a value of IP_MTU_DISCOVER"},
	OptionValue:     {what: "the value of an option"},
	TCPState:        {what: "a state of TCP"},
	CongestionState: {what: "a state of congestion control", only: linuxOnly},
	Threshold:       {what: "a slow start threshold", only: linuxOnly},
	InfoFlags:       {what: "a flag of tcpi_options", flags: true, only: linuxOnly},
}

// A constant is a name with its numbers. Where the systems have different names for the same, they
// are two rows, the system's own one first.
type constant struct {
	word           string
	linux, winsock int64
	on             system // which system has the name; the other has its number
	missing        bool   // the other system has no such number
}

// same is a name of both systems.
func same(word string, linux, winsock int64) constant {
	return constant{word: word, linux: linux, winsock: winsock}
}

// ofLinux is a name of Linux alone, for what Winsock has, too.
func ofLinux(word string, linux, winsock int64) constant {
	return constant{word: word, linux: linux, winsock: winsock, on: linuxOnly}
}

// ofWinsock is a name of Winsock alone, for what Linux has, too.
func ofWinsock(word string, linux, winsock int64) constant {
	return constant{word: word, linux: linux, winsock: winsock, on: winsockOnly}
}

// foreign is a flag of Linux that Winsock hasn't.
func foreign(word string, linux int64) constant {
	return ofLinux(word, linux, linux<<ForeignShift)
}

// linuxKind is a name of a kind that only Linux has.
func linuxKind(word string, n int64) constant { return ofLinux(word, n, n) }

// lacking is a name of Linux for what Winsock has nothing like.
func lacking(word string, linux int64) constant {
	return constant{word: word, linux: linux, on: linuxOnly, missing: true}
}

// native is a name of Winsock for what Linux has nothing like.
func native(word string, winsock int64) constant {
	return constant{word: word, winsock: winsock, on: winsockOnly, missing: true}
}

// has reports whether the constant has a number of a system.
func (c constant) has(s System) bool {
	return !c.missing || (s == Linux) == (c.on == linuxOnly)
}

// of returns the number of the constant in a system that has it.
func (c constant) of(s System) int64 {
	if s == Linux {
		return c.linux
	}
	return c.winsock
}

// spoken reports whether the name itself is one of the system's.
func (c constant) spoken(s System) bool {
	return c.on == both || (s == Linux) == (c.on == linuxOnly)
}

// names are the constants of each kind but the error codes, which errnos has.
var names = map[Kind][]constant{
	Plain: {
		same("FALSE", 0, 0), same("TRUE", 1, 1), same("NULL", 0, 0),
		same("SOMAXCONN", 4096, wsa.SOMAXCONN),
		native("INVALID_SOCKET", -1), native("SOCKET_ERROR", wsa.SOCKET_ERROR), native("WSA_INVALID_EVENT", 0),
		native("FD_READ_BIT", wsa.FD_READ_BIT), native("FD_WRITE_BIT", wsa.FD_WRITE_BIT), native("FD_OOB_BIT", wsa.FD_OOB_BIT),
		native("FD_ACCEPT_BIT", wsa.FD_ACCEPT_BIT), native("FD_CONNECT_BIT", wsa.FD_CONNECT_BIT), native("FD_CLOSE_BIT", wsa.FD_CLOSE_BIT),
		native("FD_QOS_BIT", wsa.FD_QOS_BIT), native("FD_GROUP_QOS_BIT", wsa.FD_GROUP_QOS_BIT),
		native("FD_ROUTING_INTERFACE_CHANGE_BIT", wsa.FD_ROUTING_INTERFACE_CHANGE_BIT),
		native("FD_ADDRESS_LIST_CHANGE_BIT", wsa.FD_ADDRESS_LIST_CHANGE_BIT),
		native("INFINITE", 0xFFFFFFFF), native("WSA_INFINITE", 0xFFFFFFFF), native("WSA_WAIT_TIMEOUT", 258),
		native("WSA_WAIT_EVENT_0", 0), native("WSA_WAIT_FAILED", 0xFFFFFFFF), native("WSA_MAXIMUM_WAIT_EVENTS", 64),
		same("INADDR_ANY", 0, 0), same("INADDR_LOOPBACK", 0x7F000001, 0x7F000001), same("INADDR_NONE", 0xFFFFFFFF, 0xFFFFFFFF),
		same("INADDR_BROADCAST", 0xFFFFFFFF, 0xFFFFFFFF),
	},
	Family: {
		same("AF_UNSPEC", 0, wsa.AF_UNSPEC), same("AF_INET", 2, wsa.AF_INET), same("AF_INET6", 10, wsa.AF_INET6),
		same("PF_UNSPEC", 0, wsa.AF_UNSPEC), same("PF_INET", 2, wsa.AF_INET), same("PF_INET6", 10, wsa.AF_INET6),
		same("AF_IPX", 4, wsa.AF_IPX), same("AF_APPLETALK", 5, wsa.AF_APPLETALK), same("AF_IRDA", 23, wsa.AF_IRDA),
		lacking("AF_UNIX", 1), lacking("AF_LOCAL", 1), lacking("AF_PACKET", 17), lacking("AF_NETLINK", 16), native("AF_ATM", wsa.AF_ATM),
	},
	SocketType: {
		same("SOCK_STREAM", 1, wsa.SOCK_STREAM), same("SOCK_DGRAM", 2, wsa.SOCK_DGRAM), same("SOCK_RAW", 3, wsa.SOCK_RAW),
		same("SOCK_RDM", 4, wsa.SOCK_RDM), same("SOCK_SEQPACKET", 5, wsa.SOCK_SEQPACKET),
		foreign("SOCK_NONBLOCK", 0x800), foreign("SOCK_CLOEXEC", 0x80000),
	},
	Protocol: {
		same("IPPROTO_IP", 0, wsa.IPPROTO_IP), same("IPPROTO_ICMP", 1, wsa.IPPROTO_ICMP),
		same("IPPROTO_IGMP", 2, wsa.IPPROTO_IGMP), same("IPPROTO_TCP", 6, wsa.IPPROTO_TCP),
		same("IPPROTO_UDP", 17, wsa.IPPROTO_UDP), same("IPPROTO_IPV6", 41, wsa.IPPROTO_IPV6),
		same("IPPROTO_ICMPV6", 58, wsa.IPPROTO_ICMPV6), same("IPPROTO_RAW", 255, wsa.IPPROTO_RAW),
		ofWinsock("IPPROTO_RM", 113, wsa.IPPROTO_RM), ofWinsock("IPPROTO_PGM", 113, wsa.IPPROTO_PGM),
		lacking("IPPROTO_MPTCP", 262),
	},
	MsgFlags: {
		same("MSG_OOB", 0x1, wsa.MSG_OOB), same("MSG_PEEK", 0x2, wsa.MSG_PEEK),
		same("MSG_DONTROUTE", 0x4, wsa.MSG_DONTROUTE), same("MSG_WAITALL", 0x100, wsa.MSG_WAITALL),
		same("MSG_TRUNC", 0x20, wsa.MSG_TRUNC), same("MSG_CTRUNC", 0x8, wsa.MSG_CTRUNC),
		same("MSG_ERRQUEUE", 0x2000, wsa.MSG_ERRQUEUE),
		native("MSG_PUSH_IMMEDIATE", wsa.MSG_PUSH_IMMEDIATE), native("MSG_PARTIAL", wsa.MSG_PARTIAL),
		native("MSG_BCAST", wsa.MSG_BCAST), native("MSG_MCAST", wsa.MSG_MCAST),
		foreign("MSG_DONTWAIT", 0x40), foreign("MSG_EOR", 0x80), foreign("MSG_NOSIGNAL", 0x4000),
		foreign("MSG_MORE", 0x8000), foreign("MSG_CONFIRM", 0x800), foreign("MSG_PROXY", 0x10),
		foreign("MSG_FIN", 0x200), foreign("MSG_SYN", 0x400), foreign("MSG_RST", 0x1000),
		foreign("MSG_WAITFORONE", 0x10000), foreign("MSG_BATCH", 0x40000), foreign("MSG_ZEROCOPY", 0x4000000),
		foreign("MSG_FASTOPEN", 0x20000000), foreign("MSG_CMSG_CLOEXEC", 0x40000000),
	},
	ShutdownHow: {
		ofLinux("SHUT_RD", 0, wsa.SD_RECEIVE), ofLinux("SHUT_WR", 1, wsa.SD_SEND), ofLinux("SHUT_RDWR", 2, wsa.SD_BOTH),
		ofWinsock("SD_RECEIVE", 0, wsa.SD_RECEIVE), ofWinsock("SD_SEND", 1, wsa.SD_SEND), ofWinsock("SD_BOTH", 2, wsa.SD_BOTH),
	},
	PollEvents: {
		same("POLLIN", POLLIN, wsa.POLLIN), same("POLLPRI", POLLPRI, wsa.POLLPRI), same("POLLOUT", POLLOUT, wsa.POLLOUT),
		same("POLLERR", POLLERR, wsa.POLLERR), same("POLLHUP", POLLHUP, wsa.POLLHUP), same("POLLNVAL", POLLNVAL, wsa.POLLNVAL),
		same("POLLRDNORM", POLLRDNORM, wsa.POLLRDNORM), same("POLLRDBAND", POLLRDBAND, wsa.POLLRDBAND),
		same("POLLWRNORM", POLLWRNORM, wsa.POLLWRNORM), same("POLLWRBAND", POLLWRBAND, wsa.POLLWRBAND),
		foreign("POLLRDHUP", POLLRDHUP), foreign("POLLMSG", 0x400), foreign("POLLREMOVE", 0x1000),
	},
	EpollEvents: {
		linuxKind("EPOLLIN", POLLIN), linuxKind("EPOLLPRI", POLLPRI), linuxKind("EPOLLOUT", POLLOUT),
		linuxKind("EPOLLERR", POLLERR), linuxKind("EPOLLHUP", POLLHUP),
		linuxKind("EPOLLRDNORM", POLLRDNORM), linuxKind("EPOLLRDBAND", POLLRDBAND),
		linuxKind("EPOLLWRNORM", POLLWRNORM), linuxKind("EPOLLWRBAND", POLLWRBAND),
		linuxKind("EPOLLMSG", 0x400), linuxKind("EPOLLRDHUP", POLLRDHUP),
		linuxKind("EPOLLEXCLUSIVE", EPOLLEXCLUSIVE), linuxKind("EPOLLWAKEUP", 1<<29),
		linuxKind("EPOLLONESHOT", EPOLLONESHOT), linuxKind("EPOLLET", EPOLLET),
	},
	EpollOperation: {
		linuxKind("EPOLL_CTL_ADD", EPOLL_CTL_ADD), linuxKind("EPOLL_CTL_DEL", EPOLL_CTL_DEL), linuxKind("EPOLL_CTL_MOD", EPOLL_CTL_MOD),
	},
	EpollFlags:      {linuxKind("EPOLL_CLOEXEC", 0x80000)},
	DescriptorFlags: {linuxKind("FD_CLOEXEC", 1)},
	FcntlCommand: {
		linuxKind("F_DUPFD", F_DUPFD), linuxKind("F_GETFD", F_GETFD), linuxKind("F_SETFD", F_SETFD),
		linuxKind("F_GETFL", F_GETFL), linuxKind("F_SETFL", F_SETFL), linuxKind("F_GETLK", 5), linuxKind("F_SETLK", 6),
		linuxKind("F_SETLKW", 7), linuxKind("F_SETOWN", 8), linuxKind("F_GETOWN", 9), linuxKind("F_SETSIG", 10),
		linuxKind("F_GETSIG", 11), linuxKind("F_DUPFD_CLOEXEC", 1030),
	},
	FileFlags: {
		linuxKind("O_RDONLY", 0), linuxKind("O_WRONLY", 1), linuxKind("O_RDWR", O_RDWR), linuxKind("O_ACCMODE", 3),
		linuxKind("O_CREAT", 0x40), linuxKind("O_EXCL", 0x80), linuxKind("O_NOCTTY", 0x100), linuxKind("O_TRUNC", 0x200),
		linuxKind("O_APPEND", 0x400), linuxKind("O_NONBLOCK", O_NONBLOCK), linuxKind("O_NDELAY", O_NONBLOCK),
		linuxKind("O_ASYNC", 0x2000), linuxKind("O_CLOEXEC", 0x80000),
	},
	ControlCode: controlNames(),
	SocketFlags: {
		native("WSA_FLAG_OVERLAPPED", wsa.WSA_FLAG_OVERLAPPED),
		native("WSA_FLAG_MULTIPOINT_C_ROOT", wsa.WSA_FLAG_MULTIPOINT_C_ROOT), native("WSA_FLAG_MULTIPOINT_C_LEAF", wsa.WSA_FLAG_MULTIPOINT_C_LEAF),
		native("WSA_FLAG_MULTIPOINT_D_ROOT", wsa.WSA_FLAG_MULTIPOINT_D_ROOT), native("WSA_FLAG_MULTIPOINT_D_LEAF", wsa.WSA_FLAG_MULTIPOINT_D_LEAF),
		native("WSA_FLAG_ACCESS_SYSTEM_SECURITY", wsa.WSA_FLAG_ACCESS_SYSTEM_SECURITY),
		native("WSA_FLAG_NO_HANDLE_INHERIT", wsa.WSA_FLAG_NO_HANDLE_INHERIT), native("WSA_FLAG_REGISTERED_IO", wsa.WSA_FLAG_REGISTERED_IO),
	},
	NetworkEvents: {
		native("FD_ALL_EVENTS", wsa.FD_ALL_EVENTS),
		native("FD_READ", wsa.FD_READ), native("FD_WRITE", wsa.FD_WRITE), native("FD_OOB", wsa.FD_OOB),
		native("FD_ACCEPT", wsa.FD_ACCEPT), native("FD_CONNECT", wsa.FD_CONNECT), native("FD_CLOSE", wsa.FD_CLOSE),
		native("FD_QOS", wsa.FD_QOS), native("FD_GROUP_QOS", wsa.FD_GROUP_QOS),
		native("FD_ROUTING_INTERFACE_CHANGE", wsa.FD_ROUTING_INTERFACE_CHANGE),
		native("FD_ADDRESS_LIST_CHANGE", wsa.FD_ADDRESS_LIST_CHANGE),
	},
	TransmitFlags: {
		native("TF_DISCONNECT", wsa.TF_DISCONNECT), native("TF_REUSE_SOCKET", wsa.TF_REUSE_SOCKET),
		native("TF_WRITE_BEHIND", wsa.TF_WRITE_BEHIND), native("TF_USE_DEFAULT_WORKER", wsa.TF_USE_DEFAULT_WORKER),
		native("TF_USE_SYSTEM_THREAD", wsa.TF_USE_SYSTEM_THREAD), native("TF_USE_KERNEL_APC", wsa.TF_USE_KERNEL_APC),
		native("TP_DISCONNECT", wsa.TP_DISCONNECT), native("TP_REUSE_SOCKET", wsa.TP_REUSE_SOCKET),
		native("TP_USE_DEFAULT_WORKER", wsa.TP_USE_DEFAULT_WORKER), native("TP_USE_SYSTEM_THREAD", wsa.TP_USE_SYSTEM_THREAD),
		native("TP_USE_KERNEL_APC", wsa.TP_USE_KERNEL_APC),
		native("TP_ELEMENT_MEMORY", wsa.TP_ELEMENT_MEMORY), native("TP_ELEMENT_FILE", wsa.TP_ELEMENT_FILE),
		native("TP_ELEMENT_EOP", wsa.TP_ELEMENT_EOP),
	},
	AcceptDecision: {
		native("CF_ACCEPT", wsa.CF_ACCEPT), native("CF_REJECT", wsa.CF_REJECT), native("CF_DEFER", wsa.CF_DEFER),
	},
	MTUDiscovery: {
		// A packet of a stream has the DF bit with either of the first two.
		same("IP_PMTUDISC_DO", 2, wsa.IP_PMTUDISC_DO), ofLinux("IP_PMTUDISC_WANT", 1, wsa.IP_PMTUDISC_DO),
		same("IP_PMTUDISC_DONT", 0, wsa.IP_PMTUDISC_DONT), same("IP_PMTUDISC_PROBE", 3, wsa.IP_PMTUDISC_PROBE),
		native("IP_PMTUDISC_NOT_SET", wsa.IP_PMTUDISC_NOT_SET), native("PMTUD_NOT_SET", wsa.PMTUD_NOT_SET),
		ofWinsock("PMTUD_DO", 2, wsa.PMTUD_DO), ofWinsock("PMTUD_DONT", 0, wsa.PMTUD_DONT), ofWinsock("PMTUD_PROBE", 3, wsa.PMTUD_PROBE),
	},
	OptionValue: {
		native("PROTECTION_LEVEL_UNRESTRICTED", wsa.PROTECTION_LEVEL_UNRESTRICTED),
		native("PROTECTION_LEVEL_EDGERESTRICTED", wsa.PROTECTION_LEVEL_EDGERESTRICTED),
		native("PROTECTION_LEVEL_RESTRICTED", wsa.PROTECTION_LEVEL_RESTRICTED),
		native("PROTECTION_LEVEL_DEFAULT", wsa.PROTECTION_LEVEL_DEFAULT),
		native("SO_SYNCHRONOUS_ALERT", wsa.SO_SYNCHRONOUS_ALERT), native("SO_SYNCHRONOUS_NONALERT", wsa.SO_SYNCHRONOUS_NONALERT),
		native("TCP_OFFLOAD_NO_PREFERENCE", wsa.TCP_OFFLOAD_NO_PREFERENCE), native("TCP_OFFLOAD_NOT_PREFERRED", wsa.TCP_OFFLOAD_NOT_PREFERRED),
		native("TCP_OFFLOAD_PREFERRED", wsa.TCP_OFFLOAD_PREFERRED),
		native("IP_UNSPECIFIED_USER_MTU", wsa.IP_UNSPECIFIED_USER_MTU),
		native("TCP_INITIAL_RTO_DEFAULT_RTT", wsa.TCP_INITIAL_RTO_DEFAULT_RTT),
		native("TCP_INITIAL_RTO_UNSPECIFIED_RTT", wsa.TCP_INITIAL_RTO_UNSPECIFIED_RTT),
		native("TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS", wsa.TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS),
		native("TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS", wsa.TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS),
		native("TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS", wsa.TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS),
		native("WsaBehaviorAll", wsa.WsaBehaviorAll), native("WsaBehaviorReceiveBuffering", wsa.WsaBehaviorReceiveBuffering),
		native("WsaBehaviorAutoTuning", wsa.WsaBehaviorAutoTuning),
	},
	TCPState: {
		linuxKind("TCP_ESTABLISHED", 1), linuxKind("TCP_SYN_SENT", 2), linuxKind("TCP_SYN_RECV", 3),
		linuxKind("TCP_FIN_WAIT1", 4), linuxKind("TCP_FIN_WAIT2", 5), linuxKind("TCP_TIME_WAIT", 6),
		linuxKind("TCP_CLOSE", 7), linuxKind("TCP_CLOSE_WAIT", 8), linuxKind("TCP_LAST_ACK", 9),
		linuxKind("TCP_LISTEN", 10), linuxKind("TCP_CLOSING", 11),
		native("TCPSTATE_CLOSED", wsa.TCPSTATE_CLOSED), native("TCPSTATE_LISTEN", wsa.TCPSTATE_LISTEN),
		native("TCPSTATE_SYN_SENT", wsa.TCPSTATE_SYN_SENT), native("TCPSTATE_SYN_RCVD", wsa.TCPSTATE_SYN_RCVD),
		native("TCPSTATE_ESTABLISHED", wsa.TCPSTATE_ESTABLISHED), native("TCPSTATE_FIN_WAIT_1", wsa.TCPSTATE_FIN_WAIT_1),
		native("TCPSTATE_FIN_WAIT_2", wsa.TCPSTATE_FIN_WAIT_2), native("TCPSTATE_CLOSE_WAIT", wsa.TCPSTATE_CLOSE_WAIT),
		native("TCPSTATE_CLOSING", wsa.TCPSTATE_CLOSING), native("TCPSTATE_LAST_ACK", wsa.TCPSTATE_LAST_ACK),
		native("TCPSTATE_TIME_WAIT", wsa.TCPSTATE_TIME_WAIT),
	},
	Threshold: {linuxKind("TCP_INFINITE_SSTHRESH", infiniteThreshold)},
	CongestionState: {
		linuxKind("TCP_CA_Open", 0), linuxKind("TCP_CA_Disorder", 1), linuxKind("TCP_CA_CWR", 2),
		linuxKind("TCP_CA_Recovery", 3), linuxKind("TCP_CA_Loss", 4),
		linuxKind("TCP_CA_OPEN", 0), linuxKind("TCP_CA_DISORDER", 1), linuxKind("TCP_CA_RECOVERY", 3), linuxKind("TCP_CA_LOSS", 4),
	},
	InfoFlags: {
		linuxKind("TCPI_OPT_TIMESTAMPS", 1), linuxKind("TCPI_OPT_SACK", 2), linuxKind("TCPI_OPT_WSCALE", 4),
		linuxKind("TCPI_OPT_ECN", 8), linuxKind("TCPI_OPT_ECN_SEEN", 16), linuxKind("TCPI_OPT_SYN_DATA", 32),
		linuxKind("TCPI_OPT_USEC_TS", 64), linuxKind("TCPI_OPT_TFO_CHILD", 128),
	},
}

// controlNames are the control codes: those of the option table, with Linux's numbers where Linux
// has the same, and Linux's own names.
func controlNames() []constant {
	linux := map[string]int64{"FIONREAD": 0x541B, "FIONBIO": 0x5421, "FIOASYNC": 0x5452, "SIOCATMARK": 0x8905}
	var list []constant
	for _, c := range options.Controls() {
		if n, ok := linux[c.Symbol]; ok {
			list = append(list, same(c.Symbol, n, int64(c.Code)))
			continue
		}
		list = append(list, native(c.Symbol, int64(c.Code)))
	}
	return append(list,
		ofLinux("SIOCINQ", 0x541B, wsa.FIONREAD),
		foreign("SIOCOUTQ", 0x5411), foreign("TIOCOUTQ", 0x5411),
	)
}
