//go:build !linux

// Package netns runs a test binary again in a network namespace of its own. There are such
// namespaces on Linux only; elsewhere RunAgain fails.
package netns

import (
	"errors"
	"os"
)

// RequireTUN reports whether tests fail on a machine without TUN instead of being skipped.
func RequireTUN() bool { return os.Getenv("WSSTACK_REQUIRE_TUN") == "1" }

// Inside reports whether this process is the one in the namespace: it never is.
func Inside() bool { return false }

// RunAgain fails: there are no network namespaces here.
func RunAgain() (int, error) { return 0, errors.ErrUnsupported }

// Setup does nothing: no process is in a namespace here.
func Setup() {}
