package provider

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/wsa"
)

// An entry is what a handle names.
type entry struct {
	sock       *socket.Socket
	overlapped bool // WSA_FLAG_OVERLAPPED; without it the time-outs have no effect (TO-6)
}

// handles is the handle table. Handles are multiples of four, as on Windows,
// and are given out in ascending order, so that a stale handle stays
// WSAENOTSOCK until the numbers of a uintptr are used up. The zero table is
// empty and ready.
//
// It is sharded, so that calls on different sockets do not meet at one lock; a
// look-up takes a read lock and allocates nothing.
type handles struct {
	last   atomic.Uintptr // number of the handle given out last
	shards [handleShards]handleShard
}

const (
	handleShards = 16
	handleStep   = 4
	handleFirst  = 0x40 // the number of the first handle; small ones are left to bugs
)

type handleShard struct {
	mu     sync.RWMutex
	open   map[wsa.SOCKET]entry
	closed bool     // by drain
	_      [24]byte // to a cache line
}

func (t *handles) shard(s wsa.SOCKET) *handleShard {
	return &t.shards[s/handleStep%handleShards]
}

// get looks a handle up.
func (t *handles) get(s wsa.SOCKET) (entry, bool) {
	sh := t.shard(s)
	sh.mu.RLock()
	e, ok := sh.open[s]
	sh.mu.RUnlock()
	return e, ok
}

// add gives a new handle to a socket. It fails after drain.
func (t *handles) add(e entry) (wsa.SOCKET, bool) {
	for {
		s := wsa.SOCKET(handleStep * (handleFirst - 1 + t.last.Add(1)))
		switch added, closed := t.shard(s).add(s, e); {
		case added:
			return s, true
		case closed:
			return wsa.INVALID_SOCKET, false
		}
	}
}

// add takes the number s, unless it is in use: that is for 32-bit machines,
// where the numbers start again after 2^30 sockets.
func (sh *handleShard) add(s wsa.SOCKET, e entry) (added, closed bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, used := sh.open[s]; sh.closed || used || s == 0 {
		return false, sh.closed
	}
	if sh.open == nil {
		sh.open = map[wsa.SOCKET]entry{}
	}
	sh.open[s] = e
	return true, false
}

// remove takes a handle away. Of several calls, one succeeds.
func (t *handles) remove(s wsa.SOCKET) bool {
	sh := t.shard(s)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	_, ok := sh.open[s]
	delete(sh.open, s)
	return ok
}

// drain empties the table for good and returns what it held, oldest first.
func (t *handles) drain() []entry {
	open := map[wsa.SOCKET]entry{}
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for s, e := range sh.open {
			open[s] = e
		}
		sh.open, sh.closed = nil, true
		sh.mu.Unlock()
	}
	entries := make([]entry, 0, len(open))
	for _, e := range open {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.sock.ID(), b.sock.ID()) })
	return entries
}
