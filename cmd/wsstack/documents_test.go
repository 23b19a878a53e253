package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The help of every command has 100 columns at most, and placeholders of flags are in upper case.
func TestHelp(t *testing.T) {
	placeholder := regexp.MustCompile(`[a-z](?:[^a-z:]|$)`) // but exec:COMMAND
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		for line := range strings.Lines(c.Long + "\n" + c.UsageString()) {
			if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 100 {
				t.Errorf("%s: a line of over 100 columns: %s", c.CommandPath(), line)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if name, _ := pflag.UnquoteUsage(f); placeholder.MatchString(name) {
				t.Errorf("%s: --%s %s isn't in upper case", c.CommandPath(), f.Name, name)
			}
		})
		for _, below := range c.Commands() {
			check(below)
		}
	}
	check(newRootCommand())
}

// Command lines in the documents have commands and flags that exist.
func TestDocuments(t *testing.T) {
	line := regexp.MustCompile(`wsstack"? (?:exec|up|run|wg|stat|set|link|capture|connect|listen|bench|options|verify|script|doctor|version)\b[^` + "`" + `#;|…\n]*`)
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
			if err != nil && !errors.Is(err, pflag.ErrHelp) {
				t.Errorf("%s: %s: %v", name, l, err)
			}
		}
		if filepath.Base(name) == "README.md" && len(found) < 8 {
			t.Errorf("only %q: the pattern is wrong", found)
		}
	}
}
