package syntax

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// A kind is what a token is.
type kind uint8

const (
	endOfFile  kind = iota
	word            // letters, digits and "_"
	integer         // decimal digits
	hexInteger      // "0x" and digits
	float           // digits, a point, digits
	text            // "…"; value has its bytes
	shell           // `…`
	code            // %{ … }%
	setting         // --name
	mark            // an operator, or any other character
)

// A token is the smallest piece of a script that means something.
type token struct {
	kind       kind
	text       string // as the script has it; of texts, shell commands and code: what is inside
	pos        Pos
	start, end int  // where it is in the script
	after      Pos  // of end
	first      bool // on its line
}

// is reports whether the token is a word or a mark of that text.
func (t token) is(text string) bool {
	return (t.kind == word || t.kind == mark) && t.text == text
}

// A lexer cuts a script into tokens.
type lexer struct {
	src    []byte
	offset int
	pos    Pos  // of offset
	fresh  bool // nothing was read on this line
}

// advance moves on by n bytes.
func (l *lexer) advance(n int) {
	piece := l.src[l.offset : l.offset+n]
	if at := bytes.LastIndexByte(piece, '\n'); at >= 0 {
		l.pos.Line += bytes.Count(piece, []byte("\n"))
		l.pos.Column, piece, l.fresh = 1, piece[at+1:], true
	}
	l.pos.Column += utf8.RuneCount(piece)
	l.offset += n
}

// rest is what has not been read.
func (l *lexer) rest() []byte { return l.src[l.offset:] }

// blanks is how many of the first bytes are spaces; with lines, also ends of lines.
func blanks(b []byte, lines bool) int {
	n := 0
	for n < len(b) && (b[n] == ' ' || b[n] == '\t' || b[n] == '\r' || lines && b[n] == '\n') {
		n++
	}
	return n
}

// skip moves to the next token, past spaces and comments.
func (l *lexer) skip() {
	for {
		l.advance(blanks(l.rest(), true))
		switch rest := l.rest(); {
		case bytes.HasPrefix(rest, []byte("//")):
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.advance(n)
		case bytes.HasPrefix(rest, []byte("/*")):
			l.enclosed("/*", "*/", "a comment")
		default:
			return
		}
	}
}

// enclosed reads what is between two marks, which are in the script, and returns it.
func (l *lexer) enclosed(open, shut, what string) string {
	pos, rest := l.pos, l.rest()
	n := bytes.Index(rest[len(open):], []byte(shut))
	if n < 0 {
		l.advance(len(rest))
		fail(pos, "write "+shut+" where it ends", "%s has no end", what)
	}
	l.advance(len(open) + n + len(shut))
	return string(rest[len(open) : len(open)+n])
}

// command reads a shell command in backquotes. A backslash in front of one is a part of the command.
func (l *lexer) command() string {
	pos, rest := l.pos, l.rest()
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '`':
			l.advance(i + 1)
			return string(rest[1:i])
		}
	}
	l.advance(len(rest))
	fail(pos, "write ` where it ends", "the shell command has no end")
	return ""
}

// next reads a token.
func (l *lexer) next() token {
	l.skip()
	t := token{pos: l.pos, start: l.offset, first: l.fresh}
	rest := l.rest()
	switch {
	case len(rest) == 0:
	case bytes.HasPrefix(rest, []byte("%{")):
		t.kind, t.text = code, l.enclosed("%{", "}%", "the code")
	case rest[0] == '`':
		t.kind, t.text = shell, l.command()
	case rest[0] == '"':
		t.kind, t.text = text, l.quoted()
	case bytes.HasPrefix(rest, []byte("--")) && len(rest) > 2 && letter(rest[2]):
		t.kind, t.text = setting, l.cut(2+run(rest[2:], nameByte))
	default:
		var n int
		if t.kind, n = number(rest); n == 0 {
			if t.kind, n = word, run(rest, wordByte); n == 0 {
				t.kind, n = mark, l.mark()
			}
		}
		t.text = l.cut(n)
	}
	t.end, t.after, l.fresh = l.offset, l.pos, false
	return t
}

// cut reads n bytes.
func (l *lexer) cut(n int) string {
	piece := string(l.rest()[:n])
	l.advance(n)
	return piece
}

// number is the kind and the length of the number in front; 0: there is none.
func number(b []byte) (kind, int) {
	whole := run(b, digit)
	if at := b[whole:]; len(at) > 1 && at[0] == '.' && digit(at[1]) {
		return float, whole + 1 + run(at[1:], digit)
	}
	n := run(b, wordByte)
	switch {
	case whole > 0 && n == whole:
		return integer, n
	case n > 2 && b[0] == '0' && b[1] == 'x' && run(b[2:], hexDigit) == n-2:
		return hexInteger, n
	}
	return 0, 0
}

// marks are those of several characters.
var marks = []string{"...", "==", "!=", "<=", ">=", "&&", "||", "<<", ">>"}

// mark is the length of the mark in front.
func (l *lexer) mark() int {
	rest := l.rest()
	for _, m := range marks {
		if bytes.HasPrefix(rest, []byte(m)) {
			return len(m)
		}
	}
	if rest[0] > ' ' && rest[0] < 0x7f {
		return 1
	}
	pos := l.pos
	r, n := utf8.DecodeRune(rest)
	l.advance(n)
	fail(pos, "outside of texts and comments there are only characters of ASCII", "unexpected character %q", r)
	return 0
}

// escapes are the letters after a backslash in a text.
var escapes = map[byte]byte{'\\': '\\', '"': '"', '\'': '\'', '0': 0, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// quoted reads a text in quotes, and returns its bytes.
func (l *lexer) quoted() string {
	pos, rest := l.pos, l.rest()
	var value []byte
	for i := 1; i < len(rest) && rest[i] != '\n'; i++ {
		switch c := rest[i]; {
		case c == '"':
			l.advance(i + 1)
			return string(value)
		case c < ' ' && c != '\t':
			l.advance(i)
			at := l.pos
			l.advance(1)
			fail(at, `write it as \xhh`, "the text has a control character, %#x", c)
		case c != '\\':
			value = append(value, c)
		default:
			b, n := escape(rest[i:])
			if n == 0 {
				l.advance(i)
				at := l.pos
				l.advance(1)
				fail(at, `there are \\ \" \' \0 \f \n \r \t \v and \xhh`, `the text has a \ that means nothing`)
			}
			value = append(value, b)
			i += n - 1
		}
	}
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		n = len(rest)
	}
	l.advance(n)
	fail(pos, `end it with a quotation mark on the same line; texts in a row are one text`, "the text has no end")
	return ""
}

// escape is the byte that stands behind the backslash in front, and the length of that; 0: nothing.
func escape(b []byte) (byte, int) {
	if len(b) < 2 {
		return 0, 0
	}
	if b[1] == 'x' {
		if run(b[2:], hexDigit) < 2 {
			return 0, 0
		}
		return hexValue(b[2])<<4 | hexValue(b[3]), 4
	}
	value, ok := escapes[b[1]]
	if !ok {
		return 0, 0
	}
	return value, 2
}

// run is how many bytes in front are of a kind.
func run(b []byte, of func(byte) bool) int {
	n := 0
	for n < len(b) && of(b[n]) {
		n++
	}
	return n
}

func digit(c byte) bool    { return c >= '0' && c <= '9' }
func letter(c byte) bool   { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func wordByte(c byte) bool { return digit(c) || letter(c) || c == '_' }
func nameByte(c byte) bool { return wordByte(c) || c == '-' }
func hexDigit(c byte) bool { return digit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// hexValue is the value of a hexadecimal digit.
func hexValue(c byte) byte {
	return byte(strings.IndexByte("0123456789abcdef", c|0x20)) & 15
}
