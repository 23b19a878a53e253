package endpoint

import (
	"math"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/nagle"
	"github.com/wsstack/wsstack/wsa"
)

// Wire is what the hooks saw of one TCP connection: its segments, both ways.
// Hooks call Out and In with netstack's locks held; they store and signal, and
// sockets read at any time, so every field is atomic. Fields that a hostile
// peer could move are checked against what this side has sent.
//
// A Wire is the tcpip.PacketOwner of its endpoint, which is how the egress hook
// finds it.
type Wire struct {
	socket atomic.Pointer[Socket]
	door   *Door // of a listener; set before it listens

	known   atomic.Uint32 // the wire… bits
	iss     atomic.Uint32 // our initial sequence number
	irs     atomic.Uint32 // the peer's
	una     atomic.Uint32 // SND.UNA: the oldest sequence number not acknowledged
	nxt     atomic.Uint32 // SND.NXT: the highest sequence number sent, plus one
	rcvNxt  atomic.Uint32 // RCV.NXT as last acknowledged
	rcvEnd  atomic.Uint32 // the end of what has come in order, acknowledged or not
	window  atomic.Uint32 // the peer's window in bytes, scaled
	shift   atomic.Uint32 // the peer's window scale
	peerMSS atomic.Uint32 // from its SYN; 0: none seen
	ownMSS  atomic.Uint32 // from ours
	pathMSS atomic.Uint32 // what the path MTU leaves, where an ICMP error named one; else 0
	since   atomic.Int64  // when the handshake was complete, ns of the monotonic clock
	largest atomic.Uint32 // the largest window of the peer so far
	written atomic.Int64  // payload bytes given to netstack
	tiny    atomic.Int32  // small segments of data that came since the last compact
	hidden  atomic.Bool   // netstack was told that the peer's window is closed; see Wire.veils

	ownWindow atomic.Uint32 // the window field of the last segment sent
	ownShift  atomic.Uint32 // its scale
	recv      recvWindow
	tsOffset  atomic.Uint32 // our timestamps, less the clock's milliseconds
	tsRecent  atomic.Uint32 // the peer's last timestamp, as far as it was noted

	headers atomic.Uint32 // of a listener: TTL, TOS, hop limit and traffic class, an octet each

	answer         atomic.Bool                // a segment was dropped that is to be acknowledged
	answered       atomic.Int64               // when one was last, ns of the monotonic clock
	syn            atomic.Pointer[header.TCP] // our SYN as it left; nil: none yet
	synRetrans     atomic.Uint32              // how often it left again
	icmpError      atomic.Pointer[wsa.ICMPErrorInfo]
	debug          atomic.Uint64 // see Debugging
	retransmission retransmission
	tally          tally

	watched  atomic.Bool  // keep-alive is on: note what comes
	lastSeen atomic.Int64 // when the last acceptable segment came, ns of the monotonic clock

	urgent wireUrgent
}

// Bits of Wire.known.
const (
	wireISS         = 1 << iota // our SYN was seen, or its acknowledgement
	wireIRS                     // the peer's SYN was seen
	wireReset                   // a RST has come in that netstack acts on
	wireFIN                     // the peer's FIN has come, and everything before it
	wireTimestamps              // both SYNs carried the timestamp option
	wireSACK                    // both SYNs carried SACK-permitted
	wireListener                // the record of a listener, not of a connection
	wireUnreachable             // it has come
	wireFailOnICMP              // an ICMP error for the SYN ends the connect
	wireSent                    // a segment with an acknowledgement has left
	wireNoScale                 // our SYN wasn't seen: ownShift is a guess
	wireMute                    // no RST leaves
	wireSilent                  // no segment leaves any more
	wireGrown                   // netstack's window is beyond the one in our SYN
	wireOffersTS                // our SYN may carry the timestamp option
	wireHoldFirst               // even the first SYN doesn't leave: see restartHandshakeLocked
)

var _ tcpip.PacketOwner = (*Wire)(nil)

// KUID and KGID make a Wire a tcpip.PacketOwner. Nothing matches on them.
func (*Wire) KUID() uint32 { return 0 }
func (*Wire) KGID() uint32 { return 0 }

// Segment is what the hooks tell of a TCP segment.
type Segment struct {
	Header  header.TCP
	Payload int         // bytes; of a segment to be cut up, of the whole
	Clock   tcpip.Clock // read only when the time matters: a reading isn't cheap
	Partial bool        // the checksum of a segment that leaves is left to the device
}

// A Fate is what the hook does with a segment that came in.
type Fate uint8

// The fates, as bits; zero: netstack gets it as it is.
const (
	Refuse  Fate = 1 << iota // its data isn't permitted: netstack gets the rest, and acknowledges again
	Veil                     // netstack sees a closed window: the peer's is too small to be used (NG-9)
	Ignore                   // nobody gets it
	Reject                   // a RST answers it
	OnlyFIN                  // its data is old: netstack gets the FIN behind it
)

// newWire returns the record of a connection of which nothing is known.
func newWire() *Wire {
	w := &Wire{}
	w.recv.quota.Store(noQuota)
	return w
}

// NewWire returns the record for a SYN to a listener with the record l, which
// may be nil: SO_RCVBUF is the listener's at that time (IN-4).
func NewWire(l *Wire) *Wire {
	w := newWire()
	if l != nil {
		w.recv.quota.Store(l.recv.quota.Load())
		w.inherit(l)
		w.urgent.inherit(&l.urgent)
	}
	return w
}

func (w *Wire) attach(s *Socket) {
	w.socket.Store(s)
	if s != nil && w.urgent.busy.Load() {
		s.urgent.Store(true) // it was announced before Accept
	}
}

func (w *Wire) set(bits uint32) {
	w.known.Or(bits)
}

func (w *Wire) allow(bits uint32, on bool) {
	if on {
		w.known.Or(bits)
	} else {
		w.known.And(^bits)
	}
}

func (w *Wire) has(bits uint32) bool { return w.known.Load()&bits == bits }

// Out records a segment that this side sends, and writes our window into it.
func (w *Wire) Out(seg Segment) {
	h := seg.Header
	seq, flags := h.SequenceNumber(), h.Flags()
	if flags.Contains(header.TCPFlagRst) {
		return // its numbers needn't be those of the connection
	}
	end := seqnum.Value(seq).Add(seqnum.Size(seg.Payload))
	if flags.Contains(header.TCPFlagSyn) {
		end = end.Add(1)
		if isAck := flags.Contains(header.TCPFlagAck); w.has(wireISS) && w.iss.Load() == seq {
			w.tally.spoil()
			if isAck { // our own SYNs are counted where they are sent
				w.synRetrans.Add(1)
			}
		} else {
			w.tally.measure(uint32(end), seg.Clock)
		}
		w.iss.Store(seq)
		w.una.Store(seq)
		w.nxt.Store(uint32(end))
		w.set(wireISS)
		opts := header.ParseSynOptions(h.Options(), flags.Contains(header.TCPFlagAck))
		w.ownMSS.Store(uint32(opts.MSS))
		w.ownShift.Store(uint32(max(opts.WS, 0)))
		w.tsOffset.Store(opts.TSVal - millis(seg.Clock))
		if flags.Contains(header.TCPFlagAck) { // it answers the peer's offer
			if opts.WS < 0 {
				w.shift.Store(0) // a cookie: no scaling either way
			}
			w.negotiate(opts.TS, opts.SACKPermitted)
		}
	}
	if flags.Contains(header.TCPFlagFin) {
		end = end.Add(1)
	}
	if !w.has(wireISS) {
		// A passive connection whose SYN-ACK wasn't seen: a cookie, a flood, a
		// SYN that ended a TIME-WAIT. Nothing was sent before, so this is the
		// first byte. What the peer says can't be trusted to be.
		w.iss.Store(seq - 1)
		w.una.Store(seq)
		w.nxt.Store(seq)
		w.rcvNxt.Store(h.AckNumber())
		w.rcvEnd.Store(h.AckNumber())
		w.ownShift.Store(header.MaxWndScale) // not known: lenient
		w.set(wireISS | wireIRS | wireNoScale)
	}
	w.outWindow(seg)
	if w.urgent.out.Load() != 0 {
		if pointer, ok := w.urgent.pointer(seq); ok {
			seg.setUrgent(pointer)
		}
	}
	if flags.Contains(header.TCPFlagAck) {
		w.tally.delivered(w.rcvNxt.Load(), h.AckNumber())
		w.rcvNxt.Store(h.AckNumber())
		if seqnum.Value(w.rcvEnd.Load()).LessThan(seqnum.Value(h.AckNumber())) {
			w.rcvEnd.Store(h.AckNumber())
		}
		w.set(wireSent)
	}
	if !flags.Contains(header.TCPFlagSyn) {
		w.sent(seg, uint32(end))
	}
	if seqnum.Value(w.nxt.Load()).LessThan(end) {
		w.nxt.Store(uint32(end))
	}
}

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
		w.progress(seg.Clock, ack != uint32(nxt))
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
	inFlight := w.InFlight()
	return nagle.State{
		Queued: queued, Unsent: w.Unsent(), InFlight: inFlight, MSS: w.MSS(),
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
	if window := w.Window(); window > 0 && w.InFlight() == 0 && w.urgent.out.Load() == 0 {
		if unsent := w.Unsent(); unsent > 0 {
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
	w.rcvNxt.Store(h.SequenceNumber() + 1)
	w.rcvEnd.Store(h.SequenceNumber() + 1)
	w.peerMSS.Store(uint32(opts.MSS))
	w.tsRecent.Store(opts.TSVal)
	if opts.WS > 0 {
		w.shift.Store(uint32(min(opts.WS, header.MaxWndScale)))
	}
	w.offered(uint32(h.WindowSize())) // never scaled in a SYN
	w.set(wireIRS)
	if isAck {
		if opts.WS < 0 { // a peer that doesn't scale keeps us from it (RFC 7323 §2.2)
			w.ownWindow.Store(min(w.ownWindow.Load()<<w.ownShift.Load(), math.MaxUint16))
			w.ownShift.Store(0)
		}
		w.recv.promise(h.SequenceNumber() + 1 + w.ownWindow.Load()<<w.ownShift.Load())
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
	next := seqnum.Value(w.rcvNxt.Load())
	window := seqnum.Size(w.ownWindow.Load() << w.ownShift.Load())
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
	return h.Flags()&control != 0 || h.AckNumber() != w.una.Load() || w.since.Load() == 0 || w.watched.Load()
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
		w.rcvEnd.Store(uint32(last))
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
	next := seqnum.Value(w.rcvNxt.Load())
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
	next := seqnum.Value(w.rcvNxt.Load())
	window := seqnum.Size(w.ownWindow.Load() << w.ownShift.Load())
	return seqnum.Value(seq).InRange(next, next.Add(window+1))
}

// Silence keeps every further segment of the connection from leaving.
func (w *Wire) Silence() { w.set(wireSilent) }

// Silent reports that Silence was called.
func (w *Wire) Silent() bool { return w.has(wireSilent) }

// Listening reports that w belongs to a listener: it is the owner of the
// segments of its connections until they are accepted.
func (w *Wire) Listening() bool { return w.has(wireListener) }

// Door is what decides about the SYNs for a listener; nil for a connection.
func (w *Wire) Door() *Door { return w.door }

// Unreachable tells of an ICMP error for the SYN. It ends the attempt only with
// TCP_FAIL_CONNECT_ON_ICMP_ERROR; the first one counts.
// It must quote our SYN's sequence number: anybody can send one (RFC 5927 §4.1).
func (w *Wire) Unreachable(seq uint32, info wsa.ICMPErrorInfo) {
	if w.has(wireFailOnICMP|wireISS) && seq == w.iss.Load() && w.icmpError.CompareAndSwap(nil, &info) {
		w.set(wireUnreachable)
		w.signal()
	}
}

// PathMTU tells of an ICMP error that says how large packets to the peer may be,
// in bytes. netstack cuts its segments accordingly, and never larger again.
func (w *Wire) PathMTU(mtu uint32, v4 bool) {
	headers := uint32(header.IPv6MinimumSize + header.TCPMinimumSize)
	if v4 {
		headers = header.IPv4MinimumSize + header.TCPMinimumSize
	}
	mss := max(mtu, headers+1) - headers
	if old := w.pathMSS.Load(); old == 0 || mss < old {
		w.pathMSS.Store(mss)
	}
}

// Outstanding reports that a segment with this sequence number may be on its way.
func (w *Wire) Outstanding(seq uint32) bool {
	una, nxt := seqnum.Value(w.una.Load()), seqnum.Value(w.nxt.Load())
	return w.has(wireISS) && seqnum.Value(seq).InRange(una, nxt)
}

// Acknowledged reports that the handshake is complete.
func (w *Wire) Acknowledged() bool { return w.since.Load() != 0 }

// Reset reports that the peer has sent a RST.
func (w *Wire) Reset() bool { return w != nil && w.has(wireReset) }

// Unacked is the number of payload bytes given to netstack that the peer has
// not acknowledged.
func (w *Wire) Unacked() int {
	if w == nil || !w.has(wireISS) {
		return 0
	}
	// Sequence numbers wrap, the total doesn't: the difference is taken of
	// the low 32 bits. A SYN and a FIN count one each.
	end := seqnum.Value(w.iss.Load() + 1 + uint32(w.written.Load()))
	una := seqnum.Value(w.una.Load())
	if end.LessThan(una) {
		return 0 // the FIN is acknowledged, too
	}
	return int(una.Size(end))
}

// InFlight is the number of bytes sent and not acknowledged: SND.NXT - SND.UNA,
// in which a SYN and a FIN count.
func (w *Wire) InFlight() int {
	una, nxt := seqnum.Value(w.una.Load()), seqnum.Value(w.nxt.Load())
	if nxt.LessThan(una) {
		return 0
	}
	return int(una.Size(nxt))
}

// Unsent is the number of payload bytes given to netstack that haven't left.
func (w *Wire) Unsent() int {
	end := seqnum.Value(w.iss.Load() + 1 + uint32(w.written.Load()))
	nxt := seqnum.Value(w.nxt.Load())
	if !w.has(wireISS) || end.LessThan(nxt) {
		return 0
	}
	return int(nxt.Size(end))
}

// FinAcked reports that the peer has acknowledged everything and our FIN.
func (w *Wire) FinAcked() bool {
	if w == nil || !w.has(wireISS) {
		return false
	}
	fin := w.iss.Load() + 1 + uint32(w.written.Load())
	return w.una.Load() == fin+1
}

// Window is the peer's receive window in bytes, as it last said.
func (w *Wire) Window() int { return int(w.window.Load()) }

// Established is when the handshake was complete: at the SYN-ACK for the side
// that connected, at the acknowledgement of it for the other (CT-1). It
// returns now where the hooks have missed it.
func (w *Wire) Established(now tcpip.MonotonicTime) tcpip.MonotonicTime {
	if w == nil || w.since.Load() == 0 {
		return now
	}
	return tcpip.MonotonicTime{}.Add(time.Duration(w.since.Load()))
}

// netstack's reserve for options in every data segment: room for timestamps
// and, once SACK is negotiated, for as many blocks as fit, whether or not there
// are any.
const (
	timestampReserve = 12
	sackReserve      = 36 // four blocks
	bothReserve      = 40 // timestamps and three blocks: all the room there is
)

// MSS is the number of payload bytes in a full segment of this connection: the
// smaller of both offers, less the options (GS-12).
func (w *Wire) MSS() int {
	mss := int(w.peerMSS.Load())
	if mss == 0 {
		mss = header.TCPDefaultMSS
	}
	for _, limit := range []uint32{w.ownMSS.Load(), w.pathMSS.Load()} {
		if limit != 0 {
			mss = min(mss, int(limit))
		}
	}
	switch {
	case w.has(wireTimestamps | wireSACK):
		mss -= bothReserve
	case w.has(wireTimestamps):
		mss -= timestampReserve
	case w.has(wireSACK):
		mss -= sackReserve
	}
	return max(mss, 1)
}

func (w *Wire) wrote(n int) { w.written.Add(int64(n)) }
