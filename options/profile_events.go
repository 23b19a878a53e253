package options

import "github.com/wsstack/wsstack/wsa"

// EventRules says where profiles differ in network events, select and WSAPoll. Packages
// internal/socket and provider use it.
type EventRules struct {
	// Remembers reports whether the events of a socket are remembered beyond a selection: it
	// doesn't report again what has been reported and not been enabled since, and reports what no
	// selection has had before (WE-1). A call takes back the record of what it takes (WE-4), and
	// new data is told of without a call (WE-5). The documents have each selection begin anew.
	Remembers bool

	// WriteAtBind reports whether a datagram socket that isn't bound has no network event, so that
	// bind records FD_WRITE, and connect records FD_WRITE and FD_CONNECT (WE-6). Otherwise FD_WRITE
	// holds from the beginning.
	WriteAtBind bool

	// EveryConnect reports whether a failed connect is told of by FD_CONNECT and by exceptfds
	// whatever call it was: a blocking one or ConnectEx, too (WE-10). The documents have
	// non-blocking connects only.
	EveryConnect bool

	// CloseBeforeData reports whether FD_CLOSE for the FIN of the peer is recorded while received
	// data is still unread (C-09b).
	CloseBeforeData bool

	// Reset is the error code of FD_CLOSE after a reset by the peer (C-09).
	Reset wsa.Errno

	// Dropped is the error code of FD_CLOSE after a drop by keep-alive (C-09).
	Dropped wsa.Errno

	// Aborted is the error code of FD_CLOSE after any other end of the connection (C-09).
	Aborted wsa.Errno

	// ClosedReadable reports whether a member that is closed while select waits is given back as
	// readable by readfds. Only one that readfds doesn't have fails the call then (WE-9). The
	// documents have WSAENOTSOCK in any case.
	ClosedReadable bool

	// StaleIgnored reports whether WSAPoll ignores a handle of a closed socket as it ignores
	// negative ones: it ends no wait, and doesn't count (WE-8).
	StaleIgnored bool

	// NoSockets is the error of a WSAPoll whose elements name no socket (WE-8).
	NoSockets wsa.Errno
}

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

// Events returns the rules of the profile for network events, select and WSAPoll.
func (p Profile) Events() EventRules { return profileColumns[p.known()].events }

var documentedEvents = EventRules{
	Reset: wsa.WSAECONNRESET, Dropped: wsa.WSAECONNABORTED, Aborted: wsa.WSAECONNABORTED,
	NoSockets: wsa.WSAEINVAL,
}

// measuredEvents are the events of the profiles Windows and Legacy.
var measuredEvents = EventRules{
	Remembers: true, WriteAtBind: true, EveryConnect: true,
	CloseBeforeData: true,
	Reset:           wsa.WSAECONNABORTED, Dropped: wsa.WSAENETRESET, Aborted: wsa.WSAECONNABORTED,
	ClosedReadable: true, StaleIgnored: true, NoSockets: wsa.WSAENOTSOCK,
}
