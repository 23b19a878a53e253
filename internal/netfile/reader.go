package netfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/testbed"
)

// A place is a line and a column of a file, from 1.
type place struct{ line, column int }

// places are where the keys of a file stand, by their paths: "hosts/web/until".
type places map[string]place

// of is the place of an error: that of the field, or else of the host or link, or else none.
func (p places) of(e *testbed.Error) place {
	var path string
	switch {
	case e.Host != "":
		path = "hosts/" + e.Host
	case e.Link != "":
		path = "links/" + e.Link
	default:
		return place{}
	}
	if at, ok := p[path+"/"+e.Field]; ok {
		return at
	}
	return p[path]
}

// maxNodes is how many values a file may have, with those that aliases repeat counted each time.
const maxNodes = 100_000

// A reader reads one file.
type reader struct {
	file   string
	folder string
	places places
	path   []string // where in the file the reader is
	nodes  int
}

// document returns the root of the only document of a file.
func (r *reader) document(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, &Error{File: r.file, Text: "the file describes nothing", hint: `"wsstack run --example" prints one that does`}
	case err != nil:
		return nil, r.syntax(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, r.mistake(&second, "there is a second document").withHint("a file has one network: leave out what begins with ---")
	} else if !errors.Is(err, io.EOF) {
		return nil, r.syntax(err)
	}
	return first.Content[0], nil
}

// syntax makes an Error of one of package yaml.
func (r *reader) syntax(err error) *Error {
	e := &Error{File: r.file, Text: strings.TrimPrefix(err.Error(), "yaml: "), hint: "it isn't YAML; look at the indentation and at quotes near there"}
	if inner, ok := errors.AsType[*yaml.LoadError](err); ok {
		e.Line, e.Column, e.Text = inner.Mark.Line, inner.Mark.Column, inner.Message
		if inner.ContextMsg != "" {
			e.Text = inner.ContextMsg + ": " + e.Text
		}
	}
	return e
}

// mistake returns an Error at a node.
func (r *reader) mistake(n *yaml.Node, format string, args ...any) *Error {
	return &Error{File: r.file, Line: n.Line, Column: n.Column, Text: r.where() + fmt.Sprintf(format, args...)}
}

// wrap makes an Error at a node of an error of another package. Hint and exit status stay.
func (r *reader) wrap(n *yaml.Node, err error) *Error {
	e := r.mistake(n, "%v", err)
	if h, ok := errors.AsType[interface {
		error
		Hint() string
		ExitStatus() int
	}](err); ok {
		e.hint, e.status = h.Hint(), h.ExitStatus()
	}
	return e
}

// at makes an Error at the place of a path, with the hint of the cause.
func (r *reader) at(path string, err error) *Error {
	at := r.places[path]
	return &Error{File: r.file, Line: at.line, Column: at.column, Text: err.Error(), hint: mistake.HintOf(err)}
}

func (e *Error) withHint(format string, args ...any) *Error {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// where says in which part of the file the reader is: "host web: until: ".
func (r *reader) where() string {
	words := r.path
	var b strings.Builder
	if len(words) > 1 {
		switch words[0] {
		case "hosts":
			fmt.Fprintf(&b, "host %s: ", words[1])
			words = words[2:]
		case "links":
			fmt.Fprintf(&b, "link %s: ", words[1])
			words = words[2:]
		}
	}
	for _, w := range words {
		b.WriteString(w + ": ")
	}
	return b.String()
}

// enter goes to a key of a mapping, and remembers its place.
func (r *reader) enter(key *yaml.Node, name string) {
	r.path = append(r.path, name)
	r.places[strings.Join(r.path, "/")] = place{key.Line, key.Column}
}

func (r *reader) leave() { r.path = r.path[:len(r.path)-1] }

// follow returns what an alias stands for, and counts.
func (r *reader) follow(n *yaml.Node) (*yaml.Node, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, r.mistake(n, "the file has more than %d values", maxNodes).withHint("aliases count each time")
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias, nil
	}
	return n, nil
}

// kindOf names what a node is, for errors.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

// isNull reports whether nothing stands at a place.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
