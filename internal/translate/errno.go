package translate

import (
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/wsa"
)

// Errno translates a netstack error, nil to 0, where the call makes no difference; callers
// deal with what means something else to them themselves.
// Nothing above package socket sees a tcpip.Error.
func Errno(err tcpip.Error) wsa.Errno {
	switch err.(type) {
	case nil:
		return 0
	case *tcpip.ErrAborted, *tcpip.ErrConnectionAborted:
		return wsa.WSAECONNABORTED
	case *tcpip.ErrAddressFamilyNotSupported:
		return wsa.WSAEAFNOSUPPORT
	case *tcpip.ErrAlreadyBound, *tcpip.ErrInvalidEndpointState, *tcpip.ErrInvalidOptionValue,
		*tcpip.ErrInvalidPortRange, *tcpip.ErrMalformedHeader, *tcpip.ErrMissingRequiredFields,
		*tcpip.ErrMulticastInputCannotBeOutput, *tcpip.ErrNoSuchFile:
		return wsa.WSAEINVAL
	case *tcpip.ErrAlreadyConnected:
		return wsa.WSAEISCONN
	case *tcpip.ErrAlreadyConnecting:
		return wsa.WSAEALREADY
	case *tcpip.ErrBadAddress, *tcpip.ErrBadBuffer:
		return wsa.WSAEFAULT
	case *tcpip.ErrBadLocalAddress, *tcpip.ErrUnknownDevice, *tcpip.ErrUnknownNICID, *tcpip.ErrInvalidNICID:
		return wsa.WSAEADDRNOTAVAIL
	case *tcpip.ErrBroadcastDisabled, *tcpip.ErrNotPermitted:
		return wsa.WSAEACCES
	case *tcpip.ErrClosedForReceive, *tcpip.ErrClosedForSend:
		return wsa.WSAESHUTDOWN
	case *tcpip.ErrConnectStarted, *tcpip.ErrWouldBlock, *tcpip.ErrEndpointBusy:
		return wsa.WSAEWOULDBLOCK
	case *tcpip.ErrConnectionRefused:
		return wsa.WSAECONNREFUSED
	case *tcpip.ErrConnectionReset:
		return wsa.WSAECONNRESET
	case *tcpip.ErrDestinationRequired:
		return wsa.WSAEDESTADDRREQ
	case *tcpip.ErrDuplicateAddress, *tcpip.ErrDuplicateNICID, *tcpip.ErrPortInUse:
		return wsa.WSAEADDRINUSE
	case *tcpip.ErrHostDown:
		return wsa.WSAEHOSTDOWN
	case *tcpip.ErrHostUnreachable:
		return wsa.WSAEHOSTUNREACH
	case *tcpip.ErrMessageTooLong:
		return wsa.WSAEMSGSIZE
	case *tcpip.ErrNetworkUnreachable:
		return wsa.WSAENETUNREACH
	case *tcpip.ErrNoBufferSpace, *tcpip.ErrNoPortAvailable:
		return wsa.WSAENOBUFS
	case *tcpip.ErrNoNet:
		return wsa.WSAENETDOWN
	case *tcpip.ErrNotConnected:
		return wsa.WSAENOTCONN
	case *tcpip.ErrNotSupported, *tcpip.ErrQueueSizeNotSupported:
		return wsa.WSAEOPNOTSUPP
	case *tcpip.ErrTimeout:
		return wsa.WSAETIMEDOUT
	case *tcpip.ErrUnknownProtocol:
		return wsa.WSAEPROTONOSUPPORT
	case *tcpip.ErrUnknownProtocolOption:
		return wsa.WSAENOPROTOOPT
	}
	// A type that the pinned gVisor doesn't have; TestErrnoCoversNetstack
	// fails when one is added.
	return wsa.WSASYSCALLFAILURE
}
