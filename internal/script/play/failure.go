package play

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// failureOf is the Failure of an error, with its hint and its place where it has them.
func failureOf(pos syntax.Pos, event string, err error) *Failure {
	f := &Failure{Pos: pos, Event: event, What: err.Error(), Hint: mistake.HintOf(err)}
	var placed *vocabulary.Error
	if errors.As(err, &placed) && placed.Pos != (syntax.Pos{}) {
		f.Pos = placed.Pos
	}
	return f
}

// shorten cuts what a Failure has of a script; nil: there is none.
func (f *Failure) shorten() {
	if f == nil {
		return
	}
	f.What, f.Event = syntax.Short(f.What), syntax.Short(f.Event)
	for _, lines := range [][]string{f.Expected, f.Actual} {
		for i, line := range lines {
			lines[i] = syntax.Short(line)
		}
	}
}

// faultFailure is the Failure of a call that hasn't done what the script says.
func faultFailure(e *syntax.Event, fault *calls.Fault) *Failure {
	f := &Failure{Pos: fault.Pos, Event: e.Text, What: fault.What, Hint: fault.Hint}
	if f.Pos == (syntax.Pos{}) {
		f.Pos = e.Pos
	}
	if f.Hint == "" && fault.Expected == "" && fault.Actual == "" {
		f.Hint = "docs/scripts.md has the calls that there are, and their arguments"
	}
	if fault.Expected != "" || fault.Actual != "" {
		f.Expected, f.Actual = []string{fault.Expected}, []string{fault.Actual}
	}
	return f
}

// mismatchFailure is the Failure of a packet that isn't the expected one. The packets stand side by
// side, and below them what differs.
func mismatchFailure(e *syntax.Event, at, want time.Duration, m *segment.Mismatch) *Failure {
	f := &Failure{
		Pos: e.Pos, Event: e.Text,
		Expected: []string{seconds(want) + " " + e.Text},
		Actual:   []string{seconds(at) + " " + m.Actual},
	}
	var fields []string
	for _, d := range m.Differences {
		fields = append(fields, d.Field)
		f.Expected = append(f.Expected, d.Field+" "+d.Expected)
		f.Actual = append(f.Actual, d.Field+" "+d.Actual)
	}
	f.What = "the packet differs in " + strings.Join(fields, ", ")
	return f
}

// assertFailure is the Failure of a condition that doesn't hold.
func assertFailure(e *syntax.Event, v vocabulary.Verdict) *Failure {
	f := &Failure{Pos: e.Pos, Event: e.Text, What: "the condition doesn't hold", Expected: []string{e.Text}}
	for _, r := range v.Readings {
		f.Actual = append(f.Actual, r.Text+" is "+r.Value)
	}
	return f
}

// seconds is a time as scripts have it, with all digits that it needs and three at least.
func seconds(d time.Duration) string {
	whole, rest := d/time.Second, d%time.Second
	sign := ""
	if d < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	digits := strings.TrimRight(fmt.Sprintf("%09d", rest.Nanoseconds()), "0")
	return fmt.Sprintf("%s%d.%s", sign, whole, digits+strings.Repeat("0", max(0, 3-len(digits))))
}
