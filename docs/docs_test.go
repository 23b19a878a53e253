// Package docs has the documents beside ARCHITECTURE.md. Its tests generate docs/spec.md and
// hold every document of the repository to what it promises: labels resolve, lines are short.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// root is the directory of the repository.
const root = ".."

// generated are the documents that programs write: their tables are as wide as they are.
var generated = []string{"OPTIONS.md", "BENCHMARKS.md"}

// Every line of a document has 100 columns at most. A row of a table can't be cut.
func TestLinesAreShort(t *testing.T) {
	documents := 0
	eachFile(t, ".md", func(name, text string) {
		if slices.Contains(generated, name) {
			return
		}
		documents++
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSuffix(line, "\n")
			if columns := utf8.RuneCountInString(line); columns > 100 && !strings.HasPrefix(line, "|") {
				t.Errorf("%s:%d has %d columns", name, number, columns)
			}
		}
	})
	if documents < 10 {
		t.Errorf("%d documents were found", documents)
	}
}

// A link from one document to a file of the repository leads to a file, and a document that code
// names is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	eachFile(t, ".md", func(name, text string) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if !exists(filepath.Dir(name), m[1]) {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	})
	document := regexp.MustCompile(`\b[A-Za-z/]+\.md\b`)
	eachFile(t, ".go", func(name, text string) {
		for _, m := range document.FindAllString(text, -1) {
			if !exists("", m) && !exists("docs", m) {
				t.Errorf("%s: there is no %s", name, m)
			}
		}
	})
}

// exists reports whether a file of the repository is there.
func exists(directory, name string) bool {
	_, err := os.Stat(filepath.Join(root, directory, name))
	return err == nil
}

// eachFile calls f with the name, from the root, and the text of every file whose name ends
// with one of the extensions.
func eachFile(t *testing.T, extensions string, f func(name, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(strings.Fields(extensions), filepath.Ext(path)):
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(name), read(t, name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read is the text of a file, whose name counts from the root.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
