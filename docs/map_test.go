package docs

import (
	"go/build"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wsstack/wsstack/"

// The table of packages in ARCHITECTURE.md says what each imports of this project.
func TestImportMap(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\| [^|]+ \\| ([^|]+) \\|$")
	rows := row.FindAllStringSubmatch(read(t, "ARCHITECTURE.md"), -1)
	if len(rows) < 20 {
		t.Fatalf("only %d rows: the pattern is wrong", len(rows))
	}
	for _, m := range rows {
		want := strings.Split(strings.Trim(m[2], "–"), ", ")
		if got := imports(t, m[1]); !slices.Equal(sorted(want), got) {
			t.Errorf("ARCHITECTURE.md: %s imports %q, not %q", m[1], got, want)
		}
	}
}

// imports lists the packages of this project that one imports in its code, as ARCHITECTURE.md
// spells them: without "internal/".
func imports(t *testing.T, name string) []string {
	t.Helper()
	linux := build.Default
	linux.GOOS = "linux"
	pkg, err := linux.ImportDir(filepath.Join(root, name), 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, path := range pkg.Imports {
		if ours, ok := strings.CutPrefix(path, module); ok {
			list = append(list, strings.TrimPrefix(ours, "internal/"))
		}
	}
	if list == nil {
		list = []string{""}
	}
	return sorted(list)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// What the documents name in `code` exists: tests and benchmarks, files, and words of the code.
func TestNamesExist(t *testing.T) {
	functions, words := map[string]bool{}, map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w*)\(`)
	word := regexp.MustCompile(`\w+`)
	eachFile(t, ".go", func(_, text string) {
		for _, m := range declared.FindAllStringSubmatch(text, -1) {
			functions[m[1]] = true
		}
		for _, w := range word.FindAllString(text, -1) {
			words[w] = true
		}
	})
	test := regexp.MustCompile("`((?:Test|Benchmark|Fuzz)[A-Z]\\w*)`")
	file := regexp.MustCompile("`((?:cmd|endpoint|examples|integration|internal|options|provider|simnet|stack|tun|wsa|docs)/[\\w./-]+)`")
	name := regexp.MustCompile("`(?:\\w+\\.)*(\\w+)`")
	eachFile(t, ".md", func(document, text string) {
		if document == "CHANGELOG.md" {
			return // it tells of the past
		}
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			if !functions[m[1]] {
				t.Errorf("%s: there is no %s", document, m[1])
			}
		}
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			if matches, err := filepath.Glob(filepath.Join(root, m[1])); err != nil || matches == nil {
				t.Errorf("%s: there is no %s", document, m[1])
			}
		}
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			if !words[m[1]] {
				t.Errorf("%s: no code has the word %s", document, m[0])
			}
		}
	})
}
