package provider

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/wsa"
)

// An Overlapped is an operation that has started and completes later. Its
// buffer belongs to it until it is done. Operations of one kind on one socket
// complete in the order of their starts.
type Overlapped struct {
	p  *Provider
	op *socket.Op
}

// Done returns a channel that is closed when the operation is done. In virtual
// time, use Wait.
func (o *Overlapped) Done() <-chan struct{} { return o.op.Done() }

// Wait waits until the operation is done and returns its Result.
func (o *Overlapped) Wait() (n int, _ error) {
	o.op.Wait()
	return o.Result()
}

// Result is WSAGetOverlappedResult without waiting: the bytes moved.
// WSA_IO_INCOMPLETE while the operation is pending.
//
// Errors of an operation that has failed: WSA_OPERATION_ABORTED when it was
// cancelled, by Cancel or closesocket (LG-19); WSAENETRESET when keep-alive has
// dropped the connection (KA-31); WSAECONNRESET, WSAECONNABORTED, WSAESHUTDOWN;
// WSAENETDOWN (ND-2); of ConnectEx those of a blocking connect.
func (o *Overlapped) Result() (n int, _ error) {
	n, _, err := o.op.Result()
	return n, err.Err()
}

// From is the sender of the datagram that RecvAsync has received.
func (o *Overlapped) From() netip.AddrPort {
	_, from, _ := o.op.Result()
	return from
}

// Status is the code that the operating system's own calls would show: of a
// connection that the peer has reset ERROR_NETNAME_DELETED (RS-1), else the
// one of Result.
func (o *Overlapped) Status() wsa.Errno {
	_, _, err := o.op.Result()
	if err == wsa.WSAECONNRESET {
		return wsa.ERROR_NETNAME_DELETED
	}
	return err
}

// Cancel is CancelIoEx: a pending operation ends with WSA_OPERATION_ABORTED. It
// reports whether there was one. What a cancelled receive has taken of a stream
// is lost.
func (o *Overlapped) Cancel() bool { return o.op.Cancel() }

// started is how the calls that start an operation return.
func (p *Provider) started(op *socket.Op, err wsa.Errno) (*Overlapped, error) {
	if err != 0 {
		return nil, p.result(err)
	}
	return &Overlapped{p, op}, nil
}

// RecvAsync starts a receive: WSARecv with an OVERLAPPED. It is done when there
// is data, at least one byte of a stream; with MSG_WAITALL when buf is full or
// the stream has ended. Without a buffer it waits, too, and leaves the data, so
// that a program learns of it before it has a buffer. SO_RCVTIMEO has no effect
// (TO-5), and the blocking mode but for MSG_WAITALL none. A nil error means that it
// has started; it may be done already. After SD_RECEIVE one that was pending then
// takes the next data (C-47).
//
// Errors, when nothing has started: those of Recv; WSAEOPNOTSUPP for MSG_PEEK, and
// for MSG_WAITALL on a non-blocking socket (MS-4); WSAEINVAL on a socket without
// WSA_FLAG_OVERLAPPED (assumed); WSAENOBUFS when 4,096 are pending.
func (p *Provider) RecvAsync(s wsa.SOCKET, buf []byte, flags int32) (*Overlapped, error) {
	sock, err := p.socket(s)
	if err != 0 {
		return nil, p.result(err)
	}
	return p.started(sock.RecvAsync(buf, flags))
}

// SendAsync starts a send: WSASend with an OVERLAPPED. It is done when all of
// buf is accepted, and with SO_SNDBUF 0 when it is acknowledged (BF-9). Otherwise
// it is as RecvAsync, with the errors of Send. What is pending at SD_SEND ends
// with WSAESHUTDOWN (assumed).
func (p *Provider) SendAsync(s wsa.SOCKET, buf []byte, flags int32) (*Overlapped, error) {
	return p.SendToAsync(s, buf, flags, netip.AddrPort{})
}

// SendToAsync is SendAsync to an address, for datagrams; an invalid one is the
// peer.
func (p *Provider) SendToAsync(s wsa.SOCKET, buf []byte, flags int32, to netip.AddrPort) (*Overlapped, error) {
	sock, err := p.socket(s)
	if err != 0 {
		return nil, p.result(err)
	}
	return p.started(sock.SendAsync(buf, flags, to))
}

// AcceptEx starts to accept a connection of listener into the socket s, which
// must be fresh (API-AcceptEx). With a buffer it is done when data has come,
// which is in buf then. Until SO_UPDATE_ACCEPT_CONTEXT s has none of the
// listener's options; it sends and receives, but GetPeerName and Shutdown fail
// with WSAENOTCONN, GetSockName with WSAEINVAL (IN-5). While the operation is
// pending Bind, Connect, ConnectEx and Listen on s fail with WSAEINVAL.
//
// Errors, when nothing has started: WSAEINVAL when listener isn't listening, or
// s isn't a fresh stream socket of the same family, has an AcceptEx pending, or
// has no WSA_FLAG_OVERLAPPED; WSAENOBUFS when 4,096 are pending.
func (p *Provider) AcceptEx(listener, s wsa.SOCKET, buf []byte) (*Overlapped, error) {
	l, err := p.socket(listener)
	if err != 0 {
		return nil, p.result(err)
	}
	into, err := p.socket(s)
	if err != 0 {
		return nil, p.result(err)
	}
	return p.started(l.AcceptEx(into, buf))
}

// ConnectEx starts to connect a bound stream socket, and sends buf, which may be
// empty, when it is connected (API-ConnectEx). Until SO_UPDATE_CONNECT_CONTEXT,
// options set before have no effect, GetPeerName and Shutdown fail with
// WSAENOTCONN, Connect with WSAEINVAL (IN-6).
//
// Errors, when nothing has started: WSAEINVAL when the socket isn't bound or has
// no WSA_FLAG_OVERLAPPED; WSAEALREADY while an attempt is running; else those
// of Connect that it doesn't wait for.
func (p *Provider) ConnectEx(s wsa.SOCKET, addr netip.AddrPort, buf []byte) (*Overlapped, error) {
	sock, err := p.socket(s)
	if err != 0 {
		return nil, p.result(err)
	}
	return p.started(sock.ConnectEx(addr, buf))
}
