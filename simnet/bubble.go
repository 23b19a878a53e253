package simnet

import (
	"errors"
	"sync/atomic"
	"testing/synctest"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/monotonic"
	"github.com/wsstack/wsstack/internal/outside"
)

// Bubble says that the network is in a bubble of testing/synctest: New fails where it isn't.
// Without Bubble, New finds out by itself whether it is called in a bubble.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := simnet.New(t, simnet.Bubble())
//		…
//	})
func Bubble() Option { return func(n *Network) { n.insists = true } }

var errNoBubble = errors.New(`simnet: Bubble: New was called outside of a bubble of testing/synctest; write
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(t, simnet.Bubble())
		…
	})`)

var errOuterTest = errors.New("simnet: New was called in a bubble of testing/synctest with the testing.T of the test around it, " +
	"whose Cleanup comes after the bubble has ended: New needs the t that synctest.Test gives its function")

// chooseMode finds out whether the network is in a bubble. There it is one in real time, which is
// the time of the bubble: the goroutines of stacks and links, their channels and their timers all
// are the bubble's. A goroutine with work to do is runnable, and one without waits durably, so the
// time of the bubble passes only when the network has nothing left to do.
func (n *Network) chooseMode() error {
	n.bubble = outside.Here()
	switch {
	case n.bubble == 0 && n.insists:
		return errNoBubble
	case n.bubble != 0 && isOuterTest(n.tb):
		return errOuterTest
	case n.bubble != 0:
		n.real = true
	}
	return nil
}

// isOuterTest reports whether tb is a testing.T that doesn't come from synctest.Test. The Deadline
// of one that does panics, as it has no answer in fake time.
func isOuterTest(tb TB) (outer bool) {
	t, ok := tb.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return false
	}
	defer func() { outer = recover() == nil }()
	t.Deadline()
	return
}

// checkBubble returns an error where the caller isn't in the bubble of the network, or is in one
// and the network isn't. call names the call for the error.
func (n *Network) checkBubble(call string) error {
	switch here := outside.Here(); {
	case here == n.bubble:
		return nil
	case n.bubble == 0:
		return errors.New("simnet: " + call + ": the network was made outside of this bubble of testing/synctest: " +
			"call simnet.New in the function that synctest.Test runs")
	case here == 0:
		return errors.New("simnet: " + call + outsideOfBubble)
	}
	return errors.New("simnet: " + call + ": the network belongs to another bubble of testing/synctest: each bubble needs a network of its own")
}

const outsideOfBubble = ": the network belongs to a bubble of testing/synctest, but the caller doesn't: " +
	"goroutines that use the network or its sockets are started in the bubble, and end in it"

// mustBeHere is checkBubble for calls of which a wrong one is a bug of the program: it panics.
func (n *Network) mustBeHere(call string) {
	if err := n.checkBubble(call); err != nil {
		panic(err.Error())
	}
}

// isOpenUntilClose is a goroutine that a network without a test has in a bubble. When the bubble
// ends before the network is closed, package synctest panics and prints the goroutines that are
// left: this one says by its name what is missing.
func (n *Network) isOpenUntilClose() { <-n.closing }

// A bubbleClock is the clock of a bubble. It panics where it is used outside of bubbles: the
// runtime would end the process a little later, without a word of what is wrong.
type bubbleClock struct {
	begun  time.Time    // when the network was made
	bells  *bells       // rung when a timer fires
	timers atomic.Int64 // how many have yet to fire
}

var _ tcpip.Clock = (*bubbleClock)(nil)

// Now implements tcpip.Clock.
func (c *bubbleClock) Now() time.Time {
	now := time.Now()
	if !outside.Fake(now) {
		panic("simnet: a socket" + outsideOfBubble)
	}
	return now
}

// NowMonotonic implements tcpip.Clock.
func (c *bubbleClock) NowMonotonic() tcpip.MonotonicTime {
	return monotonic.At(startMonotonic + c.Now().Sub(c.begun))
}

// AfterFunc implements tcpip.Clock.
func (c *bubbleClock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	c.Now() // panics outside
	c.timers.Add(1)
	return &bubbleTimer{c, time.AfterFunc(d, func() {
		c.timers.Add(-1)
		c.bells.ring()
		f()
	})}
}

// A bubbleTimer is a timer that its clock counts while it has yet to fire.
type bubbleTimer struct {
	clock *bubbleClock
	timer *time.Timer
}

// Stop implements tcpip.Timer.
func (t *bubbleTimer) Stop() bool {
	t.clock.Now()
	stopped := t.timer.Stop()
	if stopped {
		t.clock.timers.Add(-1)
	}
	return stopped
}

// Reset implements tcpip.Timer.
func (t *bubbleTimer) Reset(d time.Duration) {
	t.clock.Now()
	t.clock.timers.Add(1)
	if t.timer.Reset(d) { // it hadn't fired, and doesn't any more
		t.clock.timers.Add(-1)
	}
}

// settleBubble returns when all other goroutines of the bubble wait for something in it. Package
// synctest lets one goroutine of a bubble at a time ask for that; others that come meanwhile get
// the answer of the first.
func (n *Network) settleBubble() error {
	n.mu.Lock()
	if done := n.settling; done != nil {
		n.mu.Unlock()
		<-done
		return nil
	}
	done := make(chan struct{})
	n.settling = done
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.settling = nil
		n.mu.Unlock()
		close(done)
	}()
	return waitInBubble()
}

func waitInBubble() (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("simnet: a goroutine of the bubble is in synctest.Wait, which serves one at a time: the network can't settle meanwhile")
		}
	}()
	synctest.Wait()
	return nil
}
