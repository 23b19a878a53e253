package simnet

import (
	"fmt"
	"time"
)

// Run runs the network until the functions of Go have returned. It fails where they can't return
// any more, and when more time than the RunLimit has passed.
func (n *Network) Run() error {
	if n.tb != nil {
		n.tb.Helper()
	}
	return n.fail(n.runUntil(func() bool { return !n.busy() }, n.runLimit, false, "the goroutines have returned"))
}

// busy reports whether a function of Go has not returned.
func (n *Network) busy() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.tasks {
		if !t.background {
			return true
		}
	}
	return false
}

// Do runs fn on a goroutine of the network, and runs the network until fn returns. On a goroutine
// of the network Do just calls fn.
func (n *Network) Do(name string, fn func()) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	if inTask() && (n.real || n.running()) {
		fn()
		return nil
	}
	t := n.Go(name, fn)
	return n.fail(n.runUntil(t.Done, n.runLimit, false, name+" has returned"))
}

// running reports whether a goroutine of the network runs.
func (n *Network) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current != nil
}

// Advance lets a span of time pass. It is no failure where goroutines still wait afterwards.
func (n *Network) Advance(d time.Duration) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	n.mustBeHere("Advance")
	return n.AdvanceTo(n.now() + d)
}

// AdvanceTo lets time pass until a time, which counts from New. With a time that has passed the
// network does what there is to do now.
func (n *Network) AdvanceTo(t time.Duration) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	if n.real {
		return n.fail(n.sleepUntil(t))
	}
	if _, err := n.drive(t, nil); err != nil {
		return n.fail(err)
	}
	n.clock.set(t)
	return nil
}

// sleepUntil is AdvanceTo in real time. In a bubble it returns when what is due at t has happened.
func (n *Network) sleepUntil(t time.Duration) error {
	n.mustBeHere("Advance")
	time.Sleep(t - n.now())
	if n.bubble == 0 {
		return nil
	}
	return n.settleBubble()
}

// RunUntil runs the network until the condition holds, which is looked at after every step, on the
// goroutine of the caller. RunUntil fails when the limit, a span of time, has passed before, and at
// once where nothing can happen any more.
//
// In real time and in a bubble other goroutines run at the same time as the condition: what it reads
// of theirs has to be an atomic, or behind a mutex. It is looked at when something has happened on
// the network, and now and then besides: each millisecond, and in a bubble after a thousandth of the
// time that has passed, if that is longer. In a bubble, where nobody but the runtime knows what can
// still happen, RunUntil fails after the limit only.
func (n *Network) RunUntil(condition func() bool, limit time.Duration) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	return n.fail(n.runUntil(condition, limit, true, "the condition holds"))
}

// runUntil is RunUntil without the end of the test. Without polling the condition is one that only
// the network changes; what says what the condition is.
func (n *Network) runUntil(condition func() bool, limit time.Duration, polling bool, what string) error {
	n.mustBeHere("a call that runs the network")
	if n.real {
		return n.runUntilReal(condition, limit, polling, what)
	}
	end := n.now() + limit
	how, err := n.drive(end, condition)
	switch {
	case err != nil:
		return err
	case how == met:
		return nil
	}
	now := n.clock.read()
	n.clock.set(end) // the condition may be about time
	switch {
	case condition():
		return nil
	case how == idle:
		return &HangError{At: now, What: what, Report: n.report()}
	}
	return fmt.Errorf("simnet: %v have passed before %s\n%s", limit, what, n.report())
}

// runUntilReal is runUntil in real time.
func (n *Network) runUntilReal(condition func() bool, limit time.Duration, polling bool, what string) error {
	met := false
	over := func() bool {
		met = condition()
		return met || n.isClosed()
	}
	switch ended := n.await(over, limit, polling); {
	case met:
		return nil
	case ended:
		return fmt.Errorf("simnet: the network was closed before %s", what)
	}
	return fmt.Errorf("simnet: %v have passed before %s\n%s", limit, what, n.report())
}

// Idle runs the network until nothing is left to do at this instant. No time passes.
func (n *Network) Idle() error {
	if n.tb != nil {
		n.tb.Helper()
	}
	n.mustBeHere("Idle")
	return n.AdvanceTo(n.now())
}
