package testbed

import (
	"fmt"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// An Error is a mistake in a Network, or what has gone wrong with a part of one that runs. The
// method Hint says what would work instead.
type Error struct {
	Host  string // the host that it is about; "": none
	Link  string // the link that it is about; "": none
	Field string // what of the host or link, as network files call it; "": no certain field
	Err   error

	hint   string
	status int
}

// Error names the host or link, and says what is wrong.
func (e *Error) Error() string {
	var words []string
	switch {
	case e.Host != "":
		words = append(words, "host "+e.Host)
	case e.Link != "":
		words = append(words, "link "+e.Link)
	}
	if e.Field != "" {
		words = append(words, e.Field)
	}
	return strings.Join(append(words, e.Err.Error()), ": ")
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Hint is what would work instead, in one line; "": nothing is known.
func (e *Error) Hint() string { return e.hint }

// ExitStatus is the exit status of a program that ends for this error: 2 for a mistake in the
// description, 127 and 126 for a command that isn't there or can't be run, and otherwise 1.
func (e *Error) ExitStatus() int { return e.status }

// wrong returns an Error of the description of a network.
func wrong(format string, args ...any) *Error {
	return &Error{Err: fmt.Errorf(format, args...), status: 2}
}

// failed returns an Error of a network that runs, or begins to, with the hint of its cause.
func failed(format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Err: err, status: 1, hint: mistake.HintOf(err)}
}

func (e *Error) of(host *Host, field string) *Error {
	e.Host, e.Field = host.Name, field
	return e
}

func (e *Error) ofLink(link *Link, field string) *Error {
	e.Link, e.Field = link.Name, field
	return e
}

func (e *Error) withHint(format string, args ...any) *Error {
	e.hint = fmt.Sprintf(format, args...)
	return e
}
