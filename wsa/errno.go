// Package wsa holds the vocabulary of Winsock: error codes, option levels and
// numbers, control codes, flags and the byte layouts that cross setsockopt,
// getsockopt, ioctl and control messages.
//
// Names stay as the Windows SDK prints them, so that a search finds the code
// and the document together. All numbers and layouts are those of 64-bit
// Windows, little-endian, on every machine this package is built for. The
// package is a leaf: it imports the standard library only, holds no state and
// is safe for concurrent use.
package wsa

import (
	"errors"
	"io/fs"
	"net"
	"strconv"
)

// Errno is a Winsock error code, the value WSAGetLastError returns. The zero
// Errno means success and is never returned as an error: see [Errno.Err].
type Errno int32

var _ net.Error = Errno(0)

// Error returns the symbol and a few words, such as "WSAEINVAL: invalid
// argument". An unknown number reads "winsock error 12345".
func (e Errno) Error() string {
	t, ok := errnoTexts[e]
	if !ok {
		return "winsock error " + strconv.Itoa(int(e))
	}
	return t.symbol + ": " + t.words
}

// Symbol returns the name of e in winerror.h, such as "WSAECONNRESET", and ""
// for a number this package does not know.
func (e Errno) Symbol() string { return errnoTexts[e].symbol }

// Err returns e as an error, and nil for NO_ERROR. It is the one place where
// an exported function turns its Errno into an error: a zero Errno stored in
// an error variable would not be nil.
func (e Errno) Err() error {
	if e == NO_ERROR {
		return nil
	}
	return e
}

// Is lets portable Go code test for the standard sentinel errors, and for the
// codes of package syscall that have the same meaning, whatever their numbers
// are on the system: errors.Is(err, syscall.ECONNREFUSED).
//
// WSAETIMEDOUT is not os.ErrDeadlineExceeded: that one is the expiry of
// SetDeadline, and the net.Conn face returns it itself.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrPermission:
		return e == WSAEACCES
	case net.ErrClosed: // closesocket: later calls find no socket, blocked ones are interrupted, pending ones aborted
		return e == WSAENOTSOCK || e == WSAEINTR || e == WSA_OPERATION_ABORTED
	case errors.ErrUnsupported:
		return e == WSAEOPNOTSUPP || e == WSAENOPROTOOPT
	}
	return e.isSystem(target)
}

// Timeout reports whether e is a time-out. SO_RCVTIMEO expiry is WSAETIMEDOUT
// on Winsock (EAGAIN on POSIX), so WSAEWOULDBLOCK is not one.
func (e Errno) Timeout() bool { return e == WSAETIMEDOUT }

// Temporary reports whether the same call may succeed when it is repeated:
// time-outs, would-block and lack of resources. WSAEINTR is not temporary
// here: in this stack it says that the socket was closed under the call.
//
// Deprecated by net.Error; accept loops such as net/http's still ask.
func (e Errno) Temporary() bool {
	switch e {
	case WSAEWOULDBLOCK, WSAEMFILE, WSAENOBUFS, WSATRY_AGAIN:
		return true
	}
	return e.Timeout()
}
