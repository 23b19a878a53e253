package wg

import (
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/wsstack/wsstack/internal/fifo"
)

// maxInside is how many packets are inside of the engine in each direction, but for a batch. A
// packet there takes a buffer of 64 KiB, whatever its size. A batch is the work of one processor:
// two keep two busy, so that more make nothing faster there, and more processors want more batches.
func maxInside() int { return max(128, 64*runtime.GOMAXPROCS(0)) }

// A flight is the buffers of the engine that have a packet on its way in one direction. Buffers are
// told apart by their first byte. Its methods are safe for concurrent use.
type flight struct {
	limit int
	times patience
	room  chan struct{} // has one element when there may be room

	mu     sync.Mutex
	inside map[uintptr]uint64 // the buffers, with the numbers of their entries
	entry  uint64             // the number of the last entry
	left   uint64             // the number of the last entry among those whose buffers have left
	order  fifo.Queue[boarding]

	// gaveUp are when the last buffers weren't counted anymore because of their age, the time of
	// the n-th at n modulo their number.
	gaveUp  [8]time.Time
	givenUp int // how many there were in all
}

// A patience is the time after which a buffer isn't counted anymore, as the engine keeps packets
// for a peer that doesn't answer, and doesn't tell when it drops one that can't be decrypted.
type patience struct {
	overtaken time.Duration // if the buffer of a later packet has left
	longest   time.Duration // in any case: the process may be what is slow
}

// What comes in is counted for a shorter time, as nothing has a reason to stay: whoever can repeat
// the packets of a peer, which the engine then drops, would have the others wait.
var (
	outbound = patience{overtaken: 50 * time.Millisecond, longest: 500 * time.Millisecond}
	inbound  = patience{overtaken: 20 * time.Millisecond, longest: 20 * time.Millisecond}
)

// crowd is how many times its limit a flight counts at most, where nobody waits for room.
const crowd = 16

// A boarding is when a buffer got its packet.
type boarding struct {
	buffer uintptr
	entry  uint64
	at     time.Time
}

// newFlight returns a flight in which limit buffers are, and one batch more, at most.
func newFlight(limit int, times patience) *flight {
	return &flight{limit: limit, times: times, room: make(chan struct{}, 1), inside: map[uintptr]uint64{}}
}

// wait waits until there is room for a batch, and reports whether there is. It gives up when stop
// is closed.
func (f *flight) wait(stop <-chan struct{}) bool {
	for {
		until := f.full()
		if until <= 0 {
			f.tell() // the next one who waits
			return true
		}
		timer := time.NewTimer(until)
		select {
		case <-f.room:
		case <-timer.C:
		case <-stop:
			return false
		}
		timer.Stop()
	}
}

// full is how long it takes until there is room, whatever the engine does; 0: there is some.
func (f *flight) full() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.inside) < f.limit {
		return 0
	}
	now := time.Now()
	f.expireLocked(now)
	if len(f.inside) < f.limit {
		return 0
	}
	first := f.order.First()
	return f.staysLocked(first) - now.Sub(first.at)
}

// staysLocked is how long a buffer is counted.
func (f *flight) staysLocked(b *boarding) time.Duration {
	if b.entry < f.left {
		return f.times.overtaken
	}
	return f.times.longest
}

// expireLocked ends the counting of buffers that got their packets too long ago.
func (f *flight) expireLocked(now time.Time) {
	for f.order.Len() > 0 {
		first := f.order.First()
		if f.inside[first.buffer] == first.entry {
			if now.Sub(first.at) < f.staysLocked(first) && len(f.inside) <= crowd*f.limit {
				return
			}
			delete(f.inside, first.buffer)
			f.gaveUp[f.givenUp%len(f.gaveUp)] = now
			f.givenUp++
		}
		f.order.Pop()
	}
}

// stalled reports whether several packets were inside for too long within the last second: they are
// for peers that don't answer, or were dropped. To wait for them would have the others wait.
func (f *flight) stalled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.givenUp >= len(f.gaveUp) && time.Since(f.gaveUp[f.givenUp%len(f.gaveUp)]) < time.Second
}

// enter notes that packets are in these buffers. What was in a buffer before isn't anymore.
func (f *flight) enter(buffers [][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for _, b := range buffers {
		f.entry++
		id := bufferID(b)
		f.inside[id] = f.entry
		f.order.Push(boarding{id, f.entry, now})
	}
	f.expireLocked(now)
}

// leave notes that the packets of these buffers have left the engine. Buffers that aren't in the
// flight are passed over.
func (f *flight) leave(buffers [][]byte) {
	f.mu.Lock()
	for _, b := range buffers {
		if len(b) == 0 {
			continue
		}
		id := bufferID(b)
		if entry, ok := f.inside[id]; ok {
			f.left = max(f.left, entry)
			delete(f.inside, id)
		}
	}
	f.mu.Unlock()
	f.tell()
}

// tell wakes one of those who wait.
func (f *flight) tell() {
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// bufferID tells a buffer of the engine from others. It keeps none of them alive.
func bufferID(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
