package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// What a stack tells its sockets with NetworkChanged: bits.
const (
	ChangedAddresses4 = 1 << iota // the list of IPv4 addresses
	ChangedAddresses6             // the list of IPv6 addresses
	ChangedRoutes                 // the route table
)

// changeState is what a socket keeps of changes of the network that it has
// asked for, guarded by Socket.mu.
type changeState struct {
	addresses bool // the list of its family has changed since the ioctl
	route     bool // the route to the destination of the ioctl has changed since
	to        netip.Addr
	source    netip.Addr // the route at the ioctl
	nic       tcpip.NICID
	routeErr  wsa.Errno // of the new route: 0 or WSAENETUNREACH (EV-5)
}

// NetworkChanged tells the socket of changes; the pump looks what they are to
// it.
func (s *Socket) NetworkChanged(changes uint32) {
	s.events.changed.Or(changes)
	s.host.Signal(s)
}

// AddressListChange is SIO_ADDRESS_LIST_CHANGE: it asks to be told of the next
// change of the list of local addresses of the socket's family, and enables
// FD_ADDRESS_LIST_CHANGE. A blocking socket waits for the change; a
// non-blocking one fails with WSAEWOULDBLOCK.
func (s *Socket) AddressListChange() wsa.Errno {
	s.mu.Lock()
	err := s.enterConnectionLocked()
	if err == 0 {
		s.takeChangesLocked() // those until now are none
		s.events.changes.addresses = false
		s.events.BecomeEnabled(wsa.FD_ADDRESS_LIST_CHANGE)
	}
	s.mu.Unlock()
	if err != 0 {
		return err
	}
	return s.awaitChange(func() bool { return s.events.changes.addresses })
}

// RoutingInterfaceChange is SIO_ROUTING_INTERFACE_CHANGE, for the interface
// that leads to an address; otherwise it is as AddressListChange.
func (s *Socket) RoutingInterfaceChange(to netip.AddrPort) wsa.Errno {
	s.mu.Lock()
	err := s.enterConnectionLocked()
	if err == 0 {
		err = s.checkFamily(to)
	}
	if err == 0 {
		s.takeChangesLocked()
		c := &s.events.changes
		c.route, c.to = false, s.destinationLocked(to).Addr().Unmap()
		c.source, c.nic, _ = s.host.Source(netip.Addr{}, c.to)
		s.events.BecomeEnabled(wsa.FD_ROUTING_INTERFACE_CHANGE)
	}
	s.mu.Unlock()
	if err != 0 {
		return err
	}
	return s.awaitChange(func() bool { return s.events.changes.route })
}

// awaitChange waits, on a blocking socket, until there is a change, or
// keep-alive drops the connection; there is called with s.mu held.
func (s *Socket) awaitChange(there func() bool) wsa.Errno {
	if s.nonblocking.Load() {
		return wsa.WSAEWOULDBLOCK
	}
	c := s.calls.Begin(s.host, wait.AnyEvent, 0)
	defer s.calls.End(c)
	for {
		s.mu.Lock()
		err := s.enterLocked()
		if err == 0 && s.droppedLocked() {
			err = s.deadErrnoLocked(true) // KA-30
		}
		s.takeChangesLocked()
		found := there()
		s.mu.Unlock()
		switch {
		case err == wsa.WSAENOTSOCK:
			return wsa.WSAEINTR
		case err != 0 || found:
			return err
		}
		c.Wait("change")
	}
}

// serveChangesLocked is the pump's turn with what NetworkChanged has told.
func (s *Socket) serveChangesLocked() {
	if s.takeChangesLocked() {
		s.calls.Wake(wait.AnyEvent)
	}
}

// takeChangesLocked looks what the reported changes are to this socket.
func (s *Socket) takeChangesLocked() bool {
	bits := s.events.changed.Swap(0)
	if bits == 0 {
		return false
	}
	own := uint32(ChangedAddresses4)
	if s.family == wsa.AF_INET6 {
		own = ChangedAddresses6
	}
	c := &s.events.changes
	c.addresses = c.addresses || bits&own != 0
	if bits&ChangedRoutes != 0 && c.to.IsValid() && !c.route {
		source, nic, err := s.host.Source(netip.Addr{}, c.to)
		c.route = source != c.source || nic != c.nic
		c.routeErr = err
	}
	return true
}
