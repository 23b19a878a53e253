// Package outside lets what was made outside of a bubble of testing/synctest be
// used inside one. In a bubble, timers, channels and the time are the bubble's:
// the process ends when somebody outside touches such a timer or channel, and
// the time stands still while goroutines run. So what both sides touch is made
// outside, by a goroutine that was started there.
package outside

import (
	"sync"
	"time"
)

// bubbled reports whether the caller is in a bubble: there, and on no other
// goroutine, readings of the time have no monotonic part (package runtime: "Don't
// return a monotonic time inside a synctest bubble").
func bubbled() bool {
	t := time.Now()
	return t == t.Round(0)
}

// A Door leads out of a bubble. It is safe for concurrent use. The zero Door
// leads nowhere: Do runs everything where it is called.
type Door struct {
	errands chan *errand // nil: made in a bubble, whose insides are everything there is
	closed  chan struct{}
	server  sync.WaitGroup
}

// errand is a function that another goroutine runs. Its lock is the way to wait
// that works between a bubble and what is around it.
type errand struct {
	f    func()
	done sync.Mutex
}

// Open starts the goroutine of the door, which ends with Close.
func (d *Door) Open() {
	if bubbled() {
		return
	}
	d.errands, d.closed = make(chan *errand), make(chan struct{})
	d.server.Go(d.serve)
}

// Outside reports whether the door was opened outside of bubbles: anybody, in a bubble
// or not, may touch what was made there. The zero Door doesn't say.
func (d *Door) Outside() bool { return d.errands != nil }

// Close ends the goroutine, and waits for it. It is called once; afterwards Do runs everything
// where it is called.
func (d *Door) Close() {
	if d.closed != nil {
		close(d.closed)
		d.server.Wait()
	}
}

func (d *Door) serve() {
	for {
		select {
		case e := <-d.errands:
			e.f()
			e.done.Unlock()
		case <-d.closed:
			return
		}
	}
}

// Do runs f: where the caller is in a bubble and the door isn't, outside of it. f
// must not wait for anything.
func (d *Door) Do(f func()) {
	if d.errands == nil || !bubbled() {
		f()
		return
	}
	e := &errand{f: f}
	e.done.Lock()
	select {
	case d.errands <- e:
		e.done.Lock()
	case <-d.closed:
		f()
	}
}
