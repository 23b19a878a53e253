package endpoint

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

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
	if s.kind == options.Stream {
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
	return s.recv(b, flags, nil)
}

func (s *Socket) recv(b []byte, flags int32, d *deadline) (_ int, _ netip.AddrPort, code wsa.Errno) {
	defer s.debugCall("recv", &code)
	if flags&wsa.MSG_WAITALL != 0 && s.kind == options.Stream {
		n, err := s.recvAll(b, flags, d)
		return n, netip.AddrPort{}, err
	}
	before := s.undropped() && !s.nonblocking.Load()
	n, from, err := s.recvOnce(b, flags, d, attempt{})
	if err != wsa.WSAEWOULDBLOCK || s.nonblocking.Load() {
		return n, from, s.caught(before, err)
	}
	c := d.on(s.begin(waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, s.recvTimeout()))
	defer s.end(c)
	s.receiving.Add(1)
	defer s.received()
	for {
		n, from, err = s.recvOnce(b, flags, d, attempt{waited: true})
		if err != wsa.WSAEWOULDBLOCK {
			return n, from, err
		}
		if c.expired.Load() {
			return 0, from, wsa.WSAETIMEDOUT
		}
		c.waiter.Wait("recv")
	}
}

// recvAll is MSG_WAITALL on a stream. What was read before a time-out or an
// interruption goes back to the front of the queue, so that nothing is lost
// (TO-11) and a buffer larger than the window can be filled.
func (s *Socket) recvAll(b []byte, flags int32, d *deadline) (int, wsa.Errno) {
	before, waited := s.undropped(), false
	c := d.on(s.begin(waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, s.recvTimeout()))
	defer s.end(c)
	s.receiving.Add(1)
	defer s.received()
	for got := 0; ; waited = true {
		n, _, err := s.recvOnce(b[got:], flags, d, attempt{waited: waited, more: got > 0, all: true})
		got += n
		switch {
		case err == 0 && (n == 0 || got == len(b)):
			s.rmu.Lock()
			s.partial -= got
			s.rmu.Unlock()
			return got, 0 // full, or the stream has ended, or a mark (OB-6)
		case err == 0:
			continue
		case err == wsa.WSAEWOULDBLOCK && !c.expired.Load():
			c.waiter.Wait("recv")
			continue
		case err == wsa.WSAEWOULDBLOCK:
			err = wsa.WSAETIMEDOUT
		}
		s.giveBack(b[:got])
		return 0, s.caught(before, err)
	}
}

// giveBack puts the bytes that recvAll has read in front of those still queued.
func (s *Socket) giveBack(b []byte) {
	if len(b) == 0 {
		return
	}
	s.mu.Lock()
	w := s.wire
	s.mu.Unlock()
	s.rmu.Lock()
	s.giveBackLocked(w, b)
	s.partial -= len(b)
	s.rmu.Unlock()
	s.calls.wake(waiter.ReadableEvents)
}

// giveBackLocked is giveBack with rmu held; it wakes nobody.
func (s *Socket) giveBackLocked(w *Wire, b []byte) {
	s.putBackLocked(b)
	s.position -= uint32(len(b))
	w.took(-len(b))
}

// putBackLocked puts bytes that nobody has got yet in front of those queued.
func (s *Socket) putBackLocked(b []byte) {
	s.unread = append(append(make([]byte, 0, len(b)+len(s.unread)), b...), s.unread...)
	s.held.Store(int64(len(s.unread)))
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
	all    bool // it gives back what it has unless it gets all that it wants
}

// recvOnce is one attempt.
func (s *Socket) recvOnce(b []byte, flags int32, d *deadline, a attempt) (int, netip.AddrPort, wsa.Errno) {
	defer s.reenable(recvEvent(flags))
	s.mu.Lock()
	ep, err := s.checkRecvLocked(recvCall, flags, a.waited)
	w := s.wire
	s.mu.Unlock()
	if err == 0 && d != nil && d.passed.Load() {
		err = errDeadline
	}
	if err != 0 {
		return 0, netip.AddrPort{}, err
	}
	if s.kind != options.Stream {
		return s.readDatagram(ep, b, flags)
	}
	n, err := s.recvStream(ep, w, b, flags, a)
	return n, netip.AddrPort{}, err
}

// recvStream is one attempt on a stream whose state permits it.
func (s *Socket) recvStream(ep tcpip.Endpoint, w *Wire, b []byte, flags int32, a attempt) (n int, err wsa.Errno) {
	var taken int
	if flags&wsa.MSG_OOB != 0 {
		n, taken, err = s.readUrgent(ep, w, b, flags&wsa.MSG_PEEK != 0, a.waited)
	} else {
		n, taken, err = s.readStream(ep, w, b, flags&wsa.MSG_PEEK != 0, a)
	}
	s.took(w, taken)
	return n, err
}

// checkRecvLocked holds the rules of flags and states of a receive. waited says
// that the call was in progress already, with flags that it may have.
func (s *Socket) checkRecvLocked(call transfer, flags int32, waited bool) (tcpip.Endpoint, wsa.Errno) {
	err := s.enterLocked()
	if err == 0 && !waited && flags != 0 {
		err = call.checkFlags(flags, s.kind, s.nonblocking.Load())
	}
	switch {
	case err == wsa.WSAENOTSOCK && waited:
		return nil, wsa.WSAEINTR
	case err != 0:
		return nil, err
	case s.kind != options.Stream && s.ep == nil:
		return nil, wsa.WSAEINVAL
	case s.softErr != 0 && !s.shutRecv: // an ICMP error for an earlier datagram (NB-3)
		return nil, s.takeSoftErrorLocked()
	case s.shutReset: // SH-2: by this side, which is what it is told
		return nil, wsa.WSAESHUTDOWN
	case s.state == options.Dead:
		return nil, s.deadErrnoLocked(waited)
	case s.kind == options.Stream && s.state != options.Connected:
		return nil, wsa.WSAENOTCONN
	case s.shutRecv && !(waited && s.kind == options.Stream): // C-47: a pending one goes on
		return nil, wsa.WSAESHUTDOWN
	case flags&wsa.MSG_OOB != 0 && s.values.OOBInline:
		return nil, wsa.WSAEINVAL
	}
	return s.ep, 0
}

// readStream reads what is queued, up to the next mark (OB-6). At the end of the
// stream it returns 0, and so it does where a call that has bytes already goes
// no further. taken is what it has taken of the stream.
func (s *Socket) readStream(ep tcpip.Endpoint, w *Wire, b []byte, peek bool, a attempt) (n, taken int, err wsa.Errno) {
	if len(b) == 0 {
		return 0, 0, 0
	}
	s.rmu.Lock()
	defer s.rmu.Unlock()
	for n == 0 {
		room := b
		if w.urgent.busy.Load() {
			size, skipped, stop := s.toMarkLocked(ep, w, len(b), a.more)
			if taken += skipped; stop {
				return 0, taken, 0
			}
			room = b[:size]
		}
		got, terr := s.takeLocked(ep, room, peek)
		switch terr.(type) {
		case nil:
		case *tcpip.ErrWouldBlock:
			return 0, taken, wsa.WSAEWOULDBLOCK
		case *tcpip.ErrClosedForReceive:
			return 0, taken, s.endOfStream(a.waited)
		default:
			return 0, taken, s.latch(terr, a.waited)
		}
		n = s.passLocked(w, room[:got], peek)
	}
	if !peek {
		taken += n
	}
	if a.all {
		s.partial += n
	}
	return n, taken, 0
}

// takeLocked reads what is at the front of the queue: at least one byte, unless
// it fails. The caller holds rmu.
func (s *Socket) takeLocked(ep tcpip.Endpoint, b []byte, peek bool) (int, tcpip.Error) {
	if len(s.unread) > 0 {
		n := copy(b, s.unread)
		if !peek {
			s.unread = s.unread[n:]
			s.held.Store(int64(len(s.unread)))
		}
		return n, nil
	}
	s.dst = b
	res, err := ep.Read(&s.dst, tcpip.ReadOptions{Peek: peek})
	s.dst = nil
	if err == nil && !peek {
		ep.ModerateRecvBuf(res.Count)
	}
	return res.Count, err
}

// endOfStream decides what the end of netstack's queue means: the peer's FIN,
// or a death whose error another call has just taken from netstack.
func (s *Socket) endOfStream(waited bool) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pollLocked()
	if s.state == options.Dead {
		return s.deadErrnoLocked(waited)
	}
	return 0
}

// latch records the error that netstack gave to this call: it shows it to one
// call only.
func (s *Socket) latch(err tcpip.Error, waited bool) wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == options.Connected {
		s.becomeDeadLocked(s.verdict(err))
	}
	if s.state == options.Dead {
		return s.deadErrnoLocked(waited)
	}
	return errno(err)
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
	s.settle()
	s.mu.Lock()
	err := s.enterLocked()
	ep, state := s.ep, s.state
	s.mu.Unlock()
	switch {
	case err != 0:
		return 0, err
	case state == options.Dead && s.kind == options.Stream:
		return 0, wsa.WSAENOTCONN
	case ep == nil || state == options.Listening || state == options.Connecting:
		return 0, 0
	}
	if s.kind != options.Stream {
		if n, kept := s.firstKept(); kept {
			return n, 0
		}
	}
	n, terr := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	if terr != nil {
		return 0, errno(terr)
	}
	if s.kind == options.Stream {
		n = max(n+int(s.held.Load())-int(s.wire.urgent.holes.Load()), 0)
	}
	return n, 0
}
