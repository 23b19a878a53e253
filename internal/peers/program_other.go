//go:build !unix

package peers

import (
	"errors"
	"os/exec"
)

// A program stands for that of Unix.
type program struct{ ended chan struct{} }

func startProgram(*exec.Cmd, string) (*program, error) { return nil, errors.ErrUnsupported }

func (p *program) Close() error { return nil }

func isBrokenPipe(error) bool { return false }
