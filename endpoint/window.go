package endpoint

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
)

// recvWindow is the window that a connection advertises once SO_RCVBUF is set
// (BF-12 to BF-17). Until then it is netstack's, which grows (BF-21), but for
// the one in the SYN.
//
//	        what was read      quota, at least one segment
//	IRS+1 ───────────────▶│◀──────────────────────────────▶│ limit
//	                      │◀── unread ──▶│◀──── window ───▶│ edge
//	                                   RCV.NXT
//
// netstack's own buffer is larger, so that it never drops what was advertised
// (ARCHITECTURE.md, "The receive window"). The egress hook writes the window into each segment, the
// ingress hook refuses what lies beyond the edge. The edge never moves left,
// and to the right only by an amount worth telling (RFC 1122 §4.2.3.3).
type recvWindow struct {
	quota atomic.Int64  // SO_RCVBUF, bytes; -1: not set
	read  atomic.Uint32 // bytes that the application has taken, modulo 2^32

	mu   sync.Mutex // a leaf: hooks take it with endpoints locked
	edge uint32     // the right edge that was promised
	open bool       // edge is valid
}

// noQuota is the quota of a socket whose SO_RCVBUF or SO_SNDBUF isn't set.
const noQuota = -1

// ours reports that the window is ours.
func (r *recvWindow) ours() bool { return r.quota.Load() != noQuota }

// SetRecvQuota makes the window that of SO_RCVBUF, from the next segment on.
func (w *Wire) SetRecvQuota(bytes int32) {
	r := &w.recv
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.has(wireIRS | wireSent) { // what netstack has promised stays
		if now := w.told.edge(); !r.open || int32(now-r.edge) > 0 {
			r.edge, r.open = now, true
		}
	}
	r.quota.Store(int64(bytes))
}

// promise records the edge that our SYN has promised, once the peer's SYN says
// where that is.
func (r *recvWindow) promise(edge uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		r.edge, r.open = edge, true
	}
}

// atLeast is the window field for a segment whose window is netstack's: never
// less than what the SYN has promised. done says that the window is beyond that.
func (w *Wire) atLeast(ack uint32, field uint16) (_ uint16, done bool) {
	r := &w.recv
	r.mu.Lock()
	defer r.mu.Unlock()
	shift := w.ownShift.Load()
	left := int32(r.edge - ack)
	if !r.open || left <= int32(uint32(field)<<shift) {
		return field, true
	}
	return uint16((uint32(left) + 1<<shift - 1) >> shift), false
}

// floor is the least window: a connection stays usable with SO_RCVBUF 0 (BF-17).
func (w *Wire) floor() uint32 {
	if own := w.ownMSS.Load(); own != 0 {
		return own
	}
	return header.TCPDefaultMSS
}

// size is the quota with its floor.
func (w *Wire) size() uint32 { return max(uint32(w.recv.quota.Load()), w.floor()) }

// step is the least amount by which the edge moves (BF-15).
func (w *Wire) step() uint32 { return max(1, min(w.size()/2, w.floor())) }

// synWindow is the window of a SYN, which is never scaled, and the shift that
// later ones get (BF-12).
func (w *Wire) synWindow() (window uint16, shift int) {
	if !w.recv.ours() {
		return 65535, -1 // BF-21; the shift is netstack's
	}
	for n := w.recv.quota.Load(); shift < header.MaxWndScale && n > 65535<<shift; {
		shift++
	}
	return uint16(min(w.size(), 65535)), shift
}

// advertise is the window field for a segment with this acknowledgement number.
// It moves the edge.
func (w *Wire) advertise(ack uint32) uint16 {
	r := &w.recv
	r.mu.Lock()
	defer r.mu.Unlock()
	shift := w.ownShift.Load()
	limit := w.limit()
	if farthest := ack + 65535<<shift; int32(farthest-limit) < 0 {
		limit = farthest
	}
	if !r.open || int32(limit-r.edge) >= int32(w.step()) {
		r.edge, r.open = limit, true
	}
	if int32(r.edge-ack) <= 0 {
		return 0
	}
	return uint16(min((r.edge-ack)>>shift, 65535))
}

// limit is how far the edge may be.
func (w *Wire) limit() uint32 { return w.irs.Load() + 1 + w.recv.read.Load() + w.size() }

// took tells that the application has taken n bytes, and reports whether the
// peer should be told of the room: it is nearly out of it, or there is a lot.
// After a change of the quota (n is 0), whatever opens is told (BF-13).
func (w *Wire) took(n int) (tell bool) {
	r := &w.recv
	r.read.Add(uint32(int32(n)))
	if !r.ours() || !w.has(wireIRS|wireSent) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next, limit := w.told.next(), w.limit()
	if farthest := next + 65535<<w.ownShift.Load(); int32(farthest-limit) < 0 {
		limit = farthest
	}
	opening, left := int32(limit-r.edge), int32(r.edge-next)
	if opening < int32(w.step()) {
		return false
	}
	return n == 0 || left < int32(w.floor()) || opening >= int32(min(2*w.floor(), w.size()/2))
}

// beyond reports data that starts where nothing was permitted.
func (w *Wire) beyond(seg Segment) bool {
	r := &w.recv
	if seg.Payload == 0 || !r.ours() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open && !seqnum.Value(seg.Header.SequenceNumber()).LessThan(seqnum.Value(r.edge))
}

// outWindow writes the window into a segment that leaves, and returns it in
// bytes. It counts from the moment that it is recorded with the acknowledgement.
func (w *Wire) outWindow(seg Segment) uint32 {
	h := seg.Header
	field := h.WindowSize()
	switch syn := h.Flags().Contains(header.TCPFlagSyn); {
	case syn:
		window, shift := w.synWindow()
		seg.setWindow(window)
		if at := optionAt(h, header.TCPOptionWS); at >= 0 && shift >= 0 {
			seg.setByte(at+2, byte(shift))
			w.ownShift.Store(uint32(shift))
		}
		// As if it were scaled, rounded up: later segments are.
		scale := w.ownShift.Load()
		field = uint16((uint32(window) + 1<<scale - 1) >> scale)
		if h.Flags().Contains(header.TCPFlagAck) {
			w.recv.promise(h.AckNumber() + uint32(window))
		}
	case w.has(wireNoScale):
	case w.recv.ours():
		field = w.advertise(h.AckNumber())
		seg.setWindow(field)
	case !w.has(wireGrown):
		least, done := w.atLeast(h.AckNumber(), field)
		if done {
			w.set(wireGrown)
		}
		field = least
		seg.setWindow(field)
	}
	return uint32(field) << w.ownShift.Load()
}

// setWindow changes the window of a segment that leaves.
func (seg Segment) setWindow(window uint16) {
	old := seg.Header.WindowSize()
	if old == window {
		return
	}
	seg.Header.SetWindowSize(window)
	seg.patch(old, window)
}

// setByte changes one byte of the header of a segment that leaves.
func (seg Segment) setByte(at int, b byte) {
	h := seg.Header
	word := at &^ 1
	old := uint16(h[word])<<8 | uint16(h[word+1])
	h[at] = b
	seg.patch(old, uint16(h[word])<<8|uint16(h[word+1]))
}

// patch makes the checksum that of a segment in which one aligned 16-bit word
// has changed (RFC 1624 §3). A partial checksum covers the pseudo-header only.
func (seg Segment) patch(old, new uint16) {
	if seg.Partial || old == new {
		return
	}
	sum := uint32(^seg.Header.Checksum()) + uint32(^old) + uint32(new)
	sum = sum>>16 + sum&0xffff
	seg.Header.SetChecksum(^uint16(sum>>16 + sum&0xffff))
}

// optionAt is the offset in a TCP header of an option of this kind, or -1. The
// segment is netstack's own.
func optionAt(h header.TCP, kind byte) int {
	end := int(h.DataOffset())
	for i := header.TCPMinimumSize; i < end; {
		switch k := h[i]; {
		case k == kind:
			return i
		case k == header.TCPOptionEOL:
			return -1
		case k == header.TCPOptionNOP:
			i++
		case i+1 < end && h[i+1] >= 2:
			i += int(h[i+1])
		default:
			return -1
		}
	}
	return -1
}
