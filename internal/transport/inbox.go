package transport

import (
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/tcp"
)

// maxInbox bounds what waits while another goroutine has the connection. What comes beyond the
// bound is lost, but for the end of a burst.
const maxInbox = 1024

// A delivery is what comes for a connection: a segment, an ICMP error, or the end of a burst.
type delivery struct {
	segment   tcp.Segment
	tapped    bool    // a Tap has seen the segment
	report    *Report // the ICMP error; nil: the delivery is a segment or the end of a burst
	burstOver bool    // the delivery is the end of a burst
}

// A batch is a list of deliveries.
type batch struct{ items []delivery }

// batches are those that nobody uses: a busy connection needs one for every few segments.
var batches = sync.Pool{New: func() any { return new(batch) }}

// release gives back a batch whose deliveries are served. A large batch isn't kept.
func (b *batch) release() {
	if cap(b.items) > 64 {
		return
	}
	clear(b.items)
	b.items = b.items[:0]
	batches.Put(b)
}

// An inbox holds what has come for a connection until the goroutine that has the connection takes
// it.
type inbox struct {
	some  atomic.Bool // there is something
	mu    sync.Mutex  // a leaf; it guards batch
	batch *batch      // nil: nothing has come
}

// put adds a delivery.
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

// take empties the inbox and returns what was in it; nil: nothing was.
func (b *inbox) take() *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.batch
	b.batch = nil
	b.some.Store(false)
	return all
}
