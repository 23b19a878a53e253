package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
)

// A phase says what bounds the bytes that are sent:
//
//	        loss found by acknowledgements            SND.UNA ≥ high
//	steady ───────────────────────────────▶ recovering ─────────────▶ steady
//	   │                                        │
//	   └──────────────── RTO ───────────────────┴──▶ repairing ─────▶ steady
//	                          the loss was none: undo ───────▶ steady
type phase uint8

const (
	steady     phase = iota // the congestion window
	recovering              // PRR (RFC 9937)
	repairing               // the congestion window, from one segment on, after a time-out
)

// An outRecovery knows what is in flight and what became of it.
type outRecovery struct {
	board   scoreboard            // the segments in flight
	control congestion.Controller // the congestion window; nil until the handshake is complete
	prr     congestion.PRR        // what bounds the bytes in the phase recovering
	phase   phase
	high    Seq  // RecoveryPoint: SND.NXT when the phase began
	round   Seq  // the round trip ends when this number is acknowledged
	blocked bool // the congestion window, and nothing else, keeps data back

	usage usage // how much of the congestion window is used

	uncredited int // bytes that were delivered in the steady phase since SND.UNA moved
	dupAcks    int // without SACK: duplicates since SND.UNA moved, each for a segment that has arrived
	rack       rack
	tail       tailProbe
	undo       undo
	undone     Seq // SND.NXT when a loss was taken back last
}

// pipe is how many bytes are on their way (RFC 6675 §4).
func (c *Conn) pipe() int { return max(0, c.out.board.pipe-c.out.dupAcks*c.snd.mss) }

// cwndRoom is how many bytes congestion control lets out now.
func (c *Conn) cwndRoom() int {
	if c.out.phase == recovering {
		return c.out.prr.Allowance()
	}
	return c.out.control.Window() - c.pipe()
}

// An ackInfo is what one acknowledgement says.
type ackInfo struct {
	now     time.Duration // when the acknowledgement came
	bytes   int           // how many bytes are newly delivered
	advance bool          // SND.UNA has moved

	// first and last are when the first segment that is acknowledged, and the last one that is
	// delivered, left, of those that were sent once; 0: there is none.
	first, last time.Duration

	mixed     bool  // some of what is delivered was sent again
	original  bool  // some of what is delivered was sent once, before the phase began
	dsack     bool  // there is a D-SACK
	duplicate Block // the block of the D-SACK
	blocks    bool  // there are SACK blocks
	fack      Seq   // behind the highest number that was delivered before
	flight    int   // SND.NXT − SND.UNA before
	sacked    int   // how many bytes were SACKed before
}

// acknowledge takes the acknowledgement of what lies before s.Ack, which is SND.UNA to SND.NXT.
// changed says that the peer's window is another.
func (c *Conn) acknowledge(now time.Duration, s *Segment, changed bool) {
	o := &c.out
	a := ackInfo{now: now, advance: s.Ack.After(c.snd.una), flight: c.InFlight(), sacked: o.board.sacked, fack: o.rack.fack}
	if c.sack {
		c.inBlocks(s, &a)
	}
	switch {
	case a.advance:
		c.advance(&a, s.Ack)
	case s.Len() == 0 && !changed && a.flight > 0:
		c.Counters.DupAcksIn++
		if !c.sack && o.dupAcks < len(o.board.records) {
			o.dupAcks++
			a.bytes += c.snd.mss
		}
	}
	if c.snd.window == 0 || changed && c.InFlight() == 0 {
		c.windowAnswered(&a)
	}
	c.sampled(&a)
	o.rack.measure(&a, c.snd.una, c.snd.next)
	c.inTailProbe(&a, s.Ack)
	// RFC 3168 §6.1.2: once a round trip.
	if c.ecn && s.Flags&ECE != 0 && a.flight > 0 && !c.snd.una.Before(o.high) && o.phase == steady {
		o.control.CongestionExperienced(now, a.flight)
		o.high, c.snd.cwr = c.snd.next, true
	}
	if c.spurious(&a, s) {
		c.undoLoss(now)
	}
	c.proceed(&a, c.detect(&a))
	if a.advance {
		c.armResend(now)
	}
	c.armTailProbe(now)
}

// inBlocks takes the SACK blocks (RFC 2018 §5, RFC 2883 §4).
func (c *Conn) inBlocks(s *Segment, a *ackInfo) {
	b := &c.out.board
	for i, k := range s.Options.Blocks[:s.Options.Count] {
		if !k.Start.Before(k.End) || k.End.After(c.snd.next) {
			continue
		}
		a.blocks = true
		if i == 0 && (k.Start.Before(s.Ack) || s.Options.Count > 1 && within(k, s.Options.Blocks[1])) {
			a.dsack, a.duplicate = true, k
			continue
		}
		if !k.Start.Before(later(c.snd.una, s.Ack)) {
			b.sack(k, func(r *record) { c.delivered(a, r, false) })
		}
	}
}

// within reports whether a block is a part of another.
func within(k, of Block) bool { return !k.Start.Before(of.Start) && !k.End.After(of.End) }

// delivered counts a record that is acknowledged or SACKed for the first time.
func (c *Conn) delivered(a *ackInfo, r *record, cumulative bool) {
	o := &c.out
	a.bytes += int(r.size)
	c.passed(r.payload())
	if r.resends == 0 {
		if cumulative && (a.first == 0 || r.sentAt < a.first) {
			a.first = r.sentAt
		}
		a.last = max(a.last, r.sentAt)
		a.original = a.original || !r.end().After(o.high)
		if r.end().Before(a.fack) {
			o.rack.reordered = true // RFC 8985 §6.2, step 3
		}
	} else {
		a.mixed = true
	}
	o.rack.newest(a.now, r, &c.rtt)
}

// deliveredRun is delivered for a run of records that are acknowledged. Of those that were sent once,
// and in the order that they stand in, the first and the last say all but how much there was.
func (c *Conn) deliveredRun(a *ackInfo, run []record) {
	last := len(run) - 1
	c.delivered(a, &run[0], true)
	if last == 0 {
		return
	}
	most := 0
	for i := range run[1:last] {
		r := &run[1+i]
		a.bytes += int(r.size)
		most = max(most, r.payload())
	}
	c.passed(most)
	c.delivered(a, &run[last], true)
}

// advance moves SND.UNA to ack.
func (c *Conn) advance(a *ackInfo, ack Seq) {
	o, b := &c.out, &c.snd
	o.board.ack(ack, func(run []record) { c.deliveredRun(a, run) })
	if !c.sack {
		a.bytes = max(0, a.bytes-o.dupAcks*b.mss)
		o.dupAcks = 0
	}
	b.una = ack
	if o.phase == steady {
		o.high = later(o.high, ack)
	}
	if end := earlier(ack, b.queue.end); end.After(b.queue.start) {
		b.queue.acked(end)
		if c.lowWater == 0 || c.Queued() <= c.lowWater {
			c.events |= Acked
		}
	}
	if b.urgent && !ack.Before(b.up) {
		b.urgent = false
	}
	if ack == b.next {
		if b.unsent() == 0 && (!b.fin || b.finSent()) {
			c.events |= AllAcked
		}
	} else {
		c.rtt.progress()
	}
	c.progress(a.now)
	c.armOrphan(a.now)
}

// windowAnswered follows an acknowledgement that comes while the window is closed, or changes the
// window while nothing is in flight: the peer answers, and that counts as
// progress (BF-23). Until the next probe leaves nothing waits for an answer.
func (c *Conn) windowAnswered(a *ackInfo) {
	c.progress(a.now)
	if c.snd.usable() > 0 && c.InFlight() == 0 {
		c.snd.windowProbe = false
		c.timers.resend = 0
		if a.flight == 0 {
			c.rtt.progress() // the back-off was that of probes
		}
	}
}

// sampled measures the round trip of what was sent once (RFC 6298 §3). Without
// SACK an acknowledgement of something that was sent again says nothing of what
// it covers besides.
func (c *Conn) sampled(a *ackInfo) {
	at := a.first
	if at == 0 {
		at = a.last
	}
	if at == 0 || a.mixed && !c.sack {
		return
	}
	c.rtt.sample(a.now, a.now-at)
}

// proceed decides what the phase is after an acknowledgement. lost says that the acknowledgement,
// or the time that has passed, has shown that something was lost.
func (c *Conn) proceed(a *ackInfo, lost bool) {
	o := &c.out
	if o.phase != steady && !c.snd.una.Before(o.high) {
		if o.phase == recovering {
			o.control.Exit(o.control.Threshold())
		}
		o.phase = steady
		o.undo.doubt = certain
	}
	switch {
	case o.phase == repairing:
		c.growWindow(a)
	case o.phase == recovering:
		o.prr.Acked(a.bytes, c.pipe(), c.snd.mss, a.advance, !lost)
		if lost && !c.sack { // a partial acknowledgement: RFC 6582 §3.2, step 3
			o.prr.Allow(c.snd.mss)
		}
	case lost:
		c.recover(a)
	case !a.advance: // RFC 5681 §3.2: a duplicate doesn't change the window; what it delivers counts later
		o.uncredited += a.bytes
	default:
		a.bytes += o.uncredited
		o.uncredited = 0
		c.growWindow(a)
	}
}

// recover begins recovery.
func (c *Conn) recover(a *ackInfo) {
	o := &c.out
	c.Counters.Fast++
	o.uncredited = 0
	o.phase, o.high = recovering, c.snd.next
	o.control.Lost(a.now, a.flight)
	c.beginUndo()
	o.tail = tailProbe{}
	o.prr.Begin(a.flight-a.sacked, o.control.Threshold())
	o.prr.Acked(a.bytes, c.pipe(), c.snd.mss, a.advance, false)
}

// growWindow tells congestion control what was delivered.
func (c *Conn) growWindow(a *ackInfo) {
	if a.bytes == 0 {
		return
	}
	o := &c.out
	ack := congestion.Ack{Now: a.now, Bytes: a.bytes, SRTT: c.rtt.smoothed, Limited: o.blocked}
	if a.last != 0 {
		ack.RTT = max(a.now-a.last, 1)
	}
	if !c.snd.una.Before(o.round) {
		ack.Round, o.round = true, c.snd.next
	}
	o.control.Acked(ack)
}

// timeout follows the retransmission time-out of data (RFC 6298 §5.4): all that isn't SACKed counts
// as lost, and is sent again as the window, which is one segment now, allows.
func (c *Conn) timeout(now time.Duration) {
	o := &c.out
	c.Counters.Timeouts++
	again := o.phase == repairing && o.undo.from == c.snd.una
	o.control.Timeout(now, c.InFlight(), again)
	// Where the first is SACKed the peer has gone back on it (RFC 2018 §8).
	o.board.loseAll(o.board.records[0].flags&recordSACKed != 0)
	o.phase, o.high = repairing, c.snd.next
	o.uncredited, o.dupAcks, o.tail, c.timers.reorder, c.timers.tail = 0, 0, tailProbe{}, 0, 0
	if again {
		o.undo.doubt = certain
		c.suspectBlackHole(now)
		return
	}
	c.beginUndo()
	o.undo.doubt = unanswered
}

// suspectBlackHole makes segments smaller when a large one draws no answer at all: a path that
// drops them without saying so (RFC 4821 §7.7, RFC 8899 §4.3). Plain losses look alike, so that the
// larger size is soon tried again. Where it fails once more, fewer losses are needed, and the
// smaller size stays twice as long.
func (c *Conn) suspectBlackHole(now time.Duration) {
	tries := blackHoleTries
	if c.blackHole.life > 0 {
		tries--
	}
	for _, size := range [...]int{1220, 536} { // what fits 1280 bytes of IPv6, and DefaultMSS
		if c.snd.tries >= tries && c.snd.mss > size && c.out.board.records[0].payload() > size {
			if c.timers.path == 0 {
				c.blackHole.pathMSS, c.blackHole.mss = c.cfg.PathMSS, c.snd.mss
				c.blackHole.life = min(max(2*c.blackHole.life, firstPathLife), maxPathLife)
			}
			c.shrink(size)
			c.timers.path = now + c.blackHole.life
			return
		}
	}
}

// A blackHole is what is suspected of a path: that it drops large packets without saying so.
type blackHole struct {
	pathMSS int           // Config.PathMSS of before
	mss     int           // the size of a segment of before, in bytes
	life    time.Duration // how long the smaller size is used; 0: nothing is suspected
}

const (
	blackHoleTries = 3 // transmissions without an answer that raise the suspicion
	firstPathLife  = 10 * time.Second
	maxPathLife    = 10 * time.Minute // RFC 1191 §6.3
)

// passed notes that a segment of so many bytes has got through. If the segment is as large as those
// that seemed to be lost in a black hole, there was none.
func (c *Conn) passed(size int) {
	if c.blackHole.life > 0 && size >= c.blackHole.mss && c.timers.path == 0 {
		c.blackHole = blackHole{}
	}
}

// forgetPath tries the segment size again that seemed to be lost in a black hole.
func (c *Conn) forgetPath() {
	c.cfg.PathMSS = c.blackHole.pathMSS
	c.fit()
}
