package provider

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"

	"github.com/wsstack/wsstack/wsa"
)

// Listen makes a bound stream socket accept connections (API-listen). backlog
// bounds the connections that wait for Accept: a client that comes when as many
// wait is refused, with WSAECONNREFUSED. Zero counts as one, and what is beyond
// 4096, as SOMAXCONN is, as that. A second call on a listening socket succeeds
// and changes nothing.
//
// Errors (NB): WSAEOPNOTSUPP on a datagram socket; WSAEISCONN when connected;
// WSAEINVAL when not bound, when connecting, or for a negative backlog.
func (p *Provider) Listen(s wsa.SOCKET, backlog int32) error {
	sock, err := p.socket(s)
	if err == 0 {
		err = sock.Listen(backlog)
	}
	return p.result(err)
}

// Accept takes the next connection from a listener: a socket with the
// listener's options and blocking mode (IN-1), and its peer (API-accept). On a
// blocking listener it waits for one. On a listener with SO_CONDITIONAL_ACCEPT
// it is AcceptCond with CF_ACCEPT (CA-6).
//
// Errors (NB): WSAEOPNOTSUPP on a datagram socket; WSAEINVAL when not
// listening; WSAEWOULDBLOCK when non-blocking and there is none;
// WSAECONNRESET when the peer has reset it since. The handle is
// INVALID_SOCKET then.
func (p *Provider) Accept(s wsa.SOCKET) (wsa.SOCKET, netip.AddrPort, error) {
	return p.AcceptCond(s, nil)
}

// A Condition decides about a connection that waits to be accepted: it returns wsa.CF_ACCEPT,
// CF_REJECT or CF_DEFER. It is told the addresses of the caller and of the called side, and runs on
// the goroutine of the call, with no lock held.
type Condition = socket.Condition

// AcceptCond is Accept with a condition function (API-WSAAccept, W-CA), which
// is told the addresses of the caller and of the called side, and returns
// CF_ACCEPT, CF_REJECT or CF_DEFER. It runs on the caller's goroutine, with no
// lock held; what else it needs, a closure has. A nil condition accepts.
//
// On a listener with SO_CONDITIONAL_ACCEPT it decides about a SYN that nobody
// has answered (CA-2), on another one about an established connection (CA-1).
// After CF_ACCEPT a blocking call waits until the handshake is complete
// (CA-3). A non-blocking one is WSAEWOULDBLOCK then: the listener becomes
// readable when the connection is established, and the next call returns it
// without asking (assumed: the pages are silent).
//
// Errors besides those of Accept: WSAECONNREFUSED after CF_REJECT, which
// resets the connection; WSATRY_AGAIN after CF_DEFER: the connection stays the
// first in the queue; WSAEINVAL after another value (assumed to change nothing,
// as CF_DEFER). A request that has vanished is WSAECONNRESET for a non-blocking
// call; a blocking one goes on waiting (CA-7).
func (p *Provider) AcceptCond(s wsa.SOCKET, condition Condition) (wsa.SOCKET, netip.AddrPort, error) {
	return p.acceptOn(nil, s, condition)
}

// acceptOn is AcceptCond for a thread, which may be nil.
func (p *Provider) acceptOn(t *wait.Thread, s wsa.SOCKET, condition Condition) (wsa.SOCKET, netip.AddrPort, error) {
	e, err := p.entry(s)
	if err != 0 {
		return wsa.INVALID_SOCKET, netip.AddrPort{}, p.result(err)
	}
	sock, peer, err := e.sock.AcceptOn(t, condition)
	if err != 0 {
		return wsa.INVALID_SOCKET, netip.AddrPort{}, p.result(err)
	}
	n, failure := p.open(entry{sock: sock, overlapped: e.overlapped})
	if failure != nil {
		return n, netip.AddrPort{}, failure
	}
	return n, peer, nil
}
