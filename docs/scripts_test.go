package docs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// The examples of docs/scripts.md are played, with no tolerance.
func TestScriptExamples(t *testing.T) {
	blocks := 0
	text, line := read(t, "docs/scripts.md"), 1
	for {
		before, after, found := strings.Cut(text, "```packetdrill\n")
		if !found {
			break
		}
		line += strings.Count(before, "\n") + 1
		block, rest, _ := strings.Cut(after, "```\n")
		playExample(t, fmt.Sprint("docs/scripts.md, after line ", line-1), block)
		line += strings.Count(block, "\n") + 1
		text = rest
		blocks++
	}
	if blocks < 10 {
		t.Errorf("only %d examples were found", blocks)
	}
}

func playExample(t *testing.T, name, text string) {
	t.Helper()
	s, err := syntax.Parse(name, []byte(text), syntax.Options{})
	if err != nil {
		t.Error(err)
		return
	}
	exact := []syntax.Setting{{Name: "tolerance_usecs", Value: "0", HasValue: true}}
	if f := play.Play(s, play.Config{Settings: exact}).Failure; f != nil {
		t.Errorf("%s: line %d of the example: %s\n%s: expected %q, got %q", name, f.Pos.Line, f.Event, f.What, f.Expected, f.Actual)
	}
}
