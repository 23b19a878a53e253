package transport

import (
	"slices"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/tcp"
)

// MSL is the maximum segment lifetime: TIME-WAIT lasts twice as long. (RFC 9293 §3.4.2 has 2
// minutes; systems in use have half a minute.)
const MSL = 30 * time.Second

// maxWaits bounds the records of TIME-WAIT, unless SetTimeWaitLimit sets another bound. Each part has
// its share of the bound. Beyond the share the oldest record of the part goes.
const maxWaits = 1 << 18

// noWait is the verdict where no connection of the tuple is in TIME-WAIT.
const noWait tcp.TimeWaitVerdict = 255

// timeWaits are the connections of a part in TIME-WAIT, of each of which a record is left. TIME-WAIT
// lasts equally long for all, so that the records end in the order in which they began, and one
// timer does for all.
type timeWaits struct {
	proto *Protocol

	mu      sync.Mutex      // comes before that of the listeners' table; guards the fields below
	limit   int             // how many records there may be
	records map[ID]*waiting // by tuple
	order   []deadline      // when records may end, the oldest first
	timer   tcpip.Timer
	running bool // the timer is set
	closed  bool // no record is kept any more
}

// A waiting is the record of a connection in TIME-WAIT.
type waiting struct {
	tcp.Remains
	headers                // of the answers
	dialed   bool          // Dial has made the connection: Hooks.Freed is told of the end
	log      Log           // is told of the end; nil: no Recorder has heard of the connection
	since    time.Duration // when TIME-WAIT began
	until    time.Duration // when TIME-WAIT ends
	answers  uint8         // how many answers left in the second since answered
	answered time.Duration // when the first of these answers left
}

// maxAnswers is how often TIME-WAIT answers in a second (RFC 5961 §7).
const maxAnswers = 10

// mayAnswer counts an answer and reports whether it is within the bound.
func (w *waiting) mayAnswer(now time.Duration) bool {
	if now-w.answered >= time.Second {
		w.answered, w.answers = now, 0
	}
	if w.answers >= maxAnswers {
		return false
	}
	w.answers++
	return true
}

// A deadline is when a record may end. A record whose time has begun anew ends later; another
// deadline then stands in the order.
type deadline struct {
	id ID
	at time.Duration
}

// init makes the set of records empty.
func (t *timeWaits) init(p *Protocol, limit int) {
	t.proto, t.limit, t.records = p, limit, map[ID]*waiting{}
}

// waitsOf are the records among which that of a tuple is.
func (p *Protocol) waitsOf(id *ID) *timeWaits { return &p.parts[p.partOf(id)].waits }

// waits are the records among which that of the connection is.
func (c *Conn) waits() *timeWaits { return &c.proto.parts[c.part].waits }

// add begins the TIME-WAIT of a connection.
func (t *timeWaits) add(id ID, w waiting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		w.end(t.proto, id)
		return
	}
	w.since = t.proto.now()
	w.until = w.since + 2*MSL
	t.records[id] = &w
	t.order = append(t.order, deadline{id, w.until})
	t.boundLocked()
	t.armLocked()
}

// boundLocked drops the oldest records, as far as there are too many. A record whose time has begun
// anew isn't among the oldest any more.
func (t *timeWaits) boundLocked() {
	for len(t.records) > t.limit {
		t.dropLocked()
	}
}

// TimeWaits is how many connections are in TIME-WAIT.
func (p *Protocol) TimeWaits() (n int) {
	for i := range p.parts {
		n += p.parts[i].waits.len()
	}
	return n
}

func (t *timeWaits) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.records)
}

// SetTimeWaitLimit bounds the connections in TIME-WAIT; each part has its share of the bound, which
// is 1 at least. Beyond the bound the oldest connection is forgotten, without a segment.
func (p *Protocol) SetTimeWaitLimit(n int) {
	for i := range p.parts {
		p.parts[i].waits.setLimit(max(n/len(p.parts), 1))
	}
}

func (t *timeWaits) setLimit(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit = n
	t.boundLocked()
}

// dropLocked takes the oldest deadline, and ends its record unless that ends later.
func (t *timeWaits) dropLocked() {
	d := t.order[0]
	t.order = t.order[1:]
	w := t.records[d.id]
	switch {
	case w == nil:
	case w.until > d.at:
		t.order = append(t.order, deadline{d.id, w.until})
	default:
		t.removeLocked(d.id, w)
	}
}

// removeLocked forgets a record: the tuple is free. Deadlines of records that have ended early are
// taken out of the order when they are most of it.
func (t *timeWaits) removeLocked(id ID, w *waiting) {
	delete(t.records, id)
	w.end(t.proto, id)
	if len(t.order) > 2*len(t.records)+shortOrder {
		t.order = slices.DeleteFunc(t.order, func(d deadline) bool {
			w := t.records[d.id]
			return w == nil || w.since > d.at-2*MSL
		})
	}
}

// end tells who has to know that the tuple is free.
func (w *waiting) end(p *Protocol, id ID) {
	if w.dialed {
		p.freed(id)
	}
	if w.log != nil {
		w.log.End()
	}
}

// shortOrder is how many deadlines without a record don't matter.
const shortOrder = 1024

// forget ends the TIME-WAIT of a connection, unless the record of the tuple is a later
// connection's.
func (t *timeWaits) forget(id ID, r tcp.Remains) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.records[id]; w != nil && w.Next() == r.Next() {
		t.removeLocked(id, w)
	}
}

// armLocked sets the timer for the oldest deadline, unless it is set.
func (t *timeWaits) armLocked() {
	if t.running || len(t.order) == 0 {
		return
	}
	t.running = true
	wait := t.order[0].at - t.proto.now()
	if t.timer == nil {
		t.timer = t.proto.clock.AfterFunc(wait, t.expire)
		return
	}
	t.timer.Reset(wait)
}

// expire is called by the timer.
func (t *timeWaits) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = false
	if t.closed {
		return
	}
	for now := t.proto.now(); len(t.order) > 0 && t.order[0].at <= now; {
		t.dropLocked()
	}
	t.armLocked()
}

// deliver judges a segment, and answers it. After Reuse the record is gone, and next is the number
// behind the last one of the old connection.
func (t *timeWaits) deliver(a origin, s *tcp.Segment) (v tcp.TimeWaitVerdict, next tcp.Seq) {
	p := t.proto
	t.mu.Lock()
	w := t.records[a.id]
	if w == nil {
		t.mu.Unlock()
		return noWait, 0
	}
	now := t.proto.now()
	answer, v := w.Segment(now, s)
	next = w.Next()
	switch {
	case v == tcp.Reuse:
		if p.listeners.at(&a) == nil { // nobody takes it
			v = tcp.Ignore
			break
		}
		t.removeLocked(a.id, w)
	case w.Restarts(s):
		w.until = now + 2*MSL
	}
	answers, headers := v == tcp.Answer && w.mayAnswer(now), w.headers
	t.mu.Unlock()
	if answers {
		p.replyWith(a, &answer, headers, nil)
	}
	return v, next
}

// has reports whether a tuple is in TIME-WAIT.
func (t *timeWaits) has(id ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.records[id] != nil
}

// close forgets all records.
func (t *timeWaits) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.order = true, nil
	for id, w := range t.records {
		t.removeLocked(id, w)
	}
	if t.timer != nil {
		t.timer.Stop()
	}
}
