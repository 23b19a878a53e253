package docs

import (
	"strings"
	"testing"
)

// The program in docs/wireguard.md is a part of the example of package wg, which runs.
func TestWireGuardExample(t *testing.T) {
	_, rest, found := strings.Cut(read(t, "docs/wireguard.md"), "```go\n")
	program, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("docs/wireguard.md has no program")
	}
	if !strings.Contains(read(t, "wg/example_test.go"), program) {
		t.Errorf("the example of package wg has no lines\n%s", program)
	}
}
