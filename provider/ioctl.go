package provider

import (
	"encoding/binary"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// Ioctl controls the mode of a socket (API-ioctlsocket, API-WSAIoctl); n is the
// number of bytes written to out. It never waits.
//
//	FIONBIO             in u32: not 0 makes the socket non-blocking
//	FIONREAD            out u32: the bytes that one recv would return
//	SIOCATMARK          out u32: 1 when no urgent byte is ahead; always, for now
//	SIO_KEEPALIVE_VALS  in tcp_keepalive (KA-20 to KA-25)
//
// Errors: WSAEFAULT when in or out is nil or too short for the code;
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
	case wsa.SIO_KEEPALIVE_VALS:
		err = sock.SetKeepAliveVals(in)
	default:
		err = sock.Control(code, in)
	}
	return n, p.result(err)
}

const sizeofUint32 = 4

func setNonblocking(sock *endpoint.Socket, in []byte) wsa.Errno {
	if len(in) < sizeofUint32 {
		return wsa.WSAEFAULT
	}
	sock.SetNonblocking(binary.LittleEndian.Uint32(in) != 0)
	return 0
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
