package socket

import (
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// lateContext is what SO_UPDATE_ACCEPT_CONTEXT or SO_UPDATE_CONNECT_CONTEXT gives a
// socket that AcceptEx or ConnectEx has connected: until then it can send and
// receive, and little else (IN-5, IN-6).
type lateContext struct {
	values   options.Values // of the listener; those set before ConnectEx
	accepted bool
}

// AcceptEx starts to accept a connection of the listener s into a fresh socket.
// With a buffer, it is done when data has come. Nothing is inherited until
// SO_UPDATE_ACCEPT_CONTEXT. Until the operation is done no other call may bind or
// connect into.
//
// Errors: WSAEINVAL when s isn't listening, when into isn't a fresh stream
// socket of the same family or has an AcceptEx pending, and for a socket
// without the overlapped attribute; WSAENOBUFS when 4,096 are pending.
// The operation may end with WSAECONNRESET, and with WSA_OPERATION_ABORTED when
// either socket is closed.
func (s *Socket) AcceptEx(into *Socket, buf []byte) (*Op, wsa.Errno) {
	op := &Op{kind: opAccept, sock: s, buf: buf, into: into, arrival: &acceptance{blocking: true}}
	if into == s || !into.behaviour.connectionOriented() || into.family != s.family {
		return nil, wsa.WSAEINVAL
	}
	into.mu.Lock()
	err := into.enterLocked()
	switch {
	case err != 0:
	case into.droppedLocked():
		err = wsa.WSAENOTCONN // KA-31
	case into.state != options.Fresh, into.reservedLocked(), into.ops.synchronous:
		err = wsa.WSAEINVAL
	default:
		into.ops.target = op
	}
	into.mu.Unlock()
	if err != 0 {
		return nil, err
	}
	_, err = s.start(op, func() wsa.Errno {
		switch {
		case s.droppedLocked():
			return wsa.WSAENOTCONN // KA-31
		case s.state != options.Listening:
			return wsa.WSAEINVAL
		case !op.pending():
			return wsa.WSAENOTSOCK // into is closed since
		}
		return 0
	})
	if err != 0 {
		op.complete(0, netip.AddrPort{}, err) // into is free for another
		return nil, err
	}
	return op, 0
}

func (s *Socket) advanceAccept(op *Op) bool {
	if !op.pending() { // the socket that it was for is closed
		s.abandon(op.arrival)
		s.finish(op, netip.AddrPort{}, 0)
		return true
	}
	n, err := s.acceptOnce(op.arrival)
	if err == wsa.WSAEWOULDBLOCK {
		return false
	}
	if err != 0 {
		s.finish(op, netip.AddrPort{}, err)
		return true
	}
	if err := op.into.become(n); err != 0 {
		s.finish(op, netip.AddrPort{}, err)
		return true
	}
	s.mu.Lock()
	first := s.dequeueLocked(op)
	s.mu.Unlock()
	if first {
		op.into.follow(op, &Op{kind: opRecv, sock: op.into, buf: op.buf})
	}
	return true
}

// become makes s the connection of n, a socket that was just accepted and is
// nobody's else: n is forgotten.
func (s *Socket) become(n *Socket) wsa.Errno {
	n.mu.Lock()
	if n.closed { // Stack.Close was faster
		n.mu.Unlock()
		return wsa.WSAENETDOWN
	}
	conn, unhold := n.conn, n.unhold
	n.conn, n.unhold = nil, nil
	n.becomeClosedLocked()
	n.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Abort()
		if unhold != nil {
			unhold()
		}
		return wsa.WSA_OPERATION_ABORTED
	}
	s.remote, s.opt.from = n.remote, n.opt.from
	s.unhold = unhold // RU-12
	s.adoptConnLocked(conn)
	conn.Do(func(time.Duration, *tcp.Conn) { s.urgent.TakeOver(&n.urgent) })
	if s.valuesLocked() != nil {
		s.noteLocked(&n.values) // the connection had those of the listener
	}
	s.applyLocked()
	s.context = &lateContext{values: n.values, accepted: true}
	s.events.BecomeUnconnected() // from a connect that has failed
	s.becomeConnectedLocked(n.connected)
	s.ops.target = nil // its transfer is in a queue
	s.calls.Wake(wait.AnyEvent)
	return 0
}

// follow lets the transfer of an accept or connect complete it; without a
// buffer, it is complete.
func (s *Socket) follow(op, transfer *Op) {
	if len(op.buf) == 0 {
		op.complete(0, netip.AddrPort{}, 0)
		return
	}
	transfer.parent = op
	op.mu.Lock()
	op.next = transfer
	op.mu.Unlock()
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.enqueueOpLocked(transfer)
	}
	s.mu.Unlock()
	if closed {
		transfer.complete(0, netip.AddrPort{}, wsa.WSA_OPERATION_ABORTED)
	}
	s.host.Signal(s)
}

// ConnectEx starts to connect a bound socket, and then sends buf, which may be
// empty. The options set before have no effect, and defaults are read, until
// SO_UPDATE_CONNECT_CONTEXT (IN-6).
//
// Errors: WSAEINVAL when the socket isn't bound or has no overlapped attribute;
// else those of Connect that it returns at once. The operation ends with the
// others.
func (s *Socket) ConnectEx(addr netip.AddrPort, buf []byte) (*Op, wsa.Errno) {
	op := &Op{kind: opConnect, sock: s, buf: buf}
	return s.start(op, func() wsa.Errno {
		switch {
		case !s.behaviour.connectionOriented(), s.state == options.Fresh:
			return wsa.WSAEINVAL
		case s.state == options.Connecting, s.pendingConnectLocked():
			return wsa.WSAEALREADY
		}
		saved := s.values
		if s.state == options.Bound {
			s.values = options.Defaults(s.host.Profile(), s.family, s.Kind())
			s.values.V6Only = saved.V6Only
		}
		err := s.startConnectLocked(addr)
		if err != wsa.WSAEWOULDBLOCK {
			s.values = saved
			return err
		}
		s.async = false // the operation has the outcome, not SO_ERROR (EO-6)
		s.context = &lateContext{values: saved}
		return 0
	})
}

func (s *Socket) advanceConnect(op *Op) bool {
	s.mu.Lock()
	err := s.enterLocked()
	switch {
	case err != 0:
	case s.state == options.Connecting:
		s.mu.Unlock()
		return false
	case s.state != options.Connected && s.state != options.Dead:
		err = s.connectErr
	}
	first := err == 0 && s.dequeueLocked(op)
	s.mu.Unlock()
	switch {
	case err != 0:
		s.finish(op, netip.AddrPort{}, err)
	case first:
		s.follow(op, &Op{kind: opSend, sock: s, buf: op.buf})
	}
	return true
}

// reservedLocked reports that a pending AcceptEx is to connect the socket: until
// then no other call does, and none binds it.
func (s *Socket) reservedLocked() bool { return s.ops.target.pending() }

// pendingConnectLocked reports that a ConnectEx is in progress: it may be decided
// already, and wait for the pump to tell.
func (s *Socket) pendingConnectLocked() bool { return len(s.ops.queues[opConnect]) > 0 }

// updateContextLocked gives the socket what its connection had to wait for.
func (s *Socket) updateContextLocked() {
	if s.context == nil {
		return
	}
	s.values, s.context = s.context.values, nil
	s.startKeepAliveLocked(s.values.KeepAlive, s.host.Clock().NowMonotonic())
}

// UpdateConnectContext is SO_UPDATE_CONNECT_CONTEXT. After an ordinary connect
// it has nothing to do.
func (v *optionView) UpdateConnectContext() wsa.Errno {
	if v.state != options.Connected {
		return wsa.WSAENOTCONN
	}
	(*Socket)(v).updateContextLocked()
	return 0
}
