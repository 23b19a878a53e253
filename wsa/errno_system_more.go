//go:build !plan9 && !wasip1

package wsa

import "syscall"

// moreSystemErrnos continues systemErrnos with what package syscall hasn't
// everywhere. EWOULDBLOCK is another number than EAGAIN on a few systems.
var moreSystemErrnos = map[syscall.Errno]Errno{
	syscall.EWOULDBLOCK:     WSAEWOULDBLOCK,
	syscall.ESOCKTNOSUPPORT: WSAESOCKTNOSUPPORT,
	syscall.EPFNOSUPPORT:    WSAEPFNOSUPPORT,
	syscall.ESHUTDOWN:       WSAESHUTDOWN,
	syscall.ETOOMANYREFS:    WSAETOOMANYREFS,
	syscall.EHOSTDOWN:       WSAEHOSTDOWN,
	syscall.EUSERS:          WSAEUSERS,
	syscall.EREMOTE:         WSAEREMOTE,
}
