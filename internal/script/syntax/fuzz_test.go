package syntax

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a file has, Parse neither panics nor hangs. What it takes is printed as the same script,
// and what it refuses has a place and a hint.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/parse/*.txt")
	require.NoError(f, err)
	for _, file := range files {
		for _, script := range inputs(f, file) {
			f.Add(script, true)
			f.Add(script, false)
		}
	}
	f.Fuzz(func(t *testing.T, text string, ignore bool) {
		outcome(t, text, Options{IgnoreShell: ignore, IgnoreCode: ignore})
	})
}

// inputs are the scripts of a golden file.
func inputs(f *testing.F, name string) []string {
	file, err := os.Open(name)
	require.NoError(f, err)
	defer file.Close()
	var list []string
	inside := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "parse"):
			list, inside = append(list, ""), true
		case line == "----":
			inside = false
		case inside:
			list[len(list)-1] += line + "\n"
		}
	}
	require.NotEmpty(f, list)
	return list
}
