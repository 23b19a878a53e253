package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"success", nil, 0, ""},
		{"the status of a command", exitStatus(137), 137, ""},
		{"a failure", failf("no luck"), 1, "wsstack: error: no luck\n"},
		{"with a hint", failf("no luck").withHint("try %d", 2), 1, "wsstack: error: no luck\nwsstack: hint: try 2\n"},
		{"a usage error", usagef("what?"), 2, "wsstack: error: what?\n"},
		{"an error of another package", errors.New("cobra's"), 1, "wsstack: error: cobra's\n"},
		{"one that has a hint", fmt.Errorf("open: %w", hinted("try")), 2, "wsstack: error: open: no luck\nwsstack: hint: try\n"},
		{"a failure around it", failf("open: %w", hinted("try")), 1, "wsstack: error: open: no luck\nwsstack: hint: try\n"},
		{"with a better hint", failf("open: %w", hinted("try")).withHint("go"), 1, "wsstack: error: open: no luck\nwsstack: hint: go\n"},
		{"line breaks", failf("no\nluck").withHint("a\r\nb"), 1, "wsstack: error: no luck\nwsstack: hint: a b\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if status := report(&out, tt.err); status != tt.status || out.String() != tt.want {
				t.Errorf("report() = %d and %q, want %d and %q", status, out.String(), tt.status, tt.want)
			}
		})
	}
}

// hinted is an error of another package.
type hinted string

func (hinted) Error() string   { return "no luck" }
func (h hinted) Hint() string  { return string(h) }
func (hinted) ExitStatus() int { return statusUsage }

func TestFailure_Unwrap(t *testing.T) {
	if err := failf("open: %w", fs.ErrPermission); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("errors.Is(%v, fs.ErrPermission) = false, want true", err)
	}
}
