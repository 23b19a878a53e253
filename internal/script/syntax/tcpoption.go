package syntax

import (
	"encoding/hex"
	"math"
	"strings"
)

// maxOptions is how many bytes the options of a segment have at most (RFC 9293 §3.1).
const maxOptions = 40

const optionHint = `the options of TCP are such as <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 8>, <nop,nop,sack 1:2 3:4>, <eol>, <FO 00ff>, <md5 00ff>, <unknown 254 00ff> and <...>`

// tcpOptions reads the options of a segment.
func (p *parser) tcpOptions(s *Segment, inbound bool) {
	at := p.token.pos
	p.move()
	if p.token.is("...") {
		if inbound {
			fail(p.token.pos, optionHint, `only a packet of the stack has any options, "<...>"`)
		}
		p.move()
		s.AnyOpts = true
		p.expect(">", optionHint)
		return
	}
	length := 0
	for {
		o := p.tcpOption()
		s.Options = append(s.Options, o)
		length += o.length()
		if !p.accept(",") {
			break
		}
	}
	p.expect(">", optionHint)
	if length > maxOptions {
		fail(at, "leave some out", "the length of the options is %d, and there is room for %d", length, maxOptions)
	}
}

// tcpOption reads an option.
func (p *parser) tcpOption() Option {
	o := Option{Pos: p.token.pos}
	switch o.Name = p.word("an option of TCP", optionHint); o.Name {
	case "nop", "eol", "sackOK":
	case "mss":
		o.Values = p.values("an MSS", math.MaxUint16)
	case "wscale":
		o.Values = p.values("a window scale", math.MaxUint8)
	case "sack":
		o.Values = p.blocks()
	case "TS":
		p.expect("val", optionHint)
		o.Values = p.values("a timestamp", math.MaxUint32)
		p.expect("ecr", optionHint)
		o.Values = append(o.Values, p.values("a timestamp", math.MaxUint32)...)
	case "FO", "FOEXP":
		o.Bytes = p.hex()
	case "md5":
		if o.Bytes = p.hex(); o.Bytes == nil {
			p.unexpected("hexadecimal digits", optionHint)
		}
	case "unknown":
		o.Values = p.values("the kind of an option", math.MaxUint8)
		o.Bytes = p.hex()
	case "ECN":
		fail(o.Pos, "this stack has no accurate ECN (RFC 9768); leave the option out", "the option ECN isn't supported")
	default:
		fail(o.Pos, optionHint, "%q isn't an option of TCP", o.Name)
	}
	return o
}

// values reads one number.
func (p *parser) values(what string, limit uint64) []uint32 {
	return []uint32{uint32(p.integer(what, limit, optionHint))}
}

// blocks reads "1:2 3:4".
func (p *parser) blocks() []uint32 {
	var values []uint32
	for len(values) == 0 || p.token.kind == integer {
		values = append(values, p.number32())
		p.expect(":", optionHint)
		values = append(values, p.number32())
	}
	return values
}

// hex reads bytes in hexadecimal digits; nil: there are none.
func (p *parser) hex() []byte {
	t := p.token
	if t.kind != word && t.kind != integer && t.kind != hexInteger {
		return nil
	}
	b, err := hex.DecodeString(strings.TrimPrefix(t.text, "0x"))
	if err != nil {
		p.undefined("bytes")
		fail(t.pos, "write two hexadecimal digits for each byte, and nothing in between", "these are no bytes: %s", t.text)
	}
	p.move()
	return b
}

// length is how many bytes the option has on the wire.
func (o *Option) length() int {
	switch o.Name {
	case "nop", "eol":
		return 1
	case "FOEXP":
		return 4 + len(o.Bytes)
	}
	return 2 + len(o.Bytes) + valueBytes[o.Name]*len(o.Values)
}

// valueBytes is how many bytes each value of an option has.
var valueBytes = map[string]int{"mss": 2, "wscale": 1, "sack": 4, "TS": 4}

// String is the option as a script has it.
func (o *Option) String() string {
	var b strings.Builder
	b.WriteString(o.Name)
	for i, v := range o.Values {
		switch {
		case o.Name == "TS":
			b.WriteString([]string{" val", " ecr"}[i])
		case o.Name == "sack" && i%2 == 1:
			b.WriteString(":")
			b.WriteString(decimal(v))
			continue
		}
		b.WriteString(" " + decimal(v))
	}
	if len(o.Bytes) > 0 {
		b.WriteString(" " + hex.EncodeToString(o.Bytes))
	}
	return b.String()
}
