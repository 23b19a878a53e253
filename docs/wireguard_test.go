package docs

import (
	"strings"
	"testing"
)

// The program in docs/wireguard.md is examples/wireguard, which its test runs.
func TestWireGuardExample(t *testing.T) {
	program := read(t, "examples/wireguard/main.go")
	if !strings.Contains(read(t, "docs/wireguard.md"), "```go\n"+program+"```\n") {
		t.Errorf("docs/wireguard.md doesn't print examples/wireguard:\n%s", program)
	}
}
