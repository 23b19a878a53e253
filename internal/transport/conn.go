package transport

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// Settings are what a connection is made with: the engine's, and those of its
// packets.
type Settings struct {
	tcp.Config
	TTL      uint8 // 0: the route's default
	TOS      uint8 // its two low bits, which are those of ECN, don't count
	Fragment bool  // routers may cut up its IPv4 packets: DF is clear, and they have an IP ID
	Tap      Tap   // nil: the listener's; a connection of Dial then has none
}

// A Tap is shown every segment of a connection (SO_DEBUG): out as it leaves, RSTs
// and what is sent again included, a large one before it is cut up; in as it has
// come, before anything has looked at it. The segment is only lent. See the
// package's comment about locks.
type Tap func(out bool, s *tcp.Segment)

// show shows a segment, in a copy: what a function gets that isn't known lives on the
// heap, and only this does, while somebody looks.
func (t Tap) show(out bool, s *tcp.Segment) {
	if t != nil {
		lent := *s
		t(out, &lent)
	}
}

// An Owner has a connection. It is told what has happened to it after that shows in
// State, Queued and Readable, from any goroutine, without any lock of this package
// held. The goroutine may be one that is in a call of the Owner's, so ConnChanged
// stores and signals, and no more. What two goroutines tell may come in any order.
type Owner interface {
	ConnChanged(tcp.Events)
}

// A Conn is one connection. It is safe for concurrent use.
type Conn struct {
	proto    *Protocol
	dialed   bool // by Dial: Hooks.Freed is told of the end
	owner    atomic.Pointer[Owner]
	snapshot snapshot
	icmp     atomic.Pointer[wsa.ICMPErrorInfo] // what ended the attempt

	mu       sync.Mutex
	engine   *tcp.Conn
	way      way // its ID never changes
	timer    tcpip.Timer
	armed    time.Duration // when the timer goes off; 0: it doesn't
	gone     bool          // out of the table
	enlisted bool          // in the list of bursts
	ends     []func()      // of AfterEnd

	orphan *list.Element // guarded by the orphans; nil: it isn't one

	inbox inbox
}

// newConn makes a connection that has a route, but no engine yet.
func (p *Protocol) newConn(w way) *Conn { return &Conn{proto: p, way: w} }

// Dial begins a connection from id's local address and port to its remote ones; its
// SYN has left when it returns. nic 0: any interface. The local address is chosen
// when it is empty. The owner, which may be nil, may be told of changes before Dial
// returns. It fails with ErrPortInUse when another connection has the tuple, be it
// in TIME-WAIT, with what netstack says when there is no way to the peer, and with
// ErrInvalidEndpointState when the Protocol is closed; Hooks hear nothing of a Dial that
// failed.
func (p *Protocol) Dial(nic tcpip.NICID, id ID, net tcpip.NetworkProtocolNumber, set Settings, owner Owner) (*Conn, tcpip.Error) {
	w, err := p.find(origin{id, nic, net}, &set)
	if err != nil {
		return nil, err
	}
	p.chooseNumbers(&w.id, &set.Config)
	c := p.newConn(w)
	c.dialed = true
	c.engine = tcp.New(set.Config)
	c.SetOwner(owner)
	now := c.lock() // nobody else gives it a segment before its SYN has left
	if err := p.enter(c); err != nil {
		c.mu.Unlock()
		w.route.Release()
		return nil, err
	}
	c.engine.Open(now)
	c.unlock(now)
	return c, nil
}

// enter puts a connection of Dial into the table.
func (p *Protocol) enter(c *Conn) tcpip.Error {
	if err := p.table.add(c); err != nil {
		return err
	}
	if p.waits.has(c.way.id) { // after add: what leaves the table is in TIME-WAIT before
		p.table.remove(c)
		return &tcpip.ErrPortInUse{}
	}
	return nil
}

// lock locks the connection. Whoever does gives it back with unlock, even if nothing
// has changed: others may have left segments meanwhile.
func (c *Conn) lock() time.Duration {
	c.mu.Lock()
	c.postpone()
	return c.proto.now()
}

// deliver takes what has come, or leaves it to whoever has the connection.
func (c *Conn) deliver(a *delivery) {
	if !c.mu.TryLock() {
		c.inbox.put(a)
		if !c.mu.TryLock() { // then it is seen before the lock is given back for good
			return
		}
		c.unlock(c.proto.now())
		return
	}
	now := c.proto.now()
	c.postpone()
	if c.inbox.some.Load() { // who had the lock hasn't looked again yet: what came first comes first
		c.serve(now)
	}
	c.arrive(now, a)
	c.unlock(now)
}

// arrive gives the engine what has come. What comes when the connection has left
// the table, by somebody who looked there before, is lost, as on a wire.
func (c *Conn) arrive(now time.Duration, a *delivery) {
	s := &a.segment
	switch {
	case a.burstOver:
		c.burstOver()
		return
	case a.report != nil:
		c.report(a.report)
		return
	case c.gone:
		s.Payload.Release()
		return
	}
	if !a.tapped {
		c.way.tap.show(false, s)
	}
	if c.engine.State() == tcp.Closed { // it came with what has ended the connection
		answer, ok := s.Reset()
		s.Payload.Release()
		if ok {
			answer.Options.Scale = tcp.NoScale
			c.way.write(&answer)
		}
		return
	}
	c.engine.Segment(now, s)
	if c.engine.Prompt() {
		c.output(now)
	}
}

// unlock sends what is due, shows how the connection is, and gives the lock back;
// what has come meanwhile is served as well.
func (c *Conn) unlock(now time.Duration) {
	for {
		if c.inbox.some.Load() {
			c.serve(now)
		}
		c.output(now)
		c.enlist(now)
		c.arm(now)
		events := c.engine.TakeEvents()
		c.snapshot.store(c.engine)
		c.retire(events)
		c.mu.Unlock()
		c.tell(events)
		if !c.inbox.some.Load() || !c.mu.TryLock() {
			return
		}
		now = c.proto.now()
	}
}

// serve takes what is in the inbox.
func (c *Conn) serve(now time.Duration) {
	all := c.inbox.take()
	if all == nil {
		return
	}
	for i := range all.items {
		c.arrive(now, &all.items[i])
	}
	all.release()
}

// output sends everything that may leave.
func (c *Conn) output(now time.Duration) {
	var s tcp.Segment
	for c.engine.Output(now, &s) {
		if c.gone {
			s.Payload.Release()
			continue
		}
		c.way.write(&s)
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
	c.engine.SetGarbage(c.proto.garbage.Load())
	c.engine.Timer(now)
	c.unlock(now)
}

// tell tells the owner.
func (c *Conn) tell(events tcp.Events) {
	if events == 0 {
		return
	}
	if o := c.owner.Load(); o != nil {
		(*o).ConnChanged(events)
	}
}

// SetOwner makes o the one who is told from now on; nil: nobody is. The new owner
// looks at the connection afterwards, because what happened before isn't told again.
// The old one may be told once more by a goroutine that was about to.
func (c *Conn) SetOwner(o Owner) {
	if o == nil {
		c.owner.Store(nil)
		return
	}
	c.owner.Store(&o)
}

// Do calls f with the connection to itself, and then sends what is due.
func (c *Conn) Do(f func(now time.Duration, engine *tcp.Conn)) {
	now := c.lock()
	f(now, c.engine)
	c.unlock(now)
}

// ID is the tuple.
func (c *Conn) ID() ID { return c.way.id }

// SetIP sets what the headers of the connection's packets have from now on. The
// fields are those of Settings.
func (c *Conn) SetIP(ttl, tos uint8, fragment bool) {
	now := c.lock()
	c.way.headers = headers{ttl, tos &^ ecnMask, fragment}
	c.unlock(now)
}

// SetTap makes t the tap of the connection; nil: it has none.
func (c *Conn) SetTap(t Tap) {
	now := c.lock()
	c.way.tap = t
	c.unlock(now)
}
