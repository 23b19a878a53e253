package provider

import "github.com/wsstack/wsstack/wsa"

// Ioctl controls the mode of a socket (API-ioctlsocket, API-WSAIoctl); n is the
// number of bytes written to out.
//
//	FIONBIO             in u32: not 0 makes the socket non-blocking
//	FIONREAD            out u32: the bytes that wait for recv, urgent ones that
//	                    are out of line excluded (OB-8)
//	SIOCATMARK          out u32: 1 when no urgent byte waits or, with
//	                    SO_OOBINLINE, all before it has been read (OB-9, OB-10);
//	                    in the measured profiles WC-5
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
// WSAENOTCONN for FIONREAD, SIOCATMARK, SIO_TCP_INFO and
// SIO_IDEAL_SEND_BACKLOG_QUERY when the connection has ended, and after a
// keep-alive drop for every code but FIONBIO (KA-31), WSAENETRESET for a call
// that it ends;
// WSAENOTCONN after a reset with SO_KEEPALIVE for what stores a value (KA-33);
// WSAEINVAL for SIOCATMARK on a datagram socket (OB-11); WSAENOPROTOOPT for
// SIO_KEEPALIVE_VALS there; WSAEOPNOTSUPP for another code.
func (p *Provider) Ioctl(s wsa.SOCKET, code uint32, in, out []byte) (n int, _ error) {
	sock, err := p.socket(s)
	if err != 0 {
		return 0, p.result(err)
	}
	n, err = sock.Ioctl(code, in, out)
	return n, p.result(err)
}
