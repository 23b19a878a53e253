// Package examples has programs that README.md prints or names. Each of them is built and
// vetted with the module, and the tests run those that end by themselves.
package examples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What README.md shows as Go is a program of this directory, or lines of an example of
// package stack; and it prints or names each program.
func TestReadme(t *testing.T) {
	readme := read(t, "../README.md")
	programs := map[string]string{} // text to file
	for _, pattern := range []string{"*/main.go", "badlink/*_test.go", "bubble/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || files == nil {
			t.Fatal(pattern, files, err)
		}
		for _, f := range files {
			programs[read(t, f)] = f
		}
	}
	lines := unindented(read(t, "../stack/example_test.go"))
	parts := strings.Split(readme, "```go\n")[1:]
	for _, part := range parts {
		block, _, ok := strings.Cut(part, "```\n")
		if !ok {
			t.Fatal("a block without an end")
		}
		if _, whole := programs[block]; whole {
			delete(programs, block)
		} else if !strings.Contains(lines, unindented(block)) {
			t.Errorf("no example has this text of README.md:\n%s", block)
		}
	}
	for _, f := range programs {
		if directory := "examples/" + filepath.Dir(f); !strings.Contains(readme, "`"+directory+"`") {
			t.Errorf("README.md neither prints nor names %s", directory)
		}
	}
}

// unindented is a text without what its lines begin with.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
