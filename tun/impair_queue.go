package tun

import "time"

// queuesLocked reports whether a packet passes the queue.
func (p *path) queuesLocked() bool { return p.impairment.served() || !p.queue.idle() }

// roomLocked reports whether a packet of this size may wait for its transmission.
func (p *path) roomLocked(size int64, now time.Duration) bool {
	m := &p.impairment
	switch {
	case p.queuesLocked():
		return p.queue.room(size, now)
	case m.Rate > 0 && p.busy > now:
		waiting := int64(float64(p.busy-now) * float64(m.Rate) / 8e9)
		return waiting+size <= m.queue()
	}
	return true
}

// leaveLocked takes a packet that has left the queue.
func (p *path) leaveLocked(w waitingPacket, at time.Duration) {
	p.heldBytes -= w.packet.Data.Size()
	p.travelLocked(w.packet, at, w.fate)
}

// judgedLocked takes a packet that the queue has dropped, or borrows one that it has marked.
func (p *path) judgedLocked(w waitingPacket, fate Fate) {
	p.stats.count(fate)
	packet := w.packet
	if fate.Dropped() {
		p.heldBytes -= packet.Data.Size()
	} else {
		packet.Data = packet.Data.Clone()
	}
	p.reports = append(p.reports, report{packet, fate})
}

// takeReportsLocked takes what is passed to tell. Precondition: filterMu is locked, or p is closed.
func (p *path) takeReportsLocked() []report {
	reports := p.reports
	p.reports, p.telling = nil, len(reports) > 0
	return reports
}

// tell calls observe for what the queue has done. Precondition: filterMu is locked, and mu isn't.
func (p *path) tell(reports []report) {
	if len(reports) == 0 {
		return
	}
	for i := range reports {
		r := &reports[i]
		if p.observe != nil {
			p.observe(p.direction, &r.packet, r.fate)
		}
		r.packet.Data.Release()
	}
	p.endOfObserve()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.telling = false
}

// serveLocked lets the queue do what is due, tells observe about it, and returns the time up to
// which that has happened. It lets go of mu meanwhile. What leaves the queue later arrives later
// than that time, so that observe knows of packets before they are delivered.
func (p *path) serveLocked() time.Duration {
	now := p.now()
	if at, ok := p.queue.next(); len(p.reports) == 0 && !p.telling && (!ok || at > now) {
		return now
	}
	p.mu.Unlock()
	defer p.mu.Lock()
	p.filterMu.Lock()
	defer p.filterMu.Unlock()
	p.mu.Lock()
	now = p.now()
	p.queue.advance(now)
	reports := p.takeReportsLocked()
	p.mu.Unlock()
	p.tell(reports)
	return now
}
