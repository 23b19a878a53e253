package endpoint

import (
	"math"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// SO_SNDBUF of a stream is a quota of bytes from acceptance until they are
// acknowledged (BF-7). Until it is set the limit grows with the peer's window
// (BF-21). netstack's own send buffer is without bound: where it is full it
// would take a part of a segment, which then leaves as one of its own.

// leastSendLimit is the limit of a socket without a quota, in bytes, as long as
// the peer's window is small or its answers take less than nearby: more would
// leave the processor's caches before it is sent. The largest limit is
// options.DefaultBufferCap.
const (
	leastSendLimit = 1 << 20
	nearby         = 1000 // µs
)

// sendLimit is how many bytes may be queued, and whether SO_SNDBUF says so.
func (s *Socket) sendLimit(w *Wire) (limit int, set bool) {
	if quota := int(s.quota.Load()); quota != noQuota {
		return quota, true
	}
	if rtt := w.tally.minRTT.Load(); rtt > 0 && rtt < nearby {
		return leastSendLimit, false
	}
	return min(max(leastSendLimit, 2*int(w.largest.Load())), options.DefaultBufferCap), false
}

// roomLocked is how many of n further bytes may be accepted now. The caller
// holds wmu.
func (s *Socket) roomLocked(w *Wire, n int) int {
	limit, set := s.sendLimit(w)
	switch queued := w.Unacked() + len(s.tail); {
	case set && queued == 0: // one send is taken whole, even with SO_SNDBUF 0 (C-07, BF-9)
		return n
	case queued >= limit:
		return 0
	case set && s.host.Profile().WholeSends():
		return n
	default:
		return min(n, limit-queued)
	}
}

// writable is BF-10: whether a send would accept a byte.
func (s *Socket) writable() bool {
	limit, set := s.sendLimit(s.wire)
	queued := s.queued()
	return queued < limit || set && queued == 0
}

// roomy reports that calls which wait for room should look again. Without a quota
// that is when half of it is free, so that they don't wake up for a segment.
func (s *Socket) roomy(w *Wire) bool {
	limit, set := s.sendLimit(w)
	return set || w.Unacked() <= limit/2
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

// recvOverhead is the part of netstack's receive buffer, besides four times the
// quota, of which it advertises half, that its accounting of small segments may
// use up before the pump compacts them.
const recvOverhead = 4 << 20

// applyBuffersLocked makes SO_SNDBUF and SO_RCVBUF the quotas.
func (s *Socket) applyBuffersLocked(fresh bool) {
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
		if recv != noQuota && (fresh || recv != s.opt.received) {
			ops.SetReceiveBufferSize(max(recv, 1), false)
			s.opt.received = recv
		}
		return
	}
	if old := s.quota.Swap(send); old != send {
		s.calls.wake(waiter.EventOut)
	}
	if fresh {
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
	if n > 0 && w.tiny.Load() != 0 {
		w.tiny.Store(0) // it is read in time
	}
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
	ack := w.told.next()
	window := w.advertise(ack)
	w.told.enlarge(ack, uint32(window)<<w.ownShift.Load())
	seg := s.bareAckLocked(w.nxt.Load())
	seg.Ack, seg.Window = ack, window
	s.sendOwn(seg)
}

// tinySegment is the payload below which netstack doesn't move its right edge for
// a segment that isn't read: its overhead in the queue is larger. After tinyLimit
// of them the pump moves the bytes into one piece. That is before 29,200 bytes,
// the least of netstack's first windows, so that neither what our SYN has
// promised nor SO_RCVBUF is refused by netstack.
const (
	tinySegment = 600
	tinyLimit   = 32
)

// compactLimit bounds the pieces that compact makes of a stream without a quota,
// in bytes: netstack takes them for read, and opens its window again.
const compactLimit = 1 << 20

// receiver is the endpoint, and its record, of a stream that may be read from;
// nil when there is none. It stays so while rmu is held, but for the end of the
// connection and closesocket.
func (s *Socket) receiver() (tcpip.Endpoint, *Wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kind != options.Stream || s.state != options.Connected || s.closed {
		return nil, nil
	}
	return s.ep, s.wire
}

// compact takes the bytes that netstack holds in small segments. It runs on the
// pump.
func (s *Socket) compact() {
	if _, w := s.receiver(); w == nil || w.tiny.Load() < tinyLimit {
		return
	}
	s.rmu.Lock()
	defer s.rmu.Unlock()
	ep, w := s.receiver() // AcceptEx may have taken the connection away since
	if w == nil {
		return
	}
	w.tiny.Store(0)
	n, err := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	old := len(s.unread)
	if err != nil || n == 0 || !w.recv.ours() && old+n > compactLimit {
		return
	}
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
