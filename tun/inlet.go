package tun

import "sync"

// batchSize is the number of packets a reader hands to receive at most: large
// enough to amortise a lock, small enough to stay in a cache.
const batchSize = 64

// inlet is the receiving half of an in-memory device: a queue, and the
// goroutine that empties it into receive.
//
//	new ──start──▶ started ──stop──▶ stopped
//	 └───────────────stop──────────────▲
//
// What is queued before start is delivered after it.
type inlet struct {
	queue *Queue

	mu      sync.Mutex // guards the fields below; not held while receive runs
	started bool
	stopped bool
	reader  sync.WaitGroup
}

func newInlet() *inlet { return &inlet{queue: NewQueue(0, 0)} }

func (in *inlet) start(receive func([]Packet)) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.stopped:
		return ErrClosed
	case in.started:
		return ErrStarted
	}
	in.started = true
	in.reader.Go(func() { in.run(receive) }) // ends when stop closes the queue
	return nil
}

func (in *inlet) run(receive func([]Packet)) {
	var batch [batchSize]Packet
	for {
		n, ok := in.queue.Wait(batch[:])
		if !ok {
			return
		}
		receive(batch[:n])
		clear(batch[:n])
		in.queue.Done(n)
	}
}

// stop ends and joins the reader. Every caller waits, not only the first.
func (in *inlet) stop() {
	in.mu.Lock()
	in.stopped = true
	in.mu.Unlock()
	in.queue.Close()
	in.reader.Wait()
}
