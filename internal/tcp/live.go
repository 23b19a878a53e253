package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
	"github.com/wsstack/wsstack/keepalive"
)

// The methods of this file change a connection while it lives.

// SetQuota sets SO_RCVBUF, in bytes. What the peer was promised stays promised.
func (c *Conn) SetQuota(bytes int) {
	c.rcv.quota, c.rcv.grows = int32(bytes), false
	if c.state.Synchronized() && c.rcv.worthTelling(0) {
		c.owe(ackNow)
	}
}

// SetNoDelay sets TCP_NODELAY. Data that was held back may leave with the next Output.
func (c *Conn) SetNoDelay(on bool) { c.gate.NoDelay = on }

// SetExpedited sets TCP_EXPEDITED_1122, for segments from now on, in both directions (OB-16).
func (c *Conn) SetExpedited(on bool) { c.cfg.Expedited = on }

// SetAckEvery sets Config.AckEvery, for segments from now on.
func (c *Conn) SetAckEvery(n int) { c.cfg.AckEvery = n }

// SetLowWater says how many bytes may be queued at most for the event Acked. With 0, as at first,
// each acknowledgement of data is an event.
func (c *Conn) SetLowWater(bytes int) { c.lowWater = bytes }

// SetAlgorithm sets another congestion control, which goes on with the window and the threshold of
// the one before.
func (c *Conn) SetAlgorithm(a congestion.Algorithm) {
	if a == c.cfg.Algorithm {
		return
	}
	c.cfg.Algorithm = a
	if c.out.control != nil {
		c.out.control = congestion.Convert(c.out.control, a)
	}
}

// SetOverhead sets Config.Overhead and Config.Segmenting. Segments that are in flight and would be
// too large are cut before they are sent again.
func (c *Conn) SetOverhead(bytes, segmenting int) {
	c.cfg.Segmenting = segmenting
	if bytes == c.cfg.Overhead {
		return
	}
	c.cfg.Overhead = bytes
	if !c.state.Synchronized() {
		return // the handshake will look
	}
	c.fit()
	c.out.board.split(c.snd.mss, false)
}

// SetLifetime sets TCP_MAXRT (Config.Lifetime), which is counted from now on where something is
// without an answer. The same time once more changes nothing.
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

// SetKeepAlive begins an idle period at the time from, or ends probing (KA-13, KA-14). A segment
// that has come since then begins the period anew (KA-9). Where all of the idle time is over, the
// first probe is due now: those that would have been due before don't count.
func (c *Conn) SetKeepAlive(from, now time.Duration, on bool, cfg keepalive.Config) {
	if !on || c.orphan || !c.state.Synchronized() {
		c.keepAlive.Stop()
		return
	}
	c.keepAlive.Start(keepAliveTime(max(from, c.heard, now-cfg.Idle)), cfg)
}

// SetGarbage says whether keep-alive probes carry one octet, for peers that don't answer empty
// probes (KA-8). The peer has acknowledged the octet's number, and drops it.
func (c *Conn) SetGarbage(on bool) { c.garbage = on }

// Deafen says whether new data is refused, because nobody takes it: data beyond RCV.NXT then resets
// the connection, without an acknowledgement (SH-2). What was received stays.
func (c *Conn) Deafen(on bool) { c.deaf = on }

// HoldAck says whether acknowledgements wait, because more segments may be about to come. One that
// mustn't wait leaves all the same (see Prompt), and data that leaves carries one.
func (c *Conn) HoldAck(on bool) { c.holdAck = on }

// AckHeld reports whether an acknowledgement waits for the end of HoldAck.
func (c *Conn) AckHeld() bool { return c.holdAck && c.ack == ackSoon }
