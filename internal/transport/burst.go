package transport

import (
	"sync"
	"sync/atomic"
	"time"
)

// bursts are times in which somebody brings several segments of a part, one behind the other. During
// a burst an acknowledgement that may wait for another segment waits until the end of the burst, or
// until there is much to acknowledge (see tcp.Conn.HoldAck): a run of segments counts as one
// segment, as where a device puts them together.
type bursts struct {
	running atomic.Int32 // how many bursts there are now

	mu   sync.Mutex // a leaf; it guards the lists
	owed []*Conn    // the connections whose acknowledgement waits, each once
	last []*Conn    // the room of the list before, which the next one uses

	_ [64]byte // each part writes to cache lines of its own
}

// add lists a connection whose acknowledgement waits.
func (b *bursts) add(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owed = append(b.owed, c)
}

// take empties the list and returns what was in it.
func (b *bursts) take() []*Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.owed
	b.owed, b.last = b.last[:0], nil
	return all
}

// giveBack lets the room of a list be used again.
func (b *bursts) giveBack(all []*Conn) {
	clear(all)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = all
}

// BeginBurst says that segments of a part (Hooks.Parts) come one behind the other until EndBurst, on
// the goroutine of the caller. Bursts of several goroutines may overlap.
func (p *Protocol) BeginBurst(part int) { p.parts[part].bursts.running.Add(1) }

// EndBurst ends a burst, and sends the acknowledgements of connections of the part that have waited.
func (p *Protocol) EndBurst(part int) {
	b := &p.parts[part].bursts
	b.running.Add(-1)
	all := b.take()
	for _, c := range all {
		c.deliver(&delivery{burstOver: true})
	}
	b.giveBack(all)
}

// bursts are those of the part of the connection.
func (c *Conn) bursts() *bursts { return &c.proto.parts[c.part].bursts }

// postpone has acknowledgements wait while there is a burst.
func (c *Conn) postpone() { c.engine.HoldAck(c.bursts().running.Load() > 0) }

// enlist makes sure that EndBurst comes back to an acknowledgement that waits. Where the last burst
// has ended meanwhile, the acknowledgement leaves.
func (c *Conn) enlist(now time.Duration) {
	if !c.engine.AckHeld() {
		return
	}
	if !c.enlisted {
		c.enlisted = true
		c.bursts().add(c)
	}
	if c.bursts().running.Load() == 0 {
		c.engine.HoldAck(false)
		c.output(now)
	}
}

// burstOver has the acknowledgement leave that has waited.
func (c *Conn) burstOver() {
	c.enlisted = false
	c.engine.HoldAck(false)
}
