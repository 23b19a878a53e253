//go:build !linux

// Package netns is for Linux; elsewhere RunAgain says so.
package netns

import (
	"errors"
	"os"
)

// RequireTUN reports whether a machine without TUN is a failure.
func RequireTUN() bool { return os.Getenv("WSSTACK_REQUIRE_TUN") == "1" }

// Inside is always false.
func Inside() bool { return false }

// RunAgain fails.
func RunAgain() (int, error) { return 0, errors.ErrUnsupported }

// Setup does nothing.
func Setup() {}
