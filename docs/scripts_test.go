package docs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// The examples of the documents are played, with no tolerance.
func TestScriptExamples(t *testing.T) {
	for file, least := range map[string]int{"docs/scripts.md": 10, "README.md": 1} {
		if blocks := playExamples(t, file); blocks < least {
			t.Errorf("%s: only %d examples were found", file, blocks)
		}
	}
}

func playExamples(t *testing.T, file string) (blocks int) {
	t.Helper()
	text, line := read(t, file), 1
	for {
		before, after, found := strings.Cut(text, "```packetdrill\n")
		if !found {
			return blocks
		}
		line += strings.Count(before, "\n") + 1
		block, rest, _ := strings.Cut(after, "```\n")
		playExample(t, fmt.Sprintf("%s, after line %d", file, line-1), block)
		line += strings.Count(block, "\n") + 1
		text = rest
		blocks++
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
