package testbed_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/testbed"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"lines", "a\nb\n", []string{"a", "b"}},
		{"a last one without an end", "a\nb", []string{"a", "b"}},
		{"empty ones", "\n\na\n", []string{"", "", "a"}},
		{"carriage returns", "a\r\nb\r", []string{"a", "b"}},
		{"a long one, in parts", long + "y\nz\n", []string{long, "y", "z"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testbed.Lines(strings.NewReader(tt.text)); !slices.Equal(got, tt.want) {
				t.Errorf("%d lines, want %d", len(got), len(tt.want))
			}
		})
	}
}

func TestQuoteArgs(t *testing.T) {
	got := testbed.QuoteArgs("sh", "-c", "echo $X", "", "a\x1bb")
	if want := `sh -c "echo $X" "" "a\x1bb"`; got != want {
		t.Errorf("QuoteArgs: %s, want %s", got, want)
	}
	if got := testbed.QuoteArgs(strings.Repeat("ä", 200)); len([]rune(got)) != 100 {
		t.Errorf("QuoteArgs of a long one has %d characters, want 100", len([]rune(got)))
	}
}
