package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// The verdicts on a script.
const (
	scriptPass    = "pass"
	scriptFail    = "fail"
	scriptMistake = "mistake" // it can't be played as it is
	scriptChecked = "checked" // --check has found no mistake
)

// A scriptResult is what came of a file. It is an element of --json. Its texts have no characters
// that a terminal would act on.
type scriptResult struct {
	File         string            `json:"file"`                   // "-": standard input
	Verdict      string            `json:"verdict"`                // one of the verdicts
	Profile      string            `json:"profile,omitempty"`      // of the stack
	IPVersion    string            `json:"ipVersion,omitempty"`    // ipv4, ipv6 or ipv4-mapped-ipv6
	Seconds      float64           `json:"seconds"`                // how long it took, in virtual time
	Events       int               `json:"events"`                 // how many happened; with --check, how many there are
	Packets      int               `json:"packets"`                // how many there were, in both directions
	Calls        int               `json:"calls"`                  // how many the program has made
	Ignored      int               `json:"ignored,omitempty"`      // how many shell lines and pieces of code were left out
	Failure      *scriptFailure    `json:"failure,omitempty"`      // what is not as the script says
	Mistakes     []scriptComplaint `json:"mistakes,omitempty"`     // what is wrong with the file
	Conversation []string          `json:"conversation,omitempty"` // calls and packets; of a failure or with -v
	Left         int               `json:"left,omitempty"`         // how many older lines the conversation has not
	Kernel       *scriptResult     `json:"kernel,omitempty"`       // what came of it on the kernel, with --compare

	took  time.Duration // Seconds
	stack string        // the verdict on the stack, with --compare
}

// A scriptComplaint is a mistake in a file.
type scriptComplaint struct {
	Line   int    `json:"line,omitempty"` // from 1; 0: the file as a whole
	Column int    `json:"column,omitempty"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"` // what to write instead
}

// A scriptFailure is the event of a script that wasn't as it says.
type scriptFailure struct {
	scriptComplaint
	Event    string   `json:"event"`   // how the script has it
	Seconds  float64  `json:"seconds"` // when, in virtual time
	Expected []string `json:"expected,omitempty"`
	Actual   []string `json:"actual,omitempty"`

	at time.Duration // Seconds
}

// mistaken adds mistakes to the result.
func (r *scriptResult) mistaken(err error) {
	r.Verdict = scriptMistake
	if all, ok := errors.AsType[syntax.Errors](err); ok {
		for _, e := range all {
			r.Mistakes = append(r.Mistakes, complaint(e.Pos, e.Text, e.Hint))
		}
		return
	}
	f := failureOf(err)
	r.Mistakes = append(r.Mistakes, complaint(syntax.Pos{}, f.text, f.hint))
}

// complaint makes a complaint with texts that may be printed.
func complaint(at syntax.Pos, text, hint string) scriptComplaint {
	return scriptComplaint{at.Line, at.Column, printable(text), printable(hint)}
}

// played fills in what came of playing the script.
func (r *scriptResult) played(p *play.Result, verbose bool) {
	r.Verdict = scriptPass
	r.Profile, r.IPVersion = p.Setup.Profile, p.Setup.IPVersion
	r.took = p.Took
	r.Seconds, r.Events, r.Packets, r.Calls = p.Took.Seconds(), p.Events, p.Packets, p.Calls
	if f := p.Failure; f != nil {
		r.Verdict = scriptFail
		r.Failure = &scriptFailure{complaint(f.Pos, f.What, f.Hint), printable(f.Event), f.At.Seconds(),
			printableLines(f.Expected), printableLines(f.Actual), f.At}
	}
	if p.Failure != nil || verbose {
		for _, l := range p.Conversation {
			r.Conversation = append(r.Conversation, scriptTime(l.At)+" "+printable(l.Text))
		}
		r.Left = p.Left
	}
}

// scriptTime is a time as conversations have it: seconds, to the microsecond where that says more
// than the millisecond.
func scriptTime(d time.Duration) string {
	if d%time.Millisecond == 0 {
		return fmt.Sprintf("%.3fs", d.Seconds())
	}
	return fmt.Sprintf("%.6fs", d.Seconds())
}

// printable is a text of a script, which may come from anybody, on one line and with nothing that a
// terminal would act on.
func printable(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func printableLines(lines []string) []string {
	clean := make([]string, len(lines))
	for i, l := range lines {
		clean[i] = printable(l)
	}
	return clean
}

// place is where a complaint is, as editors find it.
func (c scriptComplaint) place(file string) string {
	if c.Line == 0 {
		return printable(file)
	}
	return fmt.Sprintf("%s:%d:%d", printable(file), c.Line, c.Column)
}

// summary is what a line says about a script that was played.
func (r *scriptResult) summary() string {
	text := fmt.Sprintf("%s, %s, %s in %s", counted(r.Events, "event"), counted(r.Packets, "packet"), counted(r.Calls, "call"),
		scriptTime(r.took))
	if r.Ignored > 0 {
		text += fmt.Sprintf(", %d of shell or code left out", r.Ignored)
	}
	return text
}
