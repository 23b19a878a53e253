package socket

import (
	"net/netip"
	"sync"
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// LentPieces is how many pieces Lend lends at most.
const LentPieces = 64

// A lending is a list of pieces for Lend.
type lending [LentPieces][]byte

var lendings = sync.Pool{New: func() any { return new(lending) }}

// Lend is Recv without a copy, for a stream: f gets what Recv would return next, at most limit
// bytes in at most LentPieces pieces, which are f's during the call only, and returns how many bytes
// it has used. These are received. f is called with the connection locked, so that it must neither
// wait nor call the socket. more says that another call finds something: bytes, or the end. At the end
// of the stream n is 0 and more is false.
//
// It never waits. Errors are those of Recv on a non-blocking socket.
func (s *Socket) Lend(limit int, f func(pieces [][]byte) int) (n int, more bool, code wsa.Errno) {
	defer s.debugCall("recv", &code)
	defer s.reenable(recvEvent(0))
	s.mu.Lock()
	err, conn := s.checkRecvLocked(recvCall, 0, false), s.conn
	s.mu.Unlock()
	if err != 0 {
		return 0, false, err
	}
	list := lendings.Get().(*lending)
	defer lendings.Put(list)
	end, empty := false, true
	conn.Do(func(now time.Duration, e *tcp.Conn) {
		if !s.urgent.IsOf(conn) { // the socket has left it: nothing is there
			end = true
			return
		}
		size, _ := s.urgent.Limit(now, e, limit, false)
		if empty = e.Readable() == 0; !empty {
			n = e.Lend(now, size, list[:], f)
			s.urgent.Passed(e)
			clear(list[:])
		}
		end = streamEnded(e)
		more = e.Readable() > 0 || end && !empty
	})
	switch {
	case empty && end:
		return 0, false, s.ended(false, 0)
	case empty:
		return 0, false, wsa.WSAEWOULDBLOCK
	case n > 0 && s.ops.pending.Load() > 0:
		s.host.Signal(s) // a TransmitFile may wait until all is read
	}
	return n, more, 0
}

// Fill is Send without a copy, for a stream: f gets room for at most limit bytes, writes into it, and
// returns how many bytes. These are sent. f is called as by Lend. Where Send would fail on a
// non-blocking socket, Fill fails with the same error, and doesn't call f.
func (s *Socket) Fill(limit int, f func(room []byte) int) (n int, code wsa.Errno) {
	defer s.debugCall("send", &code)
	s.mu.Lock()
	err, conn := s.checkSendLocked(sendCall, limit, 0, netip.AddrPort{}, false), s.conn
	s.mu.Unlock()
	if err != 0 {
		return 0, err
	}
	n, err = s.give(conn, limit, func(_ time.Duration, e *tcp.Conn, room int) (int, bool) { return e.Fill(room, f) })
	return n, s.enableWrite(s.sendFailed(err, false))
}
