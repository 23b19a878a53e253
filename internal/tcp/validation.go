package tcp

import "time"

// A usage is how much of the congestion window is used, while the application has nothing to fill
// the window with (RFC 2861 §3). A window that was large once says less of the path the longer
// nobody tests it. The window doesn't grow meanwhile: only acknowledgements that come while it
// keeps data back make it grow.
type usage struct {
	since time.Duration // when the window was full last, or was reduced
	most  int           // the most bytes that were in flight at a time since then
}

// validate follows output that has ended because nothing more may leave, or nothing more is there.
// Data that a window keeps back, be it the peer's, shows that the application isn't what limits the
// sender.
func (c *Conn) validate(now time.Duration) {
	o := &c.out
	u := &o.usage
	if o.phase != steady || o.blocked || c.snd.unsent() > max(0, c.snd.usable()) {
		*u = usage{since: now}
		return
	}
	u.most = max(u.most, c.InFlight())
	if now-u.since >= c.rtt.rto() {
		o.control.Unused(u.most)
		*u = usage{since: now}
	}
}
