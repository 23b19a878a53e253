package simnet

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
)

// A pattern is a line of a script: a TCP segment in the form of a trace line,
// of which everything but the flags may be left out.
//
//	[7200.000s] "[" flags "]" [seq N[:N]] [ack N] [len N] [win N] [urg N] ["<" options ">"]
//
// Options are separated by commas: mss N, sackOK, ts N N, wscale N, sack N:N …
// An empty list, <>, means that there are none; without a list, Expect doesn't
// look.
type pattern struct {
	at      time.Duration // since New
	flags   trace.Flags
	seq     uint32 // relative, as all numbers are
	end     uint32 // behind the last byte
	ack     uint32
	length  int // bytes of payload
	window  int // bytes to expect; the field itself to send
	urgent  int // the urgent pointer
	options trace.Options

	// Which of the fields are given.
	hasAt, hasSeq, hasEnd, hasAck, hasLength, hasWindow, hasUrgent, hasOptions bool
}

// parsePattern reads a line of a script.
func parsePattern(text string) (*pattern, error) {
	p := &pattern{options: trace.Options{WS: -1}}
	bad := func(what string) (*pattern, error) {
		return nil, fmt.Errorf("simnet: segment %q: %s", text, what)
	}
	rest := strings.TrimSpace(text)
	if at, after, ok := strings.Cut(rest, "s ["); ok && !strings.HasPrefix(rest, "[") {
		v, err := strconv.ParseFloat(at, 64)
		if err != nil {
			return bad("the time is not like 0.100s")
		}
		p.at, p.hasAt = time.Duration(v*1e6+0.5)*time.Microsecond, true
		rest = "[" + after
	}
	flags, rest, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
	if !ok || !strings.Contains(text, "[") {
		return bad("there are no flags such as [P.]")
	}
	if p.flags, ok = trace.ParseFlags(flags); !ok {
		return bad("the flags are not of [FSRP.UEW]")
	}
	rest, options, ok := strings.Cut(rest, "<")
	if ok {
		p.hasOptions = true
		list, after, closed := strings.Cut(options, ">")
		if !closed || strings.TrimSpace(after) != "" {
			return bad("the options don't end with >")
		}
		if err := p.parseOptions(list); err != nil {
			return bad(err.Error())
		}
	}
	words := strings.Fields(rest)
	if len(words)%2 != 0 {
		return bad("a field has no number")
	}
	for i := 0; i < len(words); i += 2 {
		if err := p.parseField(words[i], words[i+1]); err != nil {
			return bad(err.Error())
		}
	}
	if p.hasEnd && !p.hasLength {
		p.length, p.hasLength = int(p.end-p.seq), true
	}
	return p, nil
}

// parseField reads a field such as "seq 1:11".
func (p *pattern) parseField(name, value string) error {
	number := func(s string) (uint32, error) {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || v < -1<<31 || v >= 1<<32 {
			return 0, fmt.Errorf("%s %s is not a number", name, value)
		}
		return uint32(v), nil // relative numbers may be negative
	}
	first, end, ranged := strings.Cut(value, ":")
	v, err := number(first)
	if err != nil {
		return err
	}
	switch name {
	case "seq":
		p.seq, p.hasSeq = v, true
		if ranged {
			p.end, err = number(end)
			p.hasEnd = true
		}
		return err
	case "ack":
		p.ack, p.hasAck = v, true
	case "len":
		p.length, p.hasLength = int(v), true
	case "win":
		p.window, p.hasWindow = int(v), true
	case "urg":
		p.urgent, p.hasUrgent = int(v), true
	default:
		return fmt.Errorf("there is no field %q", name)
	}
	return nil
}

// parseOptions reads what stands between "<" and ">".
func (p *pattern) parseOptions(list string) error {
	for o := range strings.SplitSeq(list, ",") {
		words := strings.Fields(o)
		if len(words) == 0 {
			continue
		}
		var v []uint32
		for _, w := range words[1:] {
			for s := range strings.SplitSeq(w, ":") {
				u, err := strconv.ParseUint(s, 10, 32)
				if err != nil {
					return fmt.Errorf("option %q: %q is not a number", strings.TrimSpace(o), s)
				}
				v = append(v, uint32(u))
			}
		}
		switch name := words[0]; {
		case name == "mss" && len(v) == 1:
			p.options.MSS = int(v[0])
		case name == "wscale" && len(v) == 1:
			p.options.WS = int(v[0])
		case name == "sackOK" && len(v) == 0:
			p.options.SACKOK = true
		case name == "ts" && len(v) == 2:
			p.options.Timestamps, p.options.TSVal, p.options.TSEcr = true, v[0], v[1]
		case name == "sack" && len(v) > 0 && len(v)%2 == 0 && len(v) <= 8:
			for i := 0; i < len(v); i += 2 {
				p.options.SACK[i/2] = [2]uint32{v[i], v[i+1]}
			}
			p.options.Blocks = len(v) / 2
		default:
			return fmt.Errorf("option %q is not mss N, sackOK, ts N N, wscale N or sack N:N", strings.TrimSpace(o))
		}
	}
	return nil
}

// mismatch is the name of the first field in which a segment differs, "" where none does. at is
// when the segment came, window its window in bytes.
func (p *pattern) mismatch(at time.Duration, s trace.Segment, window int) string {
	const precision = time.Millisecond
	switch {
	case p.hasAt && (at < p.at || at >= p.at+precision):
		return "time"
	case p.flags != s.Flags:
		return "flags"
	case p.hasSeq && p.seq != s.Seq:
		return "seq"
	case p.hasLength && p.length != s.Len:
		return "len"
	case p.hasAck && p.ack != s.Ack:
		return "ack"
	case p.hasWindow && p.window != window:
		return "win"
	case p.hasUrgent && p.urgent != int(s.Urgent):
		return "urg"
	case p.hasOptions && p.options != s.Options:
		return "options"
	}
	return ""
}
