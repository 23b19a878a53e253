package simnet

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A channelWaiter is the endpoint.Waiter of real time and of bubbles: a channel that holds one
// signal. The network knows who waits, for its reports.
type channelWaiter struct {
	n       *Network
	signals chan struct{}
	ends    bool // Close ends the wait; false: whoever made the waiter does
}

func (n *Network) newChannelWaiter(ends bool) *channelWaiter {
	return &channelWaiter{n: n, signals: make(chan struct{}, 1), ends: ends}
}

// Wait implements endpoint.Waiter.
func (w *channelWaiter) Wait(reason string) {
	n := w.n
	n.wall.Now() // looks where the caller is
	select {
	case <-w.signals:
		return
	default:
	}
	n.steps.Add(1)
	c := n.blocked.add(reason, n.now())
	defer n.blocked.remove(c)
	if !w.ends {
		<-w.signals
		return
	}
	select {
	case <-w.signals:
	case <-n.closing:
		n.leave(reason)
	}
}

// Signal implements endpoint.Waiter.
func (w *channelWaiter) Signal() {
	select {
	case w.signals <- struct{}{}:
	default: // a signal is waiting already
	}
	w.n.bells.ring()
}

// leave ends the goroutine of Go that calls it, because the network is closed. Elsewhere it panics.
func (n *Network) leave(what string) {
	if inTask() {
		runtime.Goexit()
	}
	panic(fmt.Sprintf("simnet: %s would block, but the network is closed", what))
}

// A blockedCall is a call that waits.
type blockedCall struct {
	reason string        // what the call waits for
	since  time.Duration // when the wait began, as the time since New
	slot   int           // the call's place in the list
}

// blockedCalls are the calls that wait, in real time and in bubbles.
type blockedCalls struct {
	mu   sync.Mutex // a leaf
	list []*blockedCall
}

func (b *blockedCalls) add(reason string, since time.Duration) *blockedCall {
	c := &blockedCall{reason: reason, since: since}
	b.mu.Lock()
	defer b.mu.Unlock()
	c.slot = len(b.list)
	b.list = append(b.list, c)
	return c
}

func (b *blockedCalls) remove(c *blockedCall) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := len(b.list) - 1
	b.list[c.slot] = b.list[last]
	b.list[c.slot].slot = c.slot
	b.list[last] = nil
	b.list = b.list[:last]
}

// reportCalls is how many calls a report shows at most.
const reportCalls = 24

// report says what calls wait for, the oldest first.
func (b *blockedCalls) report(out *strings.Builder) {
	b.mu.Lock()
	calls := slices.Clone(b.list)
	b.mu.Unlock()
	slices.SortStableFunc(calls, func(x, y *blockedCall) int { return int(x.since - y.since) })
	for i, c := range calls {
		if i == reportCalls {
			fmt.Fprintf(out, "… and %d more calls wait\n", len(calls)-i)
			return
		}
		fmt.Fprintf(out, "a call waits for %s since %s\n", c.reason, seconds(c.since))
	}
}

// bells are rung whenever something happens on the network in real time or in a bubble: a packet
// is sent, a call is woken, a goroutine of Go returns. Who waits for a condition looks again then.
type bells struct {
	count atomic.Int32 // the length of the list
	mu    sync.Mutex   // a leaf
	list  []chan struct{}
}

// hang adds a bell.
func (b *bells) hang() chan struct{} {
	bell := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, bell)
	b.count.Store(int32(len(b.list)))
	return bell
}

// take removes a bell.
func (b *bells) take(bell chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = slices.DeleteFunc(b.list, func(o chan struct{}) bool { return o == bell })
	b.count.Store(int32(len(b.list)))
}

// ring never blocks.
func (b *bells) ring() {
	if b.count.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bell := range b.list {
		select {
		case bell <- struct{}{}:
		default: // it has been rung
		}
	}
}

// The pauses between two looks at a condition that nothing has rung for: it may be about what the
// network knows nothing of.
const (
	firstPause = time.Millisecond
	pauseShare = 1000 // in a bubble the pause grows with the time that has passed, by this share
)

// await looks at the condition when a bell rings, and reports whether the condition holds before a
// span of time has passed. With polling it looks now and then besides, and in a bubble only when
// everything else that there is to do now has been done.
func (n *Network) await(condition func() bool, limit time.Duration, polling bool) bool {
	bell := n.bells.hang()
	defer n.bells.take(bell)
	begun := n.now()
	end := begun + limit
	if end < begun {
		end = 1<<63 - 1
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := n.now()
		if n.bubble != 0 && (polling || now >= end) {
			n.settleBubble() // where that is impossible the condition is looked at without
		}
		switch {
		case condition():
			return true
		case now >= end:
			return false
		}
		pause := end - now
		if polling {
			pause = min(pause, n.pause(now-begun))
		}
		timer.Reset(pause)
		select {
		case <-bell:
		case <-timer.C:
		}
	}
}

// pause is how long await waits for a bell when so much time has passed.
func (n *Network) pause(passed time.Duration) time.Duration {
	if n.bubble == 0 {
		return firstPause
	}
	return max(firstPause, passed/pauseShare)
}
