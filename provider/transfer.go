package provider

import (
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// Send sends buf (API-send): on a stream, all of it or, when non-blocking, as
// much as there is room for, at least one byte, in the measured profiles all of it
// while less than SO_SNDBUF is queued (WC-1); on a connected datagram
// socket, one datagram. MSG_DONTROUTE is accepted and ignored (DR-3). MSG_OOB
// makes the last byte urgent (OB-1).
//
// Errors (NB): WSAEINVAL for an unknown flag; WSAEOPNOTSUPP for MSG_PARTIAL, and
// for MSG_OOB on a datagram or raw socket (MS-4); WSAENOTCONN; WSAESHUTDOWN after
// SD_SEND; WSAEMSGSIZE for a datagram above SO_MAX_MSG_SIZE; WSAEACCES to a
// broadcast address without SO_BROADCAST; WSAEWOULDBLOCK; in a blocking call
// WSAETIMEDOUT after SO_SNDTIMEO; WSAECONNRESET, WSAECONNABORTED when the
// connection has ended so; after a keep-alive drop WSAENETRESET to calls in
// progress, WSAENOTCONN to later ones (KA-30).
//
// With an error there is no byte count: n is 0, even where bytes of a blocking
// call were accepted before, which are transmitted all the same (TO-3).
func (p *Provider) Send(s wsa.SOCKET, buf []byte, flags int32) (n int, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		n, err = sock.Send(buf, flags)
	}
	return p.sent(n, err)
}

// SendTo sends a datagram to an address (API-sendto). An invalid one is the
// NULL pointer: the peer of a connected socket. A socket that isn't bound gets
// an ephemeral port. On a stream the address is ignored (NB).
//
// Errors are those of Send, and for datagrams WSAEAFNOSUPPORT for an address
// of the wrong family; WSAEADDRNOTAVAIL for an unspecified address, and for port 0,
// which the profiles Windows and Legacy take, to send nothing (WC-31);
// WSAENETUNREACH, WSAEHOSTUNREACH; WSAEDESTADDRREQ in the place of WSAENOTCONN.
func (p *Provider) SendTo(s wsa.SOCKET, buf []byte, flags int32, to netip.AddrPort) (n int, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		n, err = sock.SendTo(buf, flags, to)
	}
	return p.sent(n, err)
}

func (p *Provider) sent(n int, err wsa.Errno) (int, error) {
	if err != 0 {
		n = 0
	}
	return n, p.result(err)
}

// Recv receives into buf (API-recv): from a stream what there is, at least one
// byte unless buf is empty, or 0 at its end; from a datagram socket one
// datagram. A blocking call waits. MSG_PEEK leaves the data queued; MSG_WAITALL
// waits until buf is full or the stream ends. A call on a stream stops before an
// urgent byte (OB-6). MSG_OOB receives that byte, or waits for one, and is 0 when
// the peer has closed its side and none waits.
//
// Errors (NB): WSAEINVAL for an unknown flag, MSG_OOB with SO_OOBINLINE, or a
// datagram socket that isn't bound; WSAEOPNOTSUPP for MSG_OOB on a datagram
// or raw socket and for MSG_WAITALL there, with MSG_PEEK, MSG_OOB or MSG_PARTIAL,
// or non-blocking (MS-4); WSAENOTCONN; WSAESHUTDOWN after SD_RECEIVE; WSAEMSGSIZE for
// a datagram longer than buf, which holds its first n bytes (MS-2);
// WSAEWOULDBLOCK; in a blocking call WSAETIMEDOUT after SO_RCVTIMEO;
// WSAECONNRESET when the peer has reset the connection or, on a datagram
// socket, an earlier datagram found no socket (SIO_UDP_CONNRESET); WSAENETRESET
// when its time to live was over (KA-36, SIO_UDP_NETRESET); WSAENOTCONN on a
// datagram socket whose peer connect has removed; WSAECONNABORTED; after a
// keep-alive drop WSAENETRESET to calls in progress, WSAENOTCONN to later ones
// (KA-30).
func (p *Provider) Recv(s wsa.SOCKET, buf []byte, flags int32) (n int, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		n, err = sock.Recv(buf, flags)
	}
	return n, p.result(err)
}

// RecvFrom is Recv with the sender of the datagram (API-recvfrom), which is
// there with WSAEMSGSIZE, too. On a stream the address isn't valid.
func (p *Provider) RecvFrom(s wsa.SOCKET, buf []byte, flags int32) (n int, from netip.AddrPort, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		n, from, err = sock.RecvFrom(buf, flags)
	}
	return n, from, p.result(err)
}
