package options

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// Kind is a set of socket kinds: what a socket is, or what an option applies to.
type Kind uint8

// The socket kinds.
const (
	Stream   Kind = 1 << iota // SOCK_STREAM over TCP
	Datagram                  // SOCK_DGRAM over UDP
	Raw                       // SOCK_RAW

	AnyKind = Stream | Datagram | Raw
)

// State is a set of socket states: the one a socket is in, or those in which an
// option may be set. It is not the TCP state: a socket in CLOSE-WAIT is
// Connected.
type State uint8

// The socket states.
const (
	Fresh      State = 1 << iota // created, not bound
	Bound                        // has a local address
	Listening                    // listen succeeded
	Connecting                   // a connect has started and isn't decided
	Connected                    // established, half-closed included; a datagram socket with a peer
	Dead                         // the connection has ended: reset, aborted, timed out or dropped

	AnyState = Fresh | Bound | Listening | Connecting | Connected | Dead
)

// KeepAlive is the keep-alive record of a socket: one store
// for SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT and
// SIO_KEEPALIVE_VALS.
type KeepAlive struct {
	On       bool
	Idle     time.Duration // before the first probe; whole milliseconds
	Interval time.Duration // between probes; whole milliseconds
	Count    uint32        // unanswered probes before the drop; 0: no probes, no drop
}

// Endpoint is what a row may ask of a socket, or tell it. A row whose effect
// cannot fail tells nothing: the socket looks at its Values after every Set. The caller of Get
// and Set holds whatever lock makes the socket's Values its own; the methods
// are called with that lock held and must not take it again.
type Endpoint interface {
	Family() int32   // wsa.AF_INET or wsa.AF_INET6
	Kind() Kind      // exactly one bit
	Protocol() int32 // wsa.IPPROTO_TCP, IPPROTO_UDP, or the raw protocol
	State() State    // exactly one bit
	Profile() Profile

	// ConnectionError is the connection check of AV-1: WSAENOTCONN or
	// WSAENETRESET when the connection was dropped by keep-alive (KA-30 …
	// KA-32) or, for set, was reset while SO_KEEPALIVE is on (KA-33); else 0.
	ConnectionError(set bool) wsa.Errno

	// TakeDrop reports, the first time, that keep-alive has dropped the
	// connection (C-11).
	TakeDrop() bool

	// KeepAliveDefaults are the parameters of a socket that set none: those of
	// the stack.
	KeepAliveDefaults() KeepAlive

	// TakeError returns the pending error of the socket and clears it.
	TakeError() wsa.Errno

	// ConnectedFor is the time since the connection was established, on the
	// stack's clock; false when the socket isn't connected.
	ConnectedFor() (time.Duration, bool)

	// MSS is the effective send MSS in bytes; false when not connected.
	MSS() (int, bool)

	// LocalAddr and RemoteAddr are the addresses of the socket, not valid
	// where it has none.
	LocalAddr() netip.AddrPort
	RemoteAddr() netip.AddrPort

	// PathMTU is the path MTU to the peer in bytes; false without a peer.
	PathMTU() (int, bool)

	// AtMark is the answer of SIOCATMARK: no urgent byte waits or, in line,
	// is ahead.
	AtMark() bool

	// ConnectICMPError is the ICMP error that failed the last connect; the
	// zero value when there was none.
	ConnectICMPError() wsa.ICMPErrorInfo

	// HasInterface reports whether there is an interface of this index, and
	// InterfaceOf which one has a local address.
	HasInterface(index uint32) bool
	InterfaceOf(local netip.Addr) (index uint32, ok bool)

	// SetMembership carries out a multicast request on the groups that the
	// socket keeps: WSAEADDRNOTAVAIL for an interface there isn't, else the
	// code of Memberships.Apply.
	SetMembership(r MembershipRequest) wsa.Errno

	// AcceptedFrom is SO_UPDATE_ACCEPT_CONTEXT: WSAENOTCONN when the socket
	// wasn't accepted, WSAENOTSOCK when listener isn't the handle of the one
	// it was accepted from.
	AcceptedFrom(listener uint64) wsa.Errno

	// TCPInfo is the connection in numbers, for SIO_TCP_INFO; without one the
	// state and what is known of it.
	TCPInfo() wsa.TCPInfo

	// Handle is the number that the Winsock face knows the socket by.
	Handle() uint64

	// Interfaces lists the addresses of the socket's family, the loopback's
	// first, and SourceFor the one from which a destination is reached, or
	// WSAENETUNREACH.
	Interfaces() []Interface
	SourceFor(to netip.Addr) (netip.Addr, wsa.Errno)

	// UpdateConnectContext is SO_UPDATE_CONNECT_CONTEXT: WSAENOTCONN when the
	// socket isn't connected.
	UpdateConnectContext() wsa.Errno

	// The setters tell the socket of a new value before it is stored. An
	// error keeps the old value.
	SetNoDelay(on bool) wsa.Errno
	SetKeepAlive(k KeepAlive) wsa.Errno
	SetOOBInline(on bool) wsa.Errno
}
