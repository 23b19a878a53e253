package syntax

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// A long text has 200 characters in a message: its beginning and its end.
func TestShort(t *testing.T) {
	for _, text := range []string{"", "abc", strings.Repeat("ä", MaxShown)} {
		require.Equal(t, text, Short(text))
	}
	got := Short("<" + strings.Repeat("ä", MaxShown) + ">")
	require.Equal(t, MaxShown, utf8.RuneCountInString(got))
	require.True(t, strings.HasPrefix(got, "<ä") && strings.HasSuffix(got, "ä>"), got)
	require.Contains(t, got, "ä…ä")
}

// Bytes stand side by side from a little before the first that differs.
func TestBeside(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, tt := range []struct{ expected, actual, left, right string }{
		{"a", "b", `"a"`, `"b"`},
		{long[:64], "", `"` + long[:64] + `"`, `""`},
		{long + "a", long + "b", `…"` + long[:16] + `a" (101 bytes)`, `…"` + long[:16] + `b" (101 bytes)`},
		{"a" + long, "b", `"a` + long[:63] + `"… (101 bytes)`, `"b"`},
		{long + "a" + long, long, `…"` + long[:16] + "a" + long[:47] + `"… (201 bytes)`, `…"` + long[:16] + `" (100 bytes)`},
	} {
		left, right := Beside([]byte(tt.expected), []byte(tt.actual))
		require.Equal(t, tt.left, left)
		require.Equal(t, tt.right, right)
	}
}

// No mistake that Parse reports has more of a script than that.
func TestParse_LongMistakes(t *testing.T) {
	long := strings.Repeat("y", 50_000)
	for _, text := range []string{
		"0 " + long, "0 > " + long, "--" + long + "=1\n0 nothing", "0 f(" + long + "!)", "0 f(" + strings.Repeat("9", 50_000) + ")",
		`0 f("` + long, "0 assert " + long + " $", "%{ " + long + " }%", "`" + long + "`", long,
	} {
		_, err := Parse("x", []byte(text), Options{})
		require.Error(t, err, "%.20s", text)
		for _, e := range err.(Errors) {
			require.LessOrEqual(t, utf8.RuneCountInString(e.Text), MaxShown, "%.20s", text)
			require.LessOrEqual(t, utf8.RuneCountInString(e.Hint), MaxShown, "%.20s", text)
		}
	}
}
