package tun

import (
	"math"
	"time"
)

// Defaults of CoDel (RFC 8289 §4.2 and §4.3).
const (
	defaultCoDelTarget   = 5 * time.Millisecond
	defaultCoDelInterval = 100 * time.Millisecond
)

// A codelVerdict is what CoDel says about the packet at the head of the queue.
type codelVerdict uint8

const (
	codelPass codelVerdict = iota // the packet leaves
	codelMark                     // the packet is marked, and leaves
	codelDrop                     // the packet is dropped, and the next packet is judged
)

// A codel is the state of CoDel for one queue (RFC 8289 §5). It has no clock and no queue: the owner
// of the queue takes a packet from it, and passes the time and the packet's sojourn time to judge.
// (An empty queue needs no word: the last packet before has nothing behind it, and is as good as a
// short wait.)
//
//	passing ──above target for an interval: a signal──▶ dropping ──at dropNext: a signal──┐
//	   ▲                                                  │   ▲                           │
//	   └──below target, or hardly anything is waiting─────┘   └─ the next after interval/√count
//
// A signal is a dropped packet, or a marked one.
type codel struct {
	target, interval time.Duration

	firstAbove time.Duration // when the time above target will have lasted an interval
	above      bool          // firstAbove is set
	dropping   bool
	owed       bool          // the packet before was dropped while dropping, and dropNext has yet to move
	dropNext   time.Duration // when the next signal is due, while dropping
	count      uint32        // how many signals there were since dropping began
	lastCount  uint32        // count as it was when dropping began
}

// judge decides about a packet that has waited for so long, where so many bytes wait behind it. The
// largest packet that the queue has seen stands for the MTU: while no more than that is waiting,
// the delay isn't the fault of the queue.
func (c *codel) judge(now, sojourn time.Duration, waiting, largest int64, canMark bool) codelVerdict {
	tooLong := c.tooLong(now, sojourn, waiting <= largest)
	switch {
	case !tooLong:
		c.dropping, c.owed = false, false
		return codelPass
	case !c.dropping:
		c.becomeDropping(now)
		return signal(canMark)
	}
	if c.owed {
		c.dropNext, c.owed = c.controlLaw(c.dropNext), false
	}
	if now < c.dropNext {
		return codelPass
	}
	c.count++
	if canMark {
		c.dropNext = c.controlLaw(c.dropNext)
	} else {
		c.owed = true
	}
	return signal(canMark)
}

func signal(canMark bool) codelVerdict {
	if canMark {
		return codelMark
	}
	return codelDrop
}

// tooLong reports whether packets have waited longer than target for an interval.
func (c *codel) tooLong(now, sojourn time.Duration, few bool) bool {
	switch {
	case sojourn < c.target || few:
		c.above = false
		return false
	case !c.above:
		c.above, c.firstAbove = true, now+c.interval
		return false
	}
	return now >= c.firstAbove
}

// becomeDropping begins with the rate of signals that was right the last time, if that isn't long
// ago.
func (c *codel) becomeDropping(now time.Duration) {
	since := c.count - c.lastCount
	c.count = 1
	if since > 1 && now-c.dropNext < 16*c.interval {
		c.count = since
	}
	c.dropping, c.lastCount = true, c.count
	c.dropNext = c.controlLaw(now)
}

// controlLaw is when the signal after one at t is due.
func (c *codel) controlLaw(t time.Duration) time.Duration {
	return t + time.Duration(float64(c.interval)/math.Sqrt(float64(c.count)))
}
