package play

import (
	"math"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// A pending is a call that hasn't returned.
type pending struct {
	event   *syntax.Event
	running Running
	line    int // the number of its line in the conversation
	began   time.Duration
	blocks  bool // it returns at until, and no earlier
	until   time.Duration
	margin  time.Duration // the tolerance
}

// call makes a call. One that doesn't block has returned when nothing more can happen now.
func (p *player) call(e *syntax.Event, c *syntax.Call, w window) *Failure {
	if len(p.pending) == MaxPending {
		return &Failure{Pos: e.Pos, Event: e.Text, What: "too many calls wait at once", Hint: "let calls return before others begin"}
	}
	now := p.now()
	p.result.Calls++
	p.announce(c)
	line := p.line(now, e.Text+" …")
	call := &pending{event: e, running: p.ground.Call(c), line: line, began: now, blocks: e.Time.Blocks, until: w.until, margin: p.margin(w)}
	if !call.blocks {
		call.until = now
	}
	p.pending = append(p.pending, call)
	if f := p.settle(e); f != nil || call.blocks {
		return f
	}
	for p.isPending(call) && p.ground.Now() < call.due() { // the tolerance
		if f := p.wait(e, call.due(), true); f != nil {
			return f
		}
	}
	if !p.isPending(call) {
		return p.settle(e)
	}
	return call.waits(p.now())
}

// margin is how much a call may return beside its time: the tolerance, or the percentage of the time
// that it waits (packetdrill has the same rule).
func (p *player) margin(w window) time.Duration {
	return max(w.tolerance, time.Duration(p.setup.TolerancePercent/100*float64(w.until-w.from)))
}

func (p *player) isPending(c *pending) bool { return slices.Contains(p.pending, c) }

// announce tells the peer what a call is about to change in who talks with whom.
func (p *player) announce(c *syntax.Call) {
	switch c.Name {
	case "bind":
		if len(c.Args) > 1 {
			if port, ok := portOf(c.Args[1]); ok {
				p.peer.Bind(port)
			}
		}
	case "listen":
		p.peer.Listen()
	case "connect", "WSAConnect", "ConnectEx", "sendto", "WSASendTo":
		p.peer.Connect()
	}
}

// due is the last moment at which the call may return.
func (c *pending) due() time.Duration { return c.until + c.margin + instant }

// nextDue is when the first of the calls has to have returned.
func (p *player) nextDue() time.Duration {
	due := time.Duration(math.MaxInt64)
	for _, c := range p.pending {
		due = min(due, c.due())
	}
	return due
}

// checkCalls looks which calls have returned, and when, in the order in which they were made. Time
// is about to go on to next: a call that is due before fails.
func (p *player) checkCalls(next time.Duration) *Failure {
	var failure *Failure
	p.pending = slices.DeleteFunc(p.pending, func(c *pending) bool {
		if failure != nil {
			return false
		}
		o, at, done := c.running.Outcome()
		if done {
			p.endLine(c, at, o.Text)
		}
		switch now := p.ground.Now(); {
		case done && o.Fault != nil:
			failure = faultFailure(c.event, o.Fault)
		case done && c.blocks && (at < c.until-c.margin || at > c.until+c.margin):
			failure = c.wrongTime(at)
		case !done && now >= c.due() && next > c.due():
			failure = c.waits(p.now())
		}
		return done
	})
	return failure
}

// wrongTime is the Failure of a call that has returned too early or too late.
func (c *pending) wrongTime(at time.Duration) *Failure {
	return &Failure{
		Pos: c.event.Pos, Event: c.event.Text, What: "the call has returned at another time",
		Expected: []string{"returns at " + seconds(c.until)}, Actual: []string{"returned at " + seconds(at)},
	}
}

// waits is the Failure of a call that hasn't returned in time.
func (c *pending) waits(now time.Duration) *Failure {
	f := &Failure{
		Pos: c.event.Pos, Event: c.event.Text, What: "the call hasn't returned",
		Expected: []string{"returns at " + seconds(c.until)}, Actual: []string{"still waits at " + seconds(now)},
	}
	if !c.blocks {
		f.What = "the call waits"
		f.Hint = "say when it returns, such as +0...+0.1, or make the socket non-blocking"
	}
	return f
}

// finish waits for the calls that are left.
func (p *player) finish() *Failure {
	for len(p.pending) > 0 {
		c := p.pending[0]
		if f := p.advance(c.event, c.due()); f != nil {
			return f
		}
		if f := p.checkCalls(math.MaxInt64); f != nil {
			return f
		}
	}
	return nil
}
