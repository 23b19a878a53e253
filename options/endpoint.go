package options

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// Kind is a set of socket kinds. The kind of a socket is a set of one; the kinds to which an option
// applies may be several.
type Kind uint8

// The socket kinds.
const (
	Stream   Kind = 1 << iota // SOCK_STREAM over TCP
	Datagram                  // SOCK_DGRAM over UDP
	Raw                       // SOCK_RAW

	// AnyKind is the set of all kinds.
	AnyKind = Stream | Datagram | Raw
)

// State is a set of socket states. The state of a socket is a set of one; the states in which an
// option can be set may be several. A socket state isn't a TCP state: a socket whose connection is
// in CLOSE-WAIT is Connected.
type State uint8

// The socket states.
const (
	Fresh      State = 1 << iota // The socket is created and not bound.
	Bound                        // The socket has a local address.
	Listening                    // The socket is a listener.
	Connecting                   // A connect has started and is still in progress.
	Connected                    // The socket has a connection, maybe half-closed, or a peer.
	Dead                         // The connection has ended, but not by a graceful close.

	// AnyState is the set of all states.
	AnyState = Fresh | Bound | Listening | Connecting | Connected | Dead
)

// KeepAlive is the keep-alive record of a socket, which SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL,
// TCP_KEEPCNT and SIO_KEEPALIVE_VALS share.
type KeepAlive struct {
	// On reports whether an idle connection is probed.
	On bool

	// Idle is the time from the last segment of the peer to the first probe, in whole milliseconds.
	Idle time.Duration

	// Interval is the time between two probes, in whole milliseconds.
	Interval time.Duration

	// Count is the number of unanswered probes after which the connection is dropped. 0 means that
	// there are no probes, and no drop.
	Count uint32
}

// Endpoint is the socket, as far as the options need it. The options ask the socket for what they
// report, and tell the socket about a new value where the effect may fail; the socket looks at its
// Values after every successful Set in any case. The caller of [Set], [Get] and [Control] holds the
// lock that guards the Values of the socket. The methods are called with that lock held and must
// not take it again.
type Endpoint interface {
	// Family returns wsa.AF_INET or wsa.AF_INET6.
	Family() int32

	// Kind returns the kind of the socket, exactly one bit.
	Kind() Kind

	// Protocol returns wsa.IPPROTO_TCP or wsa.IPPROTO_UDP, or the protocol of a raw socket.
	Protocol() int32

	// State returns the state of the socket, exactly one bit.
	State() State

	// Profile returns the profile of the socket.
	Profile() Profile

	// ConnectionError returns the error of the connection check, the fourth check of [Set] and
	// [Get] (AV-1): WSAENOTCONN or WSAENETRESET after keep-alive has dropped the connection (KA-30,
	// KA-31, KA-32) or, if set is true, after the peer has reset a connection with SO_KEEPALIVE on
	// (KA-33). Otherwise it returns 0.
	ConnectionError(set bool) wsa.Errno

	// TakeDrop reports whether keep-alive has dropped the connection and TakeDrop hasn't reported
	// that before (C-11).
	TakeDrop() bool

	// KeepAliveDefaults returns the keep-alive parameters of the stack, which apply to a socket
	// that hasn't set any.
	KeepAliveDefaults() KeepAlive

	// TakeError returns the pending error of the socket and clears it.
	TakeError() wsa.Errno

	// ConnectedFor returns the time since the connection was established, on the clock of the
	// stack. The result is false when the socket isn't connected.
	ConnectedFor() (time.Duration, bool)

	// MSS returns the largest payload of a segment that the connection sends, in bytes. The result
	// is false when the socket isn't connected.
	MSS() (int, bool)

	// LocalAddr returns the local address of the socket, which isn't valid when there is none.
	LocalAddr() netip.AddrPort

	// RemoteAddr returns the address of the peer, which isn't valid when there is none.
	RemoteAddr() netip.AddrPort

	// PathMTU returns the path MTU to the peer in bytes. The result is false when there is no peer.
	PathMTU() (int, bool)

	// AtMark returns the answer of SIOCATMARK: false while an urgent byte waits or, with
	// SO_OOBINLINE, while an urgent byte lies ahead in the stream.
	AtMark() bool

	// ConnectICMPError returns the ICMP error that made the last connect fail. The zero value
	// stands for none.
	ConnectICMPError() wsa.ICMPErrorInfo

	// HasInterface reports whether there is an interface with this index.
	HasInterface(index uint32) bool

	// InterfaceOf returns the index of the interface that has the address local. The result is
	// false when no interface has it.
	InterfaceOf(local netip.Addr) (index uint32, ok bool)

	// SetMembership carries out a multicast request on the groups of the socket. The error is
	// WSAEADDRNOTAVAIL when the request names an interface that doesn't exist, and otherwise that
	// of [Memberships.Apply].
	SetMembership(r MembershipRequest) wsa.Errno

	// AcceptedFrom carries out SO_UPDATE_ACCEPT_CONTEXT. The error is WSAENOTCONN when the socket
	// wasn't accepted, and WSAENOTSOCK when listener isn't the handle of the listener that accepted
	// the socket.
	AcceptedFrom(listener uint64) wsa.Errno

	// TCPInfo returns the statistics of the connection for SIO_TCP_INFO. Without a connection they
	// hold the state, and what is known besides.
	TCPInfo() wsa.TCPInfo

	// Handle returns the handle of the socket in package provider.
	Handle() uint64

	// Interfaces returns an entry for each address of the socket's family, those of the loopback
	// interface first.
	Interfaces() []Interface

	// SourceFor returns the local address from which the destination to is reached. The error is
	// WSAENETUNREACH when there is no route.
	SourceFor(to netip.Addr) (netip.Addr, wsa.Errno)

	// UpdateConnectContext carries out SO_UPDATE_CONNECT_CONTEXT. The error is WSAENOTCONN when the
	// socket isn't connected.
	UpdateConnectContext() wsa.Errno

	// SetNoDelay tells the socket about a new value of TCP_NODELAY before the value is stored. An
	// error keeps the old value.
	SetNoDelay(on bool) wsa.Errno

	// SetKeepAlive tells the socket about a new keep-alive record before the record is stored. An
	// error keeps the old record.
	SetKeepAlive(k KeepAlive) wsa.Errno

	// SetOOBInline tells the socket about a new value of SO_OOBINLINE before the value is stored.
	// An error keeps the old value.
	SetOOBInline(on bool) wsa.Errno
}
