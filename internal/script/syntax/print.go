package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// String is the script in one way of writing it: an event a line, and no comments. Parse reads it
// as the same script.
func (s *Script) String() string {
	var b strings.Builder
	for i := range s.Settings {
		b.WriteString(s.Settings[i].String() + "\n")
	}
	if len(s.Settings) > 0 {
		b.WriteString("\n")
	}
	for _, e := range s.Events {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// String is "--name=value".
func (s *Setting) String() string {
	if s.Value == "" || strings.ContainsAny(s.Value, " \t\"`") || strings.Contains(s.Value, "//") || strings.Contains(s.Value, "/*") {
		if !s.HasValue {
			return "--" + s.Name
		}
		return "--" + s.Name + "=" + quote(s.Value)
	}
	return "--" + s.pair()
}

// pair is "name=value".
func (s *Setting) pair() string {
	if s.HasValue {
		return s.Name + "=" + s.Value
	}
	return s.Name
}

// String is the event on one line.
func (e *Event) String() string { return e.Time.String() + " " + e.Action.String() }

// String is the time as a script has it.
func (t Time) String() string {
	if t.Kind == AnyTime {
		return "*"
	}
	sign := ""
	if t.Kind == Relative {
		sign = "+"
	}
	switch from := sign + seconds(t.From); {
	case t.Blocks:
		return from + "..." + seconds(t.Until)
	case t.To != t.From:
		return from + "~" + sign + seconds(t.To)
	default:
		return from
	}
}

// seconds is a time in seconds, exactly.
func seconds(d time.Duration) string {
	s := strconv.FormatInt(int64(d/time.Second), 10)
	if rest := d % time.Second; rest != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%09d", rest), "0")
	}
	return s
}

func decimal[T uint16 | uint32 | uint8 | int](n T) string { return strconv.FormatInt(int64(n), 10) }

// String is the packet as a script has it.
func (p *Packet) String() string {
	words := []string{">"}
	if p.Inbound {
		words[0] = "<"
	}
	if ip := p.IP.String(); ip != "" {
		words = append(words, ip)
	}
	switch {
	case p.UDP != nil:
		words = append(words, "udp")
		words = append(words, portWords(p.Ports)...)
		words = append(words, "("+decimal(p.UDP.Length)+")")
		words = append(words, payloadWords(p.UDP.Payload)...)
	case p.ICMP != nil:
		words = append(words, p.ICMP.String())
	case p.TCP != nil:
		words = append(words, portWords(p.Ports)...)
		words = append(words, p.TCP.String())
	}
	if p.BadChecksum {
		words = append(words, "bad checksum")
	}
	return strings.Join(words, " ")
}

func portWords(ports *[2]uint16) []string {
	if ports == nil {
		return nil
	}
	return []string{decimal(ports[0]), ">", decimal(ports[1])}
}

func payloadWords(payload []byte) []string {
	if payload == nil {
		return nil
	}
	return []string{quote(string(payload))}
}

// String is "(tos 0x3, ttl 5)", or "" where nothing is said.
func (i *IPInfo) String() string {
	var words []string
	for name, ecn := range ecns {
		if ecn == i.ECN {
			words = append(words, name)
		}
	}
	if i.TOS != nil {
		words = append(words, fmt.Sprintf("tos %#x", *i.TOS))
	}
	if i.TTL != nil {
		words = append(words, "ttl "+decimal(*i.TTL))
	}
	if i.FlowLabel != nil {
		words = append(words, fmt.Sprintf("flowlabel %#x", *i.FlowLabel))
	}
	switch {
	case words == nil:
		return ""
	case len(words) == 1 && i.ECN != UnsaidECN:
		return "[" + words[0] + "]"
	}
	return "(" + strings.Join(words, ", ") + ")"
}

// String is the segment as a script has it.
func (s *Segment) String() string {
	words := []string{s.Flags}
	if s.Flags == "" {
		words[0] = "-"
	}
	if s.HasRange {
		words = append(words, numbers(s.Start, s.End, s.Length))
	}
	if s.Ack != nil {
		words = append(words, "ack "+decimal(*s.Ack))
	}
	if s.Window != nil {
		words = append(words, "win "+decimal(*s.Window))
	}
	if s.Urgent != nil {
		words = append(words, "urg "+decimal(*s.Urgent))
	}
	if s.AnyOpts {
		words = append(words, "<...>")
	}
	if len(s.Options) > 0 {
		list := make([]string, len(s.Options))
		for i := range s.Options {
			list[i] = s.Options[i].String()
		}
		words = append(words, "<"+strings.Join(list, ",")+">")
	}
	return strings.Join(append(words, payloadWords(s.Payload)...), " ")
}

func numbers(start, end uint32, length int) string {
	return fmt.Sprintf("%d:%d(%d)", start, end, length)
}

// String is the message as a script has it.
func (m *ICMP) String() string {
	words := []string{"icmp", m.Type}
	if m.Code != "" {
		words = append(words, m.Code)
	}
	if m.MTU != nil {
		words = append(words, "mtu "+decimal(*m.MTU))
	}
	if m.EchoID != nil {
		words = append(words, "id "+decimal(*m.EchoID))
	}
	if m.Quoted != nil {
		words = append(words, m.Quoted.String())
	}
	return strings.Join(words, " ")
}

// String is the quotation as a script has it.
func (q *Quotation) String() string {
	words := portWords(q.Ports)
	switch {
	case q.TCP:
		words = append(words, numbers(q.Start, q.End, q.Length))
	case q.UDP:
		words = append(append([]string{"udp"}, words...), "("+decimal(q.Length)+")")
	default:
		words = []string{"raw", "(" + decimal(q.Length) + ")"}
	}
	return "[" + strings.Join(words, " ") + "]"
}

// String is the call as a script has it.
func (c *Call) String() string {
	s := c.Name + arguments(c.Args)
	if c.Result == nil {
		return s
	}
	s += " = " + resultString(c.Result)
	if c.Error != "" {
		s += " " + c.Error
	}
	return s
}

// resultString is what a call returns, with parentheses around all operators but "|".
func resultString(e Expr) string {
	if o, ok := e.(*Or); ok {
		return o.join(unaryOperator)
	}
	return operand(e, unaryOperator)
}

// String is the assertion as a script has it.
func (a *Assert) String() string { return "assert " + a.Cond.String() }

// String is "nothing".
func (n *Nothing) String() string { return "nothing" }

// String is the profile as a script has it.
func (p *Profile) String() string { return "profile " + p.Name }

// String is the link as a script has it.
func (l *Link) String() string {
	s := "link"
	for i := range l.Settings {
		s += " " + l.Settings[i].pair()
	}
	return s
}

// String is the command or the code, on one line.
func (i *Ignored) String() string {
	if i.Shell {
		if strings.HasSuffix(i.Text, `\`) { // it isn't for the backquote
			return "`" + i.Text + " `"
		}
		return "`" + i.Text + "`"
	}
	return "%{ " + i.Text + " }%"
}

// quote is a text in quotes, with escapes that the lexer reads.
func quote(s string) string {
	b := []byte{'"'}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\r':
			b = append(b, `\r`...)
		case strconv.IsPrint(r) && (r != utf8.RuneError || n > 1):
			b = append(b, s[:n]...)
		default:
			for _, c := range []byte(s[:n]) {
				b = fmt.Appendf(b, `\x%02x`, c)
			}
		}
		s = s[n:]
	}
	return string(append(b, '"'))
}
