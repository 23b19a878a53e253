package endpoint

import (
	"math"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/nagle"
)

// In records a segment that came in, before netstack processes it, and says
// what becomes of it. The caller has verified its checksum if Interesting said
// so, and verifies it before it acts on a fate.
func (w *Wire) In(seg Segment) (fate Fate) {
	h := seg.Header
	flags := h.Flags()
	switch {
	case flags.Contains(header.TCPFlagRst):
		if w.resets(h) {
			w.set(wireReset)
		}
		return 0
	case flags.Contains(header.TCPFlagSyn):
		w.inSyn(seg)
		return 0
	case w.unsent(seg):
		return Ignore
	case w.oldFIN(seg):
		fate = OnlyFIN
	case w.beyond(seg):
		fate = Refuse
	}
	if !flags.Contains(header.TCPFlagAck) {
		return fate
	}
	ack := h.AckNumber()
	if flags.Contains(header.TCPFlagUrg) && fate == 0 && !before(w.nxt.Load(), ack) && w.reaches(seg) {
		w.inUrgent(seg) // before the rest: a segment that was overtaken counts
	}
	if !w.has(wireISS) { // nothing was sent that it could acknowledge: see Out
		w.establish(seg.Clock)
		w.offered(uint32(h.WindowSize()) << w.shift.Load())
		return fate
	}
	una, nxt := seqnum.Value(w.una.Load()), seqnum.Value(w.nxt.Load())
	if !seqnum.Value(ack).InRange(una, nxt.Add(1)) || fate != OnlyFIN && !w.reaches(seg) {
		return fate
	}
	if w.refuses(seg) {
		return Ignore
	}
	w.establish(seg.Clock)
	window := uint32(h.WindowSize()) << w.shift.Load()
	w.tally.arrived(seg, w.rcvEnd.Load(), seqnum.Value(ack) == una && una != nxt && window == w.window.Load())
	w.extend(seg)
	if w.watched.Load() {
		w.note(seg)
	}
	w.offered(window)
	switch {
	case seqnum.Value(ack) != una:
		w.una.Store(ack)
		w.urgent.acked(ack)
		w.tally.acked(ack, seg.Clock)
		w.acknowledged(ack, seg.Clock)
	case h.WindowSize() == 0, w.hidden.Load():
		w.progress(seg.Clock, false) // nothing is late before the next probe
	}
	s := w.socket.Load()
	if s == nil {
		return fate
	}
	if seg.Payload > 0 && seg.Payload < tinySegment && w.tiny.Add(1) >= tinyLimit {
		s.host.Signal(s) // to compact them
	}
	if seqnum.Value(ack) != una && s.roomy(w) {
		s.calls.wake(waiter.EventOut)
	}
	if w.veils(s) {
		fate |= Veil
	}
	switch waiting := int(s.waiting.Load()); {
	case waiting > 0 && (s.noDelay.Load() || waiting >= w.MSS() || w.Unacked() == 0), fate&Veil != 0:
		s.host.Signal(s) // the Gate may open
	case w.watched.Load() && seqnum.Value(ack) != una && w.Unacked() == 0:
		s.host.Signal(s) // keep-alive takes over again
	}
	return fate
}

// gateState is what nagle.Gate looks at, with this many bytes held.
func (w *Wire) gateState(queued int) nagle.State {
	inFlight, unsent := w.outstanding()
	return nagle.State{
		Queued: queued, Unsent: unsent, InFlight: inFlight, MSS: w.MSS(),
		Usable: w.Window() - inFlight, Largest: int(w.largest.Load()),
	}
}

// offered records the peer's window.
func (w *Wire) offered(window uint32) {
	w.window.Store(window)
	if window > w.largest.Load() {
		w.largest.Store(window)
	}
}

// veils decides whether netstack, which uses any window at once when nothing is
// in flight, must not see the one just offered: because it is too small to be
// used (NG-9), or because more waits here that belongs into the same segment.
func (w *Wire) veils(s *Socket) bool {
	veiled := false
	if w.Window() > 0 && w.urgent.out.Load() == 0 {
		if inFlight, unsent := w.outstanding(); inFlight == 0 && unsent > 0 {
			waiting := int(s.waiting.Load())
			veiled = waiting > 0 && unsent%w.MSS() != 0 || w.gateState(waiting).Silly()
		}
	}
	if w.hidden.Load() != veiled {
		w.hidden.Store(veiled)
	}
	return veiled
}

// inSyn records the peer's SYN or SYN-ACK. One that comes when the handshake is
// complete is forged or a duplicate: it changes nothing.
func (w *Wire) inSyn(seg Segment) {
	if w.Acknowledged() {
		return
	}
	h := seg.Header
	isAck := h.Flags().Contains(header.TCPFlagAck)
	if isAck && (!w.has(wireISS) || h.AckNumber() != w.nxt.Load()) {
		return // not for our SYN
	}
	opts := header.ParseSynOptions(h.Options(), isAck)
	w.irs.Store(h.SequenceNumber())
	_, window := w.told.load()
	w.rcvEnd.Store(h.SequenceNumber() + 1)
	w.told.set(h.SequenceNumber()+1, window)
	w.peerMSS.Store(uint32(opts.MSS))
	w.tsRecent.Store(opts.TSVal)
	if opts.WS > 0 {
		w.shift.Store(uint32(min(opts.WS, header.MaxWndScale)))
	}
	w.offered(uint32(h.WindowSize())) // never scaled in a SYN
	w.set(wireIRS)
	if isAck {
		if opts.WS < 0 { // a peer that doesn't scale keeps us from it (RFC 7323 §2.2)
			w.told.set(h.SequenceNumber()+1, min(window, math.MaxUint16))
			w.ownShift.Store(0)
		}
		w.recv.promise(w.told.edge())
		w.una.Store(h.AckNumber())
		w.tally.acked(h.AckNumber(), seg.Clock)
		w.negotiate(opts.TS, opts.SACKPermitted)
		w.establish(seg.Clock)
	}
}

// establish records the time of the segment that completes the handshake.
func (w *Wire) establish(clock tcpip.Clock) {
	if w.since.Load() == 0 {
		// To the microsecond: a reading may run nanoseconds ahead, and whole
		// seconds count (CT-1).
		now := clock.NowMonotonic().Sub(tcpip.MonotonicTime{}).Truncate(time.Microsecond)
		w.since.CompareAndSwap(0, max(1, int64(now)))
	}
}

// note records the time of a segment if it is acceptable (RFC 9293 §3.10.7.4):
// only those restart keep-alive.
func (w *Wire) note(seg Segment) {
	h := seg.Header
	acknowledged, size := w.told.load()
	next, window := seqnum.Value(acknowledged), seqnum.Size(size)
	first := seqnum.Value(h.SequenceNumber())
	length := seqnum.Size(seg.Payload)
	if h.Flags().Contains(header.TCPFlagFin) {
		length++
	}
	ok := first == next || first.InWindow(next, window)
	if length > 0 {
		ok = window > 0 && (ok || first.Add(length-1).InWindow(next, window))
	}
	if !ok {
		return
	}
	w.lastSeen.Store(int64(seg.Clock.NowMonotonic().Sub(tcpip.MonotonicTime{})))
	if opts := h.ParsedOptions(); opts.TS {
		w.tsRecent.Store(opts.TSVal)
	}
}

// timestamp is what our timestamp clock shows now.
func (w *Wire) timestamp(clock tcpip.Clock) uint32 { return w.tsOffset.Load() + millis(clock) }

func millis(clock tcpip.Clock) uint32 {
	return uint32(clock.NowMonotonic().Sub(tcpip.MonotonicTime{}).Milliseconds())
}

// negotiate records what a SYN-ACK settles: it offers only what its SYN did.
func (w *Wire) negotiate(timestamps, sack bool) {
	if timestamps {
		w.set(wireTimestamps)
	}
	if sack {
		w.set(wireSACK)
	}
}

// Interesting reports whether In would act on a segment in a way that a damaged
// one must not cause, so that the hook verifies its checksum first. Segments of
// a bulk transfer towards us are not: they acknowledge nothing new.
func (w *Wire) Interesting(h header.TCP) bool {
	const control = header.TCPFlagRst | header.TCPFlagSyn | header.TCPFlagFin | header.TCPFlagUrg
	if h.Flags()&control != 0 || h.AckNumber() != w.una.Load() || w.since.Load() == 0 || w.watched.Load() {
		return true
	}
	s := w.socket.Load()
	return s != nil && s.refuses.Load()
}

// refuses reports new data for a socket that takes none any more (SH-2), and has
// the pump reset the connection.
func (w *Wire) refuses(seg Segment) bool {
	s := w.socket.Load()
	if s == nil || seg.Payload == 0 || !s.refuses.Load() || !before(w.told.next(), seg.Header.SequenceNumber()+uint32(seg.Payload)) {
		return false
	}
	s.refused.Store(true)
	s.host.Signal(s)
	return true
}

// extend notes how far the peer's bytes reach in order.
func (w *Wire) extend(seg Segment) {
	length := seqnum.Size(seg.Payload)
	fin := seg.Header.Flags().Contains(header.TCPFlagFin)
	if fin {
		length++
	}
	first, end := seqnum.Value(seg.Header.SequenceNumber()), seqnum.Value(w.rcvEnd.Load())
	if last := first.Add(length); first.LessThanEq(end) && end.LessThan(last) {
		advance(&w.rcvEnd, uint32(last))
		if fin {
			w.set(wireFIN)
		}
	}
}

// resets reports whether netstack acts on a RST: anybody can send one. Only
// SEQ = RCV.NXT resets (RFC 5961 §3.2); another one in the window is answered
// with a challenge ACK. netstack may not have processed what came before it,
// so RCV.NXT lies between what was acknowledged and what has come in order.
func (w *Wire) resets(h header.TCP) bool {
	switch {
	case !w.has(wireISS):
		return true // nothing is known
	case !w.has(wireIRS): // SYN-SENT
		return h.Flags().Contains(header.TCPFlagAck) && h.AckNumber() == w.nxt.Load()
	}
	next := seqnum.Value(w.told.next())
	return seqnum.Value(h.SequenceNumber()).InRange(next, seqnum.Value(w.rcvEnd.Load()).Add(1))
}

// reaches reports whether netstack may look at a segment. It drops what is
// outside of the receive window before it looks at the acknowledgement.
func (w *Wire) reaches(seg Segment) bool {
	first := seqnum.Value(seg.Header.SequenceNumber())
	last := first.Add(seqnum.Size(max(seg.Payload, 1) - 1))
	return w.inWindow(uint32(first)) || w.inWindow(uint32(last))
}

// inWindow is lenient: netstack may be further than our last acknowledgement,
// at the right edge at most.
func (w *Wire) inWindow(seq uint32) bool {
	acknowledged, size := w.told.load()
	next, window := seqnum.Value(acknowledged), seqnum.Size(size)
	return seqnum.Value(seq).InRange(next, next.Add(window+1))
}
