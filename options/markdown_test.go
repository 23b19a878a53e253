package options

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const optionsMarkdown = "../OPTIONS.md"

// rewriting says whether -rewrite was given. The flag is datadriven's, whose
// golden files it rewrites too.
func rewriting() bool {
	f := flag.Lookup("rewrite")
	return f != nil && f.Value.String() == "true"
}

func TestOptionsMarkdown(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, writeMarkdown(&b))
	if rewriting() {
		require.NoError(t, os.WriteFile(optionsMarkdown, b.Bytes(), 0o644))
	}
	have, err := os.ReadFile(optionsMarkdown)
	require.NoError(t, err)
	if line, want, ok := firstDifference(string(have), b.String()); ok {
		t.Errorf("OPTIONS.md has %q, want %q; go test ./options -run TestOptionsMarkdown -rewrite", line, want)
	}
}

// firstDifference returns the first line in which two texts differ.
func firstDifference(have, want string) (haveLine, wantLine string, differ bool) {
	h, w := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range max(len(h), len(w)) {
		haveLine, wantLine = "", ""
		if i < len(h) {
			haveLine = h[i]
		}
		if i < len(w) {
			wantLine = w[i]
		}
		if haveLine != wantLine {
			return haveLine, wantLine, true
		}
	}
	return "", "", len(h) != len(w)
}

func TestMarkdown_NamesEverything(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, writeMarkdown(&b))
	sources, err := os.ReadFile("../docs/sources.md")
	require.NoError(t, err)
	for _, i := range Table() {
		assert.Contains(t, b.String(), "| "+i.Symbol+" |")
		assert.NotContains(t, i.Description, "|", "a cell of a table")
		for _, label := range strings.Fields(i.Doc) {
			assert.Contains(t, string(sources), "- **"+label+"** ", "%s: the source isn't explained", i.Symbol)
		}
		if i.Incomplete != "" {
			assert.Contains(t, b.String(), "- "+i.Symbol+": "+i.Incomplete)
		}
	}
}

// The caller of Table may change what it gets, and JSON carries all of it.
func TestTable_IsACopyAndJSON(t *testing.T) {
	first := Table()
	first[0].Symbol = "changed"
	first[0].Kinds[0] = "changed"
	assert.NotEqual(t, first[0].Symbol, Table()[0].Symbol)
	assert.NotEqual(t, first[0].Kinds[0], Table()[0].Kinds[0])

	text, err := json.Marshal(Table())
	require.NoError(t, err)
	var back []Info
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, len(Table()), len(back))
}

func TestStrings(t *testing.T) {
	assert.Equal(t, "stream|raw", (Stream | Raw).String())
	assert.Equal(t, "listening", Listening.String())
	assert.Equal(t, "fresh|dead", (Fresh | Dead).String())
}
