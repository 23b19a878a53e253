// Package provider is the Winsock face of a stack: the calls of the service
// provider interface on handles, with the argument checks, error codes and
// byte layouts that Microsoft documents.
//
//	p, err := provider.Startup(st, wsa.WINSOCK_VERSION)
//	s, err := p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, wsa.IPPROTO_TCP)
//	err = p.Connect(s, netip.MustParseAddrPort("10.77.0.2:80"))
//
// # Errors
//
// Every method returns nil or a wsa.Errno. The first failing check wins, in
// the order of AV-1: WSANOTINITIALISED, WSAENETDOWN, WSAENOTSOCK, WSAEFAULT,
// then those of the call. These three may come from every method and are not
// repeated below:
//
//   - WSANOTINITIALISED: there was no Startup (a nil or zero Provider), or
//     Cleanup has been called; whatever the handle is (AV-2)
//   - WSAENETDOWN: the stack is closed or being closed (ND-1), except from
//     CloseSocket and Cleanup; calls in progress get it, too (ND-2)
//   - WSAENOTSOCK: the handle names no open socket of this Provider
//
// A call that waits while its socket is closed ends with WSAEINTR (LG-19). A
// failed call changes nothing. The code is the
// returned error, and SOCKET_ERROR is that it isn't nil; Thread keeps a last
// error as well.
//
// After a keep-alive drop every call on the socket is WSAENOTCONN but for
// CloseSocket, GetSockName, Select, Poll, the event calls, FIONBIO and SO_ERROR
// (KA-31); in the measured profiles stored options can be read (C-12), and Send,
// Recv and Shutdown have other codes (C-05, C-10).
//
// # Pointers
//
// A nil optval or optlen, an invalid netip.Addr and a nil buffer of Ioctl are
// the NULL pointers of the documents: WSAEFAULT. A nil buffer of the send and
// receive calls is an empty one. 4in6 addresses are IPv6.
//
// # Concurrency
//
// All methods are safe for concurrent use, on one handle, too. A call blocks
// its own goroutine only; no lock is held while it waits.
//
// Labels such as API-recv name the page of a function in the Win32 documentation,
// here of recv (docs/sources.md); AV-1 and the like are statements of the
// specification (docs/spec.md), which "wsstack verify -v AV-1" prints.
package provider

import (
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// A Provider is what a successful WSAStartup gives: a handle table on a stack.
// Several on one stack are as several processes on one host: none sees the
// handles of another. The zero Provider is one before WSAStartup.
type Provider struct {
	host    socket.Host // the stack; nil: none
	version uint16
	owner   atomic.Pointer[string]
	ended   atomic.Bool // Cleanup has been called
	handles handles
}

// Startup begins the use of a stack (API-WSAStartup, WSPStartup). version is
// the highest Winsock version that the caller can use, the major in the low
// byte: 0x0202 is 2.2, 0x0101 is 1.1. Every version from 1.0 on is accepted;
// Version tells which one was settled.
//
// Errors: WSASYSNOTREADY when the stack is closed; WSAVERNOTSUPPORTED below
// 1.0; WSAEFAULT for a nil stack (assumed: the page has a pointer to WSADATA
// in that place).
func Startup(st *stack.Stack, version uint16) (*Provider, error) {
	p := &Provider{}
	if st != nil {
		p.host = socket.HostOf(st)
	}
	var ok bool
	p.version, ok = settle(version)
	switch {
	case st != nil && p.host.Down():
		return nil, wsa.WSASYSNOTREADY
	case !ok:
		return nil, wsa.WSAVERNOTSUPPORTED
	case st == nil:
		return nil, wsa.WSAEFAULT
	}
	p.SetOwner(st.Owner())
	return p, nil
}

// settle is the negotiation of API-WSAStartup: the highest version there is
// that isn't above the one requested. ok is false when there is none.
func settle(requested uint16) (version uint16, ok bool) {
	switch major, minor := requested&0xFF, requested>>8; major {
	case 0:
		return 0, false
	case 1:
		return min(minor, 1)<<8 | 1, true
	case 2:
		return min(minor, 2)<<8 | 2, true
	}
	return wsa.WINSOCK_VERSION, true
}

// Version is the version that Startup settled: wVersion of WSADATA.
func (p *Provider) Version() uint16 { return p.version }

// legacy reports a client of version 1.x.
func (p *Provider) legacy() bool { return p.version&0xFF == 1 }

// Cleanup ends the use of the stack (API-WSACleanup, WSPCleanup): it closes
// the sockets of this Provider, oldest first, and from now on every call fails
// with WSANOTINITIALISED, a second Cleanup included. Calls in progress are
// cancelled, with WSAEINTR.
//
// It never waits. The sockets are closed as by closesocket, but where that
// would linger, the data goes out in the background: WSPCleanup is to "finish
// transmitting any unsent data on sockets that are configured for a graceful
// close". SO_LINGER {1, 0} resets. Unlike other calls it works while the
// network is down (ND-1).
func (p *Provider) Cleanup() error {
	if p == nil || p.host == nil || p.ended.Swap(true) {
		return p.result(wsa.WSANOTINITIALISED)
	}
	for _, e := range p.handles.drain() {
		closeAtOnce(e.sock)
	}
	return nil
}

// closeAtOnce is closesocket without its wait (LG-4) and its refusal (LG-7).
func closeAtOnce(s *socket.Socket) {
	s.SetNonblocking(true) // never fails
	if s.Close() == wsa.WSAEWOULDBLOCK {
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, []byte{1, 0, 0, 0})
		s.Close()
	}
}

// SetOwner sets the user identity of the sockets created from now on, which
// the bind matrix compares (RU-5, RU-7); the first one is that of
// stack.Config.Owner. Accepted sockets have their listener's.
func (p *Provider) SetOwner(user string) { p.owner.Store(&user) }

// enter holds the checks that every call starts with.
func (p *Provider) enter() wsa.Errno {
	switch {
	case p == nil, p.host == nil, p.ended.Load():
		return wsa.WSANOTINITIALISED
	case p.host.Down():
		return wsa.WSAENETDOWN
	}
	return 0
}

// entry is enter, and then looks the handle up.
func (p *Provider) entry(s wsa.SOCKET) (entry, wsa.Errno) {
	if err := p.enter(); err != 0 {
		return entry{}, err
	}
	e, ok := p.handles.get(s)
	if !ok {
		return entry{}, wsa.WSAENOTSOCK
	}
	return e, 0
}

// socket is entry, for those who need the socket only.
func (p *Provider) socket(s wsa.SOCKET) (*socket.Socket, wsa.Errno) {
	e, err := p.entry(s)
	return e.sock, err
}

// result is how every method returns. A socket that Cleanup has closed under
// the call is WSANOTINITIALISED, as for calls that begin now (AV-2).
func (p *Provider) result(err wsa.Errno) error {
	if err == wsa.WSAENOTSOCK && p.ended.Load() {
		err = wsa.WSANOTINITIALISED
	}
	return err.Err()
}
