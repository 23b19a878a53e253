package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Bind gives the socket a local address; port 0 asks for an ephemeral port.
//
// Errors: WSAEFAULT for the zero address, WSAEAFNOSUPPORT for one of the wrong
// family, WSAEINVAL when already bound or when a pending AcceptEx is for the
// socket, WSAEADDRNOTAVAIL when it isn't an address of this stack, WSAEACCES and
// WSAEADDRINUSE by the bind matrix (RU-4), WSAENOBUFS when no ephemeral port is
// left (RU-14).
func (s *Socket) Bind(addr netip.AddrPort) (code wsa.Errno) {
	defer s.debugCall("bind", &code)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	if err := s.checkFamily(addr); err != 0 {
		return err
	}
	switch {
	case s.droppedLocked():
		return wsa.WSAENOTCONN // KA-31
	case s.state != options.Fresh, s.reservedLocked():
		return wsa.WSAEINVAL
	}
	a := s.host.LocalZone(addr.Addr())
	addr = netip.AddrPortFrom(a, addr.Port())
	if err := s.behaviour.checkBindLocked(s, a); err != 0 {
		return err
	}
	switch {
	case a.Is4In6() && s.values.V6Only:
		return wsa.WSAEADDRNOTAVAIL
	case !a.Unmap().IsUnspecified() && !s.host.IsLocal(a), translate.Scoped(a) && translate.Zone(a) == 0:
		return wsa.WSAEADDRNOTAVAIL // ZN-3: or several interfaces have it
	}
	return s.bindLocked(addr, false)
}

// bindLocked takes the address in the registry.
func (s *Socket) bindLocked(addr netip.AddrPort, implicit bool) wsa.Errno {
	if !s.behaviour.hasPorts() {
		addr = netip.AddrPortFrom(addr.Addr(), 0)
	}
	b := s.newBinding(addr)
	if err := s.host.Bind(b); err != 0 {
		return err
	}
	if err := s.behaviour.openLocked(s, b.Addr); err != 0 {
		s.host.Unbind(b)
		return err
	}
	s.becomeBoundLocked(b, implicit)
	s.observeLocked() // FD_WRITE of a datagram socket (WE-6)
	return 0
}

// newBinding is the entry for addr, by the options as they are now (RU-1). Of
// the two that ask for more ephemeral ports than there are, SO_REUSE_UNICASTPORT
// is preferred (PO-7); SO_PORT_SCALABILITY needs a specific address (PO-1).
func (s *Socket) newBinding(addr netip.AddrPort) *Binding {
	v := &s.values
	ephemeral, wildcard := addr.Port() == 0 && s.behaviour.hasPorts(), addr.Addr().Unmap().IsUnspecified()
	shared := ephemeral && s.behaviour.connectionOriented() && v.ReuseUnicastPort && !v.ExclusiveAddrUse
	return &Binding{
		Protocol:   s.protocol,
		Raw:        !s.behaviour.hasPorts(),
		Socket:     s,
		Addr:       addr,
		DualStack:  s.dualStack() && addr.Addr() == netip.IPv6Unspecified(),
		Reuse:      v.ReuseAddr,
		Exclusive:  v.ExclusiveAddrUse,
		Owner:      s.owner,
		Shared:     shared,
		PerAddress: ephemeral && !wildcard && !shared && v.PortScalability,
		Multicast:  v.ReuseMulticastPort == 1,
	}
}

// openDatagramLocked makes the endpoint of a datagram socket, bound to addr.
func (s *Socket) openDatagramLocked(addr netip.AddrPort) wsa.Errno {
	if err := s.newEndpointLocked(s.listenProto(addr.Addr())); err != 0 {
		return err
	}
	to := translate.FullAddress(0, addr)
	err := s.ep.SocketOptions().SetBindToDevice(int32(to.NIC)) // ZN-2
	if err == nil {
		err = s.ep.Bind(to)
	}
	if err != nil {
		s.dropEndpointLocked()
		return translate.Errno(err)
	}
	return 0
}

// dualStack reports an AF_INET6 socket with IPV6_V6ONLY off.
func (s *Socket) dualStack() bool { return s.family == wsa.AF_INET6 && !s.values.V6Only }

// listenProto is the netstack protocol for an endpoint bound to a: an IPv4
// one for 4in6, and for a wildcard that of the family.
func (s *Socket) listenProto(a netip.Addr) tcpip.NetworkProtocolNumber {
	if s.family == wsa.AF_INET6 && a.IsUnspecified() {
		return header.IPv6ProtocolNumber
	}
	return translate.Protocol(a)
}

// unbindLocked gives the local address back.
func (s *Socket) unbindLocked() {
	if s.binding != nil {
		s.host.Unbind(s.binding)
	}
	s.binding, s.implicit, s.local = nil, false, netip.AddrPort{}
}

// LocalAddr is getsockname: WSAEINVAL on a socket that isn't bound.
func (s *Socket) LocalAddr() (netip.AddrPort, wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return netip.AddrPort{}, err
	}
	if !s.local.IsValid() || s.context != nil && s.context.accepted { // IN-5
		return netip.AddrPort{}, wsa.WSAEINVAL
	}
	return s.local, 0
}

// RemoteAddr is getpeername: WSAENOTCONN on a socket without a peer, and after
// a keep-alive drop (KA-31). A profile may show the peer of a connect that is in
// progress (WC-3).
func (s *Socket) RemoteAddr() (netip.AddrPort, wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return netip.AddrPort{}, err
	}
	known := options.Connected | options.Dead
	if s.host.Profile().Streams().PeerOfAttempt {
		known |= options.Connecting
	}
	if s.state&known == 0 || s.droppedLocked() || s.context != nil {
		return netip.AddrPort{}, wsa.WSAENOTCONN
	}
	return s.remote, 0
}
