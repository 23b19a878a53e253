package simnet

import (
	"fmt"
	"time"
)

// Run runs the network until the functions of Go have returned. It fails when
// they can't, or when more time than the RunLimit passes.
func (n *Network) Run() error {
	if n.tb != nil {
		n.tb.Helper()
	}
	return n.fail(n.runUntil(func() bool { return !n.busy() }, n.runLimit, "the goroutines have returned"))
}

// busy reports whether functions of Go have not returned.
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

// Do runs fn on a goroutine of the network, and the network until fn returns.
// It may be called on such a goroutine, too, and just calls fn then.
func (n *Network) Do(name string, fn func()) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	if !n.real && n.running() && inTask() {
		fn()
		return nil
	}
	t := n.Go(name, fn)
	return n.fail(n.runUntil(t.Done, n.runLimit, name+" has returned"))
}

func (n *Network) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current != nil
}

// Advance lets a span of time pass. Goroutines that wait go on waiting: that is
// no failure.
func (n *Network) Advance(d time.Duration) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	return n.AdvanceTo(n.now() + d)
}

// AdvanceTo is Advance to a time since New. A time that has passed does what
// there is to do now.
func (n *Network) AdvanceTo(t time.Duration) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	if n.real {
		time.Sleep(t - n.now())
		return nil
	}
	if _, err := n.drive(t, nil); err != nil {
		return n.fail(err)
	}
	n.clock.set(t)
	return nil
}

// RunUntil runs the network until the condition holds: it is looked at after
// every step, on this goroutine. It fails when the limit, a span of time,
// passes before, and at once when nothing can happen any more.
func (n *Network) RunUntil(condition func() bool, limit time.Duration) error {
	if n.tb != nil {
		n.tb.Helper()
	}
	return n.fail(n.runUntil(condition, limit, "the condition holds"))
}

func (n *Network) runUntil(condition func() bool, limit time.Duration, what string) error {
	end := n.now() + limit
	if n.real {
		for !condition() {
			if n.now() >= end {
				return fmt.Errorf("simnet: %v have passed before %s\n%s", limit, what, n.report())
			}
			time.Sleep(time.Millisecond)
		}
		return nil
	}
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

// Idle runs the network until nothing is left to do at this instant. Time
// doesn't pass.
func (n *Network) Idle() error {
	if n.tb != nil {
		n.tb.Helper()
	}
	return n.AdvanceTo(n.now())
}
