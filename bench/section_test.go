package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A section is replaced where it stands, and what is around it stays; a new one goes to the end.
func TestSection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tables.txt")
	read := func() string {
		t.Helper()
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		return string(b)
	}
	print := func(name, text string) {
		t.Helper()
		var b strings.Builder
		require.NoError(t, Print(&b, file, name, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}))
		require.Equal(t, text, b.String())
	}
	print("a", "one\n")
	require.Equal(t, "<!-- begin a -->\n\none\n\n<!-- end a -->\n", read())

	require.NoError(t, os.WriteFile(file, []byte("# Head\n"+read()), 0o600))
	print("ab", "two\n")
	print("a", "\nthree\n\nlines\n")
	const whole = "# Head\n<!-- begin a -->\n\nthree\n\nlines\n\n<!-- end a -->\n\n<!-- begin ab -->\n\n%s\n\n<!-- end ab -->\n"
	require.Equal(t, fmt.Sprintf(whole, "two"), read())
	print("ab", "four\n")
	require.Equal(t, fmt.Sprintf(whole, "four"), read())
}

// A marker without the other one is an error, and the file stays as it is.
func TestSectionBroken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tables.txt")
	for text, want := range map[string]string{
		"<!-- begin a -->\nold\n": "section a has no end",
		"old\n<!-- end a -->\n":   "section a has no beginning",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.ErrorContains(t, Section(file, "a", []byte("new\n")), want)
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
}
