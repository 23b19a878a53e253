package stack

import (
	"container/list"
	"sync"

	"github.com/wsstack/wsstack/endpoint"
)

// The bounds of connections whose socket is closed and that still wait for
// their peer. Beyond them the oldest are reset.
const (
	maxOrphans     = 4096
	maxOrphanBytes = 256 << 20 // sent by the application, not acknowledged when the socket was closed
)

// orphans lists the closed sockets whose connections live on, oldest first.
// Its lock is a leaf.
type orphans struct {
	mu    sync.Mutex
	order list.List // of orphan
	bytes int
	at    map[*endpoint.Socket]*list.Element
}

type orphan struct {
	socket *endpoint.Socket
	bytes  int
}

// add lists a socket and returns those that have to go for it.
func (o *orphans) add(s *endpoint.Socket, bytes int) (evicted []*endpoint.Socket) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at == nil {
		o.at = map[*endpoint.Socket]*list.Element{}
	}
	o.at[s] = o.order.PushBack(orphan{s, bytes})
	o.bytes += bytes
	for o.order.Len() > maxOrphans || o.bytes > maxOrphanBytes && o.order.Len() > 1 {
		evicted = append(evicted, o.removeLocked(o.order.Front()))
	}
	return evicted
}

func (o *orphans) removeLocked(e *list.Element) *endpoint.Socket {
	r := o.order.Remove(e).(orphan)
	o.bytes -= r.bytes
	delete(o.at, r.socket)
	return r.socket
}

func (o *orphans) remove(s *endpoint.Socket) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.at[s]; e != nil {
		o.removeLocked(e)
	}
}

// drain empties the list, oldest first.
func (o *orphans) drain() (sockets []*endpoint.Socket) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for e := o.order.Front(); e != nil; e = o.order.Front() {
		sockets = append(sockets, o.removeLocked(e))
	}
	return sockets
}

// Orphan implements endpoint.Host.
func (s *Stack) Orphan(sock *endpoint.Socket, bytes int) {
	for _, old := range s.orphans.add(sock, bytes) {
		old.Evict()
	}
}

// NoOrphan implements endpoint.Host.
func (s *Stack) NoOrphan(sock *endpoint.Socket) { s.orphans.remove(sock) }
