package provider

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Socket creates a socket with the overlapped attribute (API-socket). A
// protocol of 0 is the only one of the type.
//
// Type 0 leaves the choice to the provider: a stream for IPPROTO_TCP and for
// protocol 0, a datagram socket for IPPROTO_UDP, else WSAEPROTONOSUPPORT (page of
// WSASocket: the first protocol that fits).
//
// A raw socket has a protocol from 0 to 255, of which 0 and IPPROTO_RAW only send.
// In the profiles Windows and Legacy AF_UNSPEC with a protocol is AF_INET (WC-33).
//
// Errors (API-socket): WSAEAFNOSUPPORT for a family other than AF_INET and
// AF_INET6; WSAESOCKTNOSUPPORT for a type other than SOCK_STREAM, SOCK_DGRAM and
// SOCK_RAW; WSAEPROTOTYPE for TCP or UDP with the other's type;
// WSAEPROTONOSUPPORT for another protocol; WSAEACCES for a raw socket where
// stack.Config.DenyRaw is set. The handle is INVALID_SOCKET then. The profiles Windows
// and Legacy look at the type before the family, and have WSAEPROTONOSUPPORT in the
// place of WSAEPROTOTYPE, and WSAEINVAL for AF_UNSPEC without a protocol.
func (p *Provider) Socket(af, typ, protocol int32) (wsa.SOCKET, error) {
	return p.SocketEx(af, typ, protocol, 0, wsa.WSA_FLAG_OVERLAPPED)
}

// SocketEx is Socket with the group and the flags of WSASocket (API-WSASocket,
// WSPSocket). There are no groups: the group is ignored (GP-5).
//
// WSA_FLAG_OVERLAPPED and WSA_FLAG_NO_HANDLE_INHERIT are accepted, and on
// datagram sockets the leaf flags of multipoint, which is IP multicast and has
// no root. Every other flag is WSAEINVAL; other errors are those of Socket,
// which come first.
func (p *Provider) SocketEx(af, typ, protocol int32, group, flags uint32) (wsa.SOCKET, error) {
	if err := p.enter(); err != 0 {
		return wsa.INVALID_SOCKET, p.result(err)
	}
	sock, err := socket.New(p.host, af, typ, protocol, *p.owner.Load())
	if err != 0 {
		return wsa.INVALID_SOCKET, p.result(err)
	}
	if flags&^creationFlags(sock) != 0 {
		sock.Close()
		return wsa.INVALID_SOCKET, p.result(wsa.WSAEINVAL)
	}
	return p.open(entry{sock: sock, overlapped: flags&wsa.WSA_FLAG_OVERLAPPED != 0})
}

func creationFlags(sock *socket.Socket) uint32 {
	const any = wsa.WSA_FLAG_OVERLAPPED | wsa.WSA_FLAG_NO_HANDLE_INHERIT
	if sock.Kind() == options.Datagram {
		return any | wsa.WSA_FLAG_MULTIPOINT_C_LEAF | wsa.WSA_FLAG_MULTIPOINT_D_LEAF
	}
	return any
}

// open gives a socket its handle. Cleanup may have come first.
func (p *Provider) open(e entry) (wsa.SOCKET, error) {
	s, ok := p.handles.add(e)
	if !ok {
		closeAtOnce(e.sock)
		return wsa.INVALID_SOCKET, p.result(wsa.WSANOTINITIALISED)
	}
	e.sock.SetHandle(uint64(s)) // SO_UPDATE_ACCEPT_CONTEXT names it
	e.sock.SetOverlapped(e.overlapped)
	return s, nil
}

// Bind gives the socket a local address; port 0 asks for an ephemeral port
// (API-bind).
//
// Errors (RU-14): WSAEFAULT for an invalid address; WSAEAFNOSUPPORT for one of
// the wrong family (C-48); WSAEINVAL when already bound, or named in a
// pending AcceptEx; WSAEACCES for a broadcast address without SO_BROADCAST (datagram); WSAEADDRNOTAVAIL when it
// is no address of this stack; WSAEACCES and WSAEADDRINUSE by the bind matrix
// (RU-4, RU-5); WSAENOBUFS when no ephemeral port is left.
func (p *Provider) Bind(s wsa.SOCKET, addr netip.AddrPort) error {
	sock, err := p.socket(s)
	if err == 0 {
		err = sock.Bind(addr)
	}
	return p.result(err)
}

// Connect connects a stream socket, or sets the peer of a datagram socket
// (API-connect). On a blocking stream socket it waits until the attempt is
// decided; on a non-blocking one it returns WSAEWOULDBLOCK, and select and
// SO_ERROR tell the outcome. After a failure the socket may try again.
//
// Errors (NB): WSAEFAULT for an invalid address; WSAEAFNOSUPPORT for one of the
// wrong family; WSAEALREADY while an attempt is running, for a client of
// version 1.x WSAEINVAL; WSAEINVAL when listening or named in a pending
// AcceptEx; WSAEISCONN when connected, also after shutdown; WSAEADDRNOTAVAIL for port 0 or an unspecified address;
// WSAEACCES for a broadcast address without SO_BROADCAST (datagram, but success in the
// profiles Windows and Legacy: WC-30);
// WSAEADDRINUSE when the pair of addresses is in use; WSAENETUNREACH,
// WSAEHOSTUNREACH; then WSAEWOULDBLOCK, or on a blocking socket
// WSAECONNREFUSED, WSAETIMEDOUT. After a keep-alive drop WSAENOTCONN (C-46).
//
// On a datagram socket, the unspecified address with port 0 removes the peer.
func (p *Provider) Connect(s wsa.SOCKET, addr netip.AddrPort) error { return p.connectOn(nil, s, addr) }

// connectOn is Connect for a thread, which may be nil.
func (p *Provider) connectOn(t *wait.Thread, s wsa.SOCKET, addr netip.AddrPort) error {
	sock, err := p.socket(s)
	if err == 0 {
		err = sock.ConnectOn(t, addr)
	}
	if err == wsa.WSAEALREADY && p.legacy() {
		err = wsa.WSAEINVAL
	}
	return p.result(err)
}

// Shutdown disables receives (SD_RECEIVE), sends (SD_SEND) or both
// (API-shutdown). It never waits (LG-27) and can't be undone; repeating it
// succeeds (SH-5). After SD_RECEIVE data that is queued, or comes later, resets the
// connection (SH-2); in the measured profiles it waits, and closes the window (WC-4).
//
// Errors (SH-6): WSAEINVAL for another how; on a stream WSAENOTCONN when it
// isn't connected, WSAECONNRESET or WSAECONNABORTED when its connection has
// ended so, WSAENOTCONN after a keep-alive drop.
func (p *Provider) Shutdown(s wsa.SOCKET, how int32) error {
	sock, err := p.socket(s)
	if err == 0 {
		err = sock.Shutdown(how)
	}
	return p.result(err)
}

// CloseSocket closes a socket and frees its handle (API-closesocket). What
// happens to a connection is the close matrix of SO_LINGER and SO_DONTLINGER
// (LG-2 to LG-8); a blocking socket that lingers waits. Other calls in
// progress on the socket end with WSAEINTR, a Select with WSAENOTSOCK.
//
// Errors (LG-10): WSAENOTSOCK, of several concurrent calls for all but one;
// WSAEWOULDBLOCK on a non-blocking socket that lingers with data pending: the
// handle stays valid (LG-7). When the network is down it frees the handle and
// succeeds (ND-1).
func (p *Provider) CloseSocket(s wsa.SOCKET) error { return p.closeOn(nil, s) }

// closeOn is CloseSocket for a thread, which may be nil.
func (p *Provider) closeOn(t *wait.Thread, s wsa.SOCKET) error {
	if err := p.enter(); err == wsa.WSANOTINITIALISED {
		return p.result(err)
	}
	e, ok := p.handles.get(s)
	if !ok {
		return p.result(wsa.WSAENOTSOCK)
	}
	err := e.sock.CloseOn(t)
	if err == wsa.WSAEWOULDBLOCK && p.host.Down() {
		err = 0 // the stack resets the connection
	}
	if err == 0 && !p.handles.remove(s) {
		err = wsa.WSAENOTSOCK // another call was first
	}
	return p.result(err)
}

// GetSockName returns the local address (API-getsockname): WSAEINVAL on a
// socket that isn't bound.
func (p *Provider) GetSockName(s wsa.SOCKET) (addr netip.AddrPort, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		addr, err = sock.LocalAddr()
	}
	return addr, p.result(err)
}

// GetPeerName returns the peer's address (API-getpeername): WSAENOTCONN on a
// socket without a peer. In the measured profiles it has one while a connect is in
// progress (WC-3).
func (p *Provider) GetPeerName(s wsa.SOCKET) (addr netip.AddrPort, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		addr, err = sock.RemoteAddr()
	}
	return addr, p.result(err)
}
