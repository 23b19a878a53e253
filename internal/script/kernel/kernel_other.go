//go:build !linux

package kernel

import (
	"runtime"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// open fails: nowhere but on Linux does a script have a kernel to itself.
func open(play.Setup, *tape) (play.Ground, error) {
	return nil, mistake.Errorf("run it in a Linux virtual machine or container",
		"a real kernel needs the network namespaces of Linux; this is %s", runtime.GOOS)
}

// Check finds nothing.
func Check(*syntax.Call) *calls.Fault { return nil }
