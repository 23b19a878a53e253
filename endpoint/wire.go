package endpoint

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"

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

	known    atomic.Uint32 // the wire… bits
	iss      atomic.Uint32 // our initial sequence number
	irs      atomic.Uint32 // the peer's
	una      atomic.Uint32 // SND.UNA: the oldest sequence number not acknowledged
	nxt      atomic.Uint32 // SND.NXT: the highest sequence number sent, plus one
	rcvEnd   atomic.Uint32 // the end of what has come in order, acknowledged or not
	window   atomic.Uint32 // the peer's window in bytes, scaled
	shift    atomic.Uint32 // the peer's window scale
	peerMSS  atomic.Uint32 // from its SYN; 0: none seen
	ownMSS   atomic.Uint32 // from ours
	pathMSS  atomic.Uint32 // what the path MTU leaves, where an ICMP error named one; else 0
	watched  atomic.Bool   // keep-alive is on: note what comes
	since    atomic.Int64  // when the handshake was complete, ns of the monotonic clock
	largest  atomic.Uint32 // the largest window of the peer so far
	synAgain atomic.Uint32 // how often our SYN left again
	written  atomic.Int64  // payload bytes given to netstack
	tiny     atomic.Int32  // small segments of data that came since the last compact
	hidden   atomic.Bool   // netstack was told that the peer's window is closed; see Wire.veils

	told     offer         // RCV.NXT and our window, as the last segment that was sent has them
	ownShift atomic.Uint32 // our window scale
	recv     recvWindow
	tsOffset atomic.Uint32 // our timestamps, less the clock's milliseconds
	tsRecent atomic.Uint32 // the peer's last timestamp, as far as it was noted

	headers atomic.Uint32 // of a listener: TTL, TOS, hop limit and traffic class, an octet each

	answer         atomic.Bool                // a segment was dropped that is to be acknowledged
	answered       atomic.Int64               // when one was last, ns of the monotonic clock
	syn            atomic.Pointer[header.TCP] // our SYN as it left; nil: none yet
	icmpError      atomic.Pointer[wsa.ICMPErrorInfo]
	debug          atomic.Uint64 // see Debugging
	retransmission retransmission
	tally          tally

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
	wireFragments               // routers may cut up its packets
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
				w.synAgain.Add(1)
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
		w.rcvEnd.Store(h.AckNumber())
		w.told.set(h.AckNumber(), 0)
		w.ownShift.Store(header.MaxWndScale) // not known: lenient
		w.set(wireISS | wireIRS | wireNoScale)
	}
	window := w.outWindow(seg)
	if w.urgent.out.Load() != 0 {
		if pointer, ok := w.urgent.pointer(seq); ok {
			seg.setUrgent(pointer)
		}
	}
	if flags.Contains(header.TCPFlagAck) {
		w.tally.delivered(w.told.next(), h.AckNumber())
		advance(&w.rcvEnd, h.AckNumber()) // before RCV.NXT, which is read first
		w.told.tell(h.AckNumber(), window)
		w.set(wireSent)
	} else {
		w.told.set(w.told.next(), window) // our SYN: the peer's number isn't known
	}
	if !flags.Contains(header.TCPFlagSyn) {
		w.sent(seg, uint32(end))
	}
	if seqnum.Value(w.nxt.Load()).LessThan(end) {
		w.nxt.Store(uint32(end))
		if !flags.Contains(header.TCPFlagSyn) {
			w.wait(seg.Clock) // after SND.NXT: see acknowledged
		}
	}
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

// Fragments reports that the path takes less than the shortest segments that are
// made for it, so that routers must be allowed to cut them up.
func (w *Wire) Fragments() bool { return w.has(wireFragments) }

// AllowFragments makes Fragments true.
func (w *Wire) AllowFragments() { w.set(wireFragments) }

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
