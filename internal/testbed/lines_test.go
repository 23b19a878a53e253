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

func TestCommandText(t *testing.T) {
	for _, tt := range []struct {
		want string
		args []string
	}{
		{`printf "%s $X" "" "a\x1bb"`, []string{"printf", "%s $X", "", "a\x1bb"}},
		{"echo a; echo $X", []string{"sh", "-c", "echo a\necho $X\n"}},
		{"echo  [1m", []string{"sh", "-c", "echo \x1b[1m"}},
		{strings.Repeat("ä", 99) + "…", []string{strings.Repeat("ä", 200)}},
	} {
		if got := testbed.CommandText(tt.args...); got != tt.want {
			t.Errorf("CommandText(%q) = %s, want %s", tt.args, got, tt.want)
		}
	}
}
