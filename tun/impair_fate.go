package tun

import (
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
)

// filter applies Filter, without mu. It reports that the packet is dropped.
func (p *path) filter(packet *Packet) bool {
	m := p.get()
	if m.Filter == nil || m.Partition {
		return false
	}
	bytes := make([]byte, packet.Data.Size())
	flatten(bytes, &packet.Data)
	result := m.Filter(bytes)
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
	case p.burstLocked() || p.chance(m.Loss):
		return Lost
	case p.held.Len() >= QueuePackets || p.heldBytes+size > QueueBytes:
		return QueueFull
	}
	if m.Rate > 0 && p.busy > now {
		waiting := int64(float64(p.busy-now) * float64(m.Rate) / 8e9)
		if waiting+size > m.queue() {
			return QueueFull
		}
	}
	if p.chance(m.Duplicate) {
		fate |= Duplicated
	}
	if p.chance(m.Corrupt) {
		fate |= Corrupted
	}
	if p.chance(m.Reorder) {
		fate |= Reordered
	}
	return fate
}

func (p *path) chance(probability float64) bool {
	return probability > 0 && p.rng.Float64() < probability
}

func (p *path) burstLocked() bool {
	b := p.impairment.Burst
	if b.Enter == 0 {
		return false
	}
	if p.burst {
		p.burst = !p.chance(b.Leave)
	} else {
		p.burst = p.chance(b.Enter)
	}
	return p.burst && (b.Loss == 0 || p.chance(b.Loss))
}

func (p *path) countLocked(fate Fate) {
	s := &p.stats
	for i, counter := range []*uint64{&s.Partitioned, &s.Filtered, &s.TooBig, &s.Lost, &s.QueueFull, &s.Duplicated, &s.Corrupted, &s.Reordered} {
		if fate&(1<<i) != 0 {
			*counter++
		}
	}
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
