package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
	"github.com/wsstack/wsstack/keepalive"
)

// What may change while a connection lives.

// SetQuota is SO_RCVBUF. What was promised stays promised.
func (c *Conn) SetQuota(bytes int) {
	c.rcv.quota, c.rcv.grows = bytes, false
	if c.state.Synchronized() && c.rcv.worthTelling(0) {
		c.owe(ackNow)
	}
}

// SetNoDelay is TCP_NODELAY. What was held back may leave with the next Output.
func (c *Conn) SetNoDelay(on bool) { c.gate.NoDelay = on }

// SetExpedited is TCP_EXPEDITED_1122, for segments from now on, both ways (OB-16).
func (c *Conn) SetExpedited(on bool) { c.cfg.Expedited = on }

// SetLowWater says when Acked is told: when so many bytes at most are queued. With 0,
// as at first, each acknowledgement of data tells it.
func (c *Conn) SetLowWater(bytes int) { c.lowWater = bytes }

// SetAlgorithm goes on with another congestion control, at the window and the threshold
// of the one before.
func (c *Conn) SetAlgorithm(a congestion.Algorithm) {
	if a == c.cfg.Algorithm {
		return
	}
	c.cfg.Algorithm = a
	if c.out.control != nil {
		c.out.control = congestion.Convert(c.out.control, a)
	}
}

// SetLifetime is TCP_MAXRT, from now on where something is without an answer. The
// same time again changes nothing.
func (c *Conn) SetLifetime(now, d time.Duration) {
	if d == c.cfg.Lifetime {
		return
	}
	c.cfg.Lifetime = d
	if !c.state.Synchronized() {
		return
	}
	if c.snd.stuck != 0 {
		c.snd.stuck = now
	}
	c.armLifetime()
}

// SetSynLimit bounds an attempt to connect that is under way: how often our SYN is
// sent, those that have left included, and how long it may stay without an answer,
// from the first one on. See Config.SynLimit and Config.SynLifetime.
func (c *Conn) SetSynLimit(now time.Duration, limit int, life time.Duration) {
	c.cfg.SynLimit, c.cfg.SynLifetime = limit, life
	if c.state != SynSent {
		return
	}
	if c.armLifetime(); c.timers.lifetime != 0 {
		c.timers.lifetime = max(c.timers.lifetime, now)
	}
}

// SetKeepAlive begins an idle period at from, or ends probing (KA-13, KA-14). What
// has come since from counts (KA-9), and where all of the idle time is over, the first
// probe is due now: those that would have been due before are none.
func (c *Conn) SetKeepAlive(from, now time.Duration, on bool, cfg keepalive.Config) {
	if !on || c.orphan || !c.state.Synchronized() {
		c.keepAlive.Stop()
		return
	}
	c.keepAlive.Start(keepAliveTime(max(from, c.heard, now-cfg.Idle)), cfg)
}

// SetGarbage has keep-alive probes carry one octet, for peers that don't answer empty
// ones (KA-8). The peer has acknowledged its number, and drops it.
func (c *Conn) SetGarbage(on bool) { c.garbage = on }

// Deafen says that nobody takes new data: with on, data beyond RCV.NXT resets the
// connection, without an acknowledgement (SH-2). What was received stays.
func (c *Conn) Deafen(on bool) { c.deaf = on }

// HoldAck says whether an acknowledgement waits, because more segments may be about to
// come. One that mustn't wait doesn't (see Prompt), and data that leaves carries one.
func (c *Conn) HoldAck(on bool) { c.holdAck = on }

// AckHeld reports an acknowledgement that leaves when HoldAck ends.
func (c *Conn) AckHeld() bool { return c.holdAck && c.ack == ackSoon }
