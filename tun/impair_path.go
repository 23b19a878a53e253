package tun

import (
	"math/rand/v2"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/monotonic"
)

// A path is one direction of an Impaired.
//
//	submit ──▶ fate ──▶ queue ──▶ held, by time of arrival ──▶ drain ──▶ deliver
//	             │        │                                      ▲
//	             └────────┴──▶ dropped                         timer
//
// Packets pass the queue only where the impairment asks for one, or packets are still in it.
//
// The goroutine that finds packets due delivers them, without mu, while delivering is set; other
// goroutines only add packets. So deliver isn't called by two goroutines at a time, and packets are
// delivered in the order of their arrival. Packets that pass because nothing is to be done to them,
// and nothing is held, are delivered by whoever brings them: by several goroutines at a time where
// the inner device is a Parallel that was asked. What is held meanwhile waits for their end.
type path struct {
	direction Direction
	clock     tcpip.Clock
	observe   func(Direction, *Packet, Fate) // nil: nobody; set before Start
	observed  func()                         // called after observe; nil: nobody; set before Start
	filterMu  sync.Mutex                     // serialises Filter and observe; taken before mu

	mu         sync.Mutex
	idle       sync.Cond // of mu: delivering, or the last of passing, has ended
	impairment Impairment
	rng        *rand.Rand
	deliver    func([]Packet) // takes ownership; nil: not started
	clear      bool           // whether the impairment lets all packets pass at once
	lots       lots           // what the lots remember
	busy       time.Duration  // when the transmission of what waits for Rate ends, outside of queue
	queue      bottleneck     // advances under filterMu, or in set
	reports    []report       // what queue has done and nobody has told observe; taken under filterMu
	telling    bool           // somebody tells observe what was taken from reports
	last       time.Duration  // the arrival of the last packet in order
	held       agenda.Agenda[*heldPacket]
	heldBytes  int64 // the size of what is in queue and held
	sequence   uint64
	timer      tcpip.Timer
	wake       time.Duration // when timer fires; 0: not set
	delivering bool
	passing    int // how many goroutines deliver what passes
	closed     bool
	batch      []Packet // of drain
	stats      ImpairStats
}

// A heldPacket is a packet on its way.
type heldPacket struct {
	agenda.Slot // At: when it arrives; Order: how many packets were held before, one more
	packet      Packet
}

// A report is the fate of a packet that queue has dropped, or of a copy of one that it has marked.
type report struct {
	packet Packet
	fate   Fate
}

func newPath(d Direction, cfg *ImpairConfig, rng *rand.Rand, deliver func([]Packet)) *path {
	p := &path{direction: d, clock: cfg.Clock, rng: rng, deliver: deliver}
	p.idle.L = &p.mu
	p.queue.leave, p.queue.judged = p.leaveLocked, p.judgedLocked
	return p
}

func (p *path) set(m Impairment) error {
	if err := checkImpairment(&m); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	used := !p.queue.idle()
	now := p.now()
	p.queue.advance(now)
	m.LossPackets = ordered(m.LossPackets)
	p.lots.forget(&p.impairment, &m)
	p.impairment, p.clear = m, m.perfect()
	p.queue.set(&m, now, p.busy)
	p.queue.advance(now)
	if used {
		p.armLocked() // what is due now isn't delivered here: Filter may have called
	}
	return nil
}

// setDeliver sets the receiver, or takes it away with nil. It reports whether
// there was none to replace.
func (p *path) setDeliver(f func([]Packet)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f != nil && p.deliver != nil {
		return false
	}
	p.deliver = f
	return true
}

func (p *path) get() Impairment {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.impairment
}

func (p *path) counters() ImpairStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

func (p *path) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held.Len() + p.queue.len()
}

func (p *path) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// bypass reports whether packets may go on unchanged and at once, because the link is perfect and
// has no packets to overtake. If so, bypass counts them and calls observe.
func (p *path) bypass(packets []Packet) bool {
	p.mu.Lock()
	if !p.clear || p.held.Len() > 0 || !p.queue.idle() || p.delivering || p.closed {
		p.mu.Unlock()
		return false
	}
	for i := range packets {
		count, bytes := onWire(&packets[i])
		p.stats.Packets += count
		p.stats.Bytes += bytes
	}
	p.mu.Unlock()
	if p.observe != nil {
		p.filterMu.Lock()
		defer p.filterMu.Unlock()
		for i := range packets {
			p.observe(p.direction, &packets[i], 0)
		}
		p.endOfObserve()
	}
	return true
}

// onWire returns how many packets a wire would carry for a packet, and the bytes in them.
func onWire(p *Packet) (count, bytes uint64) {
	size, headers := uint64(p.Data.Size()), uint64(p.GSO.HdrLen)
	if p.GSO.MSS == 0 || size <= headers {
		return 1, size
	}
	mss := uint64(p.GSO.MSS)
	count = (size - headers + mss - 1) / mss
	return count, size + (count-1)*headers
}

// endOfObserve tells who observes that this was all for now.
func (p *path) endOfObserve() {
	if p.observed != nil {
		p.observed()
	}
}

// now is the time since the clock's origin.
func (p *path) now() time.Duration { return monotonic.Since(p.clock.NowMonotonic()) }

// submit decides the fate of packets and delivers what is due. It takes
// ownership of the packets unless they are borrowed.
func (p *path) submit(packets []Packet, borrowed bool) {
	if !borrowed && p.pass(packets) {
		return
	}
	for i := range packets {
		packet := packets[i]
		if borrowed {
			packet.Data = packet.Data.Clone()
		}
		p.admit(packet)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drainLocked()
}

// pass is bypass for packets that are owned: it delivers them.
func (p *path) pass(packets []Packet) bool {
	if !p.bypass(packets) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.delivering || p.closed {
		for _, packet := range packets { // a timer has come in between
			p.pushLocked(packet, p.now())
		}
		p.drainLocked()
		return true
	}
	p.passing++
	p.mu.Unlock()
	p.deliver(packets)
	p.mu.Lock()
	if p.passing--; p.passing == 0 {
		p.idle.Broadcast()
		p.drainLocked()
	}
	return true
}

// admit holds a packet until its arrival, or drops it.
func (p *path) admit(packet Packet) {
	p.filterMu.Lock()
	defer p.filterMu.Unlock()
	filtered := p.filter(&packet)
	p.mu.Lock()
	now := p.now()
	p.queue.advance(now)
	reports := p.takeReportsLocked()
	size := packet.Data.Size()
	p.stats.Packets++
	p.stats.Bytes += uint64(size)
	var fate Fate
	if filtered {
		fate = Filtered
	} else {
		fate = p.fateLocked(&packet, now)
	}
	p.stats.count(fate)
	p.mu.Unlock()
	p.tell(reports)
	if p.observe != nil {
		p.observe(p.direction, &packet, fate)
		p.endOfObserve()
	}
	if fate.Dropped() {
		packet.Data.Release()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if fate&Corrupted != 0 {
		p.corruptLocked(&packet)
	}
	now = p.now() // it leaves now: who observes may have noted a later time than the one of its fate
	p.queue.advance(now)
	p.holdLocked(packet, now, fate)
}

// holdLocked lets a packet wait until it may leave.
func (p *path) holdLocked(packet Packet, now time.Duration, fate Fate) {
	m := &p.impairment
	switch {
	case p.closed:
		packet.Data.Release()
		return
	case p.queuesLocked():
		p.heldBytes += packet.Data.Size()
		p.queue.put(waitingPacket{packet, fate, now})
		return
	}
	leaves := now
	if m.Rate > 0 {
		leaves = max(now, p.busy) + time.Duration(float64(packet.Data.Size())*8e9/float64(m.Rate))
		p.busy = leaves
	}
	p.travelLocked(packet, leaves, fate)
}

// travelLocked computes the arrival of a packet that leaves at a time.
func (p *path) travelLocked(packet Packet, leaves time.Duration, fate Fate) {
	m := &p.impairment
	arrival := leaves + p.delayLocked()
	if !m.JitterReorders {
		arrival = max(arrival, p.last)
	}
	if fate&Reordered != 0 {
		arrival += m.reorderDelay()
	} else {
		p.last = max(arrival, p.last)
	}
	p.pushLocked(packet, arrival)
	if fate&Duplicated != 0 {
		twin := packet
		twin.Data = packet.Data.Clone()
		p.pushLocked(twin, arrival)
	}
}

func (p *path) pushLocked(packet Packet, arrival time.Duration) {
	p.sequence++
	p.heldBytes += packet.Data.Size()
	p.held.Add(&heldPacket{agenda.Slot{At: arrival, Order: p.sequence}, packet})
}

// drainLocked delivers what is due, and sets the timer for the rest. It lets
// go of mu while it delivers.
func (p *path) drainLocked() {
	if p.delivering || p.passing > 0 || p.deliver == nil {
		return
	}
	p.delivering = true
	for !p.closed {
		now := p.serveLocked()
		p.batch = p.batch[:0]
		for p.held.Len() > 0 && p.held.First().At <= now && len(p.batch) < batchSize {
			packet := p.held.Pop().packet
			p.heldBytes -= packet.Data.Size()
			p.batch = append(p.batch, packet)
		}
		if len(p.batch) == 0 {
			break
		}
		p.mu.Unlock()
		p.deliver(p.batch)
		p.mu.Lock()
		clear(p.batch)
	}
	p.delivering = false
	p.idle.Broadcast()
	p.armLocked()
}

// earliestLocked is when there is something to do, and whether there ever is.
func (p *path) earliestLocked() (at time.Duration, ok bool) {
	at, ok = p.queue.next()
	if p.held.Len() > 0 && (!ok || p.held.First().At < at) {
		at, ok = p.held.First().At, true
	}
	if len(p.reports) > 0 {
		at, ok = p.now(), true
	}
	return at, ok
}

func (p *path) armLocked() {
	at, ok := p.earliestLocked()
	if p.closed || !ok || p.wake == at {
		return
	}
	p.wake = at
	wait := max(0, p.wake-p.now())
	if p.timer == nil {
		p.timer = p.clock.AfterFunc(wait, p.fire)
	} else {
		p.timer.Reset(wait)
	}
}

// fire is the function of the timer.
func (p *path) fire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wake = 0
	p.drainLocked()
}

// close drops what is held and waits for a delivery under way.
func (p *path) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for p.held.Len() > 0 {
		packet := p.held.Pop().packet
		packet.Data.Release()
	}
	p.queue.close()
	for _, r := range p.takeReportsLocked() {
		r.packet.Data.Release()
	}
	p.heldBytes = 0
	for p.delivering || p.passing > 0 {
		p.idle.Wait()
	}
}
