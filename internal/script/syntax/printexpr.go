package syntax

import (
	"strconv"
	"strings"
)

// String is the number as a script has it.
func (e *Number) String() string {
	if e.Hex {
		return "0x" + strconv.FormatInt(e.Value, 16)
	}
	return strconv.FormatInt(e.Value, 10)
}

// String is the number as a script has it.
func (e *Float) String() string {
	s := strconv.FormatFloat(e.Value, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// String is the text as a script has it.
func (e *Text) String() string {
	if e.More {
		return quote(e.Value) + "..."
	}
	return quote(e.Value)
}

// String is the name.
func (e *Name) String() string { return e.Word }

// String is "...".
func (e *Any) String() string { return "..." }

// String is the flags as a script has them.
func (e *Or) String() string { return e.join(either + 1) }

// join is the flags, each of which is the operand of an operator of a level.
func (e *Or) join(level int) string {
	parts := make([]string, len(e.Parts))
	for i, part := range e.Parts {
		parts[i] = operand(part, level)
	}
	return strings.Join(parts, "|")
}

// String is the operator and its operand.
func (e *Unary) String() string {
	o := operand(e.Operand, unaryOperator)
	if e.Op == "-" && strings.HasPrefix(o, "-") { // "--" begins a setting
		return "- " + o
	}
	return e.Op + o
}

// String is the operator between its sides.
func (e *Binary) String() string {
	level := levels[e.Op]
	return operand(e.Left, level) + " " + e.Op + " " + operand(e.Right, level+1)
}

// operand is an expression, in parentheses if an operator of a level binds it more closely than its
// own.
func operand(e Expr, level int) string {
	own := unaryOperator
	switch e := e.(type) {
	case *Binary:
		own = levels[e.Op]
	case *Or:
		own = either
	}
	if own < level || level >= comparison && level <= either && mixed(e) {
		return "(" + e.String() + ")"
	}
	return e.String()
}

// String is the list as a script has it.
func (e *List) String() string { return "[" + values(e.Items) + "]" }

// String is the struct as a script has it.
func (e *Struct) String() string {
	fields := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		if f.Name != "" {
			fields[i] = f.Name
			if f.Args != nil {
				fields[i] += arguments(f.Args)
			}
			fields[i] += "="
		}
		fields[i] += f.Value.String()
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// String is the function and its arguments.
func (e *Apply) String() string { return e.Name + arguments(e.Args) }

// arguments is a list of values in parentheses.
func arguments(args []Expr) string { return "(" + values(args) + ")" }

// values are expressions with commas.
func values(list []Expr) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.String()
	}
	return strings.Join(texts, ", ")
}
