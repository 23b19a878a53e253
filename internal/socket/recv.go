package socket

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Recv receives into b: from a stream what there is, at least one byte, or 0
// at the end of the stream; from a datagram socket one datagram.
//
// Flags (flagTable): MSG_PEEK leaves the data queued; MSG_WAITALL waits until b is full, the
// stream ends or an urgent byte is next; MSG_OOB receives the urgent byte. Errors are those of the page of recv.
// WSAENOTCONN on a datagram socket whose peer connect has removed: RecvFrom takes
// what comes to it (page of connect).
func (s *Socket) Recv(b []byte, flags int32) (int, wsa.Errno) {
	if err := s.CheckPeer(); err != 0 {
		return 0, err
	}
	n, _, err := s.RecvFrom(b, flags)
	return n, err
}

// CheckPeer is what recv, unlike recvfrom, looks at first on a datagram socket.
func (s *Socket) CheckPeer() wsa.Errno {
	if s.datagram == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 || !s.dissolved {
		return err
	}
	return wsa.WSAENOTCONN
}

// RecvFrom is Recv with the sender of the datagram; on a stream, the address
// isn't valid.
func (s *Socket) RecvFrom(b []byte, flags int32) (int, netip.AddrPort, wsa.Errno) {
	return s.RecvUntil(b, flags, nil)
}

// RecvUntil is RecvFrom that ends with wait.ErrDeadline when d has passed; nil never does.
func (s *Socket) RecvUntil(b []byte, flags int32, d *wait.Deadline) (_ int, _ netip.AddrPort, code wsa.Errno) {
	defer s.debugCall("recv", &code)
	if flags&wsa.MSG_WAITALL != 0 { // of a stream, or an error
		n, err := s.recvAll(b, flags, d)
		return n, netip.AddrPort{}, err
	}
	before := s.undropped() && !s.nonblocking.Load()
	n, from, err := s.recvOnce(b, flags, d, attempt{})
	if err != wsa.WSAEWOULDBLOCK || s.nonblocking.Load() {
		if n > 0 && s.ops.pending.Load() > 0 {
			s.host.Signal(s) // a TransmitFile may wait until all is read
		}
		return n, from, s.caught(before, err)
	}
	c := d.Block(s.calls.Begin(s.host, waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, s.recvTimeout()))
	defer s.calls.End(c)
	s.receiving.Add(1)
	defer s.receiveEnded()
	for {
		n, from, err = s.recvOnce(b, flags, d, attempt{waited: true})
		if err != wsa.WSAEWOULDBLOCK {
			return n, from, err
		}
		if c.Expired() {
			return 0, from, wsa.WSAETIMEDOUT
		}
		c.Wait("recv")
	}
}

// recvAll is MSG_WAITALL on a stream. What was read before a time-out or an
// interruption goes back to the front of the queue, so that nothing is lost
// (TO-11) and a buffer larger than the window can be filled.
func (s *Socket) recvAll(b []byte, flags int32, d *wait.Deadline) (int, wsa.Errno) {
	before, waited := s.undropped(), false
	c := d.Block(s.calls.Begin(s.host, waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, s.recvTimeout()))
	defer s.calls.End(c)
	s.receiving.Add(1)
	defer s.receiveEnded()
	var conn *transport.Conn // the one that the bytes are of
	for got := 0; ; waited = true {
		n, _, on, err := s.recvSome(b[got:], flags, d, attempt{waited: waited, more: got > 0, keeps: true})
		if got += n; n > 0 {
			conn = on.conn
		}
		switch {
		case err == 0 && (n == 0 || got == len(b)):
			s.partial.Add(-int64(got))
			return got, 0 // full, or the stream has ended, or a mark (OB-6)
		case err == 0:
			continue
		case err == wsa.WSAEWOULDBLOCK && !c.Expired():
			c.Wait("recv")
			continue
		case err == wsa.WSAEWOULDBLOCK:
			err = wsa.WSAETIMEDOUT
		}
		s.giveBack(conn, b[:got])
		return 0, s.caught(before, err)
	}
}

// giveBack puts the bytes that recvAll has read in front of those still queued.
func (s *Socket) giveBack(conn *transport.Conn, b []byte) {
	if len(b) == 0 {
		return
	}
	conn.Do(func(_ time.Duration, e *tcp.Conn) {
		e.Restore(b)
		s.partial.Add(-int64(len(b)))
	})
	s.calls.Wake(waiter.ReadableEvents)
}

func (s *Socket) recvTimeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ops.synchronous {
		return 0 // TO-6
	}
	return time.Duration(s.values.RecvTimeout) * time.Millisecond
}

// An attempt says what a receiving call has done so far.
type attempt struct {
	waited bool // it was in progress already, which decides between some codes (LG-19, KA-30)
	more   bool // it has bytes already
	keeps  bool // it gives back what it has unless it gets all that it wants
}

// recvOnce is one attempt.
func (s *Socket) recvOnce(b []byte, flags int32, d *wait.Deadline, a attempt) (int, netip.AddrPort, wsa.Errno) {
	n, from, _, err := s.recvSome(b, flags, d, a)
	return n, from, err
}

// recvSome is recvOnce with the medium that the bytes are of.
func (s *Socket) recvSome(b []byte, flags int32, d *wait.Deadline, a attempt) (n int, from netip.AddrPort, on medium, err wsa.Errno) {
	defer s.reenable(recvEvent(flags))
	s.mu.Lock()
	err = s.checkRecvLocked(recvCall, flags, a.waited)
	on = s.mediumLocked()
	s.mu.Unlock()
	if err == 0 && d.Passed() {
		err = wait.ErrDeadline
	}
	if err != 0 {
		return 0, netip.AddrPort{}, on, err
	}
	n, from, err = s.behaviour.recv(s, on, b, flags, a)
	return n, from, on, err
}

// recvStream is one attempt on a stream whose state permits it.
func (s *Socket) recvStream(conn *transport.Conn, b []byte, flags int32, a attempt) (n int, err wsa.Errno) {
	if flags&wsa.MSG_OOB != 0 {
		return s.readUrgent(conn, b, flags&wsa.MSG_PEEK != 0, a.waited)
	}
	return s.readStream(conn, b, flags&wsa.MSG_PEEK != 0, a)
}

// checkRecvLocked holds the rules of flags and states of a receive. waited says
// that the call was in progress already, with flags that it may have.
func (s *Socket) checkRecvLocked(call transfer, flags int32, waited bool) wsa.Errno {
	err := s.enterLocked()
	if err == 0 && !waited && flags != 0 {
		err = call.checkFlags(flags, s.Kind(), s.nonblocking.Load())
	}
	switch {
	case err == wsa.WSAENOTSOCK && waited:
		return wsa.WSAEINTR
	case err != 0:
		return err
	}
	return s.behaviour.checkRecvLocked(s, flags, waited)
}

// readStream reads what is queued, up to the next mark (OB-6). At the end of the
// stream it returns 0, and so it does where a call that has bytes already goes
// no further.
func (s *Socket) readStream(conn *transport.Conn, b []byte, peek bool, a attempt) (n int, err wsa.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	stop, end := false, false
	conn.Do(func(now time.Duration, e *tcp.Conn) {
		if !s.urgent.IsOf(conn) { // the socket has left it: nothing is there
			end = true
			return
		}
		var size int
		if size, stop = s.urgent.Limit(now, e, len(b), a.more); stop {
			return
		}
		n = e.Read(now, b[:size], 0, peek)
		if !peek {
			s.urgent.Passed(e)
		}
		if a.keeps {
			s.partial.Add(int64(n))
		}
		end = n == 0 && streamEnded(e)
	})
	switch {
	case n > 0 || stop:
		return n, 0
	case end:
		return 0, s.ended(a.waited, 0) // the peer's FIN, if nothing else
	}
	return 0, wsa.WSAEWOULDBLOCK
}

// streamEnded reports that nothing more comes.
func streamEnded(e *tcp.Conn) bool { return e.PeerClosed() || e.State() == tcp.Closed }

// ended is the code of a call that has found the connection at its end: why the connection has
// died, WSAEINTR where the socket was closed since the call has looked at it, otherwise the code
// that the caller has for an end without a reason. waited says that the call was in progress.
func (s *Socket) ended(waited bool, otherwise wsa.Errno) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.enterLocked(); {
	case err == wsa.WSAENOTSOCK:
		return wsa.WSAEINTR
	case err != 0:
		return err
	case s.state == options.Dead:
		return s.deadErrnoLocked(waited)
	}
	return otherwise
}

// readDatagram reads one datagram; see readMessage.
func (s *Socket) readDatagram(ep tcpip.Endpoint, b []byte, flags int32) (int, netip.AddrPort, wsa.Errno) {
	res, from, err := s.readMessage(ep, b, flags)
	if err != 0 && err != wsa.WSAEMSGSIZE {
		return 0, netip.AddrPort{}, err
	}
	return res.Count, from, err
}

// Readable is FIONREAD: the bytes that wait for recv, urgent ones that are out
// of line excluded (OB-8); on a datagram socket, the size of the first datagram.
func (s *Socket) Readable() (int, wsa.Errno) {
	s.catchUp()
	s.mu.Lock()
	err := s.enterLocked()
	on, state := s.mediumLocked(), s.state
	s.mu.Unlock()
	if err != 0 {
		return 0, err
	}
	return s.behaviour.readable(s, on, state)
}

// readableOf is how many bytes of the stream wait for recv.
func (s *Socket) readableOf(conn *transport.Conn) int {
	return max(conn.Readable()-s.urgent.Holes(), 0)
}
