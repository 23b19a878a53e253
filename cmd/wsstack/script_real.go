package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/script/kernel"
	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// realFlags say whether scripts are played on the kernel of the system.
type realFlags struct {
	real    bool // instead of the stack
	compare bool // on both
}

func (f *realFlags) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&f.real, "real", false, "play on the kernel of Linux instead, in real time")
	flags.BoolVar(&f.compare, "compare", false, "play on both, and show where they differ")
}

// any reports whether a kernel plays.
func (f *realFlags) any() bool { return f.real || f.compare }

// play plays a script where the flags say; with --compare, on the stack.
func (f *realFlags) play(s *syntax.Script, c play.Config) *play.Result {
	if f.real {
		return kernel.Play(s, c)
	}
	return play.Play(s, c)
}

// check finds mistakes of a script, for whatever plays it.
func (f *realFlags) check(s *syntax.Script, c play.Config) *play.Failure {
	if f.real {
		c.CheckCall = kernel.Check
		return play.Check(s, c)
	}
	if wrong := play.Check(s, c); wrong != nil || !f.compare {
		return wrong
	}
	c.CheckCall = kernel.Check
	return play.Check(s, c)
}

// compared plays a script of --compare on the kernel, too. What fails on one of them fails.
func (r *scriptResult) compared(s *syntax.Script, c play.Config) {
	c.Record, c.Capture = false, nil
	r.Kernel = &scriptResult{File: r.File}
	r.Kernel.played(kernel.Play(s, c), true)
	r.stack = r.Verdict
	if r.Kernel.Verdict != scriptPass {
		r.Verdict = scriptFail
	}
}

// comparison writes the conversations of both side by side, with a mark where they differ. Times
// aren't compared: those of a kernel are never the same.
func (o *scriptReport) comparison(w io.Writer, r *scriptResult) {
	for _, side := range []struct {
		name, verdict string
		r             *scriptResult
	}{{"stack", r.stack, r}, {"kernel", r.Kernel.Verdict, r.Kernel}} {
		fmt.Fprintf(w, "    on the %s: %s, %s\n", side.name, side.verdict, side.r.summary())
		if side.r.Failure != nil {
			o.complain(w, side.r)
		}
	}
	left, right := returned(r.Conversation), returned(r.Kernel.Conversation)
	width := utf8.RuneCountInString("stack")
	for _, l := range left {
		width = max(width, utf8.RuneCountInString(l))
	}
	fmt.Fprintf(w, "\n    %s   kernel\n", padded("stack", width))
	row := func(l, mark, k string) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("    %s %s %s", padded(l, width), mark, k), " "))
	}
	inLeft, inRight := common(withoutTimes(left), withoutTimes(right))
	for i, j := 0, 0; i < len(left) || j < len(right); {
		switch more, other := i < len(left) && !inLeft[i], j < len(right) && !inRight[j]; {
		case more && other:
			row(left[i], "|", right[j])
			i++
			j++
		case more:
			row(left[i], "<", "")
			i++
		case other:
			row("", ">", right[j])
			j++
		default:
			row(left[i], " ", right[j])
			i++
			j++
		}
	}
	fmt.Fprintln(w)
}

// returned is a conversation without the beginnings of calls, which one side may have in one line
// with their ends, and the other one not.
func returned(lines []string) (ends []string) {
	for _, l := range lines {
		if !strings.HasSuffix(l, " …") {
			ends = append(ends, strings.Replace(l, " … ", " ", 1))
		}
	}
	return ends
}

// withoutTimes are the lines of a conversation without the times in front.
func withoutTimes(lines []string) []string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		_, texts[i], _ = strings.Cut(l, " ")
	}
	return texts
}
