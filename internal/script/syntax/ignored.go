package syntax

import (
	"fmt"
	"strings"
	"unicode"
)

const shellHint = `settings of the stack are lines in front of the first event, such as --congestion=cubic; "--ignore shell" leaves shell commands out`

const codeGeneral = `write what should hold as "assert tcpi_snd_cwnd == 10"; "--ignore code" leaves code out`

// ignored reads a shell command or code, and is an error if they aren't ignored.
func (p *parser) ignored(command bool) Action {
	t := p.take()
	p.script.Ignored++
	p.text.Reset()
	switch {
	case command && !p.options.IgnoreShell:
		p.report(&Error{Pos: t.pos, Text: "shell commands aren't run", Hint: shellHint})
		return nil
	case !command && !p.options.IgnoreCode:
		p.report(&Error{Pos: t.pos, Text: "code in another language isn't run", Hint: codeHint(t.text)})
		return nil
	}
	i := &Ignored{Pos: t.pos, Shell: command, Text: oneLine(t.text)}
	p.text.WriteString(i.String())
	return i
}

// oneLine is a text with single spaces, and without control characters.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

// codeHint says what to write for code in Python that only asserts.
func codeHint(text string) string {
	p := newParser("", []byte(text), Options{})
	p.lowest, p.python = anyOperator, true
	var conditions []Expr
	err := attempt(func() {
		for p.move(); p.token.kind != endOfFile; {
			p.expect("assert", codeGeneral)
			conditions = append(conditions, p.expr(anyOperator))
			for !p.token.first && p.token.kind != endOfFile && !p.token.is(";") {
				p.move() // the message
			}
			p.accept(";")
		}
	})
	if err != nil || len(conditions) == 0 || len(conditions) > 4 {
		return codeGeneral
	}
	cond := conditions[0]
	for _, c := range conditions[1:] {
		cond = &Binary{Op: "&&", Left: cond, Right: c}
	}
	if !standard(cond) {
		return codeGeneral
	}
	return fmt.Sprintf(`write "%s"; "--ignore code" leaves code out`, Short((&Assert{Cond: cond}).String()))
}

// standard reports whether all names are those of TCP_INFO, and not of variables of the code.
func standard(e Expr) bool {
	switch e := e.(type) {
	case *Number, *Float:
		return true
	case *Name:
		return strings.HasPrefix(e.Word, "tcpi_") || strings.HasPrefix(e.Word, "TCPI_") || strings.HasPrefix(e.Word, "TCP_")
	case *Unary:
		return standard(e.Operand)
	case *Binary:
		return standard(e.Left) && standard(e.Right)
	case *Or:
		for _, part := range e.Parts {
			if !standard(part) {
				return false
			}
		}
		return true
	}
	return false
}
