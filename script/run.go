package script

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/script/play"
)

// shownLines is how many lines of the conversation the failure of a test shows.
const shownLines = 50

// Run plays files, each in a subtest of its name. A folder stands for the files in it, and in those
// folders below that aren't hidden, whose names end in ".pkt". A test fails with the place, with
// what is expected and what happened, and with the conversation until then.
func Run(t *testing.T, files ...string) {
	t.Helper()
	Config{}.Run(t, files...)
}

// Run is the function Run with a Config.
func (c Config) Run(t *testing.T, files ...string) {
	t.Helper()
	all, err := expand(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		t.Run(filepath.ToSlash(file), func(t *testing.T) {
			s, err := c.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := Play(s); err != nil {
				t.Fatalf("%v\n%s", err, conversation(r))
			}
		})
	}
}

// conversation is the end of a conversation as a text.
func conversation(r *Result) string {
	var b strings.Builder
	lines := r.Conversation[max(0, len(r.Conversation)-shownLines):]
	if left := len(r.Conversation) - len(lines); left > 0 {
		fmt.Fprintf(&b, "  … lines before: %d\n", left)
	}
	for _, l := range lines {
		fmt.Fprintf(&b, "  %v\n", l)
	}
	return b.String()
}

// expand finds the files of folders.
func expand(files []string) (all []string, err error) {
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			all = append(all, name)
			continue
		}
		below, err := play.FilesBelow(name)
		if err != nil {
			return nil, err
		}
		if len(below) == 0 {
			return nil, fmt.Errorf("script: there is no file in %s whose name ends in %s", name, play.Extension)
		}
		all = append(all, below...)
	}
	return all, nil
}
