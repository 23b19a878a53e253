package socket

import (
	"context"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Connect connects a stream socket, or sets the peer of a datagram socket.
//
// On a blocking stream socket it waits until the attempt is decided: 0,
// WSAECONNREFUSED, WSAETIMEDOUT, WSAENETUNREACH or WSAEHOSTUNREACH. On a
// non-blocking one it returns WSAEWOULDBLOCK, later calls WSAEALREADY until it
// is decided and WSAEISCONN after success; the code of a failure is in SO_ERROR.
// After a failure the socket may try again.
func (s *Socket) Connect(addr netip.AddrPort) wsa.Errno {
	return s.ConnectUntil(context.Background(), addr, nil)
}

// ConnectUntil is Connect that is abandoned, with wait.ErrCanceled, when ctx ends or d has passed;
// a nil d never does.
func (s *Socket) ConnectUntil(ctx context.Context, addr netip.AddrPort, d *wait.Deadline) (code wsa.Errno) {
	defer s.debugCall("connect", &code)
	err, async := s.StartConnect(addr)
	if err != wsa.WSAEWOULDBLOCK || async {
		return err
	}
	return s.awaitConnect(ctx, d)
}

// StartConnect is startConnectLocked with the locks. Nothing is read from a datagram
// socket meanwhile: its queue is sorted.
func (s *Socket) StartConnect(addr netip.AddrPort) (err wsa.Errno, async bool) {
	if s.datagram != nil {
		s.rmu.Lock()
		defer s.rmu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.startConnectLocked(addr)
	return err, s.async
}

// startConnectLocked checks the call and starts the attempt: WSAEWOULDBLOCK
// says that it runs. The caller holds rmu as well, unless it is a stream.
func (s *Socket) startConnectLocked(addr netip.AddrPort) wsa.Errno {
	if err := s.enterLocked(); err != 0 {
		return err
	}
	if err := s.checkFamily(addr); err != 0 {
		return err
	}
	addr = s.destinationLocked(addr)
	if s.pendingConnectLocked() || s.reservedLocked() {
		return wsa.WSAEINVAL
	}
	switch s.state {
	case options.Connecting:
		return wsa.WSAEALREADY
	case options.Listening:
		return wsa.WSAEINVAL
	case options.Dead:
		if s.droppedLocked() {
			return wsa.WSAENOTCONN // C-46
		}
		return wsa.WSAEISCONN
	case options.Connected:
		if s.context != nil {
			return wsa.WSAEINVAL // IN-6
		}
	}
	return s.behaviour.connectLocked(s, addr)
}

// checkDestinationLocked refuses addresses that name no single host, or no port of it.
func (s *Socket) checkDestinationLocked(addr netip.AddrPort) wsa.Errno {
	if s.portZero(addr) {
		return wsa.WSAEADDRNOTAVAIL
	}
	return s.checkHostLocked(addr.Addr())
}

// portZero reports an address that lacks the port which peers of this kind of socket have.
func (s *Socket) portZero(addr netip.AddrPort) bool {
	return addr.Port() == 0 && s.behaviour.hasPorts()
}

// checkHostLocked refuses addresses that name no single host.
func (s *Socket) checkHostLocked(a netip.Addr) wsa.Errno {
	switch {
	case a.Unmap().IsUnspecified():
		return wsa.WSAEADDRNOTAVAIL
	case a.Is4In6() && s.values.V6Only, s.boundElsewhere(a):
		return wsa.WSAENETUNREACH
	}
	if err := s.checkZoneLocked(a); err != 0 {
		return err
	}
	return s.behaviour.checkPeerLocked(s, a)
}

// boundElsewhere reports a dual-stack socket that is bound to an address of the
// other family than a is of.
func (s *Socket) boundElsewhere(a netip.Addr) bool {
	return s.binding != nil && !s.binding.DualStack && s.binding.Addr.Addr().Unmap().Is4() != a.Unmap().Is4()
}

// boundAddr is the specific address the socket is bound to, or none.
func (s *Socket) boundAddr() netip.Addr {
	if s.binding == nil || s.binding.Addr.Addr().Unmap().IsUnspecified() {
		return netip.Addr{}
	}
	return s.binding.Addr.Addr()
}

// connectStreamLocked starts the handshake from a specific local address.
func (s *Socket) connectStreamLocked(addr netip.AddrPort) wsa.Errno {
	source, nic, err := s.sourceLocked(addr.Addr().Unmap())
	if err != 0 {
		return err
	}
	if s.binding != nil {
		err := s.handshakeLocked(nic, netip.AddrPortFrom(source, s.binding.Addr.Port()), addr)
		if err != wsa.WSAEADDRINUSE || !s.binding.Shared {
			return err
		}
	}
	return s.connectAnywhereLocked(nic, source, addr)
}

// connectAnywhereLocked connects from a port that it chooses: one that is free,
// or else shared with connections to other peers, as SO_REUSE_UNICASTPORT has
// it for sockets that connect binds. The registry knows the connections made
// from here, those in TIME-WAIT included; with one that it doesn't know Dial refuses
// the pair of addresses, and another port is chosen.
func (s *Socket) connectAnywhereLocked(nic tcpip.NICID, source netip.Addr, addr netip.AddrPort) (err wsa.Errno) {
	var avoid uint16
	if source == addr.Addr().Unmap() {
		avoid = addr.Port()
	}
	if s.family == wsa.AF_INET6 && source.Is4() {
		source = netip.AddrFrom16(source.As16())
	}
	const attempts = 64
	for range attempts {
		b := s.newBinding(netip.AddrPortFrom(source, 0))
		b.Shared, b.PerAddress = !b.Exclusive, false
		b.Peer, b.Avoid = addr, avoid
		if err = s.host.Bind(b); err != 0 {
			return err
		}
		err = s.handshakeLocked(nic, b.Addr, addr)
		if err == wsa.WSAEWOULDBLOCK {
			implicit := s.binding == nil
			if !implicit {
				s.host.Unbind(s.binding)
			}
			s.becomeBoundLocked(b, implicit)
			return err
		}
		s.host.Unbind(b)
		if err != wsa.WSAEADDRINUSE {
			return err
		}
	}
	return err
}

// handshakeLocked sends the SYN. A failure leaves the socket as it was.
func (s *Socket) handshakeLocked(nic tcpip.NICID, local, remote netip.AddrPort) wsa.Errno {
	id := transport.ID{
		LocalAddress: translate.Address(local.Addr()), LocalPort: local.Port(),
		RemoteAddress: translate.Address(remote.Addr()), RemotePort: remote.Port(),
	}
	s.urgent.SetDefaults(s.urgentModesLocked(), s.host.Profile().Urgent().Queues) // there is no connection yet
	tuple := Tuple{local, remote}
	s.host.Occupy(tuple)
	c, err := s.host.TCP().Dial(nic, id, translate.Protocol(local.Addr()), s.settingsLocked(remote.Addr()), s)
	if err != nil {
		s.host.Vacate(tuple)
		if _, used := err.(*tcpip.ErrPortInUse); used { // TIME-WAIT included (RU-11)
			return wsa.WSAEADDRINUSE
		}
		return translate.Errno(err)
	}
	s.conn, s.opt.live, s.opt.known = c, s.liveLocked(remote.Addr()), true
	s.urgent.Attach(c)
	s.noteAllLocked()
	s.remote, s.connectErr, s.async = remote, 0, s.nonblocking.Load()
	s.icmpError = nil
	s.events.BecomeAnswered(wsa.FD_CONNECT | wsa.FD_WRITE) // each attempt ends once
	s.events.stuck.Store(false)
	s.local = s.present(translate.FullAddress(nic, local))
	s.becomeConnectingLocked()
	s.host.Signal(s) // the answer may have come before the socket was Connecting
	return wsa.WSAEWOULDBLOCK
}

// awaitConnect waits until an attempt is decided.
func (s *Socket) awaitConnect(ctx context.Context, d *wait.Deadline) wsa.Errno {
	c := d.Block(s.calls.Begin(s.host, waiter.WritableEvents|waiter.EventErr|waiter.EventHUp, 0))
	defer s.calls.End(c)
	if ctx.Done() != nil {
		defer wait.AfterDone(ctx, c.Signal)()
	}
	for {
		err, decided := s.ConnectOutcome()
		switch {
		case decided:
			return err
		case ctx.Err() != nil || d.Passed():
			if s.giveUpConnect() {
				return wait.ErrCanceled
			}
		default:
			c.Wait("connect")
		}
	}
}

// ConnectOutcome is what became of an attempt to connect, if it is decided.
func (s *Socket) ConnectOutcome() (err wsa.Errno, decided bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.enterLocked()
	switch {
	case err == wsa.WSAENOTSOCK:
		return wsa.WSAEINTR, true
	case err != 0:
		return err, true
	case s.state == options.Connecting:
		return 0, false
	case s.state == options.Connected || s.state == options.Dead:
		return 0, true // a connection that has died since was established all the same
	}
	return s.connectErr, true
}

// giveUpConnect ends an attempt that isn't decided, and reports whether it was
// in time.
func (s *Socket) giveUpConnect() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.enterLocked() != 0 || s.state != options.Connecting {
		return false
	}
	s.becomeUnconnectedLocked()
	return true
}

// connectDatagramLocked sets or, with the unspecified address and port 0,
// removes the peer.
func (s *Socket) connectDatagramLocked(addr netip.AddrPort) wsa.Errno {
	if addr.Addr().Unmap().IsUnspecified() && addr.Port() == 0 {
		return s.disconnectDatagramLocked()
	}
	if err := s.checkDestinationLocked(addr); err != 0 {
		return err
	}
	if s.forbiddenLocked(addr.Addr()) && !s.host.Profile().Datagrams().BroadcastPeers {
		return wsa.WSAEACCES // BC-2
	}
	source, _, err := s.sourceLocked(addr.Addr().Unmap())
	if err != 0 {
		return err
	}
	if s.state == options.Fresh {
		// A port for the address that was chosen: a dual-stack wildcard that
		// is then connected never gives its port back.
		if s.family == wsa.AF_INET6 && source.Is4() {
			source = netip.AddrFrom16(source.As16())
		}
		if err := s.bindLocked(netip.AddrPortFrom(source, 0), true); err != 0 {
			return err
		}
	}
	switch again := s.state == options.Connected && s.remote == addr; {
	case !again && s.changesEndpoint(addr.Addr()):
		err = s.replaceDatagramRmuMuLocked(netip.AddrPortFrom(source, s.binding.Addr.Port()), addr)
	default:
		if err = s.connectEndpointLocked(addr); err == 0 && !again {
			s.keepRmuMuLocked(s.ep, s.peerOf(addr))
		}
	}
	if err != 0 {
		return err
	}
	s.remote, s.dissolved = addr, false
	s.setFilterLocked()
	s.events.BecomeEnabled(wsa.FD_CONNECT)
	if s.host.Profile().Events().WriteAtBind {
		s.events.BecomeEnabled(wsa.FD_WRITE)
	}
	s.becomeConnectedLocked(s.host.Clock().NowMonotonic())
	return 0
}

// connectEndpointLocked gives the endpoint of a datagram socket its peer.
func (s *Socket) connectEndpointLocked(addr netip.AddrPort) wsa.Errno {
	if err := s.ep.Connect(translate.FullAddress(s.chosenNICLocked(addr.Addr()), addr)); err != nil {
		return translate.Errno(err)
	}
	return 0
}

// disconnectDatagramLocked takes the peer away again.
func (s *Socket) disconnectDatagramLocked() wsa.Errno {
	if s.state != options.Connected {
		return wsa.WSAEADDRNOTAVAIL
	}
	if !s.behaviour.hasPorts() || s.changesEndpoint(s.remote.Addr()) {
		// netstack has no way back, or none to the wildcard
		if err := s.replaceDatagramRmuMuLocked(s.binding.Addr, netip.AddrPort{}); err != 0 {
			return err
		}
	} else if err := s.ep.Disconnect(); err != nil {
		return translate.Errno(err)
	}
	s.remote = netip.AddrPort{}
	s.dissolved = true
	s.setFilterLocked()
	s.state, s.local = options.Bound, s.binding.Addr
	return 0
}
