// Package mistake has the error of a text that a user has written.
package mistake

import (
	"errors"
	"fmt"
)

// An Error is what is wrong with a text, or with several that don't go together.
type Error struct{ text, hint string }

// Errorf returns an *Error with one hint, which is what would work instead. The rest is as for
// fmt.Sprintf.
func Errorf(hint, format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...), hint}
}

// Error says what is wrong.
func (e *Error) Error() string { return e.text }

// Hint says what would work instead; "": nothing is known.
func (e *Error) Hint() string { return e.hint }

// HintOf is the hint of an error of any package: of the first one in its tree with a method Hint;
// "": there is none.
func HintOf(err error) string {
	h, _ := errors.AsType[interface {
		error
		Hint() string
	}](err)
	if h == nil {
		return ""
	}
	return h.Hint()
}

// ExitStatus is that of a program that was called wrongly.
func (e *Error) ExitStatus() int { return 2 }
