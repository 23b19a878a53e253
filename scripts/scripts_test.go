package scripts_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/conform"
	"github.com/wsstack/wsstack/scripts"
)

// names are those of all scripts.
func names(t *testing.T) []string {
	t.Helper()
	list, err := fs.Glob(scripts.Files, "*.pkt")
	require.NoError(t, err)
	return list
}

func text(t *testing.T, name string) string {
	t.Helper()
	b, err := scripts.Files.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

// Each area of the specification has a script, and what the first line of a script names is a
// statement, the first one of the area that the name of the file begins with.
func TestScripts_AreasAndStatements(t *testing.T) {
	known, covered := map[string]bool{}, map[string]bool{}
	for _, s := range conform.Statements() {
		known[s.ID] = true
	}
	for _, name := range names(t) {
		ids, words := scripts.Title(text(t, name))
		require.NotEmpty(t, ids, "%s: its first line is // ID ID: words.", name)
		assert.Regexp(t, `^\S.*\.$`, words, name)
		area, _, _ := strings.Cut(name, "-")
		assert.True(t, strings.HasPrefix(ids[0], strings.ToUpper(area)+"-"), "%s shows %s first", name, ids[0])
		for _, id := range ids {
			assert.True(t, known[id], "%s: %s is no statement", name, id)
			assert.Contains(t, scripts.Of(id), "scripts/"+name)
		}
		covered[strings.ToUpper(area)] = true
	}
	for _, s := range conform.Statements() {
		assert.True(t, covered[s.Area()], "no script for %s", s.Area())
		covered[s.Area()] = true // it is told once
	}
}

func TestTitle(t *testing.T) {
	for line, want := range map[string][]string{
		"// KA-3 KA-4: probes.\n0 socket() = 3": {"KA-3", "KA-4"},
		"// A comment: no more.":                nil,
		"0 socket(...) = 3 // KA-3: a call":     nil,
		"":                                      nil,
	} {
		ids, _ := scripts.Title(line)
		assert.Equal(t, want, ids, line)
	}
}
