package options

import "github.com/wsstack/wsstack/wsa"

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
