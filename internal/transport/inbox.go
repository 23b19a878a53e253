package transport

import (
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/tcp"
)

// maxInbox bounds the segments that wait while another goroutine has the
// connection. What would be one more is lost.
const maxInbox = 1024

// An arrived is what comes for a connection: a segment, or an ICMP error.
type arrived struct {
	segment tcp.Segment
	shown   bool    // a tap has seen it
	report  *Report // nil: it is a segment
}

// An inbox holds what has come until the goroutine that has the connection takes
// it.
type inbox struct {
	some  atomic.Bool
	mu    sync.Mutex // a leaf
	items []arrived
}

func (b *inbox) put(a *arrived) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) >= maxInbox {
		a.segment.Payload.Release()
		return
	}
	b.items = append(b.items, *a)
	b.some.Store(true)
}

// take empties the inbox.
func (b *inbox) take() []arrived {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.items
	b.items = nil
	b.some.Store(false)
	return all
}
