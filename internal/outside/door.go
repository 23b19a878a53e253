// Package outside lets what was made outside of a bubble of testing/synctest be used inside of one.
// In a bubble, timers, channels and the time are the bubble's: the process ends when somebody
// outside touches such a timer or channel, and the time stands still while goroutines run. So what
// both sides touch is made outside, by a goroutine that was started there.
package outside

import "sync"

// A Door leads out of a bubble. It is safe for concurrent use. The zero Door
// leads nowhere: Do runs every function on the goroutine of the caller.
type Door struct {
	errands chan *errand   // what the goroutine is to run; nil: the Door isn't open, or was opened in a bubble
	closed  chan struct{}  // closed by Close
	server  sync.WaitGroup // the goroutine
}

// An errand is a function that another goroutine runs. The lock in it is the way to wait that works
// between a bubble and what is around it.
type errand struct {
	f    func()
	done sync.Mutex // unlocked when f has returned
}

// Open starts the goroutine of the Door, which ends with Close. In a bubble Open does nothing:
// everything that touches what is made there is in the bubble, too.
func (d *Door) Open() {
	if Bubbled() {
		return
	}
	d.errands, d.closed = make(chan *errand), make(chan struct{})
	d.server.Go(d.serve)
}

// Outside reports whether the Door was opened outside of bubbles, so that anybody, in a bubble or
// not, may touch what Do makes. Of a Door that isn't open the answer is false.
func (d *Door) Outside() bool { return d.errands != nil }

// Close ends the goroutine, and waits for its end. Close is called once; afterwards Do runs every
// function on the goroutine of the caller.
func (d *Door) Close() {
	if d.closed != nil {
		close(d.closed)
		d.server.Wait()
	}
}

// serve is the goroutine of the Door.
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

// Do runs f and returns when f has returned. Where the caller is in a bubble and the Door isn't, f
// runs outside of the bubble. f must not wait for anything.
func (d *Door) Do(f func()) {
	if d.errands == nil || !Bubbled() {
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
