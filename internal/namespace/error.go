package namespace

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"
)

// The exit statuses of a command that can't be run, which are those of a shell (POSIX, Shell
// Command Language, 2.8.2), and of a mistake in the command line.
const (
	statusFailed        = 1
	statusUsage         = 2
	statusNotExecutable = 126
	statusNotFound      = 127
	statusSignal        = 128 // plus the number of the signal
)

// An Error says what has failed and what would help.
type Error struct {
	text   string
	hint   string // "": nothing is known
	status int    // exit status
	err    error  // the cause; nil: none
}

// Error returns what has failed.
func (e *Error) Error() string { return e.text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Hint returns one sentence about what would help, or an empty text.
func (e *Error) Hint() string { return e.hint }

// ExitStatus returns the exit status that the failure of a program has for this reason.
func (e *Error) ExitStatus() int { return e.status }

// failf returns an Error with exit status 1. As in fmt.Errorf, %w stands for the cause.
func failf(format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{text: err.Error(), status: statusFailed, err: err}
}

func (e *Error) withHint(format string, args ...any) *Error {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) withStatus(status int) *Error {
	e.status = status
	return e
}

// LookCommand finds the program of a command. It is called before anything is created, so that a
// typing error has no other consequences. The error is an *Error.
func LookCommand(name string) (string, error) {
	path, err := exec.LookPath(name)
	// A "." in PATH stands there by the user's own will.
	if err == nil || errors.Is(err, exec.ErrDot) {
		return path, nil
	}
	return "", CommandError(name, err)
}

// CommandError returns the error of a command that can't be run, with the exit status that a shell
// would return.
func CommandError(name string, err error) *Error {
	// Without the name, which the message has already.
	if inner := (*exec.Error)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	if errors.Is(err, exec.ErrNotFound) {
		return failf("command %q not found", name).withStatus(statusNotFound).
			withHint("it is looked up in PATH; a program elsewhere needs its path, such as ./%s", name)
	}
	e := failf("can't run %q: %w", name, err).withStatus(statusNotExecutable)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.status = statusNotFound
	case errors.Is(err, fs.ErrPermission):
		e.hint = "if it is a program: chmod +x " + name
	case errors.Is(err, syscall.ENOEXEC):
		e.hint = "it is not a program of this system; run a script with its interpreter: wsstack exec -- sh " + name
	}
	return e
}
