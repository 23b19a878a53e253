package endpoint

import (
	"math"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// SO_SNDBUF of a stream is a quota of bytes from acceptance until they are
// acknowledged (BF-7). Until it is set, netstack's send buffer is the limit,
// and grows (BF-21); then netstack takes whatever it is given, and the quota
// decides what that is.

// heldLimit bounds the tail of a socket without a quota, in bytes: what it
// accepts while the peer's window is too small to be used (NG-9).
const heldLimit = 64 << 10

// roomLocked is how many of n further bytes may be accepted now. The caller
// holds wmu.
func (s *Socket) roomLocked(w *Wire, n int) int {
	quota := int(s.quota.Load())
	if quota == noQuota {
		return n
	}
	switch queued := w.Unacked() + len(s.tail); {
	case queued == 0: // one send is taken whole, even with SO_SNDBUF 0 (C-07, BF-9)
		return n
	case queued >= quota:
		return 0
	case s.host.Profile().WholeSends():
		return n
	default:
		return min(n, quota-queued)
	}
}

// writable is BF-10: whether a send would accept a byte.
func (s *Socket) writable() bool {
	quota, queued := int(s.quota.Load()), s.queued()
	if quota == noQuota {
		return int(s.waiting.Load()) < heldLimit
	}
	return queued < quota || queued == 0
}

// acked is how many of all bytes accepted on the stream the peer has
// acknowledged.
func (w *Wire) acked() int64 { return w.written.Load() - int64(w.Unacked()) }

// awaitAcked waits until the peer has acknowledged the first mark bytes of the
// stream: what SO_SNDBUF 0 makes a blocking send do (BF-9).
func (s *Socket) awaitAcked(c *call, mark int64, d *deadline) wsa.Errno {
	for {
		s.mu.Lock()
		err, w := s.checkAwaitLocked(), s.wire
		s.mu.Unlock()
		switch {
		case err != 0:
			return err
		case w.acked() >= mark:
			return 0
		case d != nil && d.passed.Load():
			return errDeadline
		case c.expired.Load():
			return wsa.WSAETIMEDOUT // the bytes stay queued (TO-3)
		}
		c.waiter.Wait("send")
	}
}

// checkAwaitLocked says whether waiting for an acknowledgement makes sense.
func (s *Socket) checkAwaitLocked() wsa.Errno {
	switch err := s.enterLocked(); {
	case err == wsa.WSAENOTSOCK:
		return wsa.WSAEINTR
	case err != 0:
		return err
	case s.state == options.Dead:
		return s.deadErrnoLocked(true)
	}
	return 0
}

// recvOverhead is the part of netstack's receive buffer, besides twice the
// quota, that its accounting of small segments may use up before the pump
// compacts them.
const recvOverhead = 4 << 20

// applyBuffersLocked makes SO_SNDBUF and SO_RCVBUF the quotas.
func (s *Socket) applyBuffersLocked() {
	quota := func(b options.Buffer) int64 {
		if !b.Set {
			return noQuota
		}
		return int64(b.Bytes)
	}
	send, recv := quota(s.values.SendBuffer), quota(s.values.RecvBuffer)
	ops := s.ep.SocketOptions()
	if s.kind != options.Stream {
		// Datagrams leave at once (BF-19). One that finds the queue empty is
		// always taken (BF-18).
		if recv != noQuota {
			ops.SetReceiveBufferSize(max(recv, 1), false)
		}
		return
	}
	if old := s.quota.Swap(send); old != send {
		s.calls.wake(waiter.EventOut)
	}
	if send != noQuota && ops.GetSendBufferSize() != math.MaxInt32 {
		ops.SetSendBufferSize(math.MaxInt32, false)
	}
	if s.wire.recv.quota.Load() != recv {
		s.wire.SetRecvQuota(int32(recv))
		if recv != noQuota {
			ops.SetReceiveBufferSize(max(ops.GetReceiveBufferSize(), 4*recv+recvOverhead), false)
		}
		if s.state == options.Connected && s.wire.took(0) {
			s.tellWindowLocked() // BF-13
		}
	}
}

// took tells that the application has taken n bytes of the stream, and the peer
// when that makes room worth telling.
func (s *Socket) took(w *Wire, n int) {
	if n == 0 || !w.took(n) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == options.Connected && s.wire == w && !s.closed {
		s.tellWindowLocked()
	}
}

// tellWindowLocked sends a window update, a bare acknowledgement: netstack
// believes that its window was open all the time.
func (s *Socket) tellWindowLocked() {
	w := s.wire
	ack := w.rcvNxt.Load()
	window := w.advertise(ack)
	w.ownWindow.Store(uint32(window))
	seg := s.bareAckLocked(w.nxt.Load())
	seg.Ack, seg.Window = ack, window
	s.host.SendOwn(seg)
}

// tinySegment is the payload below which the overhead of a segment in
// netstack's queue, some 600 bytes, matters; after tinyLimit of them the pump
// moves the bytes into one piece, so that a flood of small segments uses
// netstack's buffer up before the window closes neither by itself nor by much.
const (
	tinySegment = 256
	tinyLimit   = 512
)

// compact takes the bytes that netstack holds in small segments. It runs on the
// pump.
func (s *Socket) compact() {
	s.mu.Lock()
	ep, w := s.ep, s.wire
	usable := s.kind == options.Stream && s.state == options.Connected && !s.closed
	s.mu.Unlock()
	if !usable || w.tiny.Load() < tinyLimit {
		return
	}
	s.rmu.Lock()
	defer s.rmu.Unlock()
	w.tiny.Store(0)
	n, err := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	if err != nil || n == 0 {
		return
	}
	old := len(s.unread)
	s.unread = append(s.unread, make([]byte, n)...)
	s.dst = s.unread[old:]
	res, err := ep.Read(&s.dst, tcpip.ReadOptions{})
	s.dst = nil
	if err != nil {
		res.Count = 0 // what ended the stream is shown again
	}
	s.unread = s.unread[:old+res.Count]
	s.held.Store(int64(len(s.unread)))
}
