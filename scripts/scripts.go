// Package scripts has the scripts of network tests that belong to wsstack, in packetdrill's language
// (docs/scripts.md): at least one for each area of the specification's statements. The name of a
// file begins with the area, and its first line names the statements that the script shows.
//
//	wsstack script scripts
package scripts

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// Files are the scripts.
//
//go:embed *.pkt
var Files embed.FS

// Of returns the names of the scripts that show a statement, such as "KA-5", in order. They are
// relative to the repository.
func Of(statement string) []string { return index()[statement] }

// index has the scripts of each statement.
var index = sync.OnceValue(func() map[string][]string {
	names, err := fs.Glob(Files, "*.pkt") // in order
	if err != nil {
		panic(err) // the pattern is right
	}
	scripts := map[string][]string{}
	for _, name := range names {
		text, err := Files.ReadFile(name)
		if err != nil {
			panic(err) // it is in the program
		}
		ids, _ := Title(string(text))
		for _, id := range ids {
			scripts[id] = append(scripts[id], "scripts/"+name)
		}
	}
	return scripts
})

// Title returns what the first line of a script, "// KA-3 KA-4: what it shows.", says: the statements
// and the words behind the colon. A line that says neither has none.
func Title(text string) (statements []string, words string) {
	line, _, _ := strings.Cut(text, "\n")
	line, ok := strings.CutPrefix(line, "//")
	ids, words, found := strings.Cut(line, ":")
	statements = strings.Fields(ids)
	if !ok || !found || slices.ContainsFunc(statements, func(s string) bool { return !strings.Contains(s, "-") }) {
		return nil, ""
	}
	return statements, strings.TrimSpace(words)
}
