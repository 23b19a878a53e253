package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/backlog"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A Condition decides about a connection that waits to be accepted: it returns
// wsa.CF_ACCEPT, CF_REJECT or CF_DEFER. It is told the addresses of the caller
// and of the called side, and runs on the goroutine of the call, with no lock
// held: it may use other sockets, and this one.
type Condition func(caller, called netip.AddrPort) int32

// Accept returns the next connection and its peer. The new socket has the
// listener's options and its blocking mode (IN-1). On a listener with
// SO_CONDITIONAL_ACCEPT it accepts the next request, as AcceptCond with
// CF_ACCEPT does (CA-6).
//
// Errors: WSAEOPNOTSUPP on datagram sockets, WSAEINVAL when not listening,
// WSAEWOULDBLOCK, WSAECONNRESET when the peer has reset the connection since,
// WSAEINTR when the socket is closed meanwhile.
func (s *Socket) Accept() (*Socket, netip.AddrPort, wsa.Errno) {
	return s.AcceptUntil(nil, nil)
}

// An acceptance is one accept call in progress.
type acceptance struct {
	condition Condition
	deadline  *wait.Deadline
	blocking  bool
	waited    bool
	claim     backlog.Claim // on the arrival whose handshake the call waits for
}

// AcceptUntil is Accept with a condition function or nil, which AcceptOn describes. It ends with
// wait.ErrDeadline when d has passed; nil never does.
func (s *Socket) AcceptUntil(condition Condition, d *wait.Deadline) (_ *Socket, _ netip.AddrPort, code wsa.Errno) {
	defer s.debugCall("accept", &code)
	a := &acceptance{condition: condition, deadline: d, blocking: !s.nonblocking.Load()}
	n, err := s.acceptOnce(a)
	if err == wsa.WSAEWOULDBLOCK && a.blocking {
		n, err = s.awaitAccept(a)
	}
	if err == 0 && s.host.Down() { // since then: the stack may have missed it
		n.CloseDown()
		err = wsa.WSAENETDOWN
	}
	if err != 0 {
		return nil, netip.AddrPort{}, err
	}
	return n, n.LastRemote(), 0
}

func (s *Socket) awaitAccept(a *acceptance) (*Socket, wsa.Errno) {
	c := a.deadline.Block(s.calls.Begin(s.host, waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, 0))
	defer s.calls.End(c)
	defer s.abandon(a)
	a.waited = true
	for {
		n, err := s.acceptOnce(a)
		if err != wsa.WSAEWOULDBLOCK {
			return n, err
		}
		c.Wait("accept")
	}
}

// abandon leaves the connection that the call has accepted to others.
func (s *Socket) abandon(a *acceptance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backlog != nil && s.backlog.Release(&a.claim) {
		s.calls.Wake(waiter.ReadableEvents)
	}
}

// acceptOnce is one attempt.
func (s *Socket) acceptOnce(a *acceptance) (*Socket, wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.acceptOnceLocked(a)
	if s.backlog != nil && !s.closed && err != wsa.WSATRY_AGAIN {
		s.reenableLocked(wsa.FD_ACCEPT)
	}
	return n, err
}

func (s *Socket) acceptOnceLocked(a *acceptance) (*Socket, wsa.Errno) {
	p, err := s.arrivalLocked(a)
	switch {
	case err != 0:
		return nil, err
	case a.condition == nil || s.backlog.Decided(p):
		return s.admitLocked(a, p)
	}
	answer := s.askLocked(a.condition, p)
	if err := s.enterLocked(); err == wsa.WSAENOTSOCK {
		return nil, wsa.WSAEINTR // closed by the condition function, or meanwhile
	} else if err != 0 {
		return nil, err
	}
	switch {
	case s.backlog.Gone(p):
		return nil, s.vanishedLocked(a)
	case answer == wsa.CF_ACCEPT:
		return s.admitLocked(a, p)
	case answer == wsa.CF_REJECT:
		s.backlog.Refuse(p)
		return nil, wsa.WSAECONNREFUSED
	}
	s.calls.Wake(waiter.ReadableEvents) // others may ask again
	if answer == wsa.CF_DEFER {
		return nil, wsa.WSATRY_AGAIN
	}
	return nil, wsa.WSAEINVAL
}

// askLocked runs a condition function, with the lock given up. A panic of it
// leaves the request to others.
func (s *Socket) askLocked(condition Condition, p *backlog.Arrival) int32 {
	q := s.backlog
	q.SetAsked(p, true)
	local, peer := s.ends(p.ID)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		q.SetAsked(p, false)
	}()
	return condition(peer, local)
}

// arrivalLocked finds what the call is about.
func (s *Socket) arrivalLocked(a *acceptance) (*backlog.Arrival, wsa.Errno) {
	switch err := s.enterLocked(); {
	case err == wsa.WSAENOTSOCK && a.waited:
		return nil, wsa.WSAEINTR
	case err != 0:
		return nil, err
	case !s.behaviour.connectionOriented():
		return nil, wsa.WSAEOPNOTSUPP
	case s.droppedLocked():
		return nil, wsa.WSAENOTCONN // KA-31
	case s.state != options.Listening:
		return nil, wsa.WSAEINVAL
	case a.deadline.Passed():
		return nil, wait.ErrDeadline
	}
	if p, over, opening := s.backlog.Claimed(&a.claim); p != nil {
		switch {
		case over:
			return nil, s.vanishedLocked(a)
		case opening:
			return nil, wsa.WSAEWOULDBLOCK
		}
		return p, 0
	}
	p, lost := s.backlog.Next(&a.claim)
	switch {
	case p != nil:
		return p, 0
	case lost:
		return nil, s.vanishedLocked(a)
	}
	return nil, wsa.WSAEWOULDBLOCK
}

// vanishedLocked is the code for a request that has vanished.
func (s *Socket) vanishedLocked(a *acceptance) wsa.Errno {
	s.backlog.Told()
	if a.blocking {
		return wsa.WSAEWOULDBLOCK // goes on waiting
	}
	return wsa.WSAECONNRESET
}

// admitLocked is CF_ACCEPT: it answers a request, or makes the socket of an
// established connection.
func (s *Socket) admitLocked(a *acceptance, p *backlog.Arrival) (*Socket, wsa.Errno) {
	if c := s.backlog.Take(p); c != nil {
		s.backlog.Release(&a.claim)
		if st, _ := c.State(); st == tcp.Closed && a.blocking && p.Requested {
			return nil, wsa.WSAEWOULDBLOCK // CA-7
		}
		return s.inheritLocked(c)
	}
	claim := &a.claim
	if !a.blocking {
		claim = nil
	}
	if !s.backlog.Accept(p, claim) {
		return nil, s.vanishedLocked(a)
	}
	return nil, wsa.WSAEWOULDBLOCK
}

// inheritLocked makes the socket of an established connection. It is
// WSAECONNRESET for one that has ended since.
func (s *Socket) inheritLocked(c *transport.Conn) (*Socket, wsa.Errno) {
	if st, _ := c.State(); st == tcp.Closed {
		return nil, wsa.WSAECONNRESET
	}
	n := newSocket(s.host, s.family, s.Kind(), s.protocol, s.owner)
	n.values = options.Inherit(s.values)
	n.opt.from = s.handleLocked()
	n.nonblocking.Store(s.nonblocking.Load())
	_, n.remote = s.ends(c.ID())

	n.mu.Lock()
	defer n.mu.Unlock()
	n.adoptConnLocked(c)
	n.noteAllLocked()
	n.holdAddressLocked(s.binding)
	n.applyLocked()
	n.becomeConnectedLocked(n.establishedAtLocked())
	n.inheritEventsLocked(s)
	s.host.Register(n)
	return n, 0
}

// ends are the addresses of an arrival.
func (s *Socket) ends(id transport.ID) (local, peer netip.AddrPort) {
	return s.present(tcpip.FullAddress{NIC: id.Zone, Addr: id.LocalAddress, Port: id.LocalPort}),
		s.present(tcpip.FullAddress{NIC: id.Zone, Addr: id.RemoteAddress, Port: id.RemotePort})
}
