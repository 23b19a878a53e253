package tun

import (
	"fmt"
	"time"
)

// A Discipline is the rule by which the queue of a link drops packets.
type Discipline uint8

// The disciplines.
const (
	DropTail Discipline = iota // DropTail drops packets that come when the queue is full.

	// CoDel also drops packets that have waited, once all packets have waited too long for a while
	// (RFC 8289). What to drop is decided when a packet comes to the head of the queue.
	CoDel
)

// String returns "droptail" or "codel".
func (d Discipline) String() string {
	switch d {
	case DropTail:
		return "droptail"
	case CoDel:
		return "codel"
	}
	return fmt.Sprintf("Discipline(%d)", uint8(d))
}

// defaultCoDelPackets is how many packets wait at most with CoDel, unless there is a limit.
const defaultCoDelPackets = 1000

// served reports whether packets wait in a queue of their own. Where there are only Rate and Queue,
// it is known when a packet comes when the packet will leave, and that is how it has always been.
func (m *Impairment) served() bool {
	return m.RateTrace != nil || m.Rate > 0 && (m.QueuePackets > 0 || m.Discipline != DropTail)
}

// queueLimits are the limits of the queue, with their defaults.
func (m *Impairment) queueLimits() queueLimits {
	l := queueLimits{packets: m.QueuePackets, bytes: int64(m.Queue)}
	switch {
	case l.packets > 0 || l.bytes > 0:
	case m.Discipline == CoDel:
		l.packets = defaultCoDelPackets
	default:
		l.bytes = m.defaultQueue()
	}
	return l
}

// queue returns the value of Queue, or its default, in bytes.
func (m *Impairment) queue() int64 {
	if m.Queue != 0 {
		return int64(m.Queue)
	}
	return m.defaultQueue()
}

// defaultQueue is how many bytes wait at most, unless there is a limit.
func (m *Impairment) defaultQueue() int64 {
	rate := m.Rate
	if m.RateTrace != nil {
		rate = m.RateTrace.Rate()
	}
	return max(minDefaultQueue, int64(float64(rate)/8*defaultQueueTime.Seconds()))
}

// codelTimes are the times of CoDel, with their defaults.
func (m *Impairment) codelTimes() (target, interval time.Duration) {
	target, interval = m.CoDelTarget, m.CoDelInterval
	if target == 0 {
		target = defaultCoDelTarget
	}
	if interval == 0 {
		interval = defaultCoDelInterval
	}
	return target, interval
}
