package tcp

import "time"

// A tuner is the size of a buffer that nobody has set: it follows what passes through the buffer in
// a round trip (Fisk and Feng, "Dynamic Right-Sizing in TCP", 2001, for both directions).
//
//	      half of it passes in two round trips
//	┌──────┐ ────────────────────────────────▶ ┌───────┐
//	│ size │                                   │ twice │   up to a limit
//	└──────┘ ◀──────────────────────────────── └───────┘
//	      half of it doesn't pass in 8, nor in the patience
//
// So a buffer has twice to four times the product of rate and round trip while the path is what
// limits the rate, and 16 times at most when the rate has fallen.
type tuner struct {
	quota int32         // the size, in bytes
	mark  Seq           // what had passed when the count began
	since time.Duration // when the count began
}

// The sizes in bytes.
const (
	autoStart = 65535    // of a receive buffer at first, and at least: the largest window of a SYN
	autoLimit = 4 << 20  // the largest (BF-3, BF-21)
	sendLeast = 64 << 10 // of a send buffer while memory is tight: what a send accepts at least (BF-21)
	sendStart = 1 << 20  // of a send buffer at first
	cached    = 8 << 20  // that a stack holds: beyond it no send buffer to a peer nearby is larger than sendStart
)

// nearby is the round trip below which a peer is in the same machine, or beside it. A round trip
// counts as so much at least: a goroutine may take longer to wake up than the path. The larger the
// buffer, the fewer the goroutines that wake up for it; but more than cached, of all connections,
// leaves the processor's caches before it is sent. Up to half of that, buffers grow.
const nearby = time.Millisecond

// How long a buffer stays larger than it need be. What the receiver knows of the round trip may be
// old, as it measures only what it sends itself. A path on which half of the window takes four
// seconds isn't one that the window limits.
const (
	sendPatience    = 100 * time.Millisecond
	receivePatience = 4 * time.Second
)

// follow takes note that everything before at has passed. The round trip is 0 where none was
// measured: then each half of the quota that passes doubles it.
func (t *tuner) follow(now, rtt, patience time.Duration, at Seq, least, most int32) {
	n, took := int32(at.From(t.mark)), now-t.since
	switch {
	case n >= t.quota/2:
		if rtt == 0 || took <= 2*max(rtt, nearby) || n >= t.quota {
			t.quota = min(2*t.quota, most)
		}
	case took >= max(8*rtt, patience):
		t.quota = max(t.quota/2, least)
	default:
		return
	}
	t.mark, t.since = at, now
}

// growQuota follows what was read, where SO_RCVBUF isn't set. The edge that the peer was promised
// stays where it is when the quota falls: it doesn't advance until the quota has come up to it.
func (r *receiver) growQuota(now, rtt time.Duration) {
	if !r.grows {
		return
	}
	most := int32(autoLimit)
	if r.memory.left() != plenty {
		r.quota, most = autoStart, autoStart
	}
	r.follow(now, rtt, receivePatience, r.read, autoStart, most)
}

// SendQuota is how many bytes may be accepted and not be acknowledged, while SO_SNDBUF isn't set. While
// there is memory a buffer doesn't fall below what it begins with: a program that writes as much as
// that before it reads would otherwise wait for ever when the peer does the same.
func (c *Conn) SendQuota(now time.Duration) int {
	t := &c.snd.tuner
	if t.since == 0 {
		*t = tuner{sendStart, c.snd.una, now}
	}
	least, most := int32(sendStart), int32(autoLimit)
	if d := c.rtt.shortest; d > 0 && d < nearby {
		switch held := c.cfg.Memory.Held(); {
		case held >= cached:
			t.quota, most = min(t.quota, sendStart), sendStart
		case held >= cached/2:
			most = max(t.quota, sendStart)
		}
	}
	switch {
	case c.cfg.Memory.left() != plenty:
		t.quota, least, most = sendLeast, sendLeast, sendLeast
	case t.quota < least: // there is memory again
		t.quota = least
	case !c.snd.slow: // what the peer's window takes at once, and as much again
		t.quota = max(t.quota, int32(min(2*c.snd.largest, int(most))))
	}
	before := t.quota
	t.follow(now, c.rtt.smoothed, sendPatience, c.snd.una, least, most)
	if t.quota != before {
		c.snd.slow = t.quota < before
	}
	return int(t.quota)
}
