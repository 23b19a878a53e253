package options

import "github.com/wsstack/wsstack/wsa"

// callColumn holds what a profile says about calls on sockets.
type callColumn struct {
	// ends holds what calls on a connection that has ended return.
	ends Endings

	// urgent holds the rules of urgent data (C-13, C-13b).
	urgent UrgentRules

	// wholeSends reports whether a non-blocking send is accepted whole whenever the send queue is
	// below SO_SNDBUF (C-07).
	wholeSends bool

	// datagrams holds the rules of calls on datagram and raw sockets.
	datagrams DatagramRules

	// creation holds the rules of socket and WSASocket.
	creation CreationRules
}

var documentedCalls = callColumn{
	ends: Endings{LaterDrop: wsa.WSAENOTCONN, ClosedReset: wsa.WSAECONNRESET},

	datagrams: documentedDatagrams,
	creation:  documentedCreation,
}

// measuredCalls are the calls of the profiles Windows and Legacy.
var measuredCalls = callColumn{
	ends: Endings{
		LaterDrop: wsa.WSAECONNRESET, UnseenDrop: true, ClosedReset: wsa.WSAECONNABORTED, ConnectErrors: true,
		DisconnectAgain: true,
	},
	urgent:     UrgentRules{Queues: true, InlineAtMark: true},
	wholeSends: true,
	datagrams:  measuredDatagrams,
	creation:   measuredCreation,
}

// Endings says what a profile does on connections that have ended. Package internal/socket, which
// knows why a connection has ended, uses it.
type Endings struct {
	// LaterDrop is the error of recv, send and shutdown after keep-alive has dropped the connection
	// (C-05). The error of options, ioctls, getpeername and connect is WSAENOTCONN.
	LaterDrop wsa.Errno

	// UnseenDrop reports whether the first recv, send or shutdown after a drop by keep-alive fails
	// with WSAENETRESET when no call was in progress at the drop (C-10).
	UnseenDrop bool

	// ClosedReset is the error after a RST from a peer that had sent its FIN before. Such a peer
	// has closed its socket, and answers data with a RST (RS-3).
	ClosedReset wsa.Errno

	// ConnectErrors reports whether SO_ERROR holds errors of connect only, each until a later
	// connect succeeds (C-02).
	ConnectErrors bool

	// DisconnectAgain reports whether DisconnectEx without TF_REUSE_SOCKET succeeds on a connection
	// whose sending side is shut down, such as by an earlier DisconnectEx (C-86). The documents
	// have WSAENOTCONN.
	DisconnectAgain bool
}

// Endings returns the rules of the profile for connections that have ended.
func (p Profile) Endings() Endings { return profileColumns[p.known()].calls.ends }

// UrgentRules says where profiles differ in urgent data. Package internal/socket uses it.
type UrgentRules struct {
	// Queues reports whether a second urgent byte is queued behind the first. Otherwise the second
	// byte replaces the first (C-13).
	Queues bool

	// InlineAtMark reports whether SIOCATMARK is always TRUE while SO_OOBINLINE is on (C-13b).
	InlineAtMark bool
}

// Urgent returns the rules of the profile for urgent data.
func (p Profile) Urgent() UrgentRules { return profileColumns[p.known()].calls.urgent }

// WholeSends reports whether a send is accepted whole whenever the send queue is below SO_SNDBUF.
// Otherwise a send is accepted as far as there is room (C-07).
func (p Profile) WholeSends() bool { return profileColumns[p.known()].calls.wholeSends }
