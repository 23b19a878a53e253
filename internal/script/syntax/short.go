package syntax

import (
	"fmt"
	"unicode/utf8"
)

// MaxShown is how many characters of a text of a script, or of a line made of one, a message has.
const MaxShown = 200

// Short is a text for a message: what is longer than MaxShown characters has its beginning and its
// end, with "…" for what is between.
func Short(text string) string {
	if len(text) <= MaxShown || utf8.RuneCountInString(text) <= MaxShown {
		return text
	}
	const end = MaxShown / 4
	runes := []rune(text)
	return string(runes[:MaxShown-1-end]) + "…" + string(runes[len(runes)-end:])
}

// How many bytes Beside shows, and how many of them are the same in front of the first that isn't.
const (
	shownBytes = 64
	sameBytes  = 16
)

// Beside has bytes that were expected, and those that came, in quotes, as they stand side by side
// in a message: of what is longer than 64 bytes those around the first difference, and the length.
func Beside(expected, actual []byte) (string, string) {
	from := 0
	for from < min(len(expected), len(actual)) && expected[from] == actual[from] {
		from++
	}
	if from = max(0, from-sameBytes); max(len(expected), len(actual)) <= shownBytes {
		from = 0
	}
	return quoted(expected, from), quoted(actual, from)
}

// quoted is bytes in quotes from some place on, which isn't behind their end.
func quoted(b []byte, from int) string {
	to := min(from+shownBytes, len(b))
	text := fmt.Sprintf("%q", b[from:to])
	if from > 0 {
		text = "…" + text
	}
	if to < len(b) {
		text += "…"
	}
	if from > 0 || to < len(b) {
		text += fmt.Sprintf(" (%d bytes)", len(b))
	}
	return text
}
