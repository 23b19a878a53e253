package provider

import (
	"encoding/binary"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// Ioctl controls the mode of a socket (API-ioctlsocket, API-WSAIoctl); n is the
// number of bytes written to out.
//
//	FIONBIO             in u32: not 0 makes the socket non-blocking
//	FIONREAD            out u32: the bytes that wait for recv, urgent ones that
//	                    are out of line excluded (OB-8)
//	SIOCATMARK          out u32: 1 when no urgent byte waits or, with
//	                    SO_OOBINLINE, all before it has been read (OB-9, OB-10)
//	SIO_KEEPALIVE_VALS  in tcp_keepalive (KA-20 to KA-25)
//	SIO_ADDRESS_LIST_CHANGE       the next change of the list of local
//	                              addresses of the socket's family
//	SIO_ROUTING_INTERFACE_CHANGE  in SOCKADDR: the next change of the interface
//	                              that leads to this destination
//
//	another one of options.Controls: what is said there
//
// The two changes enable their network events (EV-2). A blocking socket waits for
// the change, a non-blocking one fails with WSAEWOULDBLOCK. n is 0 after a
// failure, but for SIO_ADDRESS_LIST_QUERY and SIO_GET_INTERFACE_LIST with a
// short out (WSAEFAULT), where it is the size needed.
//
// Errors: WSAEINVAL for FIONBIO 0 while events are selected (EV-1); WSAEFAULT
// when in or out is nil or too short for the code (SIO_TCP_INFO: WSAEMSGSIZE
// for in, WSAEINVAL for out);
// WSAENOTCONN for FIONREAD and SIOCATMARK when the connection has ended;
// WSAEINVAL for SIOCATMARK on a datagram socket (OB-11); WSAENOPROTOOPT for
// SIO_KEEPALIVE_VALS there, and WSAENETRESET, WSAENOTCONN for it after a
// keep-alive drop; WSAEOPNOTSUPP for another code.
func (p *Provider) Ioctl(s wsa.SOCKET, code uint32, in, out []byte) (n int, _ error) {
	sock, err := p.socket(s)
	if err != 0 {
		return 0, p.result(err)
	}
	switch code {
	case wsa.FIONBIO:
		err = setNonblocking(sock, in)
	case wsa.FIONREAD:
		n, err = putUint32(out, sock.Readable)
	case wsa.SIOCATMARK:
		n, err = putUint32(out, func() (int, wsa.Errno) { return atMark(sock) })
	case wsa.SIO_ADDRESS_LIST_CHANGE:
		err = sock.AddressListChange()
	case wsa.SIO_ROUTING_INTERFACE_CHANGE:
		err = routingInterfaceChange(sock, in)
	case wsa.SIO_KEEPALIVE_VALS:
		err = sock.SetKeepAliveVals(in)
	default:
		n, err = sock.Control(code, in, out)
	}
	return n, p.result(err)
}

const sizeofUint32 = 4

func setNonblocking(sock *endpoint.Socket, in []byte) wsa.Errno {
	if len(in) < sizeofUint32 {
		return wsa.WSAEFAULT
	}
	return sock.SetNonblocking(binary.LittleEndian.Uint32(in) != 0)
}

// routingInterfaceChange takes the SOCKADDR of a destination.
func routingInterfaceChange(sock *endpoint.Socket, in []byte) wsa.Errno {
	to, err := wsa.ParseSockaddr(in)
	if err != 0 {
		return err
	}
	return sock.RoutingInterfaceChange(to)
}

func atMark(sock *endpoint.Socket) (int, wsa.Errno) {
	mark, err := sock.AtMark()
	if mark {
		return 1, err
	}
	return 0, err
}

// putUint32 writes what get returns, and says how many bytes that is.
func putUint32(out []byte, get func() (int, wsa.Errno)) (int, wsa.Errno) {
	if len(out) < sizeofUint32 {
		return 0, wsa.WSAEFAULT
	}
	value, err := get()
	if err != 0 {
		return 0, err
	}
	binary.LittleEndian.PutUint32(out, uint32(value))
	return sizeofUint32, 0
}
