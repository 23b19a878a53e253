//go:build !plan9

package wsa

import (
	"runtime"
	"syscall"
)

// systemErrnos are the codes of package syscall that say the same as a Winsock
// code, for programs that ask errors.Is(err, syscall.ECONNREFUSED). What a send
// on a socket that is shut down fails with is EPIPE in POSIX.
var systemErrnos = map[syscall.Errno]Errno{
	syscall.EINTR:           WSAEINTR,
	syscall.EBADF:           WSAEBADF,
	syscall.EACCES:          WSAEACCES,
	syscall.EFAULT:          WSAEFAULT,
	syscall.EINVAL:          WSAEINVAL,
	syscall.EMFILE:          WSAEMFILE,
	syscall.EAGAIN:          WSAEWOULDBLOCK,
	syscall.EINPROGRESS:     WSAEINPROGRESS,
	syscall.EALREADY:        WSAEALREADY,
	syscall.ENOTSOCK:        WSAENOTSOCK,
	syscall.EDESTADDRREQ:    WSAEDESTADDRREQ,
	syscall.EMSGSIZE:        WSAEMSGSIZE,
	syscall.EPROTOTYPE:      WSAEPROTOTYPE,
	syscall.ENOPROTOOPT:     WSAENOPROTOOPT,
	syscall.EPROTONOSUPPORT: WSAEPROTONOSUPPORT,
	syscall.EOPNOTSUPP:      WSAEOPNOTSUPP,
	syscall.EAFNOSUPPORT:    WSAEAFNOSUPPORT,
	syscall.EADDRINUSE:      WSAEADDRINUSE,
	syscall.EADDRNOTAVAIL:   WSAEADDRNOTAVAIL,
	syscall.ENETDOWN:        WSAENETDOWN,
	syscall.ENETUNREACH:     WSAENETUNREACH,
	syscall.ENETRESET:       WSAENETRESET,
	syscall.ECONNABORTED:    WSAECONNABORTED,
	syscall.ECONNRESET:      WSAECONNRESET,
	syscall.ENOBUFS:         WSAENOBUFS,
	syscall.EISCONN:         WSAEISCONN,
	syscall.ENOTCONN:        WSAENOTCONN,
	syscall.EPIPE:           WSAESHUTDOWN,
	syscall.ETIMEDOUT:       WSAETIMEDOUT,
	syscall.ECONNREFUSED:    WSAECONNREFUSED,
	syscall.EHOSTUNREACH:    WSAEHOSTUNREACH,
	syscall.ELOOP:           WSAELOOP,
	syscall.ENAMETOOLONG:    WSAENAMETOOLONG,
	syscall.ENOTEMPTY:       WSAENOTEMPTY,
	syscall.EDQUOT:          WSAEDQUOT,
	syscall.ESTALE:          WSAESTALE,
	syscall.ECANCELED:       WSAECANCELLED,
}

// isSystem reports whether target is a code of package syscall that means the same as e. On
// Windows, where package syscall has numbers of its own for codes such as ECONNREFUSED, the number
// of e itself means the same as well: package windows uses that one.
func (e Errno) isSystem(target error) bool {
	t, ok := target.(syscall.Errno) //nolint:errorlint // Is doesn't unwrap its target
	switch {
	case !ok || e == NO_ERROR:
		return false
	case runtime.GOOS == "windows" && uintptr(t) == uintptr(e):
		return true
	}
	for _, codes := range []map[syscall.Errno]Errno{systemErrnos, moreSystemErrnos} {
		if same, ok := codes[t]; ok {
			return same == e
		}
	}
	return false
}
