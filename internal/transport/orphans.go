package transport

import (
	"container/list"
	"sync"
)

// The bounds of orphans: connections that are closed and still wait for their peer. Beyond the
// bounds the oldest are reset. A quarter of Hooks.Memory bounds the bytes as well.
const (
	maxOrphans     = 4096
	maxOrphanBytes = 256 << 20 // accepted and not acknowledged when the connections were closed
)

// orphans are the connections that are closed and live on, oldest first.
type orphans struct {
	maxCount, maxBytes int // the bounds

	mu    sync.Mutex // a leaf; it guards Conn.orphan as well
	order list.List  // the values are of type orphan
	bytes int        // the sum of orphan.bytes
}

// An orphan is a connection that is closed and lives on.
type orphan struct {
	conn  *Conn
	bytes int // how many bytes weren't acknowledged when the connection was closed
}

// add lists a connection, which is locked and in the table, and returns the connections that have
// to go for it. A connection that is too large by itself stays.
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

// removeLocked takes a connection off the list.
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

// drain empties the list, and returns what was in it, oldest first.
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
