package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Command lines in the documents have commands and flags that exist.
func TestDocuments(t *testing.T) {
	line := regexp.MustCompile(`wsstack"? (?:exec|up|run|options|verify|version)\b[^` + "`" + `#;|…\n]*`)
	names, _ := filepath.Glob("../../*.md")
	more, _ := filepath.Glob("../../docs/*.md")
	for _, name := range append(names, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := line.FindAllString(string(text), -1)
		for _, l := range found {
			cmd, args, err := newRootCommand().Find(strings.Fields(strings.Replace(l, `"`, "", 1))[1:])
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err != nil {
				t.Errorf("%s: %s: %v", name, l, err)
			}
		}
		if filepath.Base(name) == "README.md" && len(found) < 8 {
			t.Errorf("only %q: the pattern is wrong", found)
		}
	}
}
