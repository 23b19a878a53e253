// Package wsa is the vocabulary of Winsock: error codes, option levels and numbers, control codes,
// flags, and the layouts in bytes of the structures that setsockopt, getsockopt, ioctl and control
// messages carry.
//
// Names are those of the Windows SDK, so that a search finds the code and the document together.
// All numbers and layouts are those of 64-bit Windows, little-endian, on every machine for which
// the package is built. The package imports the standard library only, holds no state and is safe
// for concurrent use.
package wsa

import (
	"errors"
	"io/fs"
	"net"
	"strconv"
)

// Errno is a Winsock error code, the value that WSAGetLastError returns. The zero Errno means
// success and is never returned as an error; see [Errno.Err].
type Errno int32

var _ net.Error = Errno(0)

// Error returns the symbol and a few words, such as "WSAEINVAL: invalid argument". The text of an
// unknown number is such as "winsock error 12345".
func (e Errno) Error() string {
	t, ok := errnoTexts[e]
	if !ok {
		return "winsock error " + strconv.Itoa(int(e))
	}
	return t.symbol + ": " + t.words
}

// Symbol returns the name of the code in winerror.h, such as "WSAECONNRESET", and "" for an unknown
// number.
func (e Errno) Symbol() string { return errnoTexts[e].symbol }

// Err returns e as an error, and nil for NO_ERROR. Exported functions turn an Errno into an error
// with Err, because a zero Errno in a variable of type error isn't nil.
func (e Errno) Err() error {
	if e == NO_ERROR {
		return nil
	}
	return e
}

// Is reports whether target means the same as e. Targets are fs.ErrPermission, net.ErrClosed,
// errors.ErrUnsupported, and the codes of package syscall such as syscall.ECONNREFUSED, whatever
// their numbers are on the system.
//
// WSAETIMEDOUT isn't os.ErrDeadlineExceeded: connections return the latter itself when a deadline
// of SetDeadline has passed.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrPermission:
		return e == WSAEACCES
	case net.ErrClosed: // errors after closesocket, of later calls and of those in progress
		return e == WSAENOTSOCK || e == WSAEINTR || e == WSA_OPERATION_ABORTED
	case errors.ErrUnsupported:
		return e == WSAEOPNOTSUPP || e == WSAENOPROTOOPT
	}
	return e.isSystem(target)
}

// Timeout reports whether e is a time-out, which is WSAETIMEDOUT alone. Winsock has this code for
// SO_RCVTIMEO as well, where POSIX has EAGAIN, so WSAEWOULDBLOCK isn't a time-out.
func (e Errno) Timeout() bool { return e == WSAETIMEDOUT }

// Temporary reports whether the same call may succeed when it is repeated, as after a time-out,
// WSAEWOULDBLOCK or a lack of resources. WSAEINTR isn't temporary: in this stack it says that the
// socket was closed during the call.
//
// net.Error deprecates the method, but accept loops such as that of net/http still call it.
func (e Errno) Temporary() bool {
	switch e {
	case WSAEWOULDBLOCK, WSAEMFILE, WSAENOBUFS, WSATRY_AGAIN:
		return true
	}
	return e.Timeout()
}
