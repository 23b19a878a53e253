package tun

import (
	"fmt"
	"slices"
)

// A Parameter is a field of an [Impairment] as a text: its name, what values it may have, and what
// it does. The flags of "wsstack exec" and "wsstack up", their help, the errors and
// docs/impairments.md are made from the list that [Parameters] returns.
type Parameter struct {
	Name        string   // name in a list and of the flag, such as "loss-correlation"
	Placeholder string   // stands for the value in a usage text; "": it is on or off, and needs no value
	Help        string   // what it is, in part of a line
	Group       string   // the heading under which it stands
	Field       string   // name of the field, such as "Burst.Enter"
	Option      string   // name of the function of package simnet that sets it
	Needs       []string // names of parameters: without one of them it has no effect; nil: it has
	Fates       Fate     // what it may do to a packet

	list  bool // whether values have commas
	set   func(m *Impairment, text string) error
	text  func(m *Impairment) string
	check func(m *Impairment) error
}

// Parameters returns all parameters of an Impairment but Filter, which has no text, in the order of
// their groups.
func Parameters() []Parameter { return slices.Clone(parameters) }

// FindParameter returns the parameter of a name.
func FindParameter(name string) (Parameter, bool) {
	i := slices.IndexFunc(parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return Parameter{}, false
	}
	return parameters[i], true
}

// Set changes the parameter of m to the value in the text. The error says which values are
// possible, and m is as before then.
func (p *Parameter) Set(m *Impairment, text string) error { return p.set(m, text) }

// Text returns the value of m, as Set reads it. The text is empty where the value is the zero
// value.
func (p *Parameter) Text(m *Impairment) string { return p.text(m) }

// Check returns an error that says what is wrong with the value of m, or nil. It also looks at
// values that are impossible only together with others.
func (p *Parameter) Check(m *Impairment) error { return p.check(m) }

// A row is what a Parameter is made from.
type row[T any] struct {
	Parameter
	kind    kind[T]
	field   func(m *Impairment) *T
	another func(m *Impairment) error // what is impossible together with other values; nil: nothing
}

// A kind is a type of values. Check says which values are possible, and its errors say so.
type kind[T any] struct {
	zero  func(T) bool
	parse func(string) (T, error)
	print func(T) string
	check func(T) error
}

// of makes the Parameter of a group.
func (r row[T]) of(group string) Parameter {
	p := r.Parameter
	p.Group = group
	p.set = func(m *Impairment, text string) error {
		value, err := r.kind.parse(text)
		if err == nil {
			err = r.kind.check(value)
		}
		if err != nil {
			return err
		}
		*r.field(m) = value
		return nil
	}
	p.text = func(m *Impairment) string {
		if value := *r.field(m); !r.kind.zero(value) {
			return r.kind.print(value)
		}
		return ""
	}
	p.check = func(m *Impairment) error {
		value := *r.field(m)
		if err := r.kind.check(value); err != nil {
			return fmt.Errorf("%v: %w", value, err)
		}
		if r.another != nil {
			return r.another(m)
		}
		return nil
	}
	return p
}
