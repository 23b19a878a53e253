package endpoint

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// acceptQueue is the number of connections that netstack holds for accept, half
// open ones included. It is higher than most backlogs because netstack answers
// with SYN cookies near its limit, and cookie connections have no window scale
// and no SACK (netstack.md §9). At 5.4 KB a connection it bounds a flood at
// 22 MB a listener.
const acceptQueue = 4096

// Listen makes a bound stream socket accept connections. A negative backlog is
// WSAEINVAL; zero and values beyond the bound of the queue are raised or cut
// to it.
func (s *Socket) Listen(backlog int32) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	if s.kind != options.Stream {
		return wsa.WSAEOPNOTSUPP
	}
	switch s.state {
	case options.Listening:
		return 0
	case options.Connected, options.Dead:
		return wsa.WSAEISCONN
	case options.Fresh, options.Connecting:
		return wsa.WSAEINVAL
	}
	if backlog < 0 {
		return wsa.WSAEINVAL
	}
	addr := s.binding.Addr
	if err := s.newEndpointLocked(s.listenProto(addr.Addr())); err != 0 {
		return err
	}
	if err := s.ep.Bind(FullAddress(0, addr)); err != nil {
		s.dropEndpointLocked()
		return errno(err)
	}
	s.wire.set(wireListener)
	if err := s.ep.Listen(acceptQueue); err != nil {
		s.dropEndpointLocked()
		return errno(err)
	}
	s.host.Listening(s.binding, s.ep)
	s.becomeListeningLocked()
	return 0
}

// Accept returns the next connection and its peer. The new socket has the
// listener's options and its blocking mode (IN-1).
//
// Errors: WSAEOPNOTSUPP on datagram sockets, WSAEINVAL when not listening,
// WSAEWOULDBLOCK, WSAECONNRESET when the peer has reset the connection since,
// WSAEINTR when the socket is closed meanwhile.
func (s *Socket) Accept() (*Socket, netip.AddrPort, wsa.Errno) {
	return s.accept(nil)
}

func (s *Socket) accept(d *deadline) (*Socket, netip.AddrPort, wsa.Errno) {
	n, err := s.acceptOnce(d)
	if err == wsa.WSAEWOULDBLOCK && !s.nonblocking.Load() {
		c := s.begin(waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, 0)
		defer s.end(c)
		for n, err = s.acceptOnce(d); err == wsa.WSAEWOULDBLOCK; n, err = s.acceptOnce(d) {
			c.waiter.Wait("accept")
		}
		if err == wsa.WSAENOTSOCK {
			err = wsa.WSAEINTR
		}
	}
	if err == 0 && s.host.Down() { // since then: the stack may have missed it
		n.CloseDown()
		err = wsa.WSAENETDOWN
	}
	if err != 0 {
		return nil, netip.AddrPort{}, err
	}
	return n, n.remote, 0
}

func (s *Socket) acceptOnce(d *deadline) (*Socket, wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return nil, err
	}
	switch {
	case s.kind != options.Stream:
		return nil, wsa.WSAEOPNOTSUPP
	case s.state != options.Listening:
		return nil, wsa.WSAEINVAL
	case d != nil && d.passed.Load():
		return nil, errDeadline
	}
	defer s.reenableLocked(wsa.FD_ACCEPT)
	var peer tcpip.FullAddress
	ep, queue, err := s.ep.Accept(&peer)
	if err != nil {
		return nil, errno(err)
	}
	return s.inheritLocked(ep, queue, peer)
}

// inheritLocked makes the socket of an accepted endpoint.
func (s *Socket) inheritLocked(ep tcpip.Endpoint, queue *waiter.Queue, peer tcpip.FullAddress) (*Socket, wsa.Errno) {
	w := s.host.Adopt(ep)
	n := newSocket(s.host, s.family, s.kind, s.protocol, s.owner)
	n.values = options.Inherit(s.values)
	n.opt.from = s.handleLocked()
	n.nonblocking.Store(s.nonblocking.Load())
	n.remote = n.present(peer)

	// The endpoint was made by netstack, its segments carry the listener as
	// owner until now; SetOwner without the lock would be a data race.
	t := ep.(*tcp.Endpoint)
	t.LockUser()
	t.SetOwner(w)
	t.UnlockUser()

	n.mu.Lock()
	defer n.mu.Unlock()
	n.adoptLocked(ep, queue, w)
	n.holdAddressLocked(s.binding)
	n.applyLocked()
	n.becomeConnectedLocked(w.Established(s.host.Clock().NowMonotonic()))
	if ended(tcp.EndpointState(ep.State())) && w.Reset() {
		n.dropEndpointLocked()
		return nil, wsa.WSAECONNRESET
	}
	n.id = s.host.Register(n)
	n.inheritEventsLocked(s)
	return n, 0
}
