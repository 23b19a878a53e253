package syntax

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The bounds of a script.
const (
	MaxScript    = 1 << 20              // bytes of a file
	MaxEvents    = 100_000              // events
	MaxNesting   = 40                   // lists, structs and parentheses within each other
	MaxOperators = 100                  // operators of two sides in one event
	MaxPayload   = 1<<16 - 1            // bytes of a packet
	MaxTime      = 365 * 24 * time.Hour // the time of an event
	MaxErrors    = 10                   // errors that Parse returns
)

// Options say how Parse reads a script. The zero Options read all of it.
type Options struct {
	// IgnoreShell and IgnoreCode make events that do nothing of shell commands and of code in
	// "%{ }%". Otherwise they are errors.
	IgnoreShell, IgnoreCode bool

	// Defines are words and what stands for each: a text in quotes, a number or another word. They
	// count more than those of "--define=NAME=VALUE" in the script.
	Defines map[string]string
}

// An Error is one mistake in a script.
type Error struct {
	File string // the name of the script
	Pos
	Text string // what is wrong
	Hint string // what would work instead
}

// Error is "file:line:column: text".
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// Errors are the mistakes in a script, in its order. There is at least one.
type Errors []*Error

// Error has a line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, one := range e {
		list[i] = one
	}
	return list
}

// String is "line:column".
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// Parse reads a script. The name is that of the file, for errors. An error is of the type Errors,
// and then there is no Script.
func Parse(name string, text []byte, o Options) (*Script, error) {
	p := newParser(name, text, o)
	p.offset = len(text) - len(bytes.TrimPrefix(text, []byte("\ufeff"))) // an editor's mark
	if len(text) > MaxScript {
		p.report(&Error{Pos: p.pos, Text: fmt.Sprintf("the script has %d bytes", len(text)), Hint: fmt.Sprintf("there may be %d; cut it into several", MaxScript)})
	} else {
		p.parseScript()
	}
	if p.errors != nil {
		return nil, p.errors
	}
	return p.script, nil
}

// A parser reads one script. Its methods fail, which ends the statement and not the script.
type parser struct {
	lexer
	options Options
	defines map[string]string // of the script
	script  *Script
	errors  Errors

	token token           // the next one
	last  token           // the one before
	start int             // of the statement
	text  strings.Builder // of the event
	now   time.Duration   // before which the next event can't be

	depth     int  // of what nests
	brackets  int  // how many are open
	operators int  // of the event
	closed    Expr // what was in parentheses last
	lowest    int  // the level of the operators that may stand within brackets
	python    bool // "and", "or" and "not" are operators
}

func newParser(name string, text []byte, o Options) *parser {
	return &parser{
		lexer:   lexer{src: text, pos: Pos{1, 1}, fresh: true},
		options: o,
		script:  &Script{Name: name},
		defines: map[string]string{},
		lowest:  either,
	}
}

// fail ends the statement with an error. What it panics with comes no further than attempt.
func fail(pos Pos, hint, format string, args ...any) {
	panic(&Error{Pos: pos, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// attempt calls f, and returns the error that it failed with.
func attempt(f func()) (err *Error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			err = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// report keeps an error.
func (p *parser) report(e *Error) {
	e.File, e.Text = p.script.Name, Short(e.Text)
	if len(p.errors) < MaxErrors {
		p.errors = append(p.errors, e)
	}
}

// parseScript reads statement by statement. After one that is wrong it goes on with the next line
// that begins with a time.
func (p *parser) parseScript() {
	p.try(p.move)
	for len(p.errors) < MaxErrors && p.token.kind != endOfFile {
		p.try(p.statement)
	}
	if p.errors == nil && len(p.script.Events) == 0 {
		p.report(&Error{Pos: p.pos, Text: "the script has no events", Hint: `an event is such as "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3"`})
	}
}

// try calls f, and passes over the rest of the statement if it fails.
func (p *parser) try(f func()) {
	err := attempt(f)
	if err == nil {
		return
	}
	p.report(err)
	for p.token.kind != endOfFile && !(p.token.first && p.token.pos.Line > err.Line && p.token.startsTime()) {
		p.skipToken()
	}
}

// skipToken moves on, whatever is there.
func (p *parser) skipToken() {
	for attempt(p.move) != nil {
		continue
	}
}

// startsTime reports whether a time can begin with the token.
func (t token) startsTime() bool {
	return t.kind == integer || t.kind == float || t.is("+") || t.is("*")
}

// statement reads a setting, a shell command without a time, or an event.
func (p *parser) statement() {
	p.start = p.token.start
	p.depth, p.brackets, p.operators, p.lowest = 0, 0, 0, either
	switch p.token.kind {
	case setting:
		p.setting()
	case shell:
		p.ignored(true)
	default:
		p.event()
	}
}

// move makes the next token the present one.
func (p *parser) move() {
	if p.token.end > 0 {
		if p.text.Len() > 0 && p.token.start > p.last.end {
			p.text.WriteByte(' ')
		}
		p.text.Write(p.src[p.token.start:p.token.end])
	}
	p.last, p.token = p.token, token{kind: mark, pos: p.pos, start: p.offset, end: p.offset}
	p.token = p.define(p.next())
}

// define returns what the script or the Options have defined a word to be.
func (p *parser) define(t token) token {
	value, ok := p.options.Defines[t.text]
	if !ok {
		value, ok = p.defines[t.text]
	}
	if !ok || t.kind != word {
		return t
	}
	inner := lexer{src: []byte(value), pos: t.pos}
	if err := attempt(func() { t.kind, t.text = inner.definition() }); err != nil {
		fail(t.pos, err.Hint, "what %s is defined as: %s", t.text, err.Text)
	}
	return t
}

// definition is the kind and the text of a value that consists of one token.
func (l *lexer) definition() (kind, string) {
	t := l.next()
	if l.skip(); t.kind == endOfFile || t.kind == mark || l.offset < len(l.src) {
		fail(l.pos, "define a word, a number or a text in quotes", "%q isn't one word", l.src)
	}
	return t.kind, t.text
}

// take moves past the present token, and returns it.
func (p *parser) take() token {
	t := p.token
	p.move()
	return t
}

// accept moves past a word or mark, if it is the next one.
func (p *parser) accept(text string) bool {
	if !p.token.is(text) {
		return false
	}
	p.move()
	return true
}

// expect moves past a word or mark, and fails if it isn't the next one.
func (p *parser) expect(text, hint string) {
	if !p.accept(text) {
		p.unexpected(strconv.Quote(text), hint)
	}
}

// unexpected fails, as something else is there than what should be.
func (p *parser) unexpected(want, hint string) {
	if t := p.token; t.start > p.start && (t.first && t.startsTime() || t.kind == endOfFile) {
		fail(p.last.after, hint, "expected %s, not the end of the line", want)
	}
	fail(p.token.pos, hint, "expected %s, not %s", want, p.token.describe())
}

// undefined fails if the next token is a word in capitals, where a number or bytes should be: one
// that a setting defines, in all likelihood.
func (p *parser) undefined(what string) {
	if t := p.token; t.kind == word && t.text == strings.ToUpper(t.text) && letter(t.text[0]) {
		fail(t.pos, "--define="+t.text+"=VALUE says what stands for it", "expected %s, and %s isn't defined", what, t.text)
	}
}

// describe says what a token is, in an error.
func (t token) describe() string {
	switch t.kind {
	case endOfFile:
		return "the end of the script"
	case text:
		return "a text"
	case shell:
		return "a shell command"
	case code:
		return "code"
	}
	return strconv.Quote(t.text)
}

// integer reads an integer of at most limit.
func (p *parser) integer(what string, limit uint64, hint string) uint64 {
	t := p.token
	if t.kind != integer && t.kind != hexInteger {
		p.undefined(what)
		p.unexpected(what, hint)
	}
	value, err := strconv.ParseUint(t.text, 0, 64)
	if t.kind == integer {
		value, err = strconv.ParseUint(t.text, 10, 64)
	}
	if err != nil || value > limit {
		fail(t.pos, fmt.Sprintf("%s is at most %d", what, limit), "%s is too large: %s", what, t.text)
	}
	p.move()
	return value
}
