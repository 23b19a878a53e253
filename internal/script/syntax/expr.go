package syntax

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The levels of operators: the higher, the more closely it binds.
const (
	anyOperator   = 1 // in an Assert
	comparison    = 3
	either        = 4 // "|"; what the arguments of a call may have begins here
	unaryOperator = 10
)

// levels are those of the operators of two sides.
var levels = map[string]int{
	"||": 1, "&&": 2,
	"==": comparison, "!=": comparison, "<": comparison, "<=": comparison, ">": comparison, ">=": comparison, "in": comparison,
	"|": either, "^": 5, "&": 6, "<<": 7, ">>": 7, "+": 8, "-": 8, "*": 9, "/": 9, "%": 9,
}

// operator is the operator of two sides that comes next; "": none. One that isn't within brackets
// stands on the line on which its left side ends, as "+" and "*" begin events.
func (p *parser) operator() (string, int) {
	t := p.token
	if t.kind != mark && t.kind != word || t.first && (p.brackets == 0 || t.startsTime()) {
		return "", 0
	}
	op := t.text
	if p.python {
		switch op {
		case "and":
			op = "&&"
		case "or":
			op = "||"
		}
	}
	return op, levels[op]
}

// expr reads an expression whose operators are of a level or a higher one.
func (p *parser) expr(level int) Expr {
	left := p.unary()
	for {
		op, l := p.operator()
		if l < level || l == 0 {
			return left
		}
		at := p.token.pos
		if p.operators++; p.operators > MaxOperators {
			fail(at, fmt.Sprintf("write it in several; the limit is %d", MaxOperators), "the event has too many operators")
		}
		p.unmixed(left, op, l)
		p.move()
		right := p.expr(l + 1)
		p.unmixed(right, op, l)
		if _, ok := right.(*List); op == "in" && !ok {
			fail(right.At(), `write "tcpi_state in [1, 4]"`, `what is right of "in" isn't a list`)
		}
		if op == "|" {
			left = &Or{Pos: left.At(), Parts: append(parts(left), parts(right)...)}
		} else {
			left = &Binary{Pos: left.At(), Op: op, Left: left, Right: right}
		}
	}
}

// mixed reports whether an expression binds more closely than a comparison in some languages, and
// less closely in others.
func mixed(e Expr) bool {
	switch e := e.(type) {
	case *Or:
		return true
	case *Binary:
		return e.Op == "&" || e.Op == "^"
	}
	return false
}

// unmixed sees to it that such an expression beside a comparison is in parentheses.
func (p *parser) unmixed(e Expr, op string, level int) {
	if level == comparison && mixed(e) && e != p.closed {
		fail(e.At(), fmt.Sprintf(`write "(%s)"`, Short(e.String())), `"%s" beside %q needs parentheses`, e, op)
	}
}

// parts are the sides of "|" that an expression has.
func parts(e Expr) []Expr {
	if o, ok := e.(*Or); ok {
		return o.Parts
	}
	return []Expr{e}
}

// unary reads an expression without operators of two sides.
func (p *parser) unary() Expr {
	t := p.token
	switch {
	case p.accept("-"):
		return negative(t.pos, p.nested(p.unary))
	case p.accept("~"), p.accept("!"):
		return &Unary{Pos: t.pos, Op: t.text, Operand: p.nested(p.unary)}
	case p.python && p.accept("not"):
		return &Unary{Pos: t.pos, Op: "!", Operand: p.nested(func() Expr { return p.expr(comparison) })}
	}
	return p.operand()
}

// negative is "-" in front of an operand.
func negative(pos Pos, operand Expr) Expr {
	switch o := operand.(type) {
	case *Number:
		if !o.Hex {
			return &Number{Pos: pos, Value: -o.Value}
		}
	case *Float:
		return &Float{Pos: pos, Value: -o.Value}
	}
	return &Unary{Pos: pos, Op: "-", Operand: operand}
}

// nested calls f one level deeper.
func (p *parser) nested(f func() Expr) Expr {
	if p.depth++; p.depth > MaxNesting {
		fail(p.token.pos, fmt.Sprintf("write it flatter; the limit is %d", MaxNesting), "the expression nests too deeply")
	}
	e := f()
	p.depth--
	return e
}

// within calls f for what is within brackets.
func (p *parser) within(f func()) {
	p.brackets++
	p.nested(func() Expr { f(); return nil })
	p.brackets--
}

const exprHint = `a value is a number, a name such as SO_KEEPALIVE, a text in quotes, [a list], {a struct}, htons(80), or "..."`

// operand reads what stands alone.
func (p *parser) operand() Expr {
	t := p.token
	switch t.kind {
	case integer, hexInteger:
		return &Number{t.pos, int64(p.integer("a number", math.MaxInt64, exprHint)), t.kind == hexInteger}
	case float:
		value, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			fail(t.pos, "write a smaller number", "the number is too large: %s", t.text)
		}
		p.move()
		return &Float{t.pos, value}
	case text:
		return p.texts()
	case word:
		return p.name()
	}
	switch {
	case p.accept("..."):
		return &Any{t.pos}
	case t.is("["):
		return &List{t.pos, p.list("[", "]")}
	case t.is("{"):
		return p.structure()
	case t.is("("):
		return p.parenthesized()
	}
	p.unexpected("a value", exprHint)
	return nil
}

// parenthesized reads an expression in parentheses.
func (p *parser) parenthesized() Expr {
	var e Expr
	p.within(func() {
		p.move()
		e = p.expr(p.lowest)
		p.expect(")", `close the parenthesis with ")"`)
	})
	p.closed = e
	return e
}

// texts reads a text, or several in a row, which are one.
func (p *parser) texts() Expr {
	e := &Text{Pos: p.token.pos}
	var value strings.Builder
	for p.token.kind == text {
		value.WriteString(p.take().text)
	}
	e.Value, e.More = value.String(), p.accept("...")
	return e
}

// name reads a name, or a function of values.
func (p *parser) name() Expr {
	t := p.take()
	if !p.token.is("(") || p.brackets == 0 && p.token.start > t.end {
		return &Name{t.pos, t.text}
	}
	return &Apply{t.pos, t.text, p.list("(", ")")}
}

// list reads values between brackets, with commas.
func (p *parser) list(open, shut string) []Expr {
	var items []Expr
	p.within(func() {
		p.expect(open, exprHint)
		if p.accept(shut) {
			return
		}
		for {
			items = append(items, p.expr(p.lowest))
			if !p.accept(",") {
				break
			}
		}
		p.expect(shut, `between values there is "," and after the last one "`+shut+`"`)
	})
	return items
}

const structHint = `a struct is such as {fd=3, events=POLLIN} or {..., 10}`

// structure reads a struct.
func (p *parser) structure() Expr {
	s := &Struct{Pos: p.token.pos}
	p.within(func() {
		p.move()
		if p.accept("}") {
			return
		}
		for {
			s.Fields = append(s.Fields, p.field())
			if !p.accept(",") {
				break
			}
		}
		p.expect("}", structHint)
	})
	return s
}

// field reads "name=value", "name(arguments)=value", or a value alone.
func (p *parser) field() Field {
	f := Field{Pos: p.token.pos}
	f.Value = p.expr(p.lowest)
	if !p.token.is("=") {
		return f
	}
	switch e := f.Value.(type) {
	case *Name:
		f.Name = e.Word
	case *Apply:
		f.Name, f.Args = e.Name, e.Args
	default:
		fail(f.Pos, structHint, `what is left of "=" isn't the name of a field`)
	}
	p.move()
	f.Value = p.expr(p.lowest)
	return f
}

const callHint = `a call is such as "close(3) = 0", "read(4, ..., 10) = -1 EAGAIN" or "closesocket(3) = SOCKET_ERROR WSAENOTSOCK"`

// call reads a call of the program.
func (p *parser) call() Action {
	c := &Call{Pos: p.token.pos}
	c.Name = p.take().text
	if !p.token.is("(") {
		fail(c.Pos, near(c.Name), "%q is no event, and a call has arguments in parentheses", c.Name)
	}
	c.Args = p.list("(", ")")
	if !p.accept("=") {
		return c
	}
	c.Result = p.result()
	if p.token.kind == word && !p.token.first {
		if c.Error = p.token.text; !strings.HasPrefix(c.Error, "E") && !strings.HasPrefix(c.Error, "WSA") {
			p.unexpected("the name of an error", callHint)
		}
		p.move()
	}
	p.note()
	return c
}

// near is a hint for the first word of an event that isn't one.
func near(name string) string {
	if name == strings.ToUpper(name) {
		return `in front of the flags of a packet there is "<" if the peer sends it, and ">" if the stack does`
	}
	return callHint
}

// result reads what a call returns: values joined with "|", as "+" and "*" may begin the next
// event.
func (p *parser) result() Expr {
	e := p.unary()
	for p.token.is("|") && !p.token.first {
		p.move()
		e = &Or{Pos: e.At(), Parts: append(parts(e), parts(p.unary())...)}
	}
	return e
}

// note passes over "(Connection refused)", which explains an error or flags.
func (p *parser) note() {
	if !p.token.is("(") || p.token.first {
		return
	}
	at := p.token.pos
	for p.move(); !p.accept(")"); p.move() {
		if p.token.kind == endOfFile || p.token.first {
			fail(at, `write ")" where it ends, on the same line`, "the explanation of the result has no end")
		}
	}
}
