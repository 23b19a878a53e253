package tcp

import "time"

// A rack finds losses by time: what was sent before something that has arrived is lost when a
// reordering window more than the round trip of the latter has passed (RFC 8985).
type rack struct {
	order     uint32        // the order of the newest transmission that was delivered; 0: none was
	rtt       time.Duration // the round trip of that transmission
	fack      Seq           // behind the highest number that was delivered; first our ISS
	reordered bool          // reordering was seen

	mult    int // the factor of the reordering window; 0: 1
	persist int // how many recoveries there are until the factor is 1 again
	round   Seq // a D-SACK counts once a round trip, which ends with this number
}

// The constants of RFC 8985.
const (
	dupThresh      = 3  // DupThresh: SACKed segments that show a loss
	maxPersist     = 16 // recoveries that a wider reordering window lasts (§6.2, step 4)
	reorderDivisor = 4  // the part of the round trip that the reordering window is
)

// newest notes a transmission that was delivered, if it is the newest one (RFC 8985 §6.2, step 2).
// An answer that comes sooner than any round trip belongs to the transmission before.
func (k *rack) newest(now time.Duration, r *record, estimate *rtt) {
	d := now - r.sentAt
	if least := estimate.least.get(); r.resends > 0 && least > 0 && d < least {
		return
	}
	if r.order > k.order {
		k.order, k.rtt = r.order, max(d, 1)
	}
	k.fack = later(k.fack, r.end())
}

// measure widens the reordering window for a D-SACK, which says that what was sent again had only
// been late (RFC 8985 §6.2, step 4).
func (k *rack) measure(a *ackInfo, una, next Seq) {
	switch {
	case una.Before(k.round) && k.mult > 0:
	case a.dsack:
		k.mult, k.persist = min(max(k.mult, 1)+1, 255), maxPersist
		k.round = next
	default:
		k.round = una
	}
}

// reorderWindow is how much later than its due time a segment may come.
func (c *Conn) reorderWindow() time.Duration {
	o := &c.out
	k := &o.rack
	if !k.reordered && (o.phase != steady || o.board.sackedRecords >= dupThresh) {
		return 0
	}
	return min(time.Duration(max(k.mult, 1))*c.rtt.least.get()/reorderDivisor, c.rtt.smoothed)
}

// detect marks what is lost, and reports whether something is newly lost.
func (c *Conn) detect(a *ackInfo) (lost bool) {
	if !c.sack {
		return c.detectDuplicates(a)
	}
	c.timers.reorder = 0
	b, k := &c.out.board, &c.out.rack
	window := c.reorderWindow()
	for n := b.flight.first; n != 0; {
		r := b.at(n)
		if r.order >= k.order {
			break // sent after all that was delivered
		}
		due, next := r.sentAt+k.rtt+window, r.next
		if due > a.now { // so are those behind it
			c.timers.reorder = due
			break
		}
		b.lose(n)
		lost, n = true, next
	}
	if lost && c.out.phase == steady && k.persist > 0 {
		if k.persist--; k.persist == 0 {
			k.mult = 1
		}
	}
	return lost
}

// reorderTimeout is called at the end of the time in which a segment may be reordered.
func (c *Conn) reorderTimeout(now time.Duration) {
	a := ackInfo{now: now, flight: c.InFlight(), sacked: c.out.board.sacked}
	if c.detect(&a) && c.out.phase != repairing {
		c.proceed(&a, true)
	}
}

// detectDuplicates is detect without SACK: three duplicate acknowledgements show a loss, and in
// recovery each acknowledgement of a part does (RFC 5681 §3.2, RFC 6582 §3.2).
func (c *Conn) detectDuplicates(a *ackInfo) bool {
	o := &c.out
	partial := o.phase == recovering && a.advance && c.snd.una.Before(o.high)
	if !partial && !(o.phase == steady && o.dupAcks >= dupThresh) || len(o.board.records) == 0 {
		return false
	}
	if r := &o.board.records[0]; r.flags&recordLost == 0 {
		o.board.lose(o.board.base)
	}
	return true
}

// A tailProbe is the tail loss probe: a segment that is sent when the end of a flight may be lost,
// so that its acknowledgement shows the loss (RFC 8985 §7).
type tailProbe struct {
	due    bool // the probe is to leave
	out    bool // the probe has left, and wasn't answered
	resent bool // the probe is a segment that had been sent before
	end    Seq  // TLP.end_seq: SND.NXT when the probe left
}

// maxAckDelay is how long a peer may delay the acknowledgement of a lone segment.
const maxAckDelay = 200 * time.Millisecond

// minTailProbe is how long the tail loss probe waits at least: where the round trip takes
// microseconds, whoever is to answer may not have had a turn at a processor yet. (Two ticks in
// Linux.)
const minTailProbe = 10 * time.Millisecond

// armTailProbe sets the time of the tail loss probe (RFC 8985 §7.2). While the time-out is backed off
// there is none: the round trip isn't known then, and what is sent twice doesn't measure it.
func (c *Conn) armTailProbe(now time.Duration) {
	o := &c.out
	c.timers.tail = 0
	if !c.sack || o.phase != steady || o.board.sackedRecords > 0 || o.tail.out || o.tail.due || c.rtt.shift > 0 || c.InFlight() == 0 {
		return
	}
	after := time.Second
	if c.rtt.smoothed > 0 {
		after = max(2*c.rtt.smoothed, minTailProbe)
	}
	if len(o.board.records) == 1 {
		after += maxAckDelay
	}
	if at := now + after; at < c.timers.resend { // later, the time-out does the same
		c.timers.tail = at
	}
}

// probeTail is called at the time of the tail loss probe (RFC 8985 §7.3).
func (c *Conn) probeTail() {
	if c.out.phase == steady && c.InFlight() > 0 {
		c.out.tail.due = true
	}
}

// inTailProbe looks whether the tail loss probe has repaired a loss (RFC 8985 §7.4.2).
func (c *Conn) inTailProbe(a *ackInfo, ack Seq) {
	o := &c.out
	t := &o.tail
	switch {
	case !t.out || ack.Before(t.end):
		return
	case !t.resent, a.dsack && a.duplicate.End == t.end:
	case ack.After(t.end):
		o.control.Lost(a.now, a.flight)
		o.control.Exit(o.control.Threshold())
	case a.advance || a.blocks:
		return // it may be the answer to the first transmission: wait
	}
	*t = tailProbe{}
}
