package transport

import (
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// shardCount is how many parts the table of connections has: a power of two. On many
// cores they keep goroutines out of each other's way.
const shardCount = 64

// A table knows which connection has which tuple. The locks in it are leaves.
type table struct {
	shards [shardCount]struct {
		sync.RWMutex
		conns  map[ID]*Conn
		closed bool // no connection is entered any more
	}
}

// init makes the table empty.
func (t *table) init() {
	for i := range t.shards {
		t.shards[i].conns = map[ID]*Conn{}
	}
}

// shardOf is the shard of a tuple. Ports spread well enough: one of them is chosen
// anew for each connection.
func shardOf(id ID) int { return int(id.LocalPort^id.RemotePort*31) % shardCount }

// conn returns the connection with a tuple, or nil where there is none.
func (t *table) conn(id ID) *Conn {
	s := &t.shards[shardOf(id)]
	s.RLock()
	defer s.RUnlock()
	return s.conns[id]
}

// Has reports a connection with a tuple. One in TIME-WAIT or half open isn't one.
func (p *Protocol) Has(id ID) bool { return p.table.conn(id) != nil }

// Locals are the local addresses of the connections. Those of the half-open and of TIME-WAIT aren't
// among them.
func (p *Protocol) Locals() map[tcpip.Address]bool {
	locals := map[tcpip.Address]bool{}
	for _, c := range p.table.all() {
		locals[c.way.id.LocalAddress] = true
	}
	return locals
}

// add enters a connection. It fails with ErrPortInUse when the tuple isn't free, and
// with ErrInvalidEndpointState after close.
func (t *table) add(c *Conn) tcpip.Error {
	s := &t.shards[shardOf(c.way.id)]
	s.Lock()
	defer s.Unlock()
	switch {
	case s.closed:
		return &tcpip.ErrInvalidEndpointState{}
	case s.conns[c.way.id] != nil:
		return &tcpip.ErrPortInUse{}
	}
	s.conns[c.way.id] = c
	return nil
}

// remove takes a connection out, if it is there.
func (t *table) remove(c *Conn) {
	s := &t.shards[shardOf(c.way.id)]
	s.Lock()
	defer s.Unlock()
	if s.conns[c.way.id] == c {
		delete(s.conns, c.way.id)
	}
}

// close has no connection be entered any more, and returns those that there are.
func (t *table) close() []*Conn {
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		s.closed = true
		s.Unlock()
	}
	return t.all()
}

// Connections is how many connections there are. Those in TIME-WAIT don't count: only a record is
// left of each.
func (p *Protocol) Connections() (n int) {
	for i := range p.table.shards {
		s := &p.table.shards[i]
		s.RLock()
		n += len(s.conns)
		s.RUnlock()
	}
	return n
}

// all returns the connections in no particular order.
func (t *table) all() (conns []*Conn) {
	for i := range t.shards {
		s := &t.shards[i]
		s.RLock()
		for _, c := range s.conns {
			conns = append(conns, c)
		}
		s.RUnlock()
	}
	return conns
}
