package netfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/wsstack/wsstack/internal/mistake"
)

// A form is what may stand at a place of a file: how it is read, and its JSON schema.
type form[V any] interface {
	read(r *reader, n *yaml.Node) (V, error)
	schema() schema
}

// A schema is a JSON schema, or a part of one.
type schema map[string]any

// A scalar is a text that a function makes a value of.
type scalar[V any] struct {
	parse func(r *reader, text string) (V, error)
	what  string // what it is, for errors: "a time such as 10s"
	as    schema
}

func (s scalar[V]) read(r *reader, n *yaml.Node) (v V, err error) {
	if n, err = r.follow(n); err != nil {
		return v, err
	}
	if n.Kind != yaml.ScalarNode || isNull(n) {
		return v, r.mistake(n, "want %s, not %s", s.what, kindOf(n)).withHint("write %s", s.what)
	}
	if v, err = s.parse(r, n.Value); err == nil {
		return v, nil
	}
	if ours, ok := errors.AsType[*Error](err); ok {
		return v, ours
	}
	e := r.mistake(n, "%v", err).withHint("write %s", s.what)
	e.hint = cmp.Or(mistake.HintOf(err), e.hint)
	return v, e
}

func (s scalar[V]) schema() schema { return s.as }

// text is a scalar that is any text.
func text(what string) scalar[string] {
	return scalar[string]{what: what, as: schema{"type": []string{"string", "number", "boolean"}},
		parse: func(_ *reader, s string) (string, error) { return s, nil }}
}

// parsed is a scalar that a function reads.
func parsed[V any](what string, as schema, parse func(string) (V, error)) scalar[V] {
	return scalar[V]{what: what, as: as, parse: func(_ *reader, s string) (V, error) { return parse(s) }}
}

// choice is one of several words.
func choice[V any](words map[string]V) scalar[V] {
	names := make([]string, 0, len(words))
	for name := range words {
		names = append(names, name)
	}
	slices.Sort(names)
	list := strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	return parsed(list, schema{"enum": names}, func(s string) (v V, err error) {
		v, ok := words[s]
		if !ok {
			return v, fmt.Errorf("%q is none of %s", s, list)
		}
		return v, nil
	})
}

// flag is true or false.
var flag = scalar[bool]{what: "true or false", as: schema{"type": "boolean"}, parse: func(_ *reader, s string) (bool, error) {
	switch s {
	case "true", "false":
		return s == "true", nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}}

// A list is a sequence of values, or a single one.
type list[V any] struct{ item form[V] }

func (l list[V]) read(r *reader, n *yaml.Node) (values []V, err error) {
	if n, err = r.follow(n); err != nil {
		return nil, err
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		v, err := l.item.read(r, item)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (l list[V]) schema() schema {
	one := l.item.schema()
	return schema{"anyOf": []schema{one, {"type": "array", "items": one}}}
}

// A sequence is a list that a single value can't stand for.
type sequence[V any] struct{ item form[V] }

func (l sequence[V]) read(r *reader, n *yaml.Node) (values []V, err error) {
	if n, err = r.follow(n); err != nil {
		return nil, err
	}
	if n.Kind != yaml.SequenceNode {
		return nil, r.mistake(n, "want a list, not %s", kindOf(n)).withHint("write it in brackets, such as [a, b]")
	}
	return list[V](l).read(r, n)
}

func (l sequence[V]) schema() schema { return schema{"type": "array", "items": l.item.schema()} }

// An entry is a key of a mapping with its value.
type entry[V any] struct {
	key   string
	at    *yaml.Node // the key
	value V
}

// entries is a mapping whose keys are names that the file chooses.
type entries[V any] struct {
	value form[V]
	what  string // what the keys are
}

func (e entries[V]) read(r *reader, n *yaml.Node) (all []entry[V], err error) {
	err = eachKey(r, n, e.what, func(key, value *yaml.Node) error {
		v, err := e.value.read(r, value)
		all = append(all, entry[V]{key.Value, key, v})
		return err
	})
	return all, err
}

func (e entries[V]) schema() schema {
	return schema{"type": "object", "additionalProperties": e.value.schema()}
}

// eachKey calls f with each key of a mapping and its value, in the order of the file.
func eachKey(r *reader, n *yaml.Node, what string, f func(key, value *yaml.Node) error) error {
	n, err := r.follow(n)
	if err != nil {
		return err
	}
	if n.Kind != yaml.MappingNode {
		return r.mistake(n, "want a mapping of %s, not %s", what, kindOf(n)).withHint("write one as KEY: VALUE")
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := r.follow(n.Content[i])
		if err != nil {
			return err
		}
		if key.Kind != yaml.ScalarNode || isNull(key) {
			return r.mistake(key, "%s can't be a key", kindOf(key)).withHint("keys are %s", what)
		}
		if line := seen[key.Value]; line != 0 {
			return r.mistake(key, "there is a second %q", key.Value).withHint("the first one is in line %d", line)
		}
		seen[key.Value] = key.Line
		r.enter(key, key.Value)
		if err := f(key, n.Content[i+1]); err != nil {
			return err
		}
		r.leave()
	}
	return nil
}

// A field is a key of an object.
type field[T any] struct {
	key  string
	doc  string
	must bool // it can't be left out
	as   func() schema
	read func(r *reader, n *yaml.Node, into *T) error
}

// of makes a field of a form and what becomes of its value.
func of[T, V any](key string, f form[V], set func(into *T, v V), doc string) field[T] {
	return field[T]{key: key, doc: doc, as: f.schema, read: func(r *reader, n *yaml.Node, into *T) error {
		v, err := f.read(r, n)
		if err == nil {
			set(into, v)
		}
		return err
	}}
}

func (f field[T]) required() field[T] {
	f.must = true
	return f
}

// An object is a mapping with certain keys.
type object[T any] struct {
	what   string // what the keys belong to, for errors
	fields []field[T]
}

func (o object[T]) read(r *reader, n *yaml.Node) (v T, err error) {
	given := map[string]bool{}
	if n, err = r.follow(n); err != nil {
		return v, err
	}
	if !isNull(n) {
		err = eachKey(r, n, "fields", func(key, value *yaml.Node) error {
			i := slices.IndexFunc(o.fields, func(f field[T]) bool { return f.key == key.Value })
			if i < 0 {
				r.leave()
				return o.unknown(r, key)
			}
			given[key.Value] = true
			return o.fields[i].read(r, value, &v)
		})
	}
	if err != nil {
		return v, err
	}
	for _, f := range o.fields {
		if f.must && !given[f.key] {
			return v, r.mistake(n, "%s is missing", f.key).withHint("%s: %s", f.key, f.doc)
		}
	}
	return v, nil
}

// unknown is the error of a key that isn't a field.
func (o object[T]) unknown(r *reader, key *yaml.Node) *Error {
	e := r.mistake(key, "%s has no field %q", o.what, key.Value)
	names := make([]string, len(o.fields))
	for i, f := range o.fields {
		names[i] = f.key
	}
	if near, distance := mistake.Nearest(key.Value, names); distance <= 2 {
		return e.withHint("did you mean %s?", near)
	}
	return e.withHint("the fields are %s", strings.Join(names, ", "))
}

func (o object[T]) schema() schema {
	properties, required := schema{}, []string{}
	for _, f := range o.fields {
		s := schema{"description": f.doc}
		for k, v := range f.as() {
			s[k] = v
		}
		properties[f.key] = s
		if f.must {
			required = append(required, f.key)
		}
	}
	s := schema{"properties": properties, "additionalProperties": false}
	if len(required) == 0 {
		s["type"] = []string{"object", "null"} // a host of which nothing is said
		return s
	}
	s["type"], s["required"] = "object", required
	return s
}

// either is one of two forms, one for mappings and one for everything else.
type either[V any] struct {
	mapping, other form[V]
}

func (e either[V]) read(r *reader, n *yaml.Node) (v V, err error) {
	to, err := r.follow(n)
	if err != nil {
		return v, err
	}
	if to.Kind == yaml.MappingNode {
		return e.mapping.read(r, n)
	}
	return e.other.read(r, n)
}

func (e either[V]) schema() schema {
	return schema{"anyOf": []schema{e.other.schema(), e.mapping.schema()}}
}

// mapped is a form whose value a function makes another value of.
type mapped[V, W any] struct {
	from form[V]
	to   func(r *reader, n *yaml.Node, v V) (W, error)
}

func (m mapped[V, W]) read(r *reader, n *yaml.Node) (w W, err error) {
	v, err := m.from.read(r, n)
	if err != nil {
		return w, err
	}
	return m.to(r, n, v)
}

func (m mapped[V, W]) schema() schema { return m.from.schema() }
