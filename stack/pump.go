package stack

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/parts"
	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/internal/transport"
)

// pump delivers what the devices have queued and serves the sockets that hooks
// have signalled. Nothing else moves a socket by itself.
//
// Its work is divided by connection (package link): each part has a goroutine, which
// delivers what the links have for it, in order. The first also serves the sockets
// and writes the records of SO_DEBUG.
type pump struct {
	tcp   *transport.Protocol // set before the first round
	debug *debugRecords       // nil: none are written
	quit  chan struct{}

	signals struct { // a leaf lock: hooks take it with endpoints locked
		sync.Mutex
		sockets []*socket.Socket // bounded: each socket is in it at most once
		turn    bool             // the first part has a turn, and takes the list at its end
	}
	serving []*socket.Socket // reused by serve, under the lock of the first part

	parts   []pumpPart
	stopped atomic.Bool // by Close: what comes in is dropped

	mu    sync.Mutex // guards changes of links
	links atomic.Pointer[[]*link.Endpoint]
}

type pumpPart struct {
	bell chan struct{} // holds one ring
	mu   sync.Mutex    // one turn at a time; Settle takes turns, too
}

// init makes a pump of so many parts.
func (p *pump) init(parts int) {
	p.quit, p.parts = make(chan struct{}), make([]pumpPart, parts)
	for i := range p.parts {
		p.parts[i].bell = make(chan struct{}, 1)
	}
	p.links.Store(&[]*link.Endpoint{})
}

// ring makes a part take a turn. It never blocks.
func (p *pump) ring(part int) {
	select {
	case p.parts[part].bell <- struct{}{}:
	default: // it will
	}
}

// rung reports whether somebody has rung since the last call of rung, for a pump of one part without
// a goroutine: without a ring there is nothing to do.
func (p *pump) rung() bool {
	select {
	case <-p.parts[0].bell:
		return true
	default:
		return false
	}
}

// wake makes the part that serves the sockets take a turn.
func (p *pump) wake() { p.ring(0) }

func (p *pump) add(l *link.Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := append(slices.Clone(*p.links.Load()), l)
	p.links.Store(&links)
}

// remove takes a link away: from its return on, nothing of it is delivered.
func (p *pump) remove(l *link.Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := slices.DeleteFunc(slices.Clone(*p.links.Load()), func(o *link.Endpoint) bool { return o == l })
	p.links.Store(&links)
	p.finish()
}

// stop ends the pump: from its return on, nothing is delivered or served.
func (p *pump) stop() {
	p.stopped.Store(true)
	p.finish()
	close(p.quit)
}

// finish waits for the rounds that have begun.
func (p *pump) finish() {
	for i := range p.parts {
		p.parts[i].finish()
	}
}

func (q *pumpPart) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
}

// signal asks for a turn with a socket.
func (p *pump) signal(s *socket.Socket) {
	if !s.MarkSignal() {
		return
	}
	p.signals.Lock()
	p.signals.sockets = append(p.signals.sockets, s)
	turn := p.signals.turn
	p.signals.Unlock()
	if !turn {
		p.wake()
	}
}

// deliverBatch is how many packets one interface may deliver before the others
// have their turn.
const deliverBatch = 256

// turn delivers and serves what there is, and returns how much it was. What
// comes meanwhile has rung a bell. The part that serves has its turn last, because
// the others signal. Under a flood a turn doesn't end: stop and add come in between.
func (p *pump) turn() (done int) {
	for part := len(p.parts) - 1; part >= 0; part-- {
		done += p.turnOf(part)
	}
	return done
}

// turnOf is the turn of a part.
func (p *pump) turnOf(part int) (done int) {
	for more := true; more; {
		var n int
		n, more = p.round(part)
		done += n
	}
	return done
}

// round is the turn of a part that may leave packets of an interface that has many.
func (p *pump) round(part int) (n int, more bool) {
	p.parts[part].mu.Lock()
	defer p.parts[part].mu.Unlock()
	return p.roundLocked(part)
}

// roundLocked is round with the lock of the part held.
func (p *pump) roundLocked(part int) (n int, more bool) {
	if p.stopped.Load() {
		return 0, false
	}
	if part == 0 {
		p.signals.Lock()
		p.signals.turn = true
		p.signals.Unlock()
	}
	p.tcp.BeginBurst(part)
	for _, l := range *p.links.Load() {
		delivered := l.Deliver(part, deliverBatch)
		n += delivered
		more = more || delivered == deliverBatch
	}
	p.tcp.EndBurst(part)
	if part == 0 {
		n += p.serve()
	}
	return n, more
}

// step is a turn with one packet at most, for a pump of one part. The sockets are
// served in the order of their signals.
func (p *pump) step() (delivered, served bool) {
	p.parts[0].mu.Lock()
	defer p.parts[0].mu.Unlock()
	if p.stopped.Load() {
		return false, false
	}
	for _, l := range *p.links.Load() {
		if l.Deliver(0, 1) > 0 {
			return true, false
		}
	}
	return false, p.serve() > 0
}

func (p *pump) serve() int {
	p.signals.Lock()
	p.serving, p.signals.sockets, p.signals.turn = p.signals.sockets, p.serving[:0], false
	p.signals.Unlock()
	for _, s := range p.serving {
		s.TakeSignal()
		s.Serve()
	}
	n := len(p.serving)
	clear(p.serving)
	if p.debug != nil {
		n += p.debug.write()
	}
	return n
}

// idle reports that nothing is queued for the pump.
func (p *pump) idle() bool {
	p.signals.Lock()
	defer p.signals.Unlock()
	if len(p.signals.sockets) > 0 || p.debug != nil && p.debug.waiting() {
		return false
	}
	return !slices.ContainsFunc(*p.links.Load(), func(l *link.Endpoint) bool { return l.Len() > 0 })
}

// parts is how many parts the pump of a new stack has. Where the order of everything
// matters (Stepped), or time is that of a bubble, it is one.
func (s *Stack) parts() int {
	if s.cfg.Stepped || !s.outside.Outside() {
		return 1
	}
	return parts.Count()
}

// arrived is what the goroutine of a device calls that has queued packets for a part: it takes the
// turn itself, if nobody has one, where that spares waking up the part's goroutine. Where there are
// several parts, it does so where none of the others waits for it, so that many packets are shared
// out.
func (p *pump) arrived(part int, alone bool) {
	if !alone && len(p.parts) > 1 || !p.parts[part].mu.TryLock() {
		p.ring(part)
		return
	}
	_, more := p.roundLocked(part)
	p.parts[part].mu.Unlock()
	if more {
		p.ring(part)
	}
}

// arrived is the pump's, but where the order of everything matters (Stepped).
func (s *Stack) arrived() func(part int, alone bool) {
	if s.cfg.Stepped {
		return nil
	}
	return s.work.arrived
}

// runPump is the goroutine of a part of the pump. It ends when Close closes s.work.quit.
func (s *Stack) runPump(part int) {
	for {
		select {
		case <-s.work.quit:
			return
		case <-s.work.parts[part].bell:
			s.work.turnOf(part)
		}
	}
}

// Settle returns when the queue of every device of this stack is empty, the pump
// is idle, and every timer due now has run. A segment is processed by whoever
// delivers it, so that nothing else is on its way then. Settle doesn't advance the clock and
// doesn't wait for the goroutines of the application. For a stack joined to another by tun.Pipe it promises
// only this side; see the function Settle.
func (s *Stack) Settle() {
	if s.cfg.Stepped && !s.work.rung() {
		return
	}
	s.settleMu.Lock()
	defer s.settleMu.Unlock()
	if s.cfg.Stepped {
		s.settleSteps()
		return
	}
	for !s.down.Load() {
		before := s.activity()
		done := s.work.turn()
		s.work.finish() // a round without packets may send the acknowledgements of another
		// In the order in which packets go: one that has left a device by then
		// is in the pump's queue, or was delivered and counted.
		if done == 0 && s.devicesIdle() && s.work.idle() && s.activity() == before {
			return
		}
		runtime.Gosched() // a device's reader may have packets in hand
	}
}

// settleSteps is Settle for Config.Stepped.
func (s *Stack) settleSteps() {
	for !s.down.Load() {
		if delivered, served := s.work.step(); !delivered && !served {
			return
		}
	}
}

// Settle settles stacks that are joined, as the method does one: it returns when none of them has
// sent a packet since all were settled.
func Settle(stacks ...*Stack) {
	total := func() (n uint64) {
		for _, s := range stacks {
			n += s.activity()
		}
		return n
	}
	// A packet is counted before the device has it, so one that was on its way
	// at the start of a quiet round comes to light in the next.
	for quiet := 0; quiet < 2; quiet++ {
		before := total()
		for _, s := range stacks {
			s.Settle()
		}
		if total() != before {
			quiet = -1
		}
	}
}

// activity counts the packets that the interfaces have brought, and those that they were given, which
// are counted before the device has them.
func (s *Stack) activity() (n uint64) {
	for _, l := range *s.work.links.Load() {
		in, out := l.Traffic()
		n += in.Packets + out.Packets
	}
	return n
}

// devicesIdle asks the devices that can tell whether they hold packets for us.
func (s *Stack) devicesIdle() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, n := range s.nics {
		if d, ok := n.device.(interface{ Pending() int }); ok && d.Pending() > 0 {
			return false
		}
	}
	return true
}
