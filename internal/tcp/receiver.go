package tcp

import (
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/spare"
)

// A receiver is the receive sequence space (RFC 9293 §3.3.1) and what has come into it. Its window:
//
//	        read            quota, at least one segment
//	IRS+1 ─────────▶│◀──────────────────────────────▶│ limit
//	                │◀── queue ──▶│◀──── window ────▶│ edge
//	                            RCV.NXT
//
// The edge never moves left (RFC 9293 §3.8.6), and right only by an amount that is worth telling
// (RFC 1122 §4.2.3.3).
type receiver struct {
	irs   Seq   // IRS: the peer's initial sequence number
	next  Seq   // RCV.NXT
	read  Seq   // the next byte that Read returns
	edge  Seq   // the right edge that the peer was promised
	told  Seq   // the edge as the window of our last segment said it, rounded by the scale
	tuner       // its quota is SO_RCVBUF in bytes; where grows is true, the size that it has grown to
	least int   // the floor of the quota: one segment, in bytes
	grows bool  // SO_RCVBUF isn't set
	shift uint8 // the scale of our window
	whole int   // the bytes that the window of our SYN is a multiple of; 0: of none

	queue  queue  // data that came in order and wasn't read
	pieces pieces // data that came early
	fin    Seq    // the number of the peer's FIN; valid with hasFIN
	hasFIN bool   // the FIN was announced
	ended  bool   // the FIN and everything before it has come

	memory *Memory // what all connections hold

	tsRecent     uint32        // TS.Recent: the peer's last timestamp (RFC 7323 §4.3)
	tsAge        time.Duration // when TS.Recent was taken; 0: it wasn't
	lastAck      Seq           // the acknowledgement number of our last segment
	duplicate    Block         // data that came twice, for a D-SACK; zero: none
	unackedBytes int           // how many bytes came in order since our last segment
	unacked      int           // in how many segments they came

	up     Seq  // behind the last urgent byte; valid with urgent
	urgent bool // the peer has announced an urgent byte

	keeper spare.Keeper // of the views that were read

	ecnEcho bool // a CE mark has come, and no CWR since (RFC 3168 §6.1.3)
}

// scaleFor is the least scale with which a window of so many bytes can be told.
func scaleFor(bytes int) (shift uint8) {
	for shift < MaxScale && bytes > 65535<<shift {
		shift++
	}
	return shift
}

// size is the quota with its floor, which is all that there is while no memory is left.
func (r *receiver) size() int {
	if r.memory.left() == full {
		return r.least
	}
	return max(int(r.quota), r.least)
}

// step is the least amount by which the edge moves.
func (r *receiver) step() int { return max(1, min(r.size()/2, r.least)) }

// limit is the farthest place of the edge: as far as the quota allows, and as the window field can
// tell.
func (r *receiver) limit() Seq {
	return earlier(r.read.Add(r.size()), r.next.Add(65535<<r.shift))
}

// window moves the edge, if that is worth telling, and returns the window field for a segment that
// acknowledges RCV.NXT.
func (r *receiver) window() uint16 {
	if limit := r.limit(); limit.From(r.edge) >= r.step() {
		r.edge = limit
	}
	return r.field()
}

// field is the window field for the edge as it is. The field is rounded down: a scaled window may
// say less than the edge, never more.
func (r *receiver) field() uint16 {
	field := min(max(0, r.edge.From(r.next))>>r.shift, 65535)
	r.told = r.next.Add(field << r.shift)
	return uint16(field)
}

// synWindow is the window field of a SYN, which is never scaled. What memory is left doesn't count:
// the SYN-ACK of a record and the connection that is made of it later promise the same.
func (r *receiver) synWindow() uint16 {
	window := min(max(int(r.quota), r.least), 65535)
	if r.whole > 0 && window >= 2*r.whole {
		window -= window % r.whole
	}
	return uint16(window)
}

// synEdge is the right edge that our SYN promises. It is rounded up to what a scaled
// window can tell: the next window would seem to shrink (BF-14). Where there is a scale
// the quota is larger, or isn't set.
func (r *receiver) synEdge() Seq {
	unit := 1 << r.shift
	return r.next.Add((int(r.synWindow()) + unit - 1) &^ (unit - 1))
}

// permitted is the window that the peer was promised, in bytes.
func (r *receiver) permitted() int { return max(0, r.edge.From(r.next)) }

// acceptable reports whether a segment is in the window (RFC 9293 §3.10.7.4, step 1). A FIN takes a
// number, but no room: the FIN may be new where the data before it isn't, because a retransmission
// may have got a FIN.
func (r *receiver) acceptable(s *Segment) bool {
	seq, n := s.Seq, int(s.Payload.Size())
	window := r.permitted()
	switch {
	case s.Flags&(FIN|SYN|RST) == FIN && seq.Add(n) == r.next:
		return true
	case n == 0: // the edge itself, too: a sender that has filled the window acknowledges from there
		return seq.In(r.next, window+1)
	case window == 0:
		return false
	}
	return seq.In(r.next, window) || seq.Add(n-1).In(r.next, window)
}

// data takes the payload of an acceptable segment, as far as it is in the window and new. While no
// memory is left, only a segment is taken of what comes in order, if none waits to be read: the
// peer sends the rest again.
func (r *receiver) data(seq Seq, b *buffer.Buffer) {
	n := int(b.Size())
	packet := n
	end := r.edge
	if r.hasFIN {
		end = earlier(end, r.fin)
	}
	if over := seq.Add(n).From(end); over > 0 {
		if n = max(0, n-over); n == 0 {
			b.Release()
			return
		}
		b.Truncate(int64(n))
	}
	if old := r.next.From(seq); old > 0 {
		r.duplicate = Block{seq, earlier(seq.Add(n), r.next)}
		if old >= n {
			b.Release()
			return
		}
		b.TrimFront(int64(old))
		seq, n = r.next, n-old
	}
	if r.memory.left() == full {
		if seq != r.next || r.queue.size > 0 {
			b.Release()
			return
		}
		n = min(n, r.least)
		b.Truncate(int64(n))
	}
	compact(b, packet)
	if seq != r.next {
		if again := r.pieces.add(seq, b); again != (Block{}) {
			r.duplicate = again
		}
		return
	}
	end = seq.Add(n)
	if len(r.pieces.runs) > 0 {
		if first := r.pieces.runs[0].start; first.Before(end) {
			r.duplicate = Block{first, earlier(end, r.pieces.runs[0].end)}
		}
	}
	r.queue.add(b)
	r.next = end
	r.fill()
}

// fill takes what came early and is in order by now.
func (r *receiver) fill() {
	if len(r.pieces.runs) > 0 {
		r.next = r.pieces.take(r.next, &r.queue)
	}
}

// offer notes where the peer's FIN stands. What the first segment with a FIN says counts.
func (r *receiver) offer(fin Seq) {
	if !r.hasFIN {
		r.hasFIN, r.fin = true, fin
	}
}

// finish takes the FIN, if everything before it has come, and reports whether that is so now and
// wasn't before.
func (r *receiver) finish() bool {
	if !r.hasFIN || r.ended || r.next != r.fin {
		return false
	}
	r.ended = true
	r.next++
	r.edge = later(r.edge, r.next)
	return true
}

// consumed follows n bytes that were read: the quota may grow, and the peer may have to be told of
// the room. consumed reports whether the peer has to: it is nearly out of room, or there is a lot.
func (r *receiver) consumed(now time.Duration, n int, rtt time.Duration) (tell bool) {
	r.queue.drop(n, &r.keeper)
	r.read = r.read.Add(n)
	r.forget()
	r.growQuota(now, rtt)
	return r.worthTelling(n)
}

// restore puts bytes back that were consumed. The edge stays where it is.
func (r *receiver) restore(p []byte) {
	r.queue.restore(p)
	r.read = r.read.Add(-len(p))
}

// worthTelling reports whether the peer should be told of the room. After a change of the
// quota (n is 0), whatever opens is told.
func (r *receiver) worthTelling(n int) bool {
	if r.ended {
		return false
	}
	opening, left := r.limit().From(r.edge), r.edge.From(r.next)
	if opening < r.step() {
		return false
	}
	enough := min(2*r.least, r.size()/2)
	if r.grows { // such windows are large, and a segment for each call that reads costs much
		enough = max(enough, r.size()/4)
	}
	return n == 0 || left < r.least || opening >= enough
}
