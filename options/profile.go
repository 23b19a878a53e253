package options

import "github.com/wsstack/wsstack/wsa"

// Profile selects whose word counts where the documents and real machines
// differ (conflicts, C-nn). The zero value is what the documents say. A
// profile is data: an alternative in a row, a variant of a codec, or a column
// of profileColumns. Nothing else asks which profile a socket has.
type Profile uint8

// The profiles.
const (
	Documented Profile = iota // the Microsoft pages, taken literally
	Windows                   // what was measured on Windows 10 and 11
	Legacy                    // as Windows, with what differed before Vista (XP, Server 2003)

	profileCount
)

// String returns the name of p in lower case, as the command line spells it.
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

// measured names the profiles that follow machines rather than pages. What
// was measured on no particular version holds for both.
var measuredProfiles = []Profile{Windows, Legacy}

// profileColumn holds what a profile says about all options at once.
type profileColumn struct {
	name string

	// foreignLevel is the answer to the documented levels of protocols this
	// stack does not carry: IPX, IrLMP, AppleTalk, reliable multicast (C-24).
	foreignLevel wsa.Errno

	// measuredCodecs: codecs with a measured variant use it (C-20, C-21, C-22, C-32).
	measuredCodecs bool

	// storedAfterDrop: getsockopt of a stored value works after keep-alive has
	// dropped the connection; only values of the connection fail (C-12).
	storedAfterDrop bool

	// ends is what calls on a connection that has ended return.
	ends Endings

	// broadcastAlways: SO_BROADCAST permits sending only, IP_RECEIVE_BROADCAST
	// alone governs receipt (C-19).
	broadcastAlways bool

	// events are the rules of FD_CLOSE (C-09, C-09b).
	events EventRules

	// urgent are the rules of urgent data (C-13, C-13b).
	urgent UrgentRules

	// wholeSends: a non-blocking send is accepted whole whenever the queue is
	// below SO_SNDBUF (C-07).
	wholeSends bool
}

// EventRules say where profiles differ on network events. They are exported
// for package endpoint.
type EventRules struct {
	// CloseBeforeData: the peer's FIN is told while data is unread (C-09b).
	CloseBeforeData bool

	// Reset, Dropped and Aborted are the codes of FD_CLOSE after a reset by
	// the peer, a drop by keep-alive, and any other end (C-09).
	Reset, Dropped, Aborted wsa.Errno
}

// UrgentRules say where profiles differ on urgent data. They are exported for
// package endpoint.
type UrgentRules struct {
	Queues       bool // a second urgent byte doesn't replace the first (C-13)
	InlineAtMark bool // SIOCATMARK is always TRUE with SO_OOBINLINE (C-13b)
}

// Urgent returns the rules of p for urgent data.
func (p Profile) Urgent() UrgentRules { return profileColumns[p.known()].urgent }

var measuredUrgent = UrgentRules{Queues: true, InlineAtMark: true}

// CloseCode is the code of FD_CLOSE for the reason a connection ended for.
func (r EventRules) CloseCode(reason wsa.Errno) wsa.Errno {
	switch reason {
	case wsa.WSAECONNRESET:
		return r.Reset
	case wsa.WSAENETRESET:
		return r.Dropped
	}
	return r.Aborted
}

// Events returns the rules of p for network events.
func (p Profile) Events() EventRules { return profileColumns[p.known()].events }

var documentedEvents = EventRules{Reset: wsa.WSAECONNRESET, Dropped: wsa.WSAECONNABORTED, Aborted: wsa.WSAECONNABORTED}

var measuredEvents = EventRules{CloseBeforeData: true, Reset: wsa.WSAECONNABORTED, Dropped: wsa.WSAENETRESET, Aborted: wsa.WSAECONNABORTED}

// Endings is what a profile says about connections that have ended. It is for
// package endpoint, which knows why one has.
type Endings struct {
	// LaterDrop is the code of recv, send and shutdown after a keep-alive drop
	// (C-05). Options, ioctls, getpeername and connect have WSAENOTCONN.
	LaterDrop wsa.Errno

	// UnseenDrop: the first of those calls after a drop that no call in
	// progress was told of gets WSAENETRESET (C-10).
	UnseenDrop bool

	// ClosedReset is the code of a RST from a peer that had sent its FIN: it
	// has closed, and answers what it is sent (RS-3).
	ClosedReset wsa.Errno

	// ConnectErrors: SO_ERROR holds failures of connect only, until another
	// connect succeeds (C-02).
	ConnectErrors bool

	// DisconnectAgain: DisconnectEx without TF_REUSE_SOCKET succeeds when nothing
	// may be sent any more, as after another (C-86); its page has WSAENOTCONN.
	DisconnectAgain bool
}

// Endings returns the column of p.
func (p Profile) Endings() Endings { return profileColumns[p.known()].ends }

// measuredEnds is the alternative of each entry.
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

// WholeSends reports that a send is accepted whole when the queue is below
// SO_SNDBUF, not only as far as there is room (C-07).
func (p Profile) WholeSends() bool { return profileColumns[p.known()].wholeSends }
