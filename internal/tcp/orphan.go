package tcp

import (
	"cmp"
	"time"
)

// orphanPatience is how long a connection whose socket is closed waits for the peer to acknowledge
// something new. A peer with a closed window would hold the connection for ever by answering
// probes, as it may while somebody owns the connection (BF-23).
const orphanPatience = 4 * time.Minute

// Orphan says that nobody reads any more: data that comes resets the connection (RFC 1122
// §4.2.2.13), keep-alive sends no probes (KA-12), FIN-WAIT-2 is bounded, and so is the time that
// the peer may take to acknowledge what was sent.
func (c *Conn) Orphan(now time.Duration) {
	if c.orphan || c.state == Closed || c.state == TimeWait {
		return
	}
	c.orphan = true
	c.keepAlive.Stop()
	c.armOrphan(now)
	c.armFinWait(now)
}

// armOrphan begins the time of an orphan, where something waits to be acknowledged.
func (c *Conn) armOrphan(now time.Duration) {
	if !c.orphan {
		return
	}
	s := &c.snd
	if c.timers.orphan = 0; s.una.Before(s.queue.end) || s.fin && !s.una.After(s.queue.end) {
		c.timers.orphan = now + orphanPatience
	}
}

// armFinWait bounds FIN-WAIT-2 of an orphan.
func (c *Conn) armFinWait(now time.Duration) {
	if c.orphan && c.state == FinWait2 {
		c.timers.finWait = now + cmp.Or(c.cfg.FinWait, defaultFinWait)
	}
}
