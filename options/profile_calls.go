package options

import "github.com/wsstack/wsstack/wsa"

// callColumn holds what a profile says about calls on sockets.
type callColumn struct {
	// ends holds what calls on a connection that has ended return.
	ends Endings

	// urgent holds the rules of urgent data (C-13, C-13b).
	urgent UrgentRules

	// wholeSends reports whether a send is accepted whole whenever the send queue is below SO_SNDBUF
	// (C-07).
	wholeSends bool

	// streams holds the rules of other calls on streams.
	streams StreamRules

	// datagrams holds the rules of calls on datagram and raw sockets.
	datagrams DatagramRules

	// creation holds the rules of socket and WSASocket.
	creation CreationRules
}

var documentedCalls = callColumn{
	ends:    Endings{LaterDrop: wsa.WSAENOTCONN, ClosedReset: wsa.WSAECONNRESET},
	streams: StreamRules{SendMsg: wsa.WSAEOPNOTSUPP, ResetsUnread: true},

	datagrams: documentedDatagrams,
	creation:  documentedCreation,
}

// measuredCalls are the calls of the profiles Windows and Legacy.
var measuredCalls = callColumn{
	ends: Endings{
		LaterDrop: wsa.WSAECONNRESET, UnseenDrop: true, ClosedReset: wsa.WSAECONNABORTED, ConnectErrors: true,
		DisconnectAgain: true, EventTakesError: true,
	},
	urgent:     UrgentRules{Queues: true, InlineAtMark: true},
	wholeSends: true,
	streams:    StreamRules{SendMsg: wsa.WSAEINVAL, PeerOfAttempt: true, TransmitPeerFirst: true},
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

	// EventTakesError reports whether SO_ERROR is 0 once WSAEnumNetworkEvents has returned an
	// FD_CONNECT with the error of the connect (WC-2). The documents keep the two apart (EV-6).
	EventTakesError bool

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

	// InlineAtMark reports whether SIOCATMARK tells only of urgent bytes that have come out of line,
	// so that it is TRUE for all that come while SO_OOBINLINE is on, and FALSE for a byte that was
	// there before until that is read (C-13b, WC-5).
	InlineAtMark bool
}

// Urgent returns the rules of the profile for urgent data.
func (p Profile) Urgent() UrgentRules { return profileColumns[p.known()].calls.urgent }

// WholeSends reports whether a send is accepted whole whenever the send queue is below SO_SNDBUF,
// set or not. Otherwise a send is accepted as far as there is room (C-07).
func (p Profile) WholeSends() bool { return profileColumns[p.known()].calls.wholeSends }

// StreamRules says where profiles differ in calls on streams. Package internal/socket uses it.
type StreamRules struct {
	// SendMsg is the error of WSASendMsg on a stream (WC-6).
	SendMsg wsa.Errno

	// TransmitPeerFirst reports whether TransmitFile on a datagram or raw socket without a peer fails
	// with WSAENOTCONN rather than WSAEINVAL (C-132, WC-8).
	TransmitPeerFirst bool

	// PeerOfAttempt reports whether getpeername succeeds while a connect is in progress (WC-3).
	PeerOfAttempt bool

	// ResetsUnread reports whether data that waits at shutdown(SD_RECEIVE), or comes later, resets
	// the connection (SH-2). Otherwise it is acknowledged and stays queued, until the window is
	// closed (C-47, WC-4).
	ResetsUnread bool
}

// Streams returns the rules of the profile for calls on streams.
func (p Profile) Streams() StreamRules { return profileColumns[p.known()].calls.streams }
