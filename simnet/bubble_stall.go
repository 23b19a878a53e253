package simnet

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/wsstack/wsstack/internal/outside"
)

// bubbleLook is the time between two looks, in real time. What stands still at both is reported.
const bubbleLook = 20 * time.Second

// A bubbleWatch tells when the time of a bubble stands still for ever: package synctest takes a
// goroutine that waits for a mutex for one that runs, and moves no clock meanwhile. In the bubble
// nobody can see that, so the bubbleWatch looks from outside, in real time.
type bubbleWatch struct {
	looking sync.Mutex // one look at a time; taken before mu

	mu       sync.Mutex // a leaf; not held while the stacks are read, where it would look like a culprit
	networks []*watchedNetwork
}

// A watchedNetwork is an open network of a bubble.
type watchedNetwork struct {
	n    *Network
	last uint64 // what n.steps was at the last look; guarded by looking
	told bool   // a stall was reported; guarded by looking
}

// bubbles watches all networks in bubbles. Its timer is made here, outside of all bubbles, and goes
// on for as long as the process does.
var bubbles = newBubbleWatch()

func newBubbleWatch() *bubbleWatch {
	w := &bubbleWatch{}
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		w.look()
		timer.Reset(bubbleLook)
	})
	timer.Reset(bubbleLook)
	return w
}

func (w *bubbleWatch) add(n *Network) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.networks = append(w.networks, &watchedNetwork{n: n})
}

func (w *bubbleWatch) remove(n *Network) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.networks = slices.DeleteFunc(w.networks, func(o *watchedNetwork) bool { return o.n == n })
}

// look reports the bubbles in which nothing has happened since the last look, and nothing can.
func (w *bubbleWatch) look() {
	w.looking.Lock()
	defer w.looking.Unlock()
	w.mu.Lock()
	networks := slices.Clone(w.networks)
	w.mu.Unlock()
	for _, o := range networks {
		progress := o.n.steps.Load()
		if progress != o.last || o.told {
			o.last = progress
			continue
		}
		if culprits := stuckIn(o.n.bubble); len(culprits) > 0 {
			o.told = true
			fmt.Fprintf(stallOutput, "simnet: the time of a bubble stands still, because a goroutine waits for what "+
				"testing/synctest doesn't take for waiting, a mutex for instance, and no other one runs. "+
				"Who holds the mutex must not wait for the network meanwhile.\n\n%s\n", bytes.Join(culprits, []byte("\n\n")))
		}
	}
}

// stuckIn returns the stacks of the goroutines that keep the time of a bubble from passing, if none
// of the bubble's goroutines can run.
func stuckIn(bubble outside.Bubble) (culprits [][]byte) {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	mark := fmt.Appendf(nil, "synctest bubble %d]", bubble)
	for g := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		header, _, _ := bytes.Cut(g, []byte("\n"))
		_, state, _ := bytes.Cut(header, []byte("["))
		switch {
		case !bytes.Contains(header, mark), bytes.Contains(header, []byte("(durable)")):
		case bytes.HasPrefix(state, []byte("run")), bytes.HasPrefix(state, []byte("syscall")),
			bytes.HasPrefix(state, []byte("IO wait")), bytes.HasPrefix(state, []byte("GC")):
			return nil // it is at work
		default:
			culprits = append(culprits, g)
		}
	}
	return culprits
}
