package tun

import (
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// filter applies Filter, without mu. It reports that the packet is dropped.
func (p *path) filter(packet *Packet) bool {
	p.mu.Lock()
	filter, cut := p.impairment.Filter, p.impairment.Partition
	p.mu.Unlock()
	if filter == nil || cut {
		return false
	}
	bytes := make([]byte, packet.Data.Size())
	flatten(bytes, &packet.Data)
	result := filter(bytes)
	if result == nil {
		return true
	}
	packet.Data.Release()
	packet.Data = buffer.MakeWithData(result)
	return false
}

// fateLocked draws the lots. Only chances that are above zero use up random
// numbers.
func (p *path) fateLocked(packet *Packet, now time.Duration) (fate Fate) {
	m := &p.impairment
	size := packet.Data.Size()
	switch {
	case m.Partition:
		return Partitioned
	case m.MTU != 0 && size > int64(m.MTU):
		return TooBig
	case p.numberedLocked() || p.burstLocked() || p.draw(&p.lots.loss, m.Loss, m.LossCorrelation):
		return Lost
	case p.held.Len()+p.queue.len() >= QueuePackets || p.heldBytes+size > QueueBytes || !p.roomLocked(size, now):
		return QueueFull
	}
	if p.draw(&p.lots.duplicate, m.Duplicate, m.DuplicateCorrelation) {
		fate |= Duplicated
	}
	if p.draw(&p.lots.corrupt, m.Corrupt, m.CorruptCorrelation) {
		fate |= Corrupted
	}
	if p.draw(&p.lots.reorder, m.Reorder, m.ReorderCorrelation) {
		fate |= Reordered
	}
	return fate
}

func (p *path) chance(probability float64) bool {
	return probability > 0 && p.rng.Float64() < probability
}

// lots is what the lots of a path remember.
type lots struct {
	burst                             bool // the bad state of Burst
	loss, duplicate, corrupt, reorder lot

	deviation time.Duration // from Delay, of the last packet
	deviates  bool          // whether there was one
}

// A lot is a chance that may come out as the time before.
type lot struct{ last, drawn bool }

// draw draws a lot. With a correlation, the result is the one before with that probability, so that
// the share of true stays the probability.
func (p *path) draw(l *lot, probability, correlation float64) bool {
	if probability == 0 || correlation == 0 {
		return p.chance(probability)
	}
	if !l.drawn || !p.chance(correlation) {
		*l = lot{last: p.chance(probability), drawn: true}
	}
	return l.last
}

// forget lets the lots begin anew that have another probability in m than in before.
func (l *lots) forget(before, m *Impairment) {
	if m.Burst.Enter == 0 {
		l.burst = false
	}
	if m.Jitter != before.Jitter || m.JitterDistribution != before.JitterDistribution {
		l.deviates = false
	}
	for _, lot := range []struct {
		lot         *lot
		before, now float64
	}{
		{&l.loss, before.Loss, m.Loss}, {&l.duplicate, before.Duplicate, m.Duplicate},
		{&l.corrupt, before.Corrupt, m.Corrupt}, {&l.reorder, before.Reorder, m.Reorder},
	} {
		if lot.before != lot.now {
			lot.lot.drawn = false
		}
	}
}

// numberedLocked reports whether the packet that was counted last is one of LossPackets.
func (p *path) numberedLocked() bool {
	if len(p.impairment.LossPackets) == 0 {
		return false
	}
	_, found := slices.BinarySearch(p.impairment.LossPackets, p.stats.Packets)
	return found
}

// burstLocked moves on between the states of Burst, and reports whether the packet is lost there.
func (p *path) burstLocked() bool {
	b := p.impairment.Burst
	switch {
	case b.Enter == 0:
		return false
	case p.lots.burst:
		p.lots.burst = !p.chance(b.Leave)
	default:
		p.lots.burst = p.chance(b.Enter)
	}
	if !p.lots.burst {
		return p.chance(b.GoodLoss)
	}
	return b.Loss == 0 || p.chance(b.Loss)
}

// corruptLocked flips one bit.
func (p *path) corruptLocked(packet *Packet) {
	bytes := make([]byte, packet.Data.Size())
	flatten(bytes, &packet.Data)
	if len(bytes) > 0 {
		bit := p.rng.IntN(8 * len(bytes))
		bytes[bit/8] ^= 1 << (bit % 8)
	}
	packet.Data.Release()
	packet.Data = buffer.MakeWithData(bytes)
}
