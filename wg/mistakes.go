package wg

import (
	"fmt"
	"strings"
)

// A ConfigError is what is wrong with a Config, or with the file of one.
type ConfigError struct {
	File         string // the name of the file; "": it isn't known
	Line, Column int    // where in the file, from 1; 0: in no certain place
	Text         string // what is wrong

	at   place // which field it is about
	hint string
	err  error
}

// wrong returns a *ConfigError with a hint, of a certain place in no file. The rest is as for
// fmt.Errorf.
func wrong(hint, format string, args ...any) *ConfigError {
	err := fmt.Errorf(format, args...)
	return &ConfigError{Text: err.Error(), hint: hint, err: err}
}

// of says which field of the interface, or of a peer from 1, the mistake is in.
func (e *ConfigError) of(peer int, key string) *ConfigError {
	e.at = place{peer, key}
	return e
}

// Error is the place and the mistake, in the form of compilers: "wg0.conf:3:5: …".
func (e *ConfigError) Error() string {
	var b strings.Builder
	switch {
	case e.File != "":
		b.WriteString(e.File + ":")
	case e.Line == 0:
		b.WriteString("wg: ")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "%d:", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, "%d:", e.Column)
		}
	}
	if e.File != "" || e.Line > 0 {
		b.WriteByte(' ')
	}
	return b.String() + e.Text
}

// Hint is what would work instead, in one line; "": nothing is known.
func (e *ConfigError) Hint() string { return e.hint }

// ExitStatus is 2, that of a program that was called wrongly.
func (e *ConfigError) ExitStatus() int { return 2 }

// Unwrap returns the cause, which may be an error of the system.
func (e *ConfigError) Unwrap() error { return e.err }
