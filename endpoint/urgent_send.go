package endpoint

import (
	"encoding/binary"
	"math"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// urgentLive is the bit of wireUrgent.out that says that SND.UP is valid.
const urgentLive = 1 << 32

// The urgent pointer of a segment that leaves: every one that begins before
// SND.UP has it, a bare acknowledgement of netstack's or ours and a
// retransmission as well, until all is acknowledged. Then it is forgotten:
// keep-alive probes, which come after that, have none, and nothing wraps.

// setOut makes up SND.UP, the sequence number behind the urgent byte.
func (u *wireUrgent) setOut(up uint32) { u.out.Store(urgentLive | uint64(up)) }

// acked forgets SND.UP once it is acknowledged.
func (u *wireUrgent) acked(ack uint32) {
	if out := u.out.Load(); out != 0 && !before(ack, uint32(out)) {
		u.out.CompareAndSwap(out, 0) // or a send has just moved it
	}
}

// pointer is the urgent pointer for a segment that begins at seq.
func (u *wireUrgent) pointer(seq uint32) (p uint16, ok bool) {
	out := u.out.Load()
	if out == 0 || !before(seq, uint32(out)) {
		return 0, false
	}
	d := uint32(out) - seq
	if u.mode.Load()&urgentAtByte != 0 {
		d-- // OB-16
	}
	return uint16(min(d, math.MaxUint16)), true
}

// setUrgent makes a segment that leaves an urgent one.
func (seg Segment) setUrgent(pointer uint16) {
	const flagsAt, pointerAt = 13, 18 // RFC 9293 §3.1
	h := seg.Header
	seg.setByte(flagsAt, h[flagsAt]|byte(header.TCPFlagUrg))
	old := h.UrgentPointer()
	binary.BigEndian.PutUint16(h[pointerAt:], pointer)
	seg.patch(old, pointer)
}

// An urgentSend is what a send(MSG_OOB) has said of its urgent byte. A call or an
// operation has one from its beginning to its end, where it takes back what didn't
// come true: others send urgent bytes meanwhile, whose pointer isn't its to change.
// wmu guards it.
type urgentSend struct {
	wire *Wire  // nil: nothing was said
	up   uint32 // SND.UP, as it was set last
	end  uint32 // the sequence number behind what was accepted
}

// writeUrgent is send(MSG_OOB) (OB-1): the last byte of b is urgent. All that
// is held leaves with it (NG-2), and where a window doesn't let it, a segment
// without data that tells of it. follows says that what isn't accepted now will be
// later: it is one notification.
func (s *Socket) writeUrgent(ep tcpip.Endpoint, w *Wire, b []byte, u *urgentSend, follows bool) (int, wsa.Errno) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	n := s.roomLocked(w, len(b))
	if n == 0 {
		return 0, wsa.WSAEWOULDBLOCK
	}
	size := n
	if follows {
		size = len(b)
	}
	before, up := w.urgent.out.Load(), s.tailEndLocked(w)+uint32(size)
	w.urgent.setOut(up)
	nxt := w.nxt.Load()
	sent, err := s.pushLocked(ep, w, b[:n], pushUrgent)
	switch {
	case w.hidden.Load():
		s.revealLocked(ep, w)
	case w.nxt.Load() == nxt:
		s.notifyUrgent(w)
	}
	if sent == 0 {
		w.urgent.replace(w, up, before)
		return 0, err
	}
	*u = urgentSend{wire: w, up: up, end: s.tailEndLocked(w)}
	return sent, 0
}

// replace puts another value of out where SND.UP still is up, unless that has been
// acknowledged meanwhile.
func (u *wireUrgent) replace(w *Wire, up uint32, out uint64) {
	if u.out.CompareAndSwap(urgentLive|uint64(up), out) {
		u.acked(w.una.Load())
	}
}

// tailEndLocked is the sequence number behind what was accepted. The caller holds
// wmu.
func (s *Socket) tailEndLocked(w *Wire) uint32 {
	return w.iss.Load() + 1 + uint32(w.written.Load()) + uint32(len(s.tail))
}

// notifyUrgent sends a segment without data, with the urgent pointer. The caller
// holds wmu.
func (s *Socket) notifyUrgent(w *Wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == options.Connected && s.wire == w && !s.closed {
		s.sendOwn(s.bareAckLocked(w.nxt.Load()))
	}
}

// endUrgent follows a send(MSG_OOB) that a time-out, say, has cut short: the last
// byte of it that was accepted is the urgent one, unless another send has moved the
// pointer since.
func (s *Socket) endUrgent(u *urgentSend) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if u.wire != nil && u.up != u.end {
		u.wire.urgent.replace(u.wire, u.up, urgentLive|uint64(u.end))
	}
	u.wire = nil
}

// lastUrgentLocked is called before a FIN: what a send(MSG_OOB) has announced and
// nobody has accepted doesn't come any more, and the last byte is the urgent one. The
// caller holds wmu.
func (s *Socket) lastUrgentLocked(w *Wire) {
	if out, end := w.urgent.out.Load(), s.tailEndLocked(w); out != 0 && before(end, uint32(out)) {
		w.urgent.replace(w, uint32(out), urgentLive|uint64(end))
	}
}
