// Package netfile reads descriptions of test networks from YAML files.
//
// The table of fields (fields.go) says what may stand in a file. The reader follows it, and Schema
// makes the JSON schema of it. Every mistake is an *Error with the line that has it.
package netfile

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/wsstack/wsstack/internal/testbed"
)

// MaxBytes is the size of the largest file.
const MaxBytes = 1 << 20

// A File is a network file that was read without a mistake.
type File struct {
	Name     string // of the file
	Network  testbed.Network
	Machines Machines
	Digest   string // of the text, in hexadecimal digits

	places places
}

// An Error is a mistake in a network file.
type Error struct {
	File         string
	Line, Column int // of the mistake, from 1; 0: of no certain place
	Text         string

	hint   string
	status int // the exit status; 0: that of a mistake
}

// Error is the place and the mistake, in the form of compilers: "net.yaml:3:5: …".
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// Hint is what would work instead, in one line; "": nothing is known.
func (e *Error) Hint() string { return e.hint }

// ExitStatus is 2, as for a mistake in the command line, or 127 or 126 for a program that isn't
// there or can't be run.
func (e *Error) ExitStatus() int { return cmp.Or(e.status, 2) }

// Options are what a file doesn't say.
type Options struct {
	// Environ is the environment of commands, to which those of the file are added; nil: none.
	Environ []string

	// On is the machine that the network is for: its hosts are here, and those of others are remote;
	// "": all hosts are here.
	On string

	// Page makes the server of the status page of a stack; nil: there is none.
	Page func(*testbed.RunningHost) *http.Server
}

// Read reads the network file of a name, or standard input for "-", and checks the network. Names
// of files in it are relative to the folder of the file.
func Read(name string, stdin io.Reader, o Options) (*File, error) {
	text, err := readAll(name, stdin)
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(name)
	if name == "-" {
		name, folder = "standard input", "."
	}
	return Parse(name, folder, text, o)
}

// readAll reads the text of a file.
func readAll(name string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, openError(name, err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, MaxBytes+1))
	if err != nil {
		return nil, openError(name, err)
	}
	if len(text) > MaxBytes {
		return nil, &Error{File: name, Text: fmt.Sprintf("the file has more than %d bytes", MaxBytes), hint: "a network file is text written by hand"}
	}
	return text, nil
}

// openError says why a file can't be read.
func openError(name string, err error) *Error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	e := &Error{File: name, Text: fmt.Sprintf("can't read it: %v", err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.hint = `name a network file; "wsstack run --example" prints one`
	case errors.Is(err, fs.ErrPermission):
		e.hint = "you may not read it; ask its owner, or: chmod +r " + name
	default:
		e.hint = `name a text file; "wsstack run --example" prints one`
	}
	return e
}

// Parse reads a network file, and checks the network. The name is for errors, and folder is where
// names of files in it begin.
func Parse(name, folder string, text []byte, o Options) (*File, error) {
	r := &reader{file: name, folder: folder, places: places{}}
	root, err := r.document(text)
	if err != nil {
		return nil, err
	}
	d, err := fileForm.read(r, root)
	if err != nil {
		return nil, err
	}
	f := &File{Name: name, Digest: fmt.Sprintf("%x", sha256.Sum256(text)), places: r.places}
	if f.Network, f.Machines, err = d.build(r, o); err != nil {
		return nil, err
	}
	if err := f.Network.Check(); err != nil {
		return nil, f.Locate(err)
	}
	return f, nil
}

// Locate makes an Error with a line of a mistake that package testbed has found. Other errors stay
// as they are.
func (f *File) Locate(err error) error {
	e, ok := errors.AsType[*testbed.Error](err)
	if !ok {
		return err
	}
	at := f.places.of(e)
	return &Error{File: f.Name, Line: at.line, Column: at.column, Text: e.Error(), hint: e.Hint(), status: e.ExitStatus()}
}
