package socket

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/wsa"
)

// What tests in endpoint_test reach: the moments between two looks of a call, which
// nobody can wait for.

// RecvAcross is a recv that looks at the socket before f, and at the connection after
// it.
func (s *Socket) RecvAcross(b []byte, flags int32, f func()) (int, wsa.Errno) {
	conn := s.permitted(func() wsa.Errno { return s.checkRecvLocked(recvCall, flags, true) })
	f()
	return s.recvStream(conn, b, flags, attempt{waited: true})
}

// SendAcross is a send that does so.
func (s *Socket) SendAcross(b []byte, f func()) wsa.Errno {
	conn := s.permitted(func() wsa.Errno { return s.checkSendLocked(sendCall, len(b), 0, netip.AddrPort{}, true) })
	f()
	_, err := s.writeStream(conn, b)
	return s.sendFailed(err, true)
}

func (s *Socket) permitted(check func() wsa.Errno) *transport.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := check(); err != 0 {
		panic(err)
	}
	return s.conn
}

// ObserveAbort resets the connection, and has events observed before anybody has
// looked why it ended.
func (s *Socket) ObserveAbort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.Abort()
	s.observeLocked()
}

// Held is how many bytes calls with MSG_WAITALL have in hand.
func (s *Socket) Held() int { return int(s.partial.Load()) }

// AcceptExAcross accepts as an AcceptEx into a socket does, with f between the
// arrival and the move.
func (s *Socket) AcceptExAcross(into *Socket, f func()) wsa.Errno {
	n, err := s.acceptOnce(&acceptance{})
	if err != 0 {
		panic(err)
	}
	f()
	return into.become(n)
}
