package simnet

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/wsstack/wsstack/internal/outside"
)

// Bubble says that the network is in a bubble of testing/synctest: New fails where it isn't.
// Without Bubble, New finds out by itself whether it is called in a bubble.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := simnet.New(t, simnet.Bubble())
//		…
//	})
//
// In a bubble, stack.Config.SendBuffer of a host is 64 MiB unless given, and stack.Config.Memory
// 1 TiB. Many programs write with a mutex held, and package synctest takes a goroutine that waits
// for a mutex for one that runs: the time would stand still for ever if that Write waited. Where
// mutexes are held during a Read or a dial, nobody else may want them meanwhile. Timers that a
// library keeps in a sync.Pool of the whole process mustn't get from one bubble to the next: calling
// runtime.GC twice before synctest.Test empties all of them.
func Bubble() Option { return func(n *Network) { n.insists = true } }

// bubbleSendBuffer is stack.Config.SendBuffer of the hosts of a bubble, in bytes: so much that a
// Write hardly ever waits.
const bubbleSendBuffer = 64 << 20

// bubbleMemory is stack.Config.Memory of the hosts of a bubble, in bytes, for the same reason.
const bubbleMemory = 1 << 40

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
		return errors.New("simnet: " + call + outsideOfThisBubble)
	case here == 0:
		return errors.New("simnet: " + call + outsideOfBubble)
	}
	return errors.New("simnet: " + call + ": the network belongs to another bubble of testing/synctest: each bubble needs a network of its own")
}

const (
	outsideOfThisBubble = ": the network was made outside of this bubble of testing/synctest: " +
		"call simnet.New in the function that synctest.Test runs"
	outsideOfBubble = ": the network belongs to a bubble of testing/synctest, but the caller doesn't: " +
		"goroutines that use the network or its sockets are started in the bubble, and end in it"
)

// mustBeHere is checkBubble for calls of which a wrong one is a bug of the program: it panics.
func (n *Network) mustBeHere(call string) {
	if err := n.checkBubble(call); err != nil {
		panic(err.Error())
	}
}

// die ends the process with a panic on a goroutine of its own: the caller has locks, on which the
// cleanup of a test, or a server that recovers from panics, would wait forever.
func die(text string) {
	text += "\n\n" + string(debug.Stack())
	go panic(text)
	select {}
}

// isOpenUntilClose is a goroutine that a network without a test has in a bubble. When the bubble
// ends before the network is closed, package synctest panics and prints the goroutines that are
// left: this one says by its name what is missing.
func (n *Network) isOpenUntilClose() { <-n.closing }

// maxPacketsPerInstant is how many packets may be sent without time passing before the network is
// said to run in circles: more than a gigabyte. A variable for tests.
var maxPacketsPerInstant int64 = 1_000_000

// An instant counts the packets that were sent at the present time of a bubble.
type instant struct {
	at, packets atomic.Int64
}

// sent is called for each packet of a network in real time. In a bubble it ends the process where
// something runs in circles: the time of a bubble doesn't pass while there is something to do, and nobody
// outside can see that it stands still.
func (n *Network) sent() {
	n.bells.ring()
	if n.bubble == 0 {
		return
	}
	n.steps.Add(1)
	now, i := int64(n.now()), &n.instant
	if i.at.Swap(now) != now {
		i.packets.Store(0)
	}
	if i.packets.Add(1) == maxPacketsPerInstant {
		die(fmt.Sprintf("simnet: %d packets were sent at %s, and there is still more to do at that time: "+
			"something runs in circles, or sends until a time that doesn't come, because a link has neither Delay nor Rate",
			maxPacketsPerInstant, seconds(time.Duration(now))))
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
