package endpoint

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// A Poller tells one goroutine which of many sockets are ready, as an event
// loop needs it: a call costs what is ready, whatever the number of sockets
// registered. Stack.NewPoller makes one.
//
// It is level-triggered: a socket that was returned and is still ready is
// returned by the next Wait as well. All methods are safe for concurrent use;
// of several goroutines in Wait, two may get the same socket.
type Poller struct {
	host    socket.Host
	forget  func()        // tells the stack that the Poller is closed
	mu      sync.Mutex    // a leaf: notifications take it with endpoints locked
	first   *Registration // the head of the list of registrations to look at
	last    *Registration // its tail
	length  int           // the length of the list
	waiters []wait.Waiter // the calls of Wait in progress
	closed  bool
}

// A Pollable is what a Poller takes: a *Conn, *PacketConn or *Listener.
type Pollable interface{ pollable() *socket.Socket }

func (c *conn) pollable() *socket.Socket     { return c.sock }
func (l *Listener) pollable() *socket.Socket { return l.conn.sock }

// SocketOf is for packages of this module, which can do more with a socket than its face can.
func SocketOf(c Pollable) *socket.Socket { return c.pollable() }

// A Registration is one socket at a Poller. It ends with Close, with the
// Poller, or when Wait has returned it with ReadyClosed.
type Registration struct {
	Data any // what Add was given, for the application

	poller *Poller
	sock   *socket.Socket
	want   atomic.Uint32 // the Readiness that Wait looks for
	call   wait.Call     // at sock, from Add to the end

	// Guarded by poller.mu.
	queued bool          // the registration is on the list
	behind *Registration // the next one on the list
	ended  bool          // Close was called, or Wait has found the socket closed
	face   Pollable      // keeps the socket open until then: see own
}

// A Notice is one result of Wait.
type Notice struct {
	*Registration           // the registration whose socket is ready
	Ready         Readiness // what the socket is ready for
}

// NewPoller is for package stack: forget is called by Close.
func NewPoller(h socket.Host, forget func()) *Poller { return &Poller{host: h, forget: forget} }

// Add registers a socket: Wait returns it when something of want is true of
// it, and when it is closed. The same socket may be registered several times.
// It fails with WSAENOTSOCK on a closed Poller.
func (p *Poller) Add(c Pollable, want Readiness, data any) (*Registration, error) {
	r := &Registration{Data: data, poller: p, sock: c.pollable(), face: c}
	r.want.Store(uint32(want))
	r.call.Init((*bell)(r), wait.AnyEvent)
	r.sock.Calls().Add(&r.call) // first: as soon as it is on the list another goroutine may end it
	p.mu.Lock()
	closed := p.closed
	p.enqueueLocked(r) // it may be ready now
	p.mu.Unlock()
	if closed {
		r.sock.Calls().Remove(&r.call)
		return nil, wsa.WSAENOTSOCK
	}
	return r, nil
}

// Modify changes what Wait looks for.
func (r *Registration) Modify(want Readiness) {
	r.want.Store(uint32(want))
	r.poller.enqueue(r)
}

// Close ends the registration. It is idempotent.
func (r *Registration) Close() {
	p := r.poller
	p.mu.Lock()
	ended := r.ended
	r.ended, r.face = true, nil // it may be on the list still
	p.mu.Unlock()
	if !ended {
		r.sock.Calls().Remove(&r.call)
	}
}

// A bell is a registration as the Waiter of its call: whatever wakes calls of
// the socket makes the Poller look at it. It is never waited on.
type bell Registration

func (*bell) Wait(string) {}

func (b *bell) Signal() { b.poller.enqueue((*Registration)(b)) }

func (p *Poller) enqueue(r *Registration) {
	p.mu.Lock()
	p.enqueueLocked(r)
	p.mu.Unlock()
}

// enqueueLocked puts r on the list of those to look at, once.
func (p *Poller) enqueueLocked(r *Registration) {
	if r.queued || r.ended || p.closed {
		return
	}
	p.pushLocked(r)
	for _, w := range p.waiters {
		w.Signal()
	}
}

func (p *Poller) pushLocked(r *Registration) {
	if r.queued = true; p.last == nil {
		p.first = r
	} else {
		p.last.behind = r
	}
	p.last = r
	p.length++
}

// Wait waits until a socket is ready, fills notices with as many as are, and
// returns their number. A zero timeout is a look, a negative one none; when it
// is over first, n is 0. The time is that of the stack's clock.
//
// Errors: WSAENETDOWN when the stack is closed; WSAEINTR, which is
// net.ErrClosed, when the Poller is; WSAEINVAL when notices is empty.
func (p *Poller) Wait(notices []Notice, timeout time.Duration) (n int, _ error) {
	if len(notices) == 0 {
		return 0, wsa.WSAEINVAL
	}
	if n, err := p.collect(notices); n > 0 || err != 0 || timeout == 0 {
		return n, err.Err()
	}
	w := wait.NewWaiter(p.host)
	var expired atomic.Bool
	if timeout > 0 {
		timer := p.host.Clock().AfterFunc(timeout, func() {
			expired.Store(true)
			w.Signal()
		})
		defer timer.Stop()
	}
	p.join(w)
	defer p.leave(w)
	for {
		late := expired.Load()
		if n, err := p.collect(notices); n > 0 || err != 0 || late {
			return n, err.Err()
		}
		w.Wait("poll")
	}
}

func (p *Poller) join(w wait.Waiter) {
	p.mu.Lock()
	p.waiters = append(p.waiters, w)
	p.mu.Unlock()
}

func (p *Poller) leave(w wait.Waiter) {
	p.mu.Lock()
	i := slices.Index(p.waiters, w)
	p.waiters = slices.Delete(p.waiters, i, i+1)
	p.mu.Unlock()
}

// collect looks at the sockets on the list, each once. Those that are ready
// stay on it, behind the others.
func (p *Poller) collect(notices []Notice) (n int, _ wsa.Errno) {
	p.mu.Lock()
	left := p.length
	p.mu.Unlock()
	for ; left > 0 && n < len(notices); left-- {
		r := p.next()
		if r == nil {
			continue
		}
		want := Readiness(r.want.Load())
		got := Readiness(r.sock.Look()) & (want | ReadyClosed)
		if p.host.Down() {
			break
		}
		if got == 0 {
			continue
		}
		notices[n] = Notice{r, got}
		n++
		if got == ReadyClosed {
			r.Close()
		} else {
			p.requeue(r)
		}
	}
	switch {
	case p.isClosed():
		return 0, wsa.WSAEINTR
	case p.host.Down():
		return 0, wsa.WSAENETDOWN
	}
	return n, 0
}

// next takes the first of the list: nil when its registration has ended, or
// another goroutine was faster. From here on a notification puts it back.
func (p *Poller) next() *Registration {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.first
	if r == nil {
		return nil
	}
	if p.first = r.behind; p.first == nil {
		p.last = nil
	}
	p.length--
	if r.queued, r.behind = false, nil; r.ended {
		return nil
	}
	return r
}

// requeue is enqueue without waking anybody: the caller of Wait knows.
func (p *Poller) requeue(r *Registration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !r.queued && !r.ended && !p.closed {
		p.pushLocked(r)
	}
}

func (p *Poller) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Wake makes calls of Wait look again: the stack is going down.
func (p *Poller) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.waiters {
		w.Signal()
	}
}

// Close ends the Poller: calls of Wait return. The sockets stay open, and their
// registrations never ring again.
func (p *Poller) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed, p.first, p.last, p.length = true, nil, nil, 0
	p.mu.Unlock()
	p.Wake()
	p.forget()
	return nil
}
