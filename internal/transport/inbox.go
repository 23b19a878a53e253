package transport

import (
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/tcp"
)

// maxInbox bounds the segments that wait while another goroutine has the
// connection. What would be one more is lost, but for the end of a burst.
const maxInbox = 1024

// A delivery is what comes for a connection: a segment, an ICMP error, or the end of a
// burst.
type delivery struct {
	segment   tcp.Segment
	tapped    bool    // a tap has seen it
	report    *Report // nil: it is a segment
	burstOver bool    // it is the end of a burst
}

// A batch is what has come. Batches are used again: on a busy connection one comes for
// every few segments.
type batch struct{ items []delivery }

var batches = sync.Pool{New: func() any { return new(batch) }}

// release gives back a batch whose segments are served. A large one isn't kept.
func (b *batch) release() {
	if cap(b.items) > 64 {
		return
	}
	clear(b.items)
	b.items = b.items[:0]
	batches.Put(b)
}

// An inbox holds what has come until the goroutine that has the connection takes
// it.
type inbox struct {
	some  atomic.Bool
	mu    sync.Mutex // a leaf
	batch *batch     // nil: nothing has come
}

func (b *inbox) put(a *delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.batch == nil {
		b.batch = batches.Get().(*batch)
	}
	if len(b.batch.items) >= maxInbox && !a.burstOver {
		a.segment.Payload.Release()
		return
	}
	b.batch.items = append(b.batch.items, *a)
	b.some.Store(true)
}

// take empties the inbox; nil: it is empty.
func (b *inbox) take() *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.batch
	b.batch = nil
	b.some.Store(false)
	return all
}
