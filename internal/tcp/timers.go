package tcp

import (
	"cmp"
	"time"

	"github.com/wsstack/wsstack/keepalive"
)

// timers are the deadlines of a connection, but for that of keep-alive; zero: the deadline isn't
// set.
type timers struct {
	resend   time.Duration // RTO, or the next probe of a closed window
	tail     time.Duration // the tail loss probe (RFC 8985 §7)
	reorder  time.Duration // the end of the time in which a segment may be reordered (RFC 8985)
	ack      time.Duration // a delayed acknowledgement
	silly    time.Duration // the override of silly-window avoidance
	lifetime time.Duration // TCP_MAXRT, or the limit of an attempt to connect
	orphan   time.Duration // the peer of a closed socket has acknowledged nothing new for too long
	finWait  time.Duration // the end of FIN-WAIT-2
	path     time.Duration // a larger segment is tried again after a black hole
}

// Deadline is when Timer has something to do. It is zero where Timer has nothing to do before
// another call has changed something.
func (c *Conn) Deadline() time.Duration {
	t := &c.timers
	next := time.Duration(0)
	for _, d := range [...]time.Duration{t.resend, t.tail, t.reorder, t.ack, t.silly, t.lifetime, t.orphan, t.finWait, t.path, c.nextKeepAlive()} {
		if d != 0 && (next == 0 || d < next) {
			next = d
		}
	}
	return next
}

// nextKeepAlive is when keep-alive has something to do; zero: never.
func (c *Conn) nextKeepAlive() time.Duration {
	if t := c.keepAlive.Next(); !t.IsZero() {
		return time.Duration(t.UnixNano())
	}
	return 0
}

// Timer does what is due.
func (c *Conn) Timer(now time.Duration) {
	t := &c.timers
	if due(&t.lifetime, now) {
		if c.state.Synchronized() {
			c.abort(UserTimeout)
		} else {
			c.abort(TimedOut)
		}
		return
	}
	if due(&t.orphan, now) {
		c.abort(TimedOut)
		return
	}
	if due(&t.finWait, now) {
		c.becomeClosed(None)
		return
	}
	if due(&t.ack, now) {
		c.owe(ackNow)
	}
	if due(&t.silly, now) {
		c.snd.silly = true
	}
	if due(&t.reorder, now) {
		c.reorderTimeout(now)
	}
	if due(&t.path, now) {
		c.forgetPath()
	}
	if due(&t.tail, now) {
		c.probeTail()
	}
	if due(&t.resend, now) {
		c.resendTimeout(now)
	}
	c.pollKeepAlive(now)
}

// due reports whether a deadline has passed, and clears one that has.
func due(t *time.Duration, now time.Duration) bool {
	if *t == 0 || now < *t {
		return false
	}
	*t = 0
	return true
}

// pollKeepAlive probes an idle peer in the states of KA-12.
func (c *Conn) pollKeepAlive(now time.Duration) {
	busy := c.Queued() > 0 || c.InFlight() > 0
	switch c.state {
	case Established, CloseWait, FinWait2:
	default:
		busy = true
	}
	switch c.keepAlive.Poll(keepAliveTime(now), busy) {
	case keepalive.Probe:
		c.snd.keepAliveProbe = true
	case keepalive.Drop:
		c.abort(KeepAliveDrop)
	}
}

// awaitAnswer notes that something waits to be acknowledged: the time of TCP_MAXRT begins, if it
// hasn't.
func (c *Conn) awaitAnswer(now time.Duration) {
	if c.snd.stuck == 0 {
		c.snd.stuck = now
		c.armLifetime()
	}
}

// progress notes that the peer has answered.
func (c *Conn) progress(now time.Duration) {
	c.snd.tries = 0
	c.snd.stuck = 0
	if c.InFlight() > 0 {
		c.snd.stuck = now
	}
	c.armLifetime()
}

// armLifetime sets the time at which something has been without an answer for too
// long: TCP_MAXRT is for what follows the handshake, which has a limit of its own.
func (c *Conn) armLifetime() {
	life := c.cfg.Lifetime
	if !c.state.Synchronized() {
		life = c.cfg.SynLifetime
	}
	if c.timers.lifetime = 0; life > 0 && c.snd.stuck != 0 {
		c.timers.lifetime = c.snd.stuck + life
	}
}

// exhausted counts a transmission without an answer, and reports whether that was one too many.
func (c *Conn) exhausted() bool {
	c.snd.tries++
	if !c.state.Synchronized() {
		limit := c.synLimit()
		return limit > 0 && c.snd.tries >= limit
	}
	limit := c.cfg.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	return c.snd.tries >= limit && (c.cfg.Lifetime == 0 || c.orphan && c.cfg.Lifetime < 0)
}

// synLimit is Config.SynLimit, or its default.
func (c *Conn) synLimit() int { return cmp.Or(c.cfg.SynLimit, defaultSynLimit) }

// resendTimeout is called at the retransmission time-out (RFC 6298 §5.4 to 5.7), and when another
// probe of a closed window is due (RFC 9293 §3.8.6.1).
func (c *Conn) resendTimeout(now time.Duration) {
	if c.exhausted() {
		c.abort(TimedOut)
		return
	}
	c.rtt.backOff()
	switch {
	case c.state == SynSent || c.state == SynReceived:
		c.snd.syn = true
		if c.Counters.SynResent < 255 {
			c.Counters.SynResent++
		}
	case c.InFlight() == 0:
		c.snd.windowProbe = true
		c.awaitAnswer(now)
	default:
		c.timeout(now)
	}
	c.armResend(now)
}

// armResend sets the retransmission timer where something is in flight or a
// window is closed, else stops it.
func (c *Conn) armResend(now time.Duration) {
	c.timers.resend = 0
	if c.InFlight() > 0 || c.closedWindow() {
		c.timers.resend = now + c.rtt.rto()
	}
}

// closedWindow reports whether data waits behind a window that lets none of it out,
// with nothing in flight whose acknowledgement would open it.
func (c *Conn) closedWindow() bool {
	s := &c.snd
	waits := s.unsent() > 0 || s.fin && !s.finSent()
	return c.state.Synchronized() && c.state != TimeWait && c.InFlight() == 0 && waits && s.usable() <= 0
}
