package play

import (
	"fmt"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// outbound waits for a packet of the stack, which may be there already. Packets of other
// connections stay for later events.
func (p *player) outbound(e *syntax.Event, a *syntax.Packet, w window) *Failure {
	expected, err := p.peer.Expect(a)
	if err != nil {
		return failureOf(e.Pos, e.Text, err)
	}
	for i := 0; ; {
		if i == len(p.waiting) {
			if f := p.await(e, w.to+w.tolerance+instant); f != nil {
				return f
			}
			if i == len(p.waiting) {
				return p.missing(e, w, expected)
			}
		}
		got := p.waiting[i]
		verdict, mismatch := expected.Offer(got.data)
		if verdict == segment.Foreign {
			i++
			continue
		}
		p.waiting = slices.Delete(p.waiting, i, i+1)
		switch {
		case verdict == segment.Wrong:
			return mismatchFailure(e, got.at, w.near(got.at), mismatch)
		case !w.has(got.at):
			return p.untimely(e, w, got)
		case verdict == segment.Done:
			return nil
		}
	}
}

// has reports whether a time is in the window.
func (w window) has(at time.Duration) bool {
	return w.any || at >= w.from-w.tolerance && at <= w.to+w.tolerance
}

// near is the time of the window that is next to another one.
func (w window) near(at time.Duration) time.Duration { return min(max(at, w.from), w.to) }

// untimely is the Failure of the right packet at the wrong time.
func (p *player) untimely(e *syntax.Event, w window, got packet) *Failure {
	due := w.near(got.at)
	what := fmt.Sprintf("the packet was sent %s s too early", seconds(due-got.at))
	if got.at > due {
		what = fmt.Sprintf("the packet was sent %s s too late", seconds(got.at-due))
	}
	return &Failure{
		Pos: e.Pos, Event: e.Text, What: what,
		Expected: []string{seconds(due) + " " + e.Text},
		Actual:   []string{seconds(got.at) + " " + p.peer.Text(got.data)},
	}
}

// missing is the Failure of a packet that hasn't come in time. It looks a little further, for one
// that comes later.
func (p *player) missing(e *syntax.Event, w window, expected *segment.Expectation) *Failure {
	f := &Failure{
		Pos: e.Pos, Event: e.Text, What: "no packet was sent until " + seconds(w.to),
		Expected: []string{seconds(w.from) + " " + e.Text}, Actual: []string{"nothing"},
	}
	if rest := expected.Rest(); rest != "" {
		f.What, f.Actual = "not all of it was sent until "+seconds(w.to), []string{rest}
		return f
	}
	f.At = p.now()
	if p.ground.Wait(f.At+lookAhead, true) != nil {
		return f
	}
	if at, data, ok := p.ground.Received(); ok { // the conversation of the script has ended before
		f.Actual = append(f.Actual, seconds(at)+" "+p.peer.Text(data))
		f.Hint = "a packet was sent later"
	}
	return f
}
