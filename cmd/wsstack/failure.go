package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// The exit statuses of wsstack itself, and those that a shell gives for a
// command it can't run (POSIX, Shell Command Language, 2.8.2).
const (
	statusFailed        = 1
	statusUsage         = 2
	statusNotExecutable = 126
	statusNotFound      = 127
	statusSignal        = 128 // plus the number of the signal
)

// exitStatus is the error that ends the program with a status and without a message. It is the
// status of the command that "wsstack exec" ran.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// A failure is an error for the user: what went wrong, what would work instead, and the exit
// status.
type failure struct {
	status int    // the exit status
	text   string // what went wrong
	hint   string // what would work instead; "": nothing is known
	err    error  // the cause; nil: none
}

// failf returns a failure with exit status 1. As in fmt.Errorf, %w stands for the cause.
func failf(format string, args ...any) *failure {
	err := fmt.Errorf(format, args...)
	return &failure{status: statusFailed, text: err.Error(), err: err}
}

// usagef returns a failure with exit status 2, for a mistake in the command line.
func usagef(format string, args ...any) *failure {
	f := failf(format, args...)
	f.status = statusUsage
	return f
}

func (f *failure) withHint(format string, args ...any) *failure {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

// failureOf returns an error as a failure. Errors of other packages say what would help with the
// method Hint, and which exit status they want with ExitStatus.
func failureOf(err error) *failure {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = failf("%w", err)
		if s, ok := errors.AsType[interface {
			error
			ExitStatus() int
		}](err); ok {
			f.status = s.ExitStatus()
		}
	}
	f.hint = cmp.Or(f.hint, mistake.HintOf(f.err))
	return f
}

// print writes the error line and the hint line.
func (f *failure) print(w io.Writer) {
	fmt.Fprintf(w, "wsstack: error: %s\n", oneLine(f.text))
	if f.hint != "" {
		fmt.Fprintf(w, "wsstack: hint: %s\n", oneLine(f.hint))
	}
}

// oneLine returns a message without line breaks, which an argument that it quotes may have.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
