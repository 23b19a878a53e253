package socket

import (
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// SO_SNDBUF of a stream is a quota of bytes from acceptance until they are
// acknowledged (BF-7). Until it is set the limit follows the path (BF-21). Where sends
// are accepted whole, what is queued is less than the limit and one send: an application
// bounds it by the size of its buffers (C-07, WC-1). The largest limit of both is
// options.DefaultBufferCap. What is left of the stack's memory comes before all of it.

// sendLimit is how many bytes may be queued, and whether SO_SNDBUF says so. Without a quota
// the host may have a limit of its own. Where sends are accepted whole, the limit without a
// quota is what SO_SNDBUF reads, or as much as the peer's window takes.
func (s *Socket) sendLimit(now time.Duration, e *tcp.Conn, whole bool) (limit int, set bool) {
	switch quota, own := int(s.quota.Load()), s.host.SendBuffer(); {
	case quota >= 0:
		return quota, true
	case own > 0:
		return own, false
	case whole:
		return min(max(^quota, e.LargestWindow()), options.DefaultBufferCap), false
	}
	return e.SendQuota(now), false
}

// smallWrite is how much goes beyond the limit, in bytes, rather than to be cut.
const smallWrite = 64 << 10

// room is how many of n further bytes may be accepted now. Where there is none, the
// connection is told when to say that there is: without a quota when half of it is
// free, so that calls don't wake up for a segment.
func (s *Socket) room(now time.Duration, e *tcp.Conn, n int) int {
	whole := s.host.Profile().WholeSends()
	limit, set := s.sendLimit(now, e, whole)
	queued := e.Queued()
	switch {
	case set && queued == 0: // one send is taken whole, even with SO_SNDBUF 0 (C-07, BF-9)
	case queued >= limit:
		n = 0
	case whole:
	case set:
		n = min(n, limit-queued)
	default: // a small write isn't cut in two: its end would be a segment of its own
		n = min(n, max(limit-queued, smallWrite))
	}
	if n > 0 {
		if n = e.Afford(n); n == 0 {
			e.SetLowWater(0)
		}
		return n
	}
	if set || s.events.selected.Load() { // FD_WRITE is for a byte (BF-10)
		e.SetLowWater(0)
	} else {
		e.SetLowWater(limit / 2)
	}
	return 0
}

// writableLocked is BF-10: whether a send would accept a byte.
func (s *Socket) writableLocked() (ok bool) {
	s.conn.Do(func(now time.Duration, e *tcp.Conn) { ok = e.State() == tcp.Closed || s.room(now, e, 1) > 0 })
	return ok
}

// writeStream gives the connection bytes of the application, as far as there is room.
func (s *Socket) writeStream(conn *transport.Conn, b []byte) (int, wsa.Errno) {
	return s.give(conn, len(b), func(now time.Duration, e *tcp.Conn, room int) (int, bool) {
		return room, e.Send(now, b[:room])
	})
}

// give gives the connection at most size bytes: add is told for how many there is room, and returns
// how many it has added, and whether the connection takes any. It isn't called where there is no room.
func (s *Socket) give(conn *transport.Conn, size int, add func(now time.Duration, e *tcp.Conn, room int) (int, bool)) (n int, err wsa.Errno) {
	conn.Do(func(now time.Duration, e *tcp.Conn) {
		room := s.room(now, e, size)
		if room == 0 {
			err = wsa.WSAEWOULDBLOCK
			return
		}
		added, ok := add(now, e, room)
		if !ok {
			err = wsa.WSAESHUTDOWN
			return
		}
		n = added
		s.accepted.Add(int64(n))
	})
	return n, err
}

// ackedLocked is how many of all bytes accepted on the stream the peer has
// acknowledged.
func (s *Socket) ackedLocked() (n int64) {
	if s.conn == nil {
		return 0
	}
	s.conn.Do(func(_ time.Duration, e *tcp.Conn) {
		e.SetLowWater(0)
		n = s.accepted.Load() - int64(e.Queued())
	})
	return n
}

// awaitAcked waits until the peer has acknowledged the first mark bytes of the
// stream: what SO_SNDBUF 0 makes a blocking send do (BF-9).
func (s *Socket) awaitAcked(c *wait.Call, mark int64, d *wait.Deadline) wsa.Errno {
	for {
		acked, err := s.checkAwait()
		switch {
		case err != 0:
			return err
		case acked >= mark:
			return 0
		case d.Passed():
			return wait.ErrDeadline
		case c.Expired():
			return wsa.WSAETIMEDOUT // the bytes stay queued (TO-3)
		}
		c.Wait("send")
	}
}

// checkAwait says how much is acknowledged, and whether waiting for more makes
// sense: of a connection that is over nothing is queued any more.
func (s *Socket) checkAwait() (acked int64, _ wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	acked = s.ackedLocked()
	switch err := s.enterLocked(); {
	case err == wsa.WSAENOTSOCK:
		return 0, wsa.WSAEINTR
	case err != 0:
		return 0, err
	case s.state == options.Dead:
		return 0, s.deadErrnoLocked(true)
	}
	return acked, 0
}

// applySendQuotaLocked makes SO_SNDBUF the quota, or its complement while it isn't set.
func (s *Socket) applySendQuotaLocked() {
	quota := int64(s.values.SendBuffer.Bytes)
	if !s.values.SendBuffer.Set {
		quota = ^quota
	}
	if s.quota.Swap(quota) != quota {
		s.calls.Wake(waiter.EventOut)
	}
}

// applyRecvBufferLocked makes SO_RCVBUF the receive buffer of a datagram socket.
// Datagrams leave at once, so that SO_SNDBUF has no effect (BF-19), and one that
// finds the queue empty is always taken (BF-18).
func (s *Socket) applyRecvBufferLocked(fresh bool) {
	b := s.values.RecvBuffer
	if !b.Set || !fresh && int64(b.Bytes) == s.opt.recvBuffer {
		return
	}
	s.ep.SocketOptions().SetReceiveBufferSize(max(int64(b.Bytes), 1), false)
	s.opt.recvBuffer = int64(b.Bytes)
}
