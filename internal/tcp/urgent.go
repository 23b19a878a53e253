package tcp

import (
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/serial"
)

// A Notice is a segment's word that a byte of the peer's stream is urgent. Both fields are offsets
// in that stream, modulo 2^32; the first byte of the stream has the offset 0.
type Notice struct {
	First uint32 // where the segment begins
	At    uint32 // where the urgent byte is
}

// maxNotices bounds what a hostile peer can make us keep: urgent bytes beyond it are
// ordinary ones.
const maxNotices = 1024

// offset is where a sequence number stands in the peer's stream.
func (r *receiver) offset(s Seq) uint32 { return uint32(s - r.irs - 1) }

// Position is the offset in the peer's stream of the next byte that Read returns.
func (c *Conn) Position() uint32 { return c.rcv.offset(c.rcv.read) }

// TakeNotices returns the urgent bytes that were announced since TakeNotices was last called, the
// oldest first (OB-2). Of those that hadn't come when a later segment pointed beyond them only the
// last is among them: see supersede.
func (c *Conn) TakeNotices() []Notice {
	n := c.notices
	c.notices = nil
	return n
}

// inUrgent is the sixth step of RFC 9293 §3.10.7.4: the place where the urgent data ends is noted,
// if it lies further on than the place that was known (RFC 9293 §3.8.5, RFC 6093).
func (c *Conn) inUrgent(s *Segment) {
	if s.Flags&URG == 0 {
		return
	}
	switch c.state {
	case Established, FinWait1, FinWait2:
	default:
		return
	}
	r := &c.rcv
	up := s.Seq.Add(int(s.Urgent))
	if c.cfg.Expedited {
		up++ // OB-16
	}
	if up == s.Seq || r.urgent && !up.After(r.up) || !up.After(r.read) {
		return
	}
	n := Notice{First: r.offset(s.Seq), At: r.offset(up - 1)}
	if c.supersede(n); len(c.notices) >= maxNotices {
		return
	}
	c.notices = append(c.notices, n)
	r.urgent, r.up = true, up
	c.events |= Urgent
}

// supersede takes out the notices of bytes that haven't come, and aren't the urgent
// ones any more: a segment that begins no later points further. The peer's urgent data
// goes on there, because its application has sent some again, or because 16 bits
// couldn't say more.
func (c *Conn) supersede(by Notice) {
	next := c.rcv.offset(c.rcv.next)
	c.notices = slices.DeleteFunc(c.notices, func(n Notice) bool {
		return !serial.Before(n.At, next) && !serial.Before(n.At, by.First) && serial.Before(n.At, by.At)
	})
}

// forget ends the memory of an urgent byte that was read so long ago that the numbers
// would soon mean something else.
func (r *receiver) forget() {
	if r.urgent && r.read.From(r.up) > 1<<30 {
		r.urgent = false
	}
}

// SendUrgent is Send of urgent data. The last byte is the urgent one or, where more of the caller's
// bytes are to be accepted later, the one so many bytes ahead of the last. The peer is notified
// once: SND.UP, which is returned, lies behind the urgent byte (RFC 6093, OB-1).
func (c *Conn) SendUrgent(now time.Duration, p []byte, ahead int) (up Seq, ok bool) {
	if !c.Send(now, p) {
		return 0, false
	}
	up = c.End().Add(ahead)
	if len(p)+ahead > 0 {
		c.snd.urgent, c.snd.up, c.snd.tell = true, up, true
	}
	return up, true
}

// End is the sequence number behind the last byte that was accepted.
func (c *Conn) End() Seq { return c.snd.queue.end }

// AmendUrgent moves SND.UP to another place, if up is still its place: not all came of what a
// SendUrgent has announced. Urgent data that is acknowledged up to there is forgotten.
func (c *Conn) AmendUrgent(up, to Seq) {
	s := &c.snd
	if !s.urgent || s.up != up {
		return
	}
	if s.up = to; !to.After(s.una) {
		s.urgent, s.tell = false, false
	}
}

// endUrgent is called before a FIN: bytes that were announced and weren't accepted don't come any
// more, and the last byte that was accepted becomes the urgent one.
func (c *Conn) endUrgent() {
	if s := &c.snd; s.urgent && s.up.After(c.End()) {
		c.AmendUrgent(s.up, c.End())
	}
}
