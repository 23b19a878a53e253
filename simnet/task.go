package simnet

import (
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/wsstack/wsstack/endpoint"
)

// A task is a goroutine of Network.Go. The task is a coroutine of the scheduler: it runs only while
// the scheduler is inside resume.
//
//	ready ──resume──▶ running ──park──▶ waiting ──Signal──▶ ready
//	                     │
//	                     └── returns ──▶ done
type task struct {
	n          *Network
	name       string
	background bool   // Run doesn't wait for the task
	fn         func() // the function of Go

	// The functions of the coroutine, which are nil in real time.
	next  func() (struct{}, bool) // runs the task until it waits or ends
	stop  func()                  // ends the task, wherever it waits
	yield func(struct{}) bool     // gives the turn back

	// The fields below are guarded by n.mu.
	reason string            // what the task waits for; "" while it doesn't wait
	since  time.Duration     // when the wait began
	done   bool              // the function has returned
	joined []endpoint.Waiter // signalled at the end
}

// A killed is the panic that unwinds a task when its network is closed. Only task.main recovers it.
type killed struct{}

// Go starts a goroutine of the network, by which ordinary blocking code runs in
// virtual time: the sockets of every host may be used in it, and each call that
// blocks lets the network go on. The function starts when the network runs, in
// the order of the calls of Go. The function may call Go itself.
//
// The only ways to wait that the function has are sockets, Sleep, waiters of NewWaiter, Wire
// and Task.Wait: the network can't see a channel or a mutex, and stands still while a goroutine
// waits for one. Where the function panics, so does the call that runs the network; t.FailNow in
// the function ends the test.
//
// In real time and in a bubble the goroutine is an ordinary one, which may wait for anything.
func (n *Network) Go(name string, fn func()) *Task { return n.start(name, false, fn) }

// Background is Go for servers: Run doesn't wait for the function to return, and Close ends the
// function, wherever it waits.
func (n *Network) Background(name string, fn func()) *Task { return n.start(name, true, fn) }

// A Task is a goroutine that Go has started.
type Task struct{ t *task }

// Done reports whether the function has returned.
func (k *Task) Done() bool {
	k.t.n.mu.Lock()
	defer k.t.n.mu.Unlock()
	return k.t.done
}

// Wait waits until the function has returned. It is called on another goroutine of the network.
func (k *Task) Wait() {
	t := k.t
	w := t.n.NewWaiter()
	t.n.mu.Lock()
	done := t.done
	t.joined = append(t.joined, w)
	t.n.mu.Unlock()
	if !done {
		w.Wait("the end of " + t.name)
	}
}

func (n *Network) start(name string, background bool, fn func()) *Task {
	n.mustBeHere("Go")
	t := &task{n: n, name: name, background: background, fn: fn}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		panic("simnet: Go: the network is closed")
	}
	n.tasks = append(n.tasks, t)
	if n.real {
		go t.run() // ends when fn returns; Close waits for that
		return &Task{t}
	}
	t.next, t.stop = iter.Pull(t.main)
	n.pushLocked(turn{task: t})
	return &Task{t}
}

// run is the goroutine of a task in real time.
//
//go:noinline
func (t *task) run() {
	defer t.finish()
	t.fn()
}

// main is the bottom of every task's stack in virtual time: inTask looks for it.
//
//go:noinline
func (t *task) main(yield func(struct{}) bool) {
	t.yield = yield
	defer func() {
		t.finish()
		switch r := recover(); r {
		case nil, killed{}: // nil: the end, or Goexit
		default:
			panic(fmt.Sprintf("goroutine %q of the network panics: %v\n\n%s", t.name, r, debug.Stack()))
		}
	}()
	t.fn()
}

// finish ends the task.
func (t *task) finish() {
	t.n.mu.Lock()
	t.done = true
	t.n.tasks = slices.DeleteFunc(t.n.tasks, func(o *task) bool { return o == t })
	joined := t.joined
	t.n.mu.Unlock()
	for _, w := range joined {
		w.Signal()
	}
	t.n.bells.ring()
}

// park gives the turn back until somebody pushes the task again. Precondition:
// it is called on the task's goroutine.
func (t *task) park() {
	if t.n.isClosed() || !t.yield(struct{}{}) {
		panic(killed{})
	}
}

var mainEntry, runEntry = funcEntry((*task).main), funcEntry((*task).run)

// inTask reports whether the caller runs on a goroutine of Go. In virtual time only one of these
// goroutines runs at a time, so that it is the current one. inTask looks for task.main or task.run
// at the bottom of the stack: a goroutine has no other cheap identity.
func inTask() bool {
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		for i := n - 1; i >= 0; i-- {
			if f := runtime.FuncForPC(pcs[i] - 1); f != nil && (f.Entry() == mainEntry || f.Entry() == runEntry) {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}

// A waiter is the endpoint.Waiter of virtual time.
type waiter struct {
	n         *Network
	signalled bool  // Signal was called, and nobody waited; guarded by n.mu
	parked    *task // who waits; nil: nobody does; guarded by n.mu
}

// NewWaiter returns a waiter for goroutines of the network that wait for each other: one calls
// Wait, and another one, or a timer, calls Signal. One goroutine at a time may wait.
func (n *Network) NewWaiter() endpoint.Waiter {
	if n.real {
		n.mustBeHere("NewWaiter")
		return n.newChannelWaiter(true)
	}
	return &waiter{n: n}
}

// newSocketWaiter is a waiter of a host's sockets.
func (n *Network) newSocketWaiter() endpoint.Waiter {
	if n.real {
		return n.newChannelWaiter(false)
	}
	return &waiter{n: n}
}

// Wait implements endpoint.Waiter: here the turn goes to somebody else.
func (w *waiter) Wait(reason string) {
	n := w.n
	n.mu.Lock()
	if w.signalled {
		w.signalled = false
		n.mu.Unlock()
		return
	}
	n.mu.Unlock()
	t := n.caller(reason)
	n.mu.Lock()
	w.parked = t
	t.reason, t.since = reason, n.clock.read()
	n.mu.Unlock()
	t.park()
}

// Signal implements endpoint.Waiter.
func (w *waiter) Signal() {
	w.n.mu.Lock()
	defer w.n.mu.Unlock()
	t := w.parked
	if t == nil {
		w.signalled = true
		return
	}
	w.parked, t.reason = nil, ""
	w.n.pushLocked(turn{task: t})
}

// caller returns the running task, for a call that has to wait on the task's goroutine.
func (n *Network) caller(what string) *task {
	n.mu.Lock()
	t, closed := n.current, n.closed
	n.mu.Unlock()
	n.mustBeHere(what)
	switch in := inTask(); {
	case t != nil && in:
		return t
	case closed && in:
		panic(killed{})
	case closed:
		panic(fmt.Sprintf("simnet: %s would block, but the network is closed", what))
	}
	panic(fmt.Sprintf("simnet: %s would block outside the goroutines of the network: in virtual time, "+
		"blocking calls belong into Network.Go or Do (timers and other goroutines can't wait; "+
		"for programs with goroutines of their own, call simnet.New in a bubble of testing/synctest)", what))
}

// Sleep waits for a span of the network's time. In the deterministic mode only goroutines of Go may
// call Sleep; others use Advance. With zero or less everything else that is ready goes first.
func (n *Network) Sleep(d time.Duration) {
	if n.real {
		n.sleep(d)
		return
	}
	t := n.caller("Sleep")
	w := &waiter{n: n}
	if d <= 0 {
		n.mu.Lock()
		n.pushLocked(turn{task: t})
		n.mu.Unlock()
		t.park()
		return
	}
	clockView{n.clock, owner{}}.AfterFunc(d, w.Signal)
	w.Wait("sleep")
}

// sleep is Sleep in real time. Close ends goroutines of Go that sleep.
func (n *Network) sleep(d time.Duration) {
	n.mustBeHere("Sleep")
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.closing:
		if inTask() {
			runtime.Goexit()
		}
		<-timer.C
	}
}
