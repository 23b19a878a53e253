package endpoint

import (
	"io"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// netstack has no urgent data: the byte stays in the stream.
// The ingress hook notes where it is before netstack sees the segment; the
// socket looks at the byte when it has come, and takes it out when recv gets to
// it. For a stream without urgent data that is one look at wireUrgent.busy for
// each recv, and at the flags of each segment.

// wireUrgent is the urgent data of a connection, both ways.
type wireUrgent struct {
	out  atomic.Uint64 // urgentLive and SND.UP; 0: all urgent data is acknowledged
	mode atomic.Uint32 // the urgent… bits

	// What marks knows, for those who don't take the lock.
	busy    atomic.Bool  // there is something to look at
	waiting atomic.Bool  // for recv(MSG_OOB)
	holes   atomic.Int64 // bytes in the queue that aren't part of the stream

	mu    sync.Mutex // a leaf: hooks take it with endpoints locked
	marks marks
}

// Bits of wireUrgent.mode.
const (
	urgentAtByte  = 1 << iota // the pointer names the byte itself (RFC 1122 §4.2.2.4)
	urgentIgnored             // TCP_NOURG
	urgentInline              // SO_OOBINLINE: marks has it as well
	urgentTold                // the socket has said all this
)

// locked runs fn with the marks, and publishes what has become of them.
func (u *wireUrgent) locked(fn func(m *marks)) {
	u.mu.Lock()
	fn(&u.marks)
	u.busy.Store(!u.marks.idle())
	u.waiting.Store(len(u.marks.slot) > 0)
	u.holes.Store(int64(u.marks.holes()))
	u.mu.Unlock()
}

// inherit copies what a listener is set to: its connections may get urgent data
// before they are accepted.
func (u *wireUrgent) inherit(l *wireUrgent) {
	u.mode.Store(l.mode.Load() &^ urgentTold)
	l.mu.Lock()
	u.marks.inline = l.marks.inline
	l.mu.Unlock()
}

// inUrgent records the urgent pointer of an acceptable segment that netstack
// hasn't seen yet.
//
// A pointer of 0 says nothing in the BSD reading (OB-15). Where the SYNs weren't
// seen the position isn't known, and the byte stays in the stream.
func (w *Wire) inUrgent(seg Segment) {
	mode := w.urgent.mode.Load()
	pointer := uint32(seg.Header.UrgentPointer())
	if mode&urgentIgnored != 0 || !w.has(wireIRS) || w.has(wireNoScale) {
		return
	}
	first := seg.Header.SequenceNumber() - w.irs.Load() - 1
	at := first + pointer
	if mode&urgentAtByte == 0 {
		if pointer == 0 {
			return
		}
		at--
	}
	w.urgent.locked(func(m *marks) {
		if !m.announce(at, first, w.recv.read.Load()) {
			return
		}
		if s := w.socket.Load(); s != nil {
			s.urgent.Store(true)
			s.host.Signal(s)
		}
	})
}

// applyUrgentLocked tells the hooks of the options.
func (s *Socket) applyUrgentLocked() {
	v, u := &s.values, &s.wire.urgent
	mode := uint32(urgentTold)
	if v.TCP.Urgent.AtByte {
		mode |= urgentAtByte
	}
	if v.TCP.NoUrgent {
		mode |= urgentIgnored
	}
	if v.OOBInline {
		mode |= urgentInline
	}
	if u.mode.Load() == mode {
		return
	}
	u.mode.Store(mode)
	rules := s.host.Profile().Urgent()
	changed := false
	u.locked(func(m *marks) {
		m.queues = rules.Queues
		switch {
		case m.inline == v.OOBInline:
		case v.OOBInline:
			changed = m.becomeInline()
		default:
			m.becomeOutOfLine()
		}
	})
	if changed {
		s.urgent.Store(true)
		s.calls.wake(waiter.ReadableEvents)
	}
}

// pullUrgent takes the urgent bytes that have come out of the stream, and puts
// those back that SO_OOBINLINE wants there. It is called before anybody looks
// what there is to read.
func (s *Socket) pullUrgent() {
	if !s.urgent.Load() {
		return
	}
	s.rmu.Lock()
	defer s.rmu.Unlock()
	ep, w := s.receiver()
	if w == nil {
		return
	}
	s.pullUrgentLocked(ep, w)
}

// pullUrgentLocked is pullUrgent with rmu held.
func (s *Socket) pullUrgentLocked(ep tcpip.Endpoint, w *Wire) {
	if !s.urgent.Load() {
		return
	}
	wake := false
	for {
		// The size before the marks: a byte that is counted here was announced.
		n, _ := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
		available := uint32(len(s.unread) + n)
		var at uint32
		var found bool
		w.urgent.locked(func(m *marks) {
			if b := m.returned(s.position); len(b) > 0 {
				s.giveBackLocked(w, b)
				wake = true
			}
			m.becomePassed(s.position)
			if at, found = m.arrived(s.position, available); !found {
				s.urgent.Store(m.announced())
			}
		})
		if !found {
			break
		}
		b, ok := s.byteAt(ep, int(at-s.position))
		if !ok {
			break // the connection is over
		}
		w.urgent.locked(func(m *marks) {
			if m.becomeWaiting(at, b) {
				wake = true
			}
		})
	}
	if wake {
		s.calls.wake(waiter.ReadableEvents)
	}
}

// byteAt looks at a byte of the stream that recv will come to.
func (s *Socket) byteAt(ep tcpip.Endpoint, distance int) (byte, bool) {
	if distance < len(s.unread) {
		return s.unread[distance], true
	}
	p := picker{skip: distance - len(s.unread)}
	_, _ = ep.Read(&p, tcpip.ReadOptions{Peek: true}) // the picker knows
	return p.b, p.found
}

// A picker is an io.Writer that keeps one byte of what is written.
type picker struct {
	skip  int // bytes before it
	b     byte
	found bool
}

// Write implements io.Writer; it fails when there is nothing left to look at.
func (p *picker) Write(b []byte) (int, error) {
	if p.skip >= len(b) {
		p.skip -= len(b)
		return len(b), nil
	}
	p.b, p.found = b[p.skip], true
	return p.skip + 1, io.ErrShortWrite
}

// toMarkLocked prepares a read of up to size bytes: it takes the bytes at the
// front that aren't part of the stream, skipped of them, and limits the read to
// what lies before the next mark (OB-6). more says that the call has bytes
// already, and stop that it goes no further. The caller holds rmu.
func (s *Socket) toMarkLocked(ep tcpip.Endpoint, w *Wire, size int, more bool) (n, skipped int, stop bool) {
	s.pullUrgentLocked(ep, w)
	if more {
		w.urgent.locked(func(m *marks) { stop = m.boundary(s.position) })
		if stop {
			return 0, 0, true
		}
	}
	skipped = s.skipLocked(ep, w)
	w.urgent.locked(func(m *marks) {
		// A limit of 0 is a byte that hasn't come, and so is the end of what
		// can be read now: netstack says whether that is the end of all.
		if limit, ok := m.limit(s.position); ok && limit > 0 && limit < uint32(size) {
			size = int(limit)
		}
	})
	return size, skipped, false
}

// skipLocked takes bytes off the front that aren't part of the stream.
func (s *Socket) skipLocked(ep tcpip.Endpoint, w *Wire) (skipped int) {
	for {
		hole := false
		w.urgent.locked(func(m *marks) { hole = m.hole(s.position) })
		if !hole {
			return skipped
		}
		var b [1]byte
		if n, err := s.takeLocked(ep, b[:], false); n == 0 || err != nil {
			return skipped
		}
		s.position++
		skipped++
		w.urgent.locked(func(m *marks) { m.becomePassed(s.position) })
	}
}

// passLocked ends a read: recv has got these bytes, as far as no mark is among
// them that was announced meanwhile. It returns how many; the rest is put back.
func (s *Socket) passLocked(w *Wire, got []byte, peek bool) int {
	n := len(got)
	if w.urgent.busy.Load() {
		w.urgent.locked(func(m *marks) {
			if limit, ok := m.limit(s.position); ok && limit < uint32(n) {
				n = int(limit)
			}
			if !peek {
				m.becomePassed(s.position + uint32(n))
			}
		})
	}
	if peek {
		return n
	}
	s.position += uint32(n)
	if n < len(got) {
		s.putBackLocked(got[n:])
	}
	return n
}

// readUrgent is recv(MSG_OOB) (OB-4): one byte, or 0 at the end of the stream.
// taken is what it has taken of the stream.
func (s *Socket) readUrgent(ep tcpip.Endpoint, w *Wire, b []byte, peek, waited bool) (n, taken int, err wsa.Errno) {
	if len(b) == 0 {
		return 0, 0, 0
	}
	s.rmu.Lock()
	defer s.rmu.Unlock()
	s.pullUrgentLocked(ep, w)
	var urgent byte
	found := false
	w.urgent.locked(func(m *marks) { urgent, found = m.take(peek) })
	if found {
		b[0] = urgent
		if !peek {
			taken = s.skipLocked(ep, w)
		}
		return 1, taken, 0
	}
	s.mu.Lock()
	end := s.state != options.Connected || s.ep != ep || s.atEndLocked()
	s.mu.Unlock()
	if end {
		return 0, 0, s.endOfStream(waited)
	}
	return 0, 0, wsa.WSAEWOULDBLOCK
}

// AtMark is SIOCATMARK: whether no urgent byte waits or, with SO_OOBINLINE,
// whether everything before the mark has been read (OB-9, OB-10). TRUE where
// there is no connection yet; WSAEINVAL on datagram sockets (OB-11), WSAENOTCONN
// when the connection was reset, aborted or dropped (KA-31).
func (s *Socket) AtMark() (bool, wsa.Errno) {
	s.pullUrgent()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return false, err
	}
	if s.kind != options.Stream {
		return false, wsa.WSAEINVAL
	}
	if s.state == options.Dead {
		return false, wsa.WSAENOTCONN
	}
	return s.atMarkLocked(), 0
}

func (s *Socket) atMarkLocked() (at bool) {
	if s.wire == nil || s.state != options.Connected {
		return true
	}
	always := s.host.Profile().Urgent().InlineAtMark
	s.wire.urgent.locked(func(m *marks) { at = m.atMark(s.wire.recv.read.Load(), always) })
	return at
}

// urgentLocked reports that an urgent byte waits to be read by recv(MSG_OOB):
// FD_OOB, exceptfds and POLLRDBAND (OB-5).
func (s *Socket) urgentLocked() bool {
	return s.kind == options.Stream && s.state == options.Connected && !s.shutRecv && s.wire.urgent.waiting.Load()
}
