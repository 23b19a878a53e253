package socket

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// TransmitFile and TransmitPackets are sends whose bytes come from files, block by
// block, and after which the connection may end:
//
//	start ──▶ reading ──▶ loaded ──▶ accepted ──▶ done, or a DisconnectEx
//	             ▲                       │
//	             └────── next block ─────┘
//
// Reading a file may take any time, so whoever serves the socket doesn't: of a call that
// blocks the caller reads, of an operation the stack's readers (Host.Read), of which
// there are few. A block is read before there is room for it.

// TransmitAsync starts to transmit. The operation is done when everything is accepted,
// and with SO_SNDBUF 0 when it is acknowledged (BF-9), but with TF_WRITE_BEHIND. It is one
// of the sends of the socket, in their order.
//
//	TF_DISCONNECT    a FIN follows the last byte. The operation is done when it has
//	                 its place there; sends that come after the start fail with
//	                 WSAESHUTDOWN
//	TF_REUSE_SOCKET  the socket is used again, as after DisconnectEx. The operation is
//	                 done when the peer has closed its side, and when all that it has
//	                 sent is read
//
// Errors: those of SendAsync; WSAEINVAL for TransmitFile on a socket that isn't a stream, in the
// measured profiles WSAENOTCONN where it has no peer (WC-8); WSAEINVAL
// for TF_DISCONNECT on such a socket (assumed), TF_REUSE_SOCKET without it, unknown flags,
// an offset that isn't within the file, an element of two kinds or of no file, and for
// more than 2,147,483,646 bytes. The operation may end with the code of the end of its
// connection, with that of a file that can't be read, and as any Op.
func (s *Socket) TransmitAsync(t *Transmission) (*Op, wsa.Errno) {
	return s.startTransmit(&Op{kind: opSend, sock: s, source: t})
}

// Transmit is TransmitAsync without an OVERLAPPED: it waits, whatever the mode and the
// attribute of the socket, and returns the number of bytes. It is WSAEINTR when the
// socket is closed meanwhile.
func (s *Socket) Transmit(t *Transmission) (n int, code wsa.Errno) {
	defer s.debugCall("transmit", &code)
	before := s.undropped()
	w := wait.NewWaiter(s.host)
	op, err := s.startTransmit(&Op{kind: opSend, sock: s, source: t, waits: true, waiters: []wait.Waiter{w}})
	if err != 0 {
		return 0, s.caught(before, err)
	}
	for op.pending() {
		if op.toRead.Swap(false) {
			s.readBlock(op)
		} else {
			w.Wait("transmit")
		}
	}
	n, _, err = op.Result()
	if err == wsa.WSA_OPERATION_ABORTED {
		err = wsa.WSAEINTR
	}
	return n, err
}

func (s *Socket) startTransmit(op *Op) (*Op, wsa.Errno) {
	t := op.source
	return s.start(op, func() wsa.Errno {
		switch {
		case t.invalid != 0:
			return t.invalid
		case s.behaviour.connectionOriented():
			t.begin(blockLimit)
		case t.ofFile && s.state != options.Connected && s.host.Profile().Streams().TransmitPeerFirst:
			return wsa.WSAENOTCONN
		case t.ofFile, t.disconnects():
			return wsa.WSAEINVAL
		default:
			t.begin(s.maxMessageLocked())
		}
		return s.checkSendLocked(sendCall, 0, 0, netip.AddrPort{}, false)
	})
}

func (s *Socket) advanceTransmit(op *Op) bool {
	switch t := op.source; {
	case t.reading:
		return s.checkReading(op)
	case t.failed != 0:
		s.finishTransmit(op, t.failed)
		return true
	case t.loaded:
		return s.sendBlock(op)
	case len(t.elements) > 0:
		return s.loadBlock(op)
	}
	return s.advanceTransmitted(op)
}

// checkReading ends an operation whose connection has ended while the file is read.
func (s *Socket) checkReading(op *Op) bool {
	s.mu.Lock()
	err := s.checkSendLocked(sendCall, 0, 0, netip.AddrPort{}, true)
	s.mu.Unlock()
	if err != 0 {
		s.finishTransmit(op, err)
	}
	return err != 0
}

// loadBlock has the next block read.
func (s *Socket) loadBlock(op *Op) bool {
	t := op.source
	if t.inMemory() {
		t.load()
		return true
	}
	t.reading = true
	switch {
	case op.waits:
		op.toRead.Store(true)
		op.wake()
	case !s.host.Read(func() { s.readBlock(op) }):
		t.load()
		t.reading = false
		return true
	}
	return false
}

// readBlock reads the next block and goes on with the operation, unless that was
// cancelled meanwhile.
func (s *Socket) readBlock(op *Op) {
	t := op.source
	t.load()
	s.ops.serving.Lock()
	t.reading = false
	if !op.pending() {
		t.release()
	}
	s.ops.serving.Unlock()
	s.serveOps()
}

func (s *Socket) sendBlock(op *Op) bool {
	t := op.source
	n, err := s.sendOnce(t.buf[t.from:t.to], 0, netip.AddrPort{}, nil, true, nil)
	t.from += n
	op.moved += n
	switch {
	case err == wsa.WSAEWOULDBLOCK:
		return false
	case err != 0:
		s.finishTransmit(op, err)
	default:
		t.loaded = t.from < t.to
	}
	return true
}

// advanceTransmitted follows the last byte.
func (s *Socket) advanceTransmitted(op *Op) bool {
	t := op.source
	t.release()
	if t.disconnects() {
		s.disconnectAfter(op)
		return true
	}
	if op.mark == 0 && s.quota.Load() == 0 && t.flags&wsa.TF_WRITE_BEHIND == 0 && op.moved > 0 {
		op.mark = s.accepted.Load()
	}
	if op.mark != 0 {
		return s.advanceAcked(op)
	}
	s.finishTransmit(op, 0)
	return true
}

func (s *Socket) finishTransmit(op *Op, err wsa.Errno) {
	if t := op.source; !t.reading {
		t.release()
	}
	if err != 0 {
		op.moved = 0 // WSAEMSGSIZE, too, says nothing of bytes
	}
	s.finish(op, netip.AddrPort{}, err)
}

// disconnectAfter lets a disconnect complete a transmission that is accepted.
func (s *Socket) disconnectAfter(op *Op) {
	reuse := op.source.flags&wsa.TF_REUSE_SOCKET != 0
	next := &Op{kind: opDisconnect, sock: s, parent: op, moved: op.moved, reuse: reuse}
	op.mu.Lock()
	op.next = next
	op.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dequeueLocked(op) {
		s.enqueueOpLocked(next)
	}
}

// transmitEndsLocked reports a transmission in progress after which nothing is sent. It
// is the last one of the sends, as later ones fail.
func (s *Socket) transmitEndsLocked() bool {
	q := s.ops.queues[opSend]
	return len(q) > 0 && q[len(q)-1].source.disconnects()
}
