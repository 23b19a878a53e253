package socket

import (
	"net/netip"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// DisconnectEx starts to disconnect a stream (API-DisconnectEx). A FIN follows what
// the sends and operations until now have to send; sends that come after it fail
// with WSAESHUTDOWN. Receiving goes on.
//
//	flags 0          done when the peer has acknowledged the FIN. The socket
//	                 stays the connected one that it is: it receives, has its
//	                 peer's address, and can't connect again (observed)
//	TF_REUSE_SOCKET  done when the peer's FIN has come as well (assumed).
//	                 The connection, TIME-WAIT included, isn't the socket's any
//	                 more; what nobody has read of it is lost
//
// A socket that connect or ConnectEx had connected is then bound, as it was, and
// good for ConnectEx; one that accept or AcceptEx had connected is fresh, and good
// for AcceptEx. Its options stay as they are, and nothing else of the connection
// does: network events that nobody has taken are gone, too. ConnectEx to the same
// peer from the same port is WSAEADDRINUSE in the time of TIME-WAIT (RU-11).
//
// Errors: WSAEINVAL for reserved not 0, other flags, and a socket without the
// overlapped attribute; WSAENOTCONN on one that isn't connected, or isn't a stream;
// in profile Documented WSAENOTCONN for flags 0 where nothing may be sent any more
// (C-86); WSAENOBUFS when 4,096 are pending. The operation may end with the code of
// the end of its connection, or WSA_OPERATION_ABORTED when it is cancelled, which
// leaves the FIN, or the socket is closed.
func (s *Socket) DisconnectEx(flags, reserved uint32) (*Op, wsa.Errno) {
	return s.startDisconnect(&Op{kind: opDisconnect, sock: s}, flags, reserved)
}

// Disconnect is DisconnectEx without an OVERLAPPED: it waits, whatever the mode and
// the attribute of the socket. It is WSAEINTR when the socket is closed meanwhile.
func (s *Socket) Disconnect(flags, reserved uint32) (code wsa.Errno) {
	defer s.debugCall("disconnect", &code)
	before := s.undropped()
	op, err := s.startDisconnect(&Op{kind: opDisconnect, sock: s, waits: true}, flags, reserved)
	if err != 0 {
		return s.caught(before, err)
	}
	op.Wait()
	_, _, err = op.Result()
	if err == wsa.WSA_OPERATION_ABORTED {
		return wsa.WSAEINTR
	}
	return err
}

func (s *Socket) startDisconnect(op *Op, flags, reserved uint32) (*Op, wsa.Errno) {
	op.reuse = flags == wsa.TF_REUSE_SOCKET
	return s.start(op, func() wsa.Errno {
		switch {
		case reserved != 0, flags != 0 && !op.reuse:
			return wsa.WSAEINVAL
		case !s.behaviour.connectionOriented(), s.state != options.Connected:
			return wsa.WSAENOTCONN
		case !op.reuse && (s.shutSend || s.disconnectingLocked()) && !s.host.Profile().Endings().DisconnectAgain:
			return wsa.WSAENOTCONN // C-86
		}
		return 0
	})
}

// disconnectingLocked reports that a DisconnectEx is in progress: nothing new is
// sent.
func (s *Socket) disconnectingLocked() bool {
	return len(s.ops.queues[opDisconnect]) > 0 || s.transmitEndsLocked()
}

func (s *Socket) advanceDisconnect(op *Op) bool {
	s.mu.Lock()
	done, err := s.disconnectedLocked(op)
	var others []*Op
	if done && op.reuse {
		s.becomeDisconnectedLocked()
		others = s.takeDisconnectsLocked(op)
	}
	s.mu.Unlock()
	if !done && err == 0 {
		return false
	}
	s.finish(op, netip.AddrPort{}, err)
	for _, o := range others {
		o.complete(o.moved, netip.AddrPort{}, 0)
	}
	return true
}

// disconnectedLocked takes a DisconnectEx as far as it goes now, and reports that
// it has come to its end. One of a transmission is over when the FIN has its place, and
// waits for readers where the socket is to be used again (API-TransmitFile).
func (s *Socket) disconnectedLocked(op *Op) (done bool, err wsa.Errno) {
	if err := s.enterLocked(); err != 0 {
		return false, err
	}
	if s.state == options.Connected {
		if len(s.ops.queues[opSend]) > 0 || s.sending.Load() > 0 {
			return false, 0 // what began before leaves before the FIN
		}
		s.finishSendingLocked()
		s.pollLocked()
	}
	switch {
	case s.state == options.Dead:
		return false, s.deadErrnoLocked(true)
	case !op.reuse:
		return op.parent != nil || finAcked(s.connState()), 0
	case op.parent != nil && s.hasUnread(s.conn):
		return false, 0
	}
	return bothFinished(s.connState()) && !s.inUseLocked(), 0
}

// bothFinished reports that both FINs have come, and ours is acknowledged. A
// connection that has ended in another way is known to be dead before.
func bothFinished(st tcp.State) bool { return st == tcp.TimeWait || st == tcp.Closed }

// inUseLocked reports that calls and operations have to do with a connection that is
// over. They are about to end, and must not meet the next one.
func (s *Socket) inUseLocked() bool {
	return s.receiving.Load() > 0 || s.sending.Load() > 0 ||
		len(s.ops.queues[opRecv]) > 0 || len(s.ops.queues[opConnect]) > 0
}

// takeDisconnectsLocked takes the other operations off the queue that wait for the
// end of the same connection.
func (s *Socket) takeDisconnectsLocked(op *Op) (others []*Op) {
	others = slices.Clone(s.ops.queues[opDisconnect])
	others = slices.DeleteFunc(others, func(o *Op) bool { return o == op })
	for _, o := range others {
		s.dequeueLocked(o)
	}
	return others
}

// leaveConnLocked leaves a connection that is over to package transport, and forgets
// what the socket knows of it.
func (s *Socket) leaveConnLocked() {
	s.conn.SetOwner(nil)
	s.unholdLocked() // nobody reads what is there any more
	s.conn.Do(func(now time.Duration, e *tcp.Conn) {
		e.TakeNotices()
		e.Discard(now, e.Readable())
		s.urgent.Forget()
	})
	s.conn, s.opt.known, s.opt.from = nil, false, 0
}
