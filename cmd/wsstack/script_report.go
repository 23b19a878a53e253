package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A scriptReport prints results as they come: a line for each, and what is wrong. With --json it
// prints them in the end.
type scriptReport struct {
	w       io.Writer
	flags   scriptFlags
	colours bool
	apart   bool  // what was printed ends in an empty line
	err     error // of writing
}

func newScriptReport(stdout io.Writer, f scriptFlags) *scriptReport {
	r := &scriptReport{w: stdout, flags: f, colours: mayColour(stdout)}
	if f.quietly() {
		r.w = io.Discard
	}
	return r
}

// verdictColours are the colours of verdicts, as the numbers of SGR (ECMA-48, 8.3.117).
var verdictColours = map[string]string{scriptPass: "32", scriptChecked: "32", scriptFail: "31", scriptMistake: "31"}

// add prints a result.
func (o *scriptReport) add(r *scriptResult) {
	if o.flags.json || o.err != nil {
		return
	}
	var text strings.Builder
	o.headline(&text, r)
	for _, m := range r.Mistakes {
		m.write(&text, r.File, "")
	}
	if r.Kernel != nil {
		o.comparison(&text, r)
	} else if r.Failure != nil {
		o.failure(&text, r)
	} else if len(r.Conversation) > 0 {
		writeConversation(&text, r)
	}
	_, o.err = io.WriteString(o.w, text.String())
	o.apart = r.Failure != nil || r.Kernel != nil
}

// headline writes the line that each script has.
func (o *scriptReport) headline(w io.Writer, r *scriptResult) {
	verdict := fmt.Sprintf("%-7s", r.Verdict)
	if o.colours {
		verdict = "\x1b[" + verdictColours[r.Verdict] + "m" + verdict + "\x1b[0m"
	}
	fmt.Fprintf(w, "%s  %s", verdict, printable(r.File))
	switch r.Verdict {
	case scriptPass, scriptFail:
		fmt.Fprintf(w, "  %s", r.summary())
		if o.flags.verbose {
			fmt.Fprintf(w, ", profile %s, %s", r.Profile, r.IPVersion)
		}
	case scriptChecked:
		fmt.Fprintf(w, "  %s, no mistakes", counted(r.Events, "event"))
	}
	fmt.Fprintln(w)
}

// write writes a complaint as compilers do, and a line with what would help.
func (c scriptComplaint) write(w io.Writer, file, indent string) {
	fmt.Fprintf(w, "%s%s: %s\n", indent, c.place(file), c.Text)
	if c.Hint != "" {
		fmt.Fprintf(w, "%shint: %s\n", indent, c.Hint)
	}
}

// failure writes what is not as the script says.
func (o *scriptReport) failure(w io.Writer, r *scriptResult) {
	o.complain(w, r)
	if len(r.Conversation) > 0 {
		fmt.Fprintf(w, "\n    the conversation until %s:\n", scriptTime(r.Failure.at))
		writeConversation(w, r)
	}
	fmt.Fprintln(w)
}

// complain writes what is not as the script says, without the conversation.
func (o *scriptReport) complain(w io.Writer, r *scriptResult) {
	f := r.Failure
	fmt.Fprintf(w, "%s: %s\n    %s\n", f.place(r.File), f.Text, f.Event)
	if len(f.Expected)+len(f.Actual) > 0 {
		fmt.Fprintln(w)
		o.sides(w, f.Expected, f.Actual)
	}
	if f.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", f.Hint)
	}
}

// writeConversation writes calls and packets.
func writeConversation(w io.Writer, r *scriptResult) {
	if r.Left > 0 {
		fmt.Fprintf(w, "    … %s before\n", counted(r.Left, "line"))
	}
	for _, l := range r.Conversation {
		fmt.Fprintf(w, "    %s\n", l)
	}
}

// sideWidth is how wide both sides may be together with what is between them; longer ones stand one
// below the other.
const sideWidth = 110

// sides writes what was expected and what came, line by line. Below the first ones are marks where
// they differ; the others say in which fields.
func (o *scriptReport) sides(w io.Writer, expected, actual []string) {
	left, right := utf8.RuneCountInString("expected"), utf8.RuneCountInString("actual")
	for i := range max(len(expected), len(actual)) {
		left = max(left, utf8.RuneCountInString(lineOf(expected, i)))
		right = max(right, utf8.RuneCountInString(lineOf(actual, i)))
	}
	beside := 4+left+3+right <= sideWidth
	pair := func(e, a string) string {
		return strings.TrimRight(fmt.Sprintf("    %s   %s", padded(e, left), a), " ") + "\n"
	}
	if beside {
		fmt.Fprint(w, pair("expected", "actual"))
	}
	for i := range max(len(expected), len(actual)) {
		e, a := lineOf(expected, i), lineOf(actual, i)
		marksE, marksA := "", ""
		if i == 0 {
			marksE, marksA = differences(e, a, said(expected, actual), said(actual, expected))
			marksE, marksA = o.marked(marksE), o.marked(marksA)
		}
		if beside {
			fmt.Fprint(w, pair(e, a))
			if marksE+marksA != "" {
				fmt.Fprint(w, pair(marksE, marksA))
			}
			continue
		}
		for _, side := range []struct{ name, text, marks string }{{"expected", e, marksE}, {"actual", a, marksA}} {
			fmt.Fprintf(w, "    %-8s  %s\n", side.name, side.text)
			if side.marks != "" {
				fmt.Fprintf(w, "    %-8s  %s\n", "", side.marks)
			}
		}
	}
}

// said are the words of the lines behind the first, where each has a counterpart; nil: there are
// none.
func said(lines, counterparts []string) map[string]bool {
	if len(lines) < 2 || len(lines) != len(counterparts) {
		return nil
	}
	words := map[string]bool{}
	for _, w := range strings.Fields(strings.Join(lines[1:], " ")) {
		words[w] = true
	}
	return words
}

// marked colours marks.
func (o *scriptReport) marked(marks string) string {
	if !o.colours || marks == "" {
		return marks
	}
	return "\x1b[31m" + marks + "\x1b[0m"
}

// lineOf is a line of several, or "" behind the last one.
func lineOf(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// padded is a text with spaces up to a number of columns. Colours take none.
func padded(text string, width int) string {
	columns := utf8.RuneCountInString(text)
	if plain, ok := strings.CutPrefix(text, "\x1b[31m"); ok {
		columns = utf8.RuneCountInString(strings.TrimSuffix(plain, "\x1b[0m"))
	}
	return text + strings.Repeat(" ", max(0, width-columns))
}

// end prints what comes last. The error is that of writing.
func (o *scriptReport) end(results []*scriptResult) error {
	switch {
	case o.err != nil:
		return o.err
	case o.flags.json:
		enc := json.NewEncoder(o.w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(results)
	}
	text := totals(results, o.flags.check) + "\n"
	if !o.apart {
		text = "\n" + text
	}
	_, err := io.WriteString(o.w, text)
	return err
}
