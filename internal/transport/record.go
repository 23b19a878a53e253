package transport

import (
	"bytes"
	"slices"

	"github.com/wsstack/wsstack/internal/tcp"
)

// A Recorder is told of every connection of a Protocol that has changed. It is called once for a
// connection, when the connection has begun or is seen for the first time, and returns what takes
// down the rest. A Recorder is called with the connection, its listener or the records of TIME-WAIT
// locked.
type Recorder func(ID) Log

// A Log takes down one connection, from its SYN to the end of TIME-WAIT. It is called with the
// locks that a Recorder is called with.
type Log interface {
	// Sample is told what the connection is like. The Sample may be equal to the one before.
	Sample(Change)
	// End is told that the connection is Closed, or forgotten, and that nothing follows.
	End()
}

// A Change is what has happened to a connection, and what the connection is like afterwards.
type Change struct {
	tcp.Sample
	Causes Causes
	Option string // the option that has changed, and its value; "": none has
}

// Causes say what has happened since the Change before.
type Causes uint8

// The Causes.
const (
	SegmentIn  Causes = 1 << iota // a segment has come
	SegmentOut                    // a segment was sent
	TimerFired                    // the connection's timer has fired
)

// Record has r told of every connection from now on, and at once of those that there are, in the
// order of their tuples, and of the parts for those in TIME-WAIT. With nil nobody is told any more.
// The Log of a connection stays with the connection: it takes down what comes when there is a
// Recorder again.
func (p *Protocol) Record(r Recorder) {
	if r == nil {
		p.recorder.Store(nil)
		return
	}
	p.recorder.Store(&r)
	conns := p.table.all()
	slices.SortFunc(conns, func(a, b *Conn) int { return compareIDs(a.way.id, b.way.id) })
	for _, c := range conns {
		c.note("")
	}
	for _, l := range p.listeners.all() {
		l.record()
	}
	for i := range p.parts {
		p.parts[i].waits.record(r)
	}
}

// Recording reports whether there is a Recorder.
func (p *Protocol) Recording() bool { return p.recorder.Load() != nil }

// compareIDs orders tuples: by the local address and port, then by the remote ones.
func compareIDs(a, b ID) int {
	x, y := tupleOf(&a), tupleOf(&b)
	return bytes.Compare(x.slice(), y.slice())
}

// record tells the Recorder, if there is one, what the connection is like. The connection is
// locked.
func (c *Conn) record(option string) {
	causes := c.causes
	c.causes = 0
	r := c.proto.recorder.Load()
	if r == nil || c.gone {
		return
	}
	if c.log == nil {
		c.log = (*r)(c.way.id)
	}
	c.log.Sample(Change{Sample: c.engine.Sample(), Causes: causes, Option: option})
}

// Note tells the Recorder that an option of the connection has another value; option is the name
// and the value. Without a Recorder nothing happens.
func (c *Conn) Note(option string) {
	if c.proto.Recording() {
		c.note(option)
	}
}

// note has the Recorder told of a connection to which nothing has happened. It sends nothing.
func (c *Conn) note(option string) {
	c.mu.Lock()
	c.record(option)
	c.mu.Unlock()
	if c.inbox.some.Load() && c.mu.TryLock() { // it came while we had the lock
		c.unlock(c.proto.now())
	}
}

// ended tells the Log that the connection is over. Of one in TIME-WAIT the record goes on with it.
func (c *Conn) ended(timeWait bool) {
	if log := c.log; log != nil && !timeWait {
		log.End()
	}
	c.log = nil
}

// noteLocked tells the Recorder, if there is one, of a half-open connection.
func (l *Listener) noteLocked(h *half, causes Causes) {
	r := l.proto.recorder.Load()
	if r == nil || h.held {
		return
	}
	if h.log == nil {
		h.log = (*r)(h.id)
	}
	h.log.Sample(Change{Sample: h.Sample(l.proto.now(), h.set.Config, h.resent), Causes: causes})
}

// record tells the Recorder of the half-open connections that there are.
func (l *Listener) record() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.inOrderLocked() {
		l.noteLocked(h, 0)
	}
}

// record tells a Recorder of the connections in TIME-WAIT.
func (t *timeWaits) record(r Recorder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := make([]ID, 0, len(t.records))
	for id := range t.records {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareIDs)
	for _, id := range ids {
		w := t.records[id]
		if w.log == nil {
			w.log = r(id)
		}
		w.log.Sample(Change{Sample: tcp.Sample{State: tcp.TimeWait}})
	}
}
