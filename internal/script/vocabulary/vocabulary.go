// Package vocabulary knows what the names in a script mean: those of Linux and those of Winsock,
// with their numbers, the layouts of structures, and which errors of the two are the same. It turns
// expressions of package syntax into numbers and bytes and back, and evaluates Asserts.
//
// The names and numbers of Winsock are those of packages wsa and options, and the option table of
// the latter says which options there are. The numbers of Linux are those of its generic
// interface, which amd64 and arm64 have; a test compares them with golang.org/x/sys/unix. The
// package is pure, and everything in it is safe for concurrent use.
package vocabulary

import "github.com/wsstack/wsstack/internal/script/syntax"

// A System is one of the two whose names a script may use. Scripts use those of both side by side:
// it says in whose numbers and layouts a result is.
type System uint8

// The systems.
const (
	Winsock System = iota
	Linux
)

// String returns "Winsock" or "Linux".
func (s System) String() string {
	if s == Linux {
		return "Linux"
	}
	return "Winsock"
}

// A Kind says what a number is, and so which names it may have.
type Kind uint8

// The kinds. Those that only one system has are marked. Numbers of Linux's kinds are Linux's for
// Winsock, too; names of Winsock's kinds are errors for Linux.
const (
	Plain           Kind = iota // a length, a descriptor, a Boolean: TRUE and FALSE are its names
	Family                      // AF_INET, PF_INET6
	SocketType                  // SOCK_STREAM | SOCK_NONBLOCK
	Protocol                    // IPPROTO_TCP
	MsgFlags                    // MSG_PEEK | MSG_DONTWAIT
	ShutdownHow                 // SHUT_WR, SD_SEND
	PollEvents                  // POLLIN | POLLOUT, of poll or WSAPoll
	EpollEvents                 // Linux: EPOLLIN | EPOLLET
	EpollOperation              // Linux: EPOLL_CTL_ADD
	EpollFlags                  // Linux: EPOLL_CLOEXEC
	FcntlCommand                // Linux: F_SETFL
	FileFlags                   // Linux: O_RDWR | O_NONBLOCK
	DescriptorFlags             // Linux: FD_CLOEXEC
	ControlCode                 // FIONBIO, SIOCINQ, SIO_KEEPALIVE_VALS
	SocketFlags                 // Winsock: WSA_FLAG_OVERLAPPED
	NetworkEvents               // Winsock: FD_READ | FD_CLOSE
	TransmitFlags               // Winsock: TF_DISCONNECT
	AcceptDecision              // Winsock: CF_ACCEPT
	ErrorCode                   // a value of SO_ERROR: ECONNREFUSED, WSAECONNREFUSED, NO_ERROR
	MTUDiscovery                // IP_PMTUDISC_DONT, PMTUD_DO
	OptionValue                 // another value of an option: PROTECTION_LEVEL_RESTRICTED
	TCPState                    // TCP_ESTABLISHED (Linux's number), TCPSTATE_ESTABLISHED (Winsock's)
	CongestionState             // Linux: TCP_CA_Open
	InfoFlags                   // Linux: TCPI_OPT_SACK
	Threshold                   // Linux: TCP_INFINITE_SSTHRESH
)

// ForeignShift is how far the number of a flag that only Linux has is shifted to the left in a
// number of Winsock, so that it is the same as no flag of Winsock: MSG_DONTWAIT is 0x40<<32.
const ForeignShift = 32

// Flags of Linux as numbers of Winsock.
const (
	MSG_DONTWAIT  = 0x40 << ForeignShift
	MSG_EOR       = 0x80 << ForeignShift
	MSG_NOSIGNAL  = 0x4000 << ForeignShift
	MSG_MORE      = 0x8000 << ForeignShift
	SOCK_NONBLOCK = 0x800 << ForeignShift
	SOCK_CLOEXEC  = 0x80000 << ForeignShift
)

// Numbers of kinds that only Linux has, and the events of Linux's poll.
const (
	O_RDWR     = 0x2
	O_NONBLOCK = 0x800

	F_DUPFD = 0
	F_GETFD = 1
	F_SETFD = 2
	F_GETFL = 3
	F_SETFL = 4

	POLLIN     = 0x1
	POLLPRI    = 0x2
	POLLOUT    = 0x4
	POLLERR    = 0x8
	POLLHUP    = 0x10
	POLLNVAL   = 0x20
	POLLRDNORM = 0x40
	POLLRDBAND = 0x80
	POLLWRNORM = 0x100
	POLLWRBAND = 0x200
	POLLRDHUP  = 0x2000

	EPOLL_CTL_ADD = 1
	EPOLL_CTL_DEL = 2
	EPOLL_CTL_MOD = 3

	EPOLLEXCLUSIVE = 1 << 28
	EPOLLONESHOT   = 1 << 30
	EPOLLET        = 1 << 31
)

// An Error is a mistake in a script: a word that nothing knows, or a value that doesn't fit.
type Error struct {
	Pos             syntax.Pos
	Problem, Advice string
}

// Error says what is wrong, without the place.
func (e *Error) Error() string { return e.Problem }

// Hint says what would work instead.
func (e *Error) Hint() string { return e.Advice }

// An Evaluator turns expressions into numbers and bytes of a system. The zero Evaluator is
// Winsock's.
type Evaluator struct {
	// For is whose numbers and layouts the results are in.
	For System

	// Digits is whose numbers those are that a script has in digits instead of names.
	Digits System
}

// IsAny reports whether e is "...", which stands for any value.
func IsAny(e syntax.Expr) bool {
	_, ok := e.(*syntax.Any)
	return ok
}
