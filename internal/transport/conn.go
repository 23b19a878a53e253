package transport

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/tcp"
)

// maxInbox bounds the segments that wait while another goroutine has the
// connection. What would be one more is lost.
const maxInbox = 1024

// A Conn is one connection. It is safe for concurrent use.
type Conn struct {
	proto *Protocol
	path  path
	queue *waiter.Queue // told of what changes, without a lock

	mu     sync.Mutex
	engine *tcp.Conn
	quota  int // of bytes queued: SO_SNDBUF
	timer  tcpip.Timer
	armed  time.Duration // when the timer goes off; 0: it doesn't
	gone   bool          // out of the table

	inbox inbox
}

// An arrived is what comes for a connection: a segment, or an ICMP error.
type arrived struct {
	segment tcp.Segment
	report  Report
	error   bool
}

// An inbox holds what has come until the goroutine that has the connection takes
// it.
type inbox struct {
	some  atomic.Bool
	mu    sync.Mutex
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

// Dial begins a connection from id's local address and port, which must be free,
// to its remote ones. nic 0: any interface. The local address is chosen when it is
// empty.
func (p *Protocol) Dial(nic tcpip.NICID, id ID, net tcpip.NetworkProtocolNumber, cfg tcp.Config, quota int, q *waiter.Queue) (*Conn, tcpip.Error) {
	route, err := p.find(nic, &id, net)
	if err != nil {
		return nil, err
	}
	c := &Conn{proto: p, path: path{route: route, id: id}, queue: q, quota: quota}
	c.path.configure(&cfg)
	p.number(&id, &cfg)
	c.engine = tcp.New(cfg)
	if p.waits.busy(id) || !p.table.add(c) {
		route.Release()
		return nil, &tcpip.ErrPortInUse{}
	}
	now := c.lock()
	c.engine.Open(now)
	c.unlock(now)
	return c, nil
}

func (c *Conn) lock() time.Duration {
	c.mu.Lock()
	return c.proto.now()
}

// deliver takes what has come, or leaves it to whoever has the connection.
func (c *Conn) deliver(a *arrived) {
	if !c.mu.TryLock() {
		c.inbox.put(a)
		if !c.mu.TryLock() { // then it is seen before the lock is given back for good
			return
		}
		c.unlock(c.proto.now())
		return
	}
	now := c.proto.now()
	c.arrive(now, a)
	c.unlock(now)
}

func (c *Conn) arrive(now time.Duration, a *arrived) {
	s := &a.segment
	switch {
	case a.error:
		c.report(a.report)
	case c.engine.State() == tcp.Closed: // it ended since the table was looked at
		answer, ok := s.Reset()
		s.Payload.Release()
		if ok && !c.gone {
			answer.Options.Scale = tcp.NoScale
			c.path.write(&answer)
		}
	default:
		c.engine.Segment(now, s)
		if c.engine.Prompt() {
			c.output(now)
		}
	}
}

// unlock sends what is due and gives the lock back; what has come meanwhile is
// served as well.
func (c *Conn) unlock(now time.Duration) {
	for {
		if c.inbox.some.Load() {
			all := c.inbox.take()
			for i := range all {
				c.arrive(now, &all[i])
			}
		}
		c.output(now)
		c.arm(now)
		events := c.engine.TakeEvents()
		c.leave(events)
		c.mu.Unlock()
		c.tell(events)
		if !c.inbox.some.Load() || !c.mu.TryLock() {
			return
		}
		now = c.proto.now()
	}
}

// output sends everything that may leave.
func (c *Conn) output(now time.Duration) {
	var s tcp.Segment
	for c.engine.Output(now, &s) {
		if c.gone {
			s.Payload.Release()
			continue
		}
		c.path.write(&s)
	}
}

// arm sets the timer. It isn't set back for a later time: it then looks again.
func (c *Conn) arm(now time.Duration) {
	next := c.engine.Deadline()
	if next == 0 || c.gone || c.armed != 0 && c.armed <= next {
		return
	}
	c.armed = next
	wait := max(next-now, 0)
	if c.timer == nil {
		c.timer = c.proto.clock.AfterFunc(wait, c.fire)
		return
	}
	c.timer.Reset(wait)
}

func (c *Conn) fire() {
	now := c.lock()
	c.armed = 0
	c.engine.Timer(now)
	c.unlock(now)
}

// leave takes a connection that is over out of the table; of one in TIME-WAIT a
// record stays.
func (c *Conn) leave(events tcp.Events) {
	if events&(tcp.Over|tcp.Lingering) == 0 || c.gone {
		return
	}
	c.gone = true
	if events&tcp.Lingering != 0 {
		c.proto.waits.add(c.path.id, c.engine.Remains())
	}
	c.proto.table.remove(c)
	c.path.route.Release()
	if c.timer != nil {
		c.timer.Stop()
	}
}

// tell wakes who waits.
func (c *Conn) tell(events tcp.Events) {
	mask := waiter.EventMask(0)
	if events&(tcp.Readable|tcp.Over) != 0 {
		mask |= waiter.ReadableEvents
	}
	if events&(tcp.Connected|tcp.Acked|tcp.Sent|tcp.Over) != 0 {
		mask |= waiter.WritableEvents
	}
	if events&tcp.Urgent != 0 {
		mask |= waiter.EventPri
	}
	if events&tcp.Over != 0 {
		mask |= waiter.EventHUp | waiter.EventErr
	}
	if mask != 0 && c.queue != nil {
		c.queue.Notify(mask)
	}
}

// destroy ends the connection without a segment: its stack is closed.
func (c *Conn) destroy() {
	now := c.lock()
	c.engine.Abort()
	c.leave(tcp.Over)
	c.unlock(now)
}

// Do calls f with the connection to itself, and then sends what is due.
func (c *Conn) Do(f func(now time.Duration, engine *tcp.Conn)) {
	now := c.lock()
	f(now, c.engine)
	c.unlock(now)
}

// Send takes as much of b as the send quota has room for; none: 0. The error is
// tcpip.ErrClosedForSend after Shutdown or the end of the connection.
func (c *Conn) Send(b []byte) (n int, err tcpip.Error) {
	now := c.lock()
	n = max(0, min(len(b), c.quota-c.engine.Queued()))
	if c.engine.State() == tcp.Closed || n > 0 && !c.engine.Send(now, b[:n]) {
		n, err = 0, &tcpip.ErrClosedForSend{}
	}
	c.unlock(now)
	return n, err
}

// Read copies what has come. Nothing there: n is 0, and ended says that nothing
// will come.
func (c *Conn) Read(b []byte) (n int, ended bool) {
	now := c.lock()
	n = c.engine.Read(now, b, 0, false)
	ended = n == 0 && (c.engine.PeerClosed() || c.engine.State() == tcp.Closed)
	c.unlock(now)
	return n, ended
}

// State and cause of the connection at the moment.
func (c *Conn) State() (tcp.State, tcp.Cause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.engine.State(), c.engine.Cause()
}

// ID is the tuple.
func (c *Conn) ID() ID { return c.path.id }

// Shutdown sends a FIN behind what is queued.
func (c *Conn) Shutdown() { c.Do(func(now time.Duration, e *tcp.Conn) { e.Close(now) }) }

// Close is Shutdown, and says that nobody reads any more.
func (c *Conn) Close() {
	c.Do(func(now time.Duration, e *tcp.Conn) {
		if e.Readable() > 0 { // RFC 1122 §4.2.2.13: what was received is lost, and the peer is told
			e.Abort()
			return
		}
		e.Orphan(now)
		e.Close(now)
	})
}

// Abort resets the connection.
func (c *Conn) Abort() { c.Do(func(_ time.Duration, e *tcp.Conn) { e.Abort() }) }
