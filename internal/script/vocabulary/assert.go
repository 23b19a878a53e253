package vocabulary

import (
	"errors"
	"fmt"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// LastUsed stands for the descriptor that the script has used last.
const LastUsed = -1

// Sockets are the sockets of a script, as an Assert sees them. Their errors fail the Assert.
type Sockets interface {
	// Info returns what is known of the connection of a descriptor, or of LastUsed.
	Info(fd int64) (Info, error)

	// Option is getsockopt with a buffer of that size.
	Option(fd int64, o Option, size int) ([]byte, error)
}

// A Reading is a value that an Assert has read.
type Reading struct {
	Text  string // as the script has it: "tcpi_rto(4)"
	Value string // "200000", "TCP_ESTABLISHED (1)"
}

// A Verdict is the result of an Assert.
type Verdict struct {
	Holds    bool
	Readings []Reading // in the order of the condition, each once
}

// Assert evaluates a condition: it holds when its value isn't 0. What && and || don't need isn't
// read. The error is an *Error in the script, or says why something can't be read.
func (v Evaluator) Assert(a *syntax.Assert, s Sockets) (Verdict, error) {
	r := &reader{v: v, sockets: s}
	n, err := r.number(a.Cond)
	return Verdict{Holds: n != 0, Readings: r.readings}, err
}

// CheckAssert returns the first mistake of a condition that can be seen without sockets, and before
// it is known on which system it is evaluated. The error is an *Error.
func CheckAssert(a *syntax.Assert) error {
	err := Evaluator{For: Winsock}.check(a.Cond)
	if err != nil && (Evaluator{For: Linux, Digits: Linux}).check(a.Cond) == nil {
		return nil // only Linux has something, as --real may want it
	}
	return err
}

// A reader evaluates a condition. Numbers are those of 64 bits and go round.
type reader struct {
	v        Evaluator
	sockets  Sockets
	readings []Reading
}

// read notes a value that was read.
func (r *reader) read(e syntax.Expr, value string) {
	for _, old := range r.readings {
		if old.Text == e.String() {
			return
		}
	}
	r.readings = append(r.readings, Reading{e.String(), value})
}

// number returns what an expression is.
func (r *reader) number(e syntax.Expr) (int64, error) {
	switch e := e.(type) {
	case *syntax.Number:
		return e.Value, nil
	case *syntax.Name:
		return r.named(e, e.Word, LastUsed)
	case *syntax.Apply:
		return r.applied(e)
	case *syntax.Or:
		return r.joined(e)
	case *syntax.Unary:
		return r.unary(e)
	case *syntax.Binary:
		return r.binary(e)
	case *syntax.Float:
		return 0, errorf(e, "write a whole number: times are in microseconds", "a condition is of whole numbers")
	}
	return 0, errorf(e, "write a field such as tcpi_snd_cwnd, an option such as SO_RCVBUF(4), or a number",
		"%s isn't of use in a condition", e)
}

func (r *reader) joined(e *syntax.Or) (n int64, err error) {
	for _, part := range e.Parts {
		p, err := r.number(part)
		if err != nil {
			return 0, err
		}
		n |= p
	}
	return n, nil
}

func (r *reader) unary(e *syntax.Unary) (int64, error) {
	n, err := r.number(e.Operand)
	switch e.Op {
	case "-":
		n = -n
	case "~":
		n = ^n
	case "!":
		n = truth(n == 0)
	}
	return n, err
}

// truth is 1 for what holds.
func truth(holds bool) int64 {
	if holds {
		return 1
	}
	return 0
}

// named returns the value of a name: a field, a constant, or an option of the socket.
func (r *reader) named(e syntax.Expr, word string, fd int64) (int64, error) {
	if KnownField(word) {
		info, err := r.sockets.Info(fd)
		if err != nil {
			return 0, err
		}
		n, err := info.Field(word)
		if err != nil {
			return 0, at(err, e)
		}
		r.read(e, fieldText(word, n))
		return n, nil
	}
	if n, ok, err := r.v.constant(e, word); ok {
		return n, err
	}
	o, b, err := r.option(e, word, fd)
	if err != nil {
		return 0, err
	}
	if integers[o.Type] == 0 {
		return 0, errorf(e, fmt.Sprintf("write %s == %s", e, r.v.OptionText(o, b)), "%s isn't one number", word)
	}
	n := little(b, o.Type == "int")
	r.read(e, r.v.For.Text(o.value().kind, n))
	return n, nil
}

// at is the error with the place of an expression, if it has none.
func at(err error, e syntax.Expr) error {
	var known *Error
	if errors.As(err, &known) && known.Pos == (syntax.Pos{}) {
		return &Error{e.At(), known.Problem, known.Advice}
	}
	return err
}

// option reads an option.
func (r *reader) option(e syntax.Expr, word string, fd int64) (Option, []byte, error) {
	o, err := r.v.readable(e, word)
	if err != nil {
		return o, nil, err
	}
	size := max(4, o.Row.Size, o.Row.Size6, integers[o.Type])
	if l, ok := layoutOf(r.v.For, o.Type); ok {
		size = l.size
	} else if integers[o.Type] == 0 {
		size = max(size, 64) // a name of Linux, some bytes
	}
	b, err := r.sockets.Option(fd, o, size)
	return o, b, err
}

// readable returns an option that a condition may read.
func (v Evaluator) readable(e syntax.Expr, word string) (Option, error) {
	o, err := v.OptionNamed(word)
	if err != nil {
		if _, isOption := inTable(word, anyLevel); !isOption && linuxNamed(word, anyLevel) == nil {
			return o, errorf(e, nearestField(word), "%s is neither a field, an option nor a constant", word)
		}
	}
	return o, at(err, e)
}

// constant returns the number of a constant of any kind. ok is false for a name that isn't one.
func (v Evaluator) constant(e syntax.Expr, word string) (n int64, ok bool, err error) {
	name := &syntax.Name{Pos: e.At(), Word: word}
	for k := range Kind(len(kinds)) {
		if _, found := find(k, word); found {
			n, err := v.named(k, name)
			return n, true, err
		}
	}
	if _, known := ErrnoKnown(word); known {
		n, err := v.errnoNamed(name)
		return n, true, err
	}
	return 0, false, nil
}

// applied returns the value of a field or an option of the socket in the parentheses, or that of a
// function.
func (r *reader) applied(e *syntax.Apply) (int64, error) {
	if isFunction(e.Name) {
		return r.v.applied(e)
	}
	fd, err := r.v.descriptor(e)
	if err != nil {
		return 0, err
	}
	return r.named(e, e.Name, fd)
}

// isFunction reports whether a name is that of a function of values.
func isFunction(name string) bool {
	return contains([]string{"htons", "htonl", "ntohs", "ntohl", "inet_addr"}, name)
}

// descriptor returns the socket that a field or an option is of.
func (v Evaluator) descriptor(e *syntax.Apply) (int64, error) {
	if len(e.Args) != 1 {
		return 0, errorf(e, "write "+syntax.Short(e.Name)+"(4)", "%s needs one descriptor", e.Name)
	}
	n, ok := e.Args[0].(*syntax.Number)
	if !ok || n.Value < 0 {
		return 0, errorf(e.Args[0], "write the number of a socket, such as "+syntax.Short(e.Name)+"(4)", "%s isn't a descriptor", e.Args[0])
	}
	return n.Value, nil
}

func (r *reader) binary(e *syntax.Binary) (int64, error) {
	switch e.Op {
	case "in":
		return r.within(e)
	case "==", "!=":
		if n, ok, err := r.compareValue(e, e.Left, e.Right); ok {
			return n, err
		}
		if n, ok, err := r.compareValue(e, e.Right, e.Left); ok {
			return n, err
		}
	}
	if compares(e) {
		n, _, err := r.compare(e)
		return n, err
	}
	left, err := r.number(e.Left)
	if err != nil {
		return 0, err
	}
	if e.Op == "&&" && left == 0 || e.Op == "||" && left != 0 {
		return truth(left != 0), nil
	}
	right, err := r.number(e.Right)
	if err != nil {
		return 0, err
	}
	return operate(e, left, right)
}

// compares reports whether an expression is a comparison of two numbers.
func compares(e syntax.Expr) bool {
	b, ok := e.(*syntax.Binary)
	return ok && contains([]string{"==", "!=", "<", "<=", ">", ">="}, b.Op)
}

// compare returns the truth of a comparison, and its right side. Of "a < b < c" the left side is a
// comparison: then both hold, as in Python, or the whole doesn't.
func (r *reader) compare(e *syntax.Binary) (holds, right int64, err error) {
	var left int64
	before := int64(1)
	if inner, ok := e.Left.(*syntax.Binary); ok && compares(inner) {
		before, left, err = r.compare(inner)
	} else {
		left, err = r.number(e.Left)
	}
	if err != nil || before == 0 {
		return 0, 0, err
	}
	if right, err = r.number(e.Right); err != nil {
		return 0, 0, err
	}
	holds, err = operate(e, left, right)
	return holds, right, err
}

// within reports whether a value is in a list.
func (r *reader) within(e *syntax.Binary) (int64, error) {
	list, ok := e.Right.(*syntax.List)
	if !ok {
		return 0, errorf(e.Right, "write tcpi_state in [1, 4]", "what is right of in isn't a list")
	}
	left, err := r.number(e.Left)
	if err != nil {
		return 0, err
	}
	for _, item := range list.Items {
		n, err := r.number(item)
		if err != nil {
			return 0, err
		}
		if n == left {
			return 1, nil
		}
	}
	return 0, nil
}

// compareValue compares an option with a structure, a text or a list. ok is false for other
// comparisons.
func (r *reader) compareValue(e *syntax.Binary, option, want syntax.Expr) (n int64, ok bool, err error) {
	switch want.(type) {
	case *syntax.Struct, *syntax.Text, *syntax.List:
	default:
		return 0, false, nil
	}
	word, fd := "", int64(LastUsed)
	switch o := option.(type) {
	case *syntax.Name:
		word = o.Word
	case *syntax.Apply:
		word = o.Name
		if fd, err = r.v.descriptor(o); err != nil {
			return 0, true, err
		}
	}
	if word == "" || KnownField(word) {
		return 0, true, errorf(want, "write a number", "only an option is compared with %s", want)
	}
	o, b, err := r.option(option, word, fd)
	if err != nil {
		return 0, true, err
	}
	actual, equal, err := r.v.MatchOption(o, b, want)
	r.read(option, actual)
	return truth(equal == (e.Op == "==")), true, err
}

// operate returns the result of an operator on two numbers.
func operate(e *syntax.Binary, a, b int64) (int64, error) {
	switch e.Op {
	case "==":
		return truth(a == b), nil
	case "!=":
		return truth(a != b), nil
	case "<":
		return truth(a < b), nil
	case "<=":
		return truth(a <= b), nil
	case ">":
		return truth(a > b), nil
	case ">=":
		return truth(a >= b), nil
	case "&&", "||": // the left side hasn't decided
		return truth(b != 0), nil
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "&":
		return a & b, nil
	case "^":
		return a ^ b, nil
	}
	return divide(e, a, b)
}

// divide returns the result of an operator for which not every right side is possible.
func divide(e *syntax.Binary, a, b int64) (int64, error) {
	switch e.Op {
	case "/", "%":
		if b == 0 {
			return 0, errorf(e.Right, "divide by another number", "a division by 0")
		}
		if e.Op == "/" {
			return a / b, nil
		}
		return a % b, nil
	case "<<", ">>":
		if b < 0 || b > 63 {
			return 0, errorf(e.Right, "shift by 0 to 63 bits", "a shift by %d bits", b)
		}
		if e.Op == "<<" {
			return a << b, nil
		}
		return a >> b, nil
	}
	return 0, errorf(e, "operators: == != < <= > >= && || + - * / % & | ^ << >> in", "there is no operator %s", e.Op)
}

// check returns the first mistake of an expression that can be seen without sockets.
func (v Evaluator) check(e syntax.Expr) error {
	switch e := e.(type) {
	case *syntax.Name:
		return v.checkName(e, e.Word)
	case *syntax.Apply:
		if isFunction(e.Name) {
			_, err := v.applied(e)
			return err
		}
		if _, err := v.descriptor(e); err != nil {
			return err
		}
		return v.checkName(e, e.Name)
	case *syntax.Or:
		return v.checkAll(e.Parts...)
	case *syntax.Unary:
		return v.check(e.Operand)
	case *syntax.Binary:
		return v.checkBinary(e)
	case *syntax.Number:
		return nil
	}
	_, err := (&reader{v: v}).number(e)
	return err
}

func (v Evaluator) checkAll(list ...syntax.Expr) error {
	for _, e := range list {
		if err := v.check(e); err != nil {
			return err
		}
	}
	return nil
}

// checkBinary checks both sides; what an option is compared with is checked when it is.
func (v Evaluator) checkBinary(e *syntax.Binary) error {
	for _, side := range []syntax.Expr{e.Left, e.Right} {
		switch s := side.(type) {
		case *syntax.Struct, *syntax.Text:
		case *syntax.List:
			if e.Op != "in" {
				continue
			}
			if err := v.checkAll(s.Items...); err != nil {
				return err
			}
		default:
			if err := v.check(side); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkName checks the name of a field, a constant or an option.
func (v Evaluator) checkName(e syntax.Expr, word string) error {
	if v.For == Winsock && KnownField(word) {
		_, err := StackInfo{}.Field(word)
		return at(err, e)
	}
	if KnownField(word) {
		return nil
	}
	if _, ok, err := v.constant(e, word); ok {
		return err
	}
	_, err := v.readable(e, word)
	return err
}
