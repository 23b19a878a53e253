package testbed

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxLine is the size in bytes at which a line is cut up.
const maxLine = 64 << 10

// forEachLine calls f with each line that can be read, until there are no more. Lines of more than
// maxLine bytes come in parts.
func forEachLine(r io.Reader, f func(text string)) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && len(line) == 0 {
			return
		}
		f(strings.TrimRight(string(line), "\r\n"))
	}
}

// commandText is a command in one line, for people: what a shell was given to run, or the
// arguments, quoted where that is needed.
func commandText(args []string) string {
	var text string
	if len(args) == 3 && args[0] == "sh" && args[1] == "-c" {
		text = strings.Join(strings.FieldsFunc(args[2], func(r rune) bool { return r == '\n' }), "; ")
		text = strings.Map(printable, text)
	} else {
		words := make([]string, len(args))
		for i, a := range args {
			words[i] = a
			if a == "" || strings.ContainsFunc(a, func(r rune) bool { return printable(r) != r || strings.ContainsRune(" \"'\\$", r) }) {
				words[i] = strconv.Quote(a)
			}
		}
		text = strings.Join(words, " ")
	}
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// printable is a character, or a space for one that a terminal would act on.
func printable(r rune) rune {
	if strconv.IsPrint(r) {
		return r
	}
	return ' '
}

// A lineWriter makes lines of standard error of what is written to it. One line is in one call; the
// rest of a call without a line break counts as a line.
type lineWriter struct{ host *RunningHost }

func (w *lineWriter) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		w.host.output(strings.TrimRight(line, "\r\n"), true)
	}
	return len(b), nil
}

// output passes on a line.
func (h *RunningHost) output(text string, stderr bool) {
	t := h.testbed
	t.told.Lock()
	defer t.told.Unlock()
	if t.options.Output != nil {
		t.options.Output(Line{Time: time.Now(), Host: h.Name(), Stderr: stderr, Text: text})
	}
}
