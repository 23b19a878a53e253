package transport

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// Settings are what a connection is made with: those of the engine, and those of the connection's
// packets.
type Settings struct {
	tcp.Config
	TTL      uint8        // time to live, or hop limit; 0: the route's default
	TOS      uint8        // type of service, or traffic class; the two low bits are ECN's, and don't count
	Fragment bool         // routers may cut up IPv4 packets: DF is clear, and there is an IP ID
	Extras   *inet.Extras // what is added to the IP headers; nil: nothing
	Silent   bool         // of a listener: once the handshake is complete, no segment comes or leaves
	Tap      Tap          // nil: the listener's, and none for a connection of Dial
}

// A Tap is shown every segment of a connection (SO_DEBUG). With out the segment leaves: RSTs and
// what is sent again are included, and a large segment is shown before it is cut up. Without out
// the segment has come, and nothing has looked at it yet. The segment is only lent. The comment of
// the package says which locks are held.
type Tap func(out bool, s *tcp.Segment)

// show shows the Tap a copy of a segment: what an unknown function gets lives on the heap, and so
// only the copy does, and only where there is a Tap.
func (t Tap) show(out bool, s *tcp.Segment) {
	if t != nil {
		lent := *s
		t(out, &lent)
	}
}

// An Owner has a connection. ConnChanged tells the Owner what has happened to the connection, after
// State, Queued and Readable show it, from any goroutine, without any lock of this package held.
// The goroutine may be in a call of the Owner's, so that ConnChanged stores and signals, and no
// more. What two goroutines tell may come in any order.
type Owner interface {
	ConnChanged(tcp.Events)
}

// A Conn is one connection. It is safe for concurrent use.
type Conn struct {
	proto    *Protocol
	dialed   bool                  // Dial has made the connection: Hooks.Freed is told of the end
	silent   bool                  // no segment reaches the engine, and none leaves
	part     uint8                 // the part that the connection is of
	owner    atomic.Pointer[Owner] // nil: nobody is told of events
	snapshot snapshot
	icmp     atomic.Pointer[wsa.ICMPErrorInfo] // what ended the attempt to connect; nil: nothing did

	mu       sync.Mutex // guards the fields up to ends
	engine   *tcp.Conn
	way      way           // the ID in it never changes
	timer    tcpip.Timer   // for the engine's deadline; nil: there was none yet
	armed    time.Duration // when the timer fires; 0: it isn't set
	gone     bool          // the connection has left the table
	enlisted bool          // the connection is in the list of bursts
	causes   Causes        // what has happened since record was last called
	log      Log           // nil: no Recorder has heard of the connection
	ends     []func()      // the functions of AfterEnd

	orphan *list.Element // guarded by the lock of orphans; nil: the connection isn't one

	inbox inbox
}

// newConn makes a connection that has a way to the peer, but no engine yet.
func (p *Protocol) newConn(w way) *Conn { return &Conn{proto: p, part: uint8(p.partOf(&w.id)), way: w} }

// Dial begins a connection from the local address and port of id to the remote ones; the SYN has
// left when Dial returns. With the NIC 0 any interface will do. An empty local address is chosen.
// The owner, which may be nil, may be told of changes before Dial returns. Dial fails with
// ErrPortInUse where another connection has the tuple, be it in TIME-WAIT, with the error of
// netstack where there is no way to the peer, and with ErrInvalidEndpointState where the Protocol
// is closed; Hooks hear nothing of a Dial that failed.
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
	if p.waitsOf(&c.way.id).has(c.way.id) { // after add: what leaves the table is in TIME-WAIT before
		p.table.remove(c)
		return &tcpip.ErrPortInUse{}
	}
	return nil
}

// lock locks the connection and returns the time. Whoever calls lock calls unlock, even if nothing
// has changed: others may have left segments meanwhile.
func (c *Conn) lock() time.Duration {
	c.mu.Lock()
	c.postpone()
	return c.proto.now()
}

// deliver takes what has come, or leaves it to the goroutine that has the connection.
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

// arrive gives the engine what has come. What comes after the connection has left the table, from
// somebody who looked there before, is lost, as on a wire.
func (c *Conn) arrive(now time.Duration, a *delivery) {
	s := &a.segment
	switch {
	case c.silent:
		s.Payload.Release()
		return
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
	c.causes |= SegmentIn
	c.engine.Segment(now, s)
	if c.engine.Prompt() {
		c.output(now)
	}
}

// unlock sends what is due, takes the snapshot, and gives the lock back. What has come meanwhile is
// served as well.
func (c *Conn) unlock(now time.Duration) {
	for {
		if c.inbox.some.Load() {
			c.serve(now)
		}
		c.output(now)
		c.enlist(now)
		c.arm(now)
		c.engine.Account()
		events := c.engine.TakeEvents()
		c.snapshot.store(c.engine)
		c.record("")
		c.retire(events)
		c.mu.Unlock()
		c.tell(events)
		if !c.inbox.some.Load() || !c.mu.TryLock() {
			return
		}
		now = c.proto.now()
	}
}

// serve gives the engine what is in the inbox.
func (c *Conn) serve(now time.Duration) {
	all := c.inbox.take()
	if all == nil {
		return
	}
	for i := range all.items {
		c.arrive(now, &all.items[i])
		c.engine.Account() // there may be many, and the next looks at what is left
	}
	all.release()
}

// output sends everything that may leave.
func (c *Conn) output(now time.Duration) {
	var s tcp.Segment
	for c.engine.Output(now, &s) {
		if c.gone || c.silent {
			s.Payload.Release()
			continue
		}
		c.causes |= SegmentOut
		c.way.write(&s)
	}
}

// arm sets the timer for the next deadline. A timer that would fire too early isn't moved: it looks
// again when it fires.
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

// fire is called by the timer.
func (c *Conn) fire() {
	now := c.lock()
	c.armed = 0
	c.causes |= TimerFired
	c.engine.SetGarbage(c.proto.garbage.Load())
	c.engine.Timer(now)
	c.unlock(now)
}

// tell tells the owner of events.
func (c *Conn) tell(events tcp.Events) {
	if events == 0 {
		return
	}
	if o := c.owner.Load(); o != nil {
		(*o).ConnChanged(events)
	}
}

// SetOwner makes o the owner, who is told of events from now on; with nil nobody is. The new owner
// looks at the connection afterwards, because what happened before isn't told again. A goroutine
// that was about to tell the old owner may still do so once.
func (c *Conn) SetOwner(o Owner) {
	if o == nil {
		c.owner.Store(nil)
		return
	}
	c.owner.Store(&o)
}

// Do calls f while nobody else has the connection, and then sends what is due.
func (c *Conn) Do(f func(now time.Duration, engine *tcp.Conn)) {
	now := c.lock()
	f(now, c.engine)
	c.unlock(now)
}

// ID is the tuple of the connection.
func (c *Conn) ID() ID { return c.way.id }

// SetIP sets what the headers of the connection's packets have from now on. The parameters are the
// fields of Settings. What is added to the headers comes off the payload of a segment.
func (c *Conn) SetIP(ttl, tos uint8, fragment bool, extras *inet.Extras) {
	now := c.lock()
	c.way.headers = headers{ttl, tos &^ ecnMask, fragment, extras}
	c.engine.SetOverhead(extras.Size(), c.way.segmenting())
	c.unlock(now)
}

// SetTap makes t the Tap of the connection, which has none with nil.
func (c *Conn) SetTap(t Tap) {
	now := c.lock()
	c.way.tap = t
	c.unlock(now)
}
