package socket

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// An Op is an overlapped operation: a send, a receive, an AcceptEx, a ConnectEx, a
// DisconnectEx, a TransmitFile or a TransmitPackets that has started and completes later. Those of one kind on one
// socket complete in the order of their starts.
//
//	 start
//	   │ queued on its socket
//	   ▼
//	pending ── data, room, connection: the pump's turn ──▶ done
//	   │
//	   ├── Cancel, closesocket: WSA_OPERATION_ABORTED ──▶ done
//	   └── drop, reset, network down ──▶ done
//
// The pump serves them: an operation has no goroutine of its own.
type Op struct {
	kind    opKind
	sock    *Socket        // the socket that the operation is queued on
	buf     []byte         // the application's buffer, until the operation is done
	flags   int32          // the MSG_ flags of a send or a receive
	to      netip.AddrPort // the destination of a send; not valid: the peer
	into    *Socket        // the socket that an accept makes the connection
	arrival *acceptance    // how far an accept has come
	parent  *Op            // the operation that this one completes: see next
	moved   int            // the number of bytes so far
	mark    int64          // what must be acknowledged of a send with SO_SNDBUF 0
	urgent  urgentSend     // what a send with MSG_OOB has said
	source  *Transmission  // where TransmitFile and TransmitPackets have their bytes; else nil
	toRead  atomic.Bool    // the caller of a TransmitFile that blocks is to read the next block
	reuse   bool           // a disconnect after which the socket is to have another connection
	waits   bool           // a call that blocks, for which the overlapped attribute doesn't matter
	look    [1]byte        // the byte that a receive without a buffer looks at

	mu      sync.Mutex // a leaf; it guards what follows
	done    bool
	n       int            // the result: the bytes moved
	from    netip.AddrPort // the result: the sender of a datagram
	err     wsa.Errno      // the result: the code
	next    *Op            // what an accept, a connect or a transmission goes on as; nil: nothing
	c       chan struct{}  // closed when the operation is done; nil: nobody has asked
	waiters []wait.Waiter  // who waits in Wait
}

type opKind uint8

// The kinds of operations. Each socket has a queue for each of them.
const (
	opRecv opKind = iota
	opSend
	opAccept
	opConnect
	opDisconnect
	opKinds
)

// opLimit bounds the operations pending on one socket, of each kind.
const opLimit = 4096

// opState is what a socket keeps for its operations.
type opState struct {
	serving sync.Mutex       // one at a time serves; before rmu and wmu in the lock order
	pending atomic.Int32     // the number of operations in the queues
	queues  map[opKind][]*Op // guarded by Socket.mu; nil until there is one, as most sockets have none
	target  *Op              // guarded by Socket.mu: the AcceptEx that this socket is for
	aborted []*Op            // guarded by Socket.mu: by closesocket, not yet completed

	synchronous bool // guarded by Socket.mu: without the overlapped attribute
}

// RecvAsync starts a receive into b, which belongs to the operation until it is
// done. On a stream, one without a buffer waits for data or the end of the stream
// as well, and takes nothing. SO_RCVTIMEO doesn't bound it (TO-5). A call that Recv
// would refuse fails here and starts nothing.
//
// Errors: those of Recv but WSAEWOULDBLOCK; WSAEOPNOTSUPP for MSG_PEEK; WSAEINVAL on a socket without the
// overlapped attribute; WSAENOBUFS when 4,096 are pending.
func (s *Socket) RecvAsync(b []byte, flags int32) (*Op, wsa.Errno) {
	op := &Op{kind: opRecv, sock: s, buf: b, flags: flags}
	return s.start(op, func() wsa.Errno {
		return s.checkRecvLocked(recvAsync, flags, false)
	})
}

// SendAsync starts a send of b, to an address on a datagram socket; one that
// isn't valid means the peer. It is done when all of b is accepted; with
// SO_SNDBUF 0, when it is acknowledged (BF-9). Otherwise it is as RecvAsync.
func (s *Socket) SendAsync(b []byte, flags int32, to netip.AddrPort) (*Op, wsa.Errno) {
	op := &Op{kind: opSend, sock: s, buf: b, flags: flags, to: to}
	return s.start(op, func() wsa.Errno {
		return s.checkSendLocked(sendCall, len(b), flags, s.destinationLocked(to), false)
	})
}

// start queues an operation that check permits, and tries it at once.
func (s *Socket) start(op *Op, check func() wsa.Errno) (*Op, wsa.Errno) {
	s.mu.Lock()
	err := s.enterLocked()
	switch {
	case err != 0:
	case s.ops.synchronous && !op.waits:
		err = wsa.WSAEINVAL
	case len(s.ops.queues[op.kind]) >= opLimit:
		err = wsa.WSAENOBUFS
	default:
		err = check()
	}
	if err == 0 {
		s.enqueueOpLocked(op)
	}
	s.mu.Unlock()
	if err != 0 {
		return nil, err
	}
	s.serveOps()
	return op, 0
}

func (s *Socket) enqueueOpLocked(op *Op) {
	if s.ops.queues == nil {
		s.ops.queues = map[opKind][]*Op{}
	}
	s.ops.queues[op.kind] = append(s.ops.queues[op.kind], op)
	if s.ops.pending.Add(1) == 1 {
		s.watchLocked()
	}
}

// dequeueLocked takes an operation off its queue: false when somebody else has.
func (s *Socket) dequeueLocked(op *Op) bool {
	q := s.ops.queues[op.kind]
	i := slices.Index(q, op)
	if i < 0 {
		return false
	}
	s.ops.queues[op.kind] = slices.Delete(q, i, i+1)
	if s.ops.pending.Add(-1) == 0 {
		s.unwatchLocked()
	}
	return true
}

// serveOps is the turn of the pump, or of who starts an operation.
func (s *Socket) serveOps() {
	if s.ops.pending.Load() == 0 {
		return
	}
	s.ops.serving.Lock()
	defer s.ops.serving.Unlock()
	for kind := range opKinds {
		for op := s.firstOp(kind); op != nil && s.advance(op); op = s.firstOp(kind) {
		}
	}
}

func (s *Socket) firstOp(kind opKind) *Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.ops.queues[kind]; len(q) > 0 {
		return q[0]
	}
	return nil
}

// advance tries an operation; false when it has to wait.
func (s *Socket) advance(op *Op) bool {
	switch op.kind {
	case opRecv:
		return s.advanceRecv(op)
	case opSend:
		return s.advanceSend(op)
	case opAccept:
		return s.advanceAccept(op)
	case opDisconnect:
		return s.advanceDisconnect(op)
	}
	return s.advanceConnect(op)
}

func (s *Socket) advanceRecv(op *Op) bool {
	n, from, err := s.recvPending(op)
	op.moved += n
	switch {
	case err == wsa.WSAEWOULDBLOCK:
		return false
	case err == 0 && n > 0 && op.flags&wsa.MSG_WAITALL != 0 && op.moved < len(op.buf):
		return true // the rest
	}
	s.finish(op, from, err)
	return true
}

// recvPending is one attempt. After shutdown(SD_RECEIVE) an operation that was
// pending then still takes the next data (C-47). One on a stream without a buffer
// waits for what it could receive, and leaves it (BF-22).
func (s *Socket) recvPending(op *Op) (n int, _ netip.AddrPort, _ wsa.Errno) {
	b, flags := op.buf[op.moved:], op.flags
	if len(op.buf) == 0 && s.behaviour.connectionOriented() {
		b, flags = op.look[:], flags&^wsa.MSG_WAITALL|wsa.MSG_PEEK
		defer func() { n = 0 }()
	}
	s.mu.Lock()
	shut := s.shutRecv && s.state == options.Connected && s.conn != nil && !s.closed
	conn := s.conn
	s.mu.Unlock()
	a := attempt{waited: true, more: op.moved > 0}
	if shut {
		n, err := s.recvStream(conn, b, flags, a)
		return n, netip.AddrPort{}, err
	}
	return s.recvOnce(b, flags, nil, a)
}

func (s *Socket) advanceSend(op *Op) bool {
	if op.source != nil {
		return s.advanceTransmit(op)
	}
	if op.mark == 0 {
		n, err := s.sendOnce(op.buf[op.moved:], op.flags, op.to, nil, true, &op.urgent)
		op.moved += n
		switch {
		case err == wsa.WSAEWOULDBLOCK:
			return false
		case err == 0 && op.moved < len(op.buf):
			return true
		case err != 0 || s.quota.Load() != 0 || len(op.buf) == 0:
			s.finish(op, netip.AddrPort{}, err)
			return true
		}
		op.mark = s.accepted.Load()
	}
	return s.advanceAcked(op)
}

// advanceAcked waits until what a send has marked is acknowledged (BF-9).
func (s *Socket) advanceAcked(op *Op) bool {
	acked, err := s.checkAwait()
	if err == 0 && acked < op.mark {
		return false
	}
	s.finish(op, netip.AddrPort{}, err)
	return true
}

// finish completes an operation, unless closesocket or Cancel was first.
func (s *Socket) finish(op *Op, from netip.AddrPort, err wsa.Errno) {
	if err == wsa.WSAEINTR || err == wsa.WSAENOTSOCK {
		err = wsa.WSA_OPERATION_ABORTED // the socket is closed
	}
	s.mu.Lock()
	first := s.dequeueLocked(op)
	s.mu.Unlock()
	if op.moved < len(op.buf) {
		op.urgent.end()
	}
	if first {
		op.complete(op.moved, from, err)
	}
}

// abortOpsLocked takes what is pending off the queues (LG-19, ND-2); the caller
// completes it with endAborted when it has released its locks.
func (s *Socket) abortOpsLocked() {
	for kind := range opKinds {
		for len(s.ops.queues[kind]) > 0 {
			op := s.ops.queues[kind][0]
			s.dequeueLocked(op)
			s.ops.aborted = append(s.ops.aborted, op)
		}
	}
	if op := s.ops.target; op != nil {
		s.ops.aborted = append(s.ops.aborted, op)
	}
}

// endAborted completes the operations that closesocket has aborted. A buffer is the
// application's again from then on, so whoever serves one comes first.
func (s *Socket) endAborted() {
	s.mu.Lock()
	aborted, err := s.ops.aborted, wsa.WSA_OPERATION_ABORTED
	if s.down {
		err = wsa.WSAENETDOWN
	}
	s.ops.aborted = nil
	s.mu.Unlock()
	if len(aborted) == 0 {
		return
	}
	s.ops.serving.Lock()
	for _, op := range aborted {
		op.complete(0, netip.AddrPort{}, err)
	}
	s.ops.serving.Unlock()
	for _, op := range aborted {
		if op.sock != s { // an AcceptEx for s; one that isn't queued yet sees that it is done
			op.leave()
		}
	}
}

// leave takes an operation off its queue: false when somebody else has. A
// connection that was kept for it is others'.
func (op *Op) leave() bool {
	s := op.sock
	s.ops.serving.Lock() // nobody is at the buffer
	s.mu.Lock()
	first := s.dequeueLocked(op)
	s.mu.Unlock()
	if first && op.flags&wsa.MSG_OOB != 0 {
		op.urgent.end()
	}
	s.ops.serving.Unlock()
	if first && s.ops.pending.Load() > 0 {
		s.host.Signal(s) // a DisconnectEx may have waited for it
	}
	if first && op.arrival != nil {
		s.abandon(op.arrival)
	}
	return first
}

// Cancel is CancelIoEx: a pending operation completes with
// WSA_OPERATION_ABORTED. It reports whether there was one. Bytes that were
// moved before are lost to the application.
func (op *Op) Cancel() bool {
	first := op.leave()
	if first {
		op.complete(0, netip.AddrPort{}, wsa.WSA_OPERATION_ABORTED)
	} else if next := op.following(); next != nil {
		return next.Cancel()
	}
	return first
}

// following is the transfer that an accept or connect has become.
func (op *Op) following() *Op {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.next
}

func (op *Op) complete(n int, from netip.AddrPort, err wsa.Errno) {
	if err != 0 && err != wsa.WSAEMSGSIZE {
		n = 0
	}
	if op.parent != nil {
		op.parent.complete(n, from, err)
		return
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.done {
		return
	}
	op.done, op.n, op.from, op.err = true, n, from, err
	if op.c != nil {
		close(op.c)
	}
	op.wakeLocked()
}

// wake wakes those who Wait.
func (op *Op) wake() {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.wakeLocked()
}

func (op *Op) wakeLocked() {
	for _, w := range op.waiters {
		w.Signal()
	}
}

// Done returns a channel that is closed when the operation is done.
func (op *Op) Done() <-chan struct{} {
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.c == nil {
		op.sock.host.Outside(func() { op.c = make(chan struct{}) })
		if op.done {
			close(op.c)
		}
	}
	return op.c
}

// Result is the outcome: the bytes moved, and the sender of a datagram.
// WSA_IO_INCOMPLETE while the operation is pending.
func (op *Op) Result() (n int, from netip.AddrPort, err wsa.Errno) {
	op.mu.Lock()
	defer op.mu.Unlock()
	if !op.done {
		return 0, netip.AddrPort{}, wsa.WSA_IO_INCOMPLETE
	}
	return op.n, op.from, op.err
}

// pending reports that op, which may be nil, isn't done.
func (op *Op) pending() bool {
	if op == nil {
		return false
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	return !op.done
}

// Wait waits until the operation is done, as blocking calls do.
func (op *Op) Wait() {
	w := wait.NewWaiter(op.sock.host)
	op.mu.Lock()
	op.waiters = append(op.waiters, w)
	op.mu.Unlock()
	for op.pending() {
		w.Wait("overlapped")
	}
}
