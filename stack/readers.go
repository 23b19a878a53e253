package stack

import "sync"

// maxReaders bounds the goroutines that read files for TransmitFile. A file that is
// slow keeps one of them.
const maxReaders = 4

// readers run functions that may wait, in order, on goroutines that end when there is
// nothing to run.
type readers struct {
	mu      sync.Mutex
	queue   []func() // bounded: one for each operation
	running int
	closed  bool
}

// Read implements socket.Host.
func (h *host) Read(f func()) bool {
	if h.cfg.Stepped {
		return false // a goroutine would be one step more
	}
	r := &h.readers
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return true // the operations are over
	}
	r.queue = append(r.queue, f)
	if r.running < maxReaders {
		r.running++
		h.outside.Do(func() { h.wg.Go(r.run) }) // ends when the queue is empty
	}
	return true
}

func (r *readers) run() {
	for f := r.next(); f != nil; f = r.next() {
		f()
	}
}

// next takes a function out of the queue; nil: the goroutine ends.
func (r *readers) next() func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		r.running--
		return nil
	}
	f := r.queue[0]
	r.queue[0] = nil
	r.queue = r.queue[1:]
	return f
}

// close drops what has not begun: from its return on, no goroutine starts.
func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.queue = true, nil
}
