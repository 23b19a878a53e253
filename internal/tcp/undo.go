package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/serial"
)

// A doubt says how far F-RTO is in finding out whether a time-out was spurious
// (RFC 5682 §2.1).
type doubt uint8

const (
	certain    doubt = iota // there is nothing to find out
	unanswered              // the first segment was sent again, and nothing has come since
	examining               // SND.UNA has moved: two new segments tell
)

// An undo tells a loss from a delay, from the beginning of recovery or a time-out on.
type undo struct {
	from        Seq    // SND.UNA at the beginning
	high        Seq    // SND.NXT at the beginning
	active      bool   // there is something to undo
	resent      int    // how many bytes were sent again and aren't reported as duplicates
	any         bool   // something was sent again
	stamp       uint32 // our timestamp of the first segment that was sent again
	doubt       doubt  // how far F-RTO is
	newSegments int    // how many new segments F-RTO may send yet
}

// beginUndo follows the beginning of a phase. A flight is taken back once: a peer that brings that
// about with each of its acknowledgements would have us look at the whole flight for each.
func (c *Conn) beginUndo() {
	o := &c.out
	o.undo = undo{from: c.snd.una, high: o.high, active: !c.snd.una.Before(o.undone)}
}

// noteResent notes a segment that was sent again.
func (u *undo) noteResent(bytes int, stamp uint32) {
	if !u.active {
		return
	}
	if !u.any {
		u.any, u.stamp = true, stamp
	}
	u.resent += bytes
}

// spurious reports whether the loss that began the phase was none: what was sent
// again is reported as a duplicate (RFC 3708), the acknowledgement echoes a
// timestamp from before (RFC 3522), or after a time-out something arrives that
// wasn't sent again (RFC 5682).
func (c *Conn) spurious(a *ackInfo, s *Segment) bool {
	u := &c.out.undo
	if !u.active || !u.any {
		return false
	}
	if a.dsack && !a.duplicate.Start.Before(u.from) && !a.duplicate.End.After(u.high) {
		c.out.rack.reordered = true // the first transmission was only late
		if u.resent -= a.duplicate.End.From(a.duplicate.Start); u.resent <= 0 {
			return true
		}
	}
	if c.stamps && a.advance && a.mixed && s.Options.TSEcr != 0 && serial.Before(s.Options.TSEcr, u.stamp) {
		return true
	}
	return c.forwardRecovery(a)
}

// forwardRecovery is spurious after a time-out (F-RTO, RFC 5682):
//
//	unanswered ──SND.UNA moved, new data waits──▶ examining ──sent once arrives──▶ spurious
//	     └── something that was sent once arrives (SACK) ──────────────────────▶ spurious
//	anything else ──▶ certain
func (c *Conn) forwardRecovery(a *ackInfo) bool {
	u := &c.out.undo
	switch {
	case u.doubt == certain || c.out.phase != repairing:
		return false
	case a.original && (c.sack || u.doubt == examining):
		return true
	case u.doubt == unanswered && a.advance && c.snd.una.Before(c.out.high) && min(c.snd.unsent(), c.snd.usable()) > 0:
		u.doubt, u.newSegments = examining, 2
	default:
		u.doubt = certain
	}
	return false
}

// undoLoss takes back what followed from a loss that was none.
func (c *Conn) undoLoss(now time.Duration) {
	o := &c.out
	o.control.Undo(now)
	o.board.regain()
	o.phase = steady
	o.undo = undo{}
	o.undone = c.snd.next
	c.rtt.shift = 0
	o.rack.order = 0 // it may be that of a segment that was sent again, and nothing was sent behind it
}
