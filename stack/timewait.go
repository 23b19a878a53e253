package stack

import (
	"container/list"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/endpoint"
)

// timeWaitLimit is how many connections may be in TIME-WAIT after their sockets
// were closed. netstack keeps each for 60 s, at 5.4 KB; beyond the limit the
// oldest is forgotten, without a segment.
const timeWaitLimit = 65536

// timeWaits are the connections in TIME-WAIT whose sockets are closed.
type timeWaits struct {
	limit int
	ports *ports

	mu   sync.Mutex // a leaf: netstack notifies with endpoints locked
	list list.List  // of *remnant, oldest first
}

func (t *timeWaits) init(p *ports) { t.limit, t.ports = timeWaitLimit, p }

// A remnant is one of them: netstack tells it of the end.
type remnant struct {
	endpoint.Remnant
	owner   *timeWaits
	entry   waiter.Entry
	element *list.Element // nil: not in the list
}

// NotifyEvent implements waiter.EventListener. The queue is locked, so the
// entry stays registered; nobody else holds the queue.
func (r *remnant) NotifyEvent(waiter.EventMask) {
	switch tcp.EndpointState(r.Endpoint.State()) {
	case tcp.StateClose, tcp.StateError:
		r.owner.remove(r)
	}
}

// add takes over a connection in TIME-WAIT. It may be over already.
func (t *timeWaits) add(rem endpoint.Remnant) {
	r := &remnant{Remnant: rem, owner: t}
	t.mu.Lock()
	r.element = t.list.PushBack(r)
	var oldest *remnant
	if t.list.Len() > t.limit {
		oldest = t.list.Front().Value.(*remnant)
	}
	t.mu.Unlock()
	const ends = waiter.EventHUp | waiter.EventErr
	r.entry.Init(r, ends)
	r.Queue.EventRegister(&r.entry)
	r.NotifyEvent(ends)
	if oldest != nil {
		oldest.Wire.Silence()
		oldest.Endpoint.Abort() // its notification removes it
		t.remove(oldest)
	}
}

func (t *timeWaits) remove(r *remnant) {
	t.mu.Lock()
	listed := r.element != nil
	if listed {
		t.list.Remove(r.element)
		r.element = nil
	}
	t.mu.Unlock()
	if listed {
		t.ports.vacate(r.Tuple)
	}
}

func (t *timeWaits) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list.Len()
}

// Leave implements endpoint.Host.
func (s *Stack) Leave(r endpoint.Remnant) { s.timeWaits.add(r) }
