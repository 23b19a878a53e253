package transport

import (
	"container/list"
	"sync"
)

// The bounds of connections that are closed and still wait for their peer. Beyond
// them the oldest are reset.
const (
	maxOrphans     = 4096
	maxOrphanBytes = 256 << 20 // accepted and not acknowledged when they were closed
)

// orphans lists the connections that are closed and live on, oldest first.
type orphans struct {
	maxCount, maxBytes int

	mu    sync.Mutex // a leaf; it guards Conn.orphan as well
	order list.List  // of orphan
	bytes int
}

type orphan struct {
	conn  *Conn
	bytes int
}

// add lists a connection, which is locked and in the table, and returns those that
// have to go for it. A connection that alone is too large stays.
func (o *orphans) add(c *Conn, bytes int) (evicted []*Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.orphan != nil {
		return nil
	}
	c.orphan = o.order.PushBack(orphan{c, bytes})
	o.bytes += bytes
	for o.order.Len() > o.maxCount || o.bytes > o.maxBytes && o.order.Len() > 1 {
		evicted = append(evicted, o.removeLocked(o.order.Front()))
	}
	return evicted
}

func (o *orphans) removeLocked(e *list.Element) *Conn {
	r := o.order.Remove(e).(orphan)
	o.bytes -= r.bytes
	r.conn.orphan = nil
	return r.conn
}

// remove forgets a connection that has left the table.
func (o *orphans) remove(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.orphan != nil {
		o.removeLocked(c.orphan)
	}
}

// drain empties the list, oldest first.
func (o *orphans) drain() (all []*Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.order.Len() > 0 {
		all = append(all, o.removeLocked(o.order.Front()))
	}
	return all
}

// AbortOrphans resets the connections that were closed and live on, oldest first.
func (p *Protocol) AbortOrphans() {
	for _, c := range p.orphans.drain() {
		c.Abort()
	}
}
