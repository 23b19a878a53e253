package options

import "github.com/wsstack/wsstack/wsa"

// Profile selects what a socket does where the documents and real machines differ;
// docs/conflicts.md lists the differences by number, such as C-02. The zero Profile follows the
// documents. A profile is data: an alternative in a row, a variant of a codec, or a column of
// profileColumns. Nothing else asks which profile a socket has.
type Profile uint8

// The profiles.
const (
	Documented Profile = iota // Documented follows Microsoft's pages to the letter.
	Windows                   // Windows follows what was measured on Windows 10 and 11.
	Legacy                    // Legacy is Windows with what was different in XP and Server 2003.

	profileCount
)

// String returns the name of the profile in lower case, as the command line spells it.
func (p Profile) String() string {
	if p >= profileCount {
		return "unknown"
	}
	return profileColumns[p].name
}

// known returns p, or Documented for a value that is no profile.
func (p Profile) known() Profile {
	if p >= profileCount {
		return Documented
	}
	return p
}

// measuredProfiles are the profiles that follow machines rather than pages. A measurement without a
// version of Windows holds for both of them.
var measuredProfiles = []Profile{Windows, Legacy}

// profileColumn holds what a profile says about all options at once.
type profileColumn struct {
	name string

	// foreignLevel is the error of the levels that are documented for protocols which this stack
	// doesn't have: IPX, IrLMP, AppleTalk, reliable multicast (C-24).
	foreignLevel wsa.Errno

	// measuredCodecs reports whether a codec with a measured variant is replaced by that variant
	// (C-20, C-21, C-22, C-32).
	measuredCodecs bool

	// storedAfterDrop reports whether getsockopt of a stored value works after keep-alive has
	// dropped the connection. Values of the connection itself fail in any case (C-12).
	storedAfterDrop bool

	// ends holds what calls on a connection that has ended return.
	ends Endings

	// broadcastAlways reports whether SO_BROADCAST permits sending only, so that
	// IP_RECEIVE_BROADCAST alone decides what a socket receives (C-19).
	broadcastAlways bool

	// events holds the rules of FD_CLOSE (C-09, C-09b).
	events EventRules

	// urgent holds the rules of urgent data (C-13, C-13b).
	urgent UrgentRules

	// wholeSends reports whether a non-blocking send is accepted whole whenever the send queue is
	// below SO_SNDBUF (C-07).
	wholeSends bool
}

// EventRules says where profiles differ in network events. Package internal/socket uses it.
type EventRules struct {
	// CloseBeforeData reports whether FD_CLOSE for the FIN of the peer is recorded while received
	// data is still unread (C-09b).
	CloseBeforeData bool

	// Reset is the error code of FD_CLOSE after a reset by the peer (C-09).
	Reset wsa.Errno

	// Dropped is the error code of FD_CLOSE after a drop by keep-alive (C-09).
	Dropped wsa.Errno

	// Aborted is the error code of FD_CLOSE after any other end of the connection (C-09).
	Aborted wsa.Errno
}

// UrgentRules says where profiles differ in urgent data. Package internal/socket uses it.
type UrgentRules struct {
	// Queues reports whether a second urgent byte is queued behind the first. Otherwise the second
	// byte replaces the first (C-13).
	Queues bool

	// InlineAtMark reports whether SIOCATMARK is always TRUE while SO_OOBINLINE is on (C-13b).
	InlineAtMark bool
}

// Urgent returns the rules of the profile for urgent data.
func (p Profile) Urgent() UrgentRules { return profileColumns[p.known()].urgent }

var measuredUrgent = UrgentRules{Queues: true, InlineAtMark: true}

// CloseCode returns the error code of FD_CLOSE for a connection that has ended with the error
// reason.
func (r EventRules) CloseCode(reason wsa.Errno) wsa.Errno {
	switch reason {
	case wsa.WSAECONNRESET:
		return r.Reset
	case wsa.WSAENETRESET:
		return r.Dropped
	}
	return r.Aborted
}

// Events returns the rules of the profile for network events.
func (p Profile) Events() EventRules { return profileColumns[p.known()].events }

var documentedEvents = EventRules{Reset: wsa.WSAECONNRESET, Dropped: wsa.WSAECONNABORTED, Aborted: wsa.WSAECONNABORTED}

var measuredEvents = EventRules{CloseBeforeData: true, Reset: wsa.WSAECONNABORTED, Dropped: wsa.WSAENETRESET, Aborted: wsa.WSAECONNABORTED}

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
func (p Profile) Endings() Endings { return profileColumns[p.known()].ends }

// measuredEnds holds the rules of the profiles Windows and Legacy.
var measuredEnds = Endings{
	LaterDrop: wsa.WSAECONNRESET, UnseenDrop: true, ClosedReset: wsa.WSAECONNABORTED, ConnectErrors: true,
	DisconnectAgain: true,
}

var profileColumns = [profileCount]profileColumn{
	Documented: {
		name:         "documented",
		foreignLevel: wsa.WSAEINVAL,
		events:       documentedEvents,
		ends:         Endings{LaterDrop: wsa.WSAENOTCONN, ClosedReset: wsa.WSAECONNRESET},
	},
	Windows: {
		name:            "windows",
		foreignLevel:    wsa.WSAENOPROTOOPT,
		measuredCodecs:  true,
		storedAfterDrop: true,
		broadcastAlways: true,
		events:          measuredEvents,
		ends:            measuredEnds,
		urgent:          measuredUrgent,
		wholeSends:      true,
	},
	Legacy: {
		name:            "legacy",
		foreignLevel:    wsa.WSAENOPROTOOPT,
		measuredCodecs:  true,
		storedAfterDrop: true,
		broadcastAlways: true,
		events:          measuredEvents,
		ends:            measuredEnds,
		urgent:          measuredUrgent,
		wholeSends:      true,
	},
}

// WholeSends reports whether a send is accepted whole whenever the send queue is below SO_SNDBUF.
// Otherwise a send is accepted as far as there is room (C-07).
func (p Profile) WholeSends() bool { return profileColumns[p.known()].wholeSends }
