package transport

import (
	"sync"
	"sync/atomic"
	"time"
)

// bursts are the turns of those who bring several segments at once. While there is
// one, an acknowledgement that may wait for another segment does so until its end, or
// until there is much to acknowledge (see tcp.Conn.HoldAck): a run of segments counts as
// one, as where a device puts them together.
type bursts struct {
	running atomic.Int32

	mu   sync.Mutex // a leaf
	owed []*Conn    // which have an acknowledgement that waits; each is in it once
	last []*Conn    // reused
}

func (b *bursts) add(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owed = append(b.owed, c)
}

// take empties the list.
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

// BeginBurst says that segments come one behind the other until EndBurst, on this
// goroutine. Bursts of several goroutines may overlap.
func (p *Protocol) BeginBurst() { p.bursts.running.Add(1) }

// EndBurst sends the acknowledgements that have waited.
func (p *Protocol) EndBurst() {
	p.bursts.running.Add(-1)
	all := p.bursts.take()
	for _, c := range all {
		c.deliver(&delivery{burstOver: true})
	}
	p.bursts.giveBack(all)
}

// postpone lets an acknowledgement wait where a burst runs.
func (c *Conn) postpone() { c.engine.HoldAck(c.proto.bursts.running.Load() > 0) }

// enlist makes sure that EndBurst comes back to an acknowledgement that waits. The last
// burst may have ended meanwhile: then it doesn't wait.
func (c *Conn) enlist(now time.Duration) {
	if !c.engine.AckHeld() {
		return
	}
	if !c.enlisted {
		c.enlisted = true
		c.proto.bursts.add(c)
	}
	if c.proto.bursts.running.Load() == 0 {
		c.engine.HoldAck(false)
		c.output(now)
	}
}

// burstOver sends it.
func (c *Conn) burstOver() {
	c.enlisted = false
	c.engine.HoldAck(false)
}
