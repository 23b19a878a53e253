package stack

import (
	"net"
	"slices"
	"sync"

	"github.com/wsstack/wsstack/internal/fifo"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// An arrival is a connection that waits for Accept, with the value of Connect.
type arrival struct {
	conn  *transport.Conn
	value any
}

// arrivals are the connections of a Forwarder that wait for Accept, in the order in which they
// came. The lock is a leaf.
type arrivals struct {
	mu      sync.Mutex
	queue   fifo.Queue[arrival]
	waiters []wait.Waiter // the calls of Accept in progress
	closed  bool
}

// arrived is transport.ListenConfig.Arrived.
func (f *Forwarder) arrived(conn *transport.Conn) bool {
	a := arrival{conn: conn}
	if f.cfg.Connect != nil {
		var ok bool
		if a.value, ok = f.connects.take(flowOf(conn.ID())); !ok {
			return false
		}
	}
	lost, ok := f.arrivals.put(a)
	if lost != nil {
		f.connects.discard(lost)
	}
	return ok
}

// discard is discardLocked for who doesn't hold the lock.
func (c *connects) discard(value any) {
	c.mu.Lock()
	closed := c.closed
	c.discardLocked(value)
	c.mu.Unlock()
	if closed {
		discard(value)
	}
}

// put takes a connection. Where there is no room, the oldest makes room if it has ended; else
// the connection isn't taken. The value of the one that has gone is returned.
func (q *arrivals) put(a arrival) (lost any, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return a.value, false
	}
	if q.queue.Len() >= forwarderBacklog {
		if st, _ := q.queue.First().conn.State(); st != tcp.Closed {
			return a.value, false
		}
		lost = q.queue.Pop().value
	}
	q.queue.Push(a)
	for _, w := range q.waiters {
		w.Signal()
	}
	return lost, true
}

// next waits for a connection: WSAENETDOWN where the stack is closed, net.ErrClosed where the
// Forwarder is.
func (q *arrivals) next(s *Stack) (arrival, error) {
	if a, ok, err := q.take(s); ok || err != nil {
		return a, err
	}
	w := wait.NewWaiter(s.host())
	q.join(w)
	defer q.leave(w)
	for {
		if a, ok, err := q.take(s); ok || err != nil {
			return a, err
		}
		w.Wait("accept")
	}
}

func (q *arrivals) take(s *Stack) (a arrival, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case s.down.Load():
		return a, false, wsa.WSAENETDOWN
	case q.closed:
		return a, false, net.ErrClosed
	case q.queue.Len() == 0:
		return a, false, nil
	}
	return q.queue.Pop(), true, nil
}

func (q *arrivals) join(w wait.Waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiters = append(q.waiters, w)
}

func (q *arrivals) leave(w wait.Waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiters = slices.DeleteFunc(q.waiters, func(o wait.Waiter) bool { return o == w })
}

// close ends the calls of next, and returns the connections that nobody gets.
func (q *arrivals) close() (list []arrival) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.queue.Len() > 0 {
		list = append(list, q.queue.Pop())
	}
	for _, w := range q.waiters {
		w.Signal()
	}
	return list
}
