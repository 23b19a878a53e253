package main

import (
	"regexp"
	"testing"

	"github.com/wsstack/wsstack/internal/conform"
)

// Each run has a capture file of its own, with a name that every file system
// takes.
func TestCaptureNames(t *testing.T) {
	plain := regexp.MustCompile(`^[\pL\d_-]+\.pcapng$`)
	names := map[string]bool{}
	for _, c := range conform.Cases(conform.Scenarios()) {
		name := captureName(c)
		if names[name] || !plain.MatchString(name) {
			t.Errorf("%s %s: the name %q is taken or not plain", c.ID, c.Name(), name)
		}
		names[name] = true
	}
}
