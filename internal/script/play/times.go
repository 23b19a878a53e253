package play

import (
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// A window is when an event may happen.
type window struct {
	from, to  time.Duration // since the script began
	until     time.Duration // when a call that blocks has to return
	tolerance time.Duration
	any       bool // "*"; from is now, and to as late as it can be
}

// instant is how much later something may happen and still happen at the same time: the times of a
// Ground are whole microseconds, while timers of a stack have nanoseconds.
const instant = time.Microsecond - time.Nanosecond

// now is the present time as a script has it.
func (p *player) now() time.Duration { return p.ground.Now().Truncate(time.Microsecond) }

// windowOf is the window of the next event. What counts from the event before counts from the
// present, but for an inbound packet behind one: there it is the time at which the one before was
// due, so that errors of a real clock don't add up (packetdrill has the same rule).
func (p *player) windowOf(e *syntax.Event) window {
	t := e.Time
	var base time.Duration
	if t.Kind != syntax.Absolute {
		base = p.now()
		if a, ok := e.Action.(*syntax.Packet); ok && a.Inbound && p.lastSent {
			base = p.last
		}
	}
	w := window{from: base + t.From, to: base + t.To, until: base + t.Until}
	if t.Kind == syntax.AnyTime {
		w.any, w.from, w.to = true, base, base+anyTimeWait
	}
	if t.Blocks {
		w.to = w.from
	}
	w.tolerance = p.tolerance(w.from)
	return w
}

// tolerance is how much what is due at a time may be beside it.
func (p *player) tolerance(due time.Duration) time.Duration {
	percent := time.Duration(p.setup.TolerancePercent / 100 * float64(due-p.last))
	return max(p.setup.Tolerance, percent)
}

// checkTime refuses times that can't be.
func (p *player) checkTime(e *syntax.Event, w window) *Failure {
	f := &Failure{Pos: e.Pos, Event: e.Text}
	switch {
	case max(w.from, w.to, w.until) > MaxTime:
		f.What, f.Hint = "a script may take a year at most", "let less time pass"
	case w.to < w.from:
		f.What, f.Hint = "the range of times ends before it begins", "write the earlier time first"
	case e.Time.Blocks && w.until < w.from:
		f.What, f.Hint = "the call returns before it begins", "write the earlier time first"
	default:
		return nil
	}
	return f
}

// late is the Failure of an event whose time has passed.
func (p *player) late(e *syntax.Event, w window, now time.Duration) *Failure {
	return &Failure{
		Pos: e.Pos, Event: e.Text, What: "the time of the event has passed",
		Expected: []string{seconds(w.from)}, Actual: []string{seconds(now)},
		Hint: `write a time that isn't before that of the events above, or "+0" for: at once`,
	}
}

// advance lets time pass until a time. It fails when a call that was to have returned before hasn't.
func (p *player) advance(e *syntax.Event, until time.Duration) *Failure {
	until = max(until, p.ground.Now())
	for {
		f := p.wait(e, until, false)
		if f != nil || p.ground.Now() >= until {
			return f
		}
	}
}

// await is advance that returns early when a packet has come.
func (p *player) await(e *syntax.Event, until time.Duration) *Failure {
	there := len(p.waiting)
	for p.ground.Now() < until {
		if f := p.wait(e, until, true); f != nil || len(p.waiting) > there {
			return f
		}
	}
	return p.settle(e) // what came at the end of the time counts, too
}

// wait lets time pass until a time, or until a call is due, and collects what has happened.
func (p *player) wait(e *syntax.Event, until time.Duration, early bool) *Failure {
	next := max(min(until, p.nextDue()), p.ground.Now())
	if err := p.ground.Wait(next, early); err != nil {
		return p.broken(e, err)
	}
	if err := p.collect(); err != nil {
		return p.broken(e, err)
	}
	return p.checkCalls(until)
}

// broken is the Failure of a Ground that can't go on.
func (p *player) broken(e *syntax.Event, err error) *Failure {
	f := failureOf(e.Pos, e.Text, err)
	if f.Hint == "" {
		f.Hint = "let less happen, or let less time pass"
	}
	return f
}
