package syntax

import (
	"fmt"
	"strings"
	"time"
)

// event reads a time and what happens then.
func (p *parser) event() {
	if len(p.script.Events) == MaxEvents {
		fail(p.token.pos, fmt.Sprintf("there may be %d; cut it into several scripts", MaxEvents), "the script has too many events")
	}
	e := &Event{Pos: p.token.pos}
	e.Time = p.time()
	p.text.Reset()
	e.Action = p.action(&e.Time)
	e.Text = strings.ToValidUTF8(p.text.String(), "?")
	p.ended(e.Action)
	if e.Action == nil {
		return
	}
	p.follows(e)
	p.script.Events = append(p.script.Events, e)
}

// ended fails if something is left of the event: the next one begins with a time.
func (p *parser) ended(a Action) {
	t := p.token
	if t.first || t.startsTime() || t.kind == endOfFile || t.kind == shell {
		return
	}
	hint := "an event ends with its line"
	switch a.(type) {
	case *Packet:
		hint = packetHint + `; what it has stands in that order, then a payload in quotes, then "bad checksum"`
	case *Call:
		hint = callHint
	case *Assert:
		hint = `an assertion is a condition alone, such as "assert tcpi_snd_cwnd == 10 && tcpi_lost == 0"`
	}
	p.unexpected("the end of the event", hint)
}

const timeHint = `an event begins with its time in seconds: "0.1", "+0.1" after the event before, or "*" for any time`

// time reads when an event happens.
func (p *parser) time() Time {
	var t Time
	switch {
	case p.accept("*"):
		t.Kind = AnyTime
		return t
	case p.accept("+"):
		t.Kind = Relative
	}
	t.From = p.seconds(timeHint)
	t.To = t.From
	switch at := p.token.pos; {
	case p.accept("~"):
		if t.Kind == Relative {
			p.expect("+", `the end of a time is written as its beginning is: "+1~+2" or "1~2"`)
		}
		if t.To = p.seconds("a range is such as 1~2"); t.To < t.From {
			fail(at, "write the earlier time first", "the range of time ends before it begins")
		}
	case p.accept("..."):
		if t.Kind == Relative {
			p.accept("+")
		}
		t.Blocks = true
		if t.Until = p.seconds("a call that blocks has a time such as 1...2"); t.Until < t.From {
			fail(at, "write when the call is made, three dots, and when it returns", "the call returns before it is made")
		}
	}
	return t
}

// seconds reads a number of seconds, exactly.
func (p *parser) seconds(hint string) time.Duration {
	t := p.token
	if t.kind != integer && t.kind != float {
		if t.is("-") {
			fail(t.pos, hint, "a time isn't negative")
		}
		p.unexpected("a time", hint)
	}
	whole, fraction, _ := strings.Cut(t.text, ".")
	whole = strings.TrimLeft(whole, "0")
	if len(strings.TrimRight(fraction, "0")) > 9 {
		fail(t.pos, "write at most 9 digits after the point", "the time is finer than a nanosecond: %s", t.text)
	}
	var d time.Duration
	for _, c := range whole {
		if d = d*10 + time.Duration(c-'0')*time.Second; d > MaxTime {
			break
		}
	}
	unit := time.Second
	for _, c := range fraction {
		unit /= 10
		d += time.Duration(c-'0') * unit
	}
	if d > MaxTime {
		fail(t.pos, fmt.Sprintf("a script takes at most a year, %d seconds", MaxTime/time.Second), "the time is too late: %s", t.text)
	}
	p.move()
	return d
}

// follows sees to it that an event isn't before the one before.
func (p *parser) follows(e *Event) {
	switch e.Time.Kind {
	case Absolute:
		if e.Time.To < p.now {
			fail(e.Pos, `put the events in their order, or write "+" and how much later it is`, "the event is before the one before it, which is at %s", seconds(p.now))
		}
		p.now = max(p.now, e.Time.From)
	case Relative:
		if p.now += e.Time.From; p.now > MaxTime {
			p.now = 0
			fail(e.Pos, fmt.Sprintf("a script takes at most a year, %d seconds", MaxTime/time.Second), "the time is too late")
		}
	}
}

const actionHint = `there are packets ("< S 0:0(0) win 1000", "> S. 0:0(0) ack 1"), calls ("close(3) = 0"), ` +
	`"assert CONDITION", "nothing", "profile NAME" and "link NAME=VALUE"`

// action reads what happens; nil: something that is wrong and was reported.
func (p *parser) action(t *Time) Action {
	at := p.token.pos
	outbound := p.token.is(">")
	if t.Kind == AnyTime && !outbound {
		fail(at, `write "+0" for the same time as the event before`, `only a packet of the stack (">") comes at any time, "*"`)
	}
	if t.Blocks && (p.token.kind != word || p.own()) {
		fail(at, `a packet that may come from 1 to 2 has the time "1~2"`, `only a call takes time, "1...2"`)
	}
	switch {
	case outbound, p.token.is("<"):
		return p.packet()
	case p.token.kind == shell, p.token.kind == code:
		return p.ignored(p.token.kind == shell)
	case p.token.kind != word:
		p.unexpected("what happens", actionHint)
	case p.accept("nothing"):
		return &Nothing{Pos: at}
	case p.accept("assert"):
		p.lowest = anyOperator
		return &Assert{Pos: at, Cond: p.expr(anyOperator)}
	case p.accept("profile"):
		return &Profile{Pos: at, Name: p.word("the name of a profile", `the profiles are documented, windows and legacy`)}
	case p.token.is("link"):
		return p.link()
	}
	return p.call()
}

// own reports whether the next token is a word of ours, which begins an event that isn't a call.
func (p *parser) own() bool {
	return p.token.is("nothing") || p.token.is("assert") || p.token.is("profile") || p.token.is("link")
}

// word reads a word.
func (p *parser) word(what, hint string) string {
	if p.token.kind != word {
		p.unexpected(what, hint)
	}
	return p.take().text
}

const linkHint = `it is such as "link delay=50ms loss=0.1 seed=3", with the names of wsstack exec's flags`

// link reads settings up to the end of the line. Their values are no tokens.
func (p *parser) link() Action {
	l := &Link{Pos: p.token.pos}
	p.text.WriteString("link")
	for {
		p.advance(blanks(p.rest(), false))
		pos := p.pos
		name := p.cutRun(nameByte)
		if name == "" {
			break
		}
		if !letter(name[0]) {
			fail(pos, linkHint, "%q isn't the name of a setting of the link", name)
		}
		s := Setting{Pos: pos, Name: name}
		if rest := p.rest(); len(rest) > 0 && rest[0] == '=' {
			p.advance(1)
			if s.Value, s.HasValue = p.cutRun(linkByte), true; s.Value == "" {
				fail(p.pos, linkHint, "%s of the link has no value", name)
			}
		}
		l.Settings = append(l.Settings, s)
		p.text.WriteString(" " + s.pair())
	}
	if len(l.Settings) == 0 {
		fail(p.pos, linkHint, "the link has no settings")
	}
	p.last, p.token = token{}, token{}
	p.move()
	if !p.token.first && p.token.kind != endOfFile {
		p.unexpected("the name of a setting of the link", linkHint)
	}
	return l
}

// cutRun reads bytes of a kind.
func (l *lexer) cutRun(of func(byte) bool) string { return l.cut(run(l.rest(), of)) }

// linkByte reports whether a value of a link may have the byte.
func linkByte(c byte) bool {
	return wordByte(c) || c == '.' || c == ',' || c == '-' || c == '+' || c == ':' || c == '%'
}
