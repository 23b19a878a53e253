package vocabulary

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// maxPadding is how many zeros follow a value whose length a script makes larger. Winsock looks at
// none of them.
const maxPadding = 1024

// integers are the types that are one number, with their sizes.
var integers = map[string]int{
	"BOOL": 4, "int": 4, "DWORD": 4, "unsigned int": 4, "GROUP": 4, "u_long": 4, "ULONG": 4, "BYTE": 1, "SOCKET": 8,
}

// A value is what an option or a control code has: a type in a system, for which the other system
// may have another one.
type value struct {
	typ    string
	kind   Kind   // of an integer
	linux  string // the type that Linux has for it; "": the same
	plural bool   // a list stands for several numbers
}

// value is what an option has.
func (o Option) value() value {
	val := value{typ: o.Type, kind: OptionValue, plural: o.Type == "DWORD[]" || o.Type == "bytes"}
	switch o.Symbol {
	case "IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER":
		val.kind = MTUDiscovery
	case "SO_ERROR":
		val.kind = ErrorCode
	case "SO_TYPE":
		val.kind = SocketType
	}
	if o.linux != nil {
		val.linux = o.linux.typ
	}
	return val
}

// EncodeOption returns the bytes of the value of an option. size is the optlen that a script has for
// it: bytes are cut off or zeros added, unless it is the size that the value has on Linux; below 0 it
// is left to the type. What a script has as struct timeval is milliseconds for Winsock, and what it
// has as the name of a congestion control is its number. The error is an *Error.
func (v Evaluator) EncodeOption(o Option, e syntax.Expr, size int) ([]byte, error) {
	b, err := v.encode(o.value(), e)
	if err != nil || size < 0 || size == len(b) {
		return b, err
	}
	switch size = v.Size(o, size); {
	case size < len(b):
		return b[:size], nil
	case size > len(b):
		return append(b, make([]byte, min(size-len(b), maxPadding))...), nil
	}
	return b, nil
}

// Size returns the optlen for a call of v.For where a script has said as optlen: that of Linux's
// structure becomes that of Winsock's, and others stay.
func (v Evaluator) Size(o Option, said int) int {
	if own, linux := v.sizes(o); own != 0 && said == linux {
		return own
	}
	return said
}

// SizeBack returns the optlen that a script expects where the call has given n, and the script has
// said as optlen before.
func (v Evaluator) SizeBack(o Option, said, n int) int {
	if own, linux := v.sizes(o); own != 0 && said == linux && n == own {
		return linux
	}
	return n
}

// sizes returns the sizes of a value that Linux has in another form, and zeros for others.
func (v Evaluator) sizes(o Option) (own, linux int) {
	if v.For == Linux || o.linux == nil {
		return 0, 0
	}
	l, ok := layoutOf(Linux, o.linux.typ)
	if !ok {
		return 0, 0
	}
	if w, ok := layoutOf(Winsock, o.Type); ok {
		return w.size, l.size
	}
	return integers[o.Type], l.size
}

// only returns the one item of a list, and another expression as it is.
func only(e syntax.Expr) syntax.Expr {
	if l, ok := e.(*syntax.List); ok && len(l.Items) == 1 {
		return l.Items[0]
	}
	return e
}

// encode returns the bytes of a value.
func (v Evaluator) encode(val value, e syntax.Expr) ([]byte, error) {
	if val.plural {
		return v.encodeList(val, e)
	}
	e = only(e)
	if l, ok := e.(*syntax.List); ok && len(l.Items) == 0 {
		return []byte{}, nil
	}
	if l, ok := layoutOf(v.For, val.typ); ok {
		if _, plain := e.(*syntax.Number); !plain {
			return l.encode(v, e)
		}
	}
	switch e := e.(type) {
	case *syntax.Text:
		return v.encodeText(val, e)
	case *syntax.Struct:
		if val.linux == "struct timeval" && integers[val.typ] != 0 {
			d, _, err := v.Timeval(e)
			return little4(int64(d / time.Millisecond)), err
		}
		return nil, errorf(e, "write one number", "the value is a %s, not a structure", val.typ)
	}
	size := integers[val.typ]
	if size == 0 {
		size = 4 // another type gets what the script has
	}
	n, err := v.Number(val.kind, e)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	return b, putNumber(b, n, e)
}

// little4 returns the bytes of a DWORD.
func little4(n int64) []byte {
	b := make([]byte, 4)
	putLittle(b, n)
	return b
}

// encodeList returns the bytes of several numbers.
func (v Evaluator) encodeList(val value, e syntax.Expr) ([]byte, error) {
	if t, ok := e.(*syntax.Text); ok {
		return []byte(t.Value), nil
	}
	items := []syntax.Expr{e}
	if l, ok := e.(*syntax.List); ok {
		items = l.Items
	}
	size := 1
	if val.typ == "DWORD[]" {
		size = 4
	}
	b := []byte{}
	for _, item := range items {
		n, err := v.Number(OptionValue, item)
		if err != nil {
			return nil, err
		}
		one := make([]byte, size)
		if err := putNumber(one, n, item); err != nil {
			return nil, err
		}
		b = append(b, one...)
	}
	return b, nil
}

// congestions are the names that Linux has for congestion controls of this stack.
var congestions = map[string]options.Congestion{"reno": options.CongestionReno, "cubic": options.CongestionCubic}

// encodeText returns the bytes of a text, which for Winsock may be the name of a congestion control.
func (v Evaluator) encodeText(val value, e *syntax.Text) ([]byte, error) {
	if v.For == Winsock && val.linux == "string" && integers[val.typ] != 0 {
		c, ok := congestions[e.Value]
		if !ok {
			return nil, errorf(e, `write "reno" or "cubic"`, "this stack has no congestion control %q", e.Value)
		}
		return little4(int64(c)), nil
	}
	return []byte(e.Value), nil
}

// MatchOption reports whether the bytes of an option are what a script has for it. actual is how a
// script would have them. The error is an *Error in the script.
func (v Evaluator) MatchOption(o Option, got []byte, want syntax.Expr) (actual string, ok bool, err error) {
	return v.match(o.value(), got, want)
}

// OptionText is how a script writes the bytes of an option.
func (v Evaluator) OptionText(o Option, got []byte) string { return v.text(o.value(), got, nil) }

// match compares bytes with what a script has.
func (v Evaluator) match(val value, got []byte, want syntax.Expr) (actual string, ok bool, err error) {
	actual = v.text(val, got, want)
	if !val.plural {
		want = only(want)
	}
	if IsAny(want) {
		return actual, true, nil
	}
	if l, has := layoutOf(v.For, val.typ); has {
		ok, err := l.matches(v, got, want)
		return actual, ok, err
	}
	if name, is := want.(*syntax.Name); is && val.kind == ErrorCode && v.For == Winsock {
		if _, err := v.errnoNamed(name); err != nil {
			return actual, false, err
		}
		return actual, ErrnoMatches("", wsa.Errno(little(got, true)), name.Word), nil
	}
	b, err := v.encode(val, want)
	if err != nil {
		return actual, false, err
	}
	if _, is := want.(*syntax.Text); is && v.For == Linux {
		got = []byte(strings.TrimRight(string(got), "\x00"))
	}
	if integers[val.typ] != 0 { // a BOOL may be one byte
		b = b[:min(len(b), len(got))]
		return actual, len(got) > 0 && string(got[:len(b)]) == string(b), nil
	}
	return actual, string(got) == string(b), nil
}

// text is how a script writes bytes, in the way of want where there are several.
func (v Evaluator) text(val value, got []byte, want syntax.Expr) string {
	if l, ok := layoutOf(v.For, val.typ); ok {
		return l.text(v.For, got)
	}
	switch want := only(want).(type) {
	case *syntax.Struct:
		if val.linux == "struct timeval" && len(got) == 4 {
			ms := little(got, false)
			return fmt.Sprintf("{tv_sec=%d, tv_usec=%d}", ms/1000, ms%1000*1000)
		}
	case *syntax.Text:
		for name, c := range congestions {
			if v.For == Winsock && val.linux == "string" && little(got, false) == int64(c) {
				return fmt.Sprintf("%q", name)
			}
		}
		if v.For == Linux {
			return fmt.Sprintf("%q", strings.TrimRight(string(got), "\x00"))
		}
		_ = want
	}
	return "[" + v.numberText(val, got) + "]"
}

// numberText is how a script writes one number or several.
func (v Evaluator) numberText(val value, got []byte) string {
	size := integers[val.typ]
	switch {
	case size != 0 || val.typ == "DWORD":
		n := little(got, val.typ == "int" || val.typ == "SOCKET")
		return v.For.Text(val.kind, n)
	case val.typ == "DWORD[]":
		size = 4
	case val.plural || len(got) != 4:
		size = 1
	default:
		return fmt.Sprint(little(got, true))
	}
	var list []string
	for len(got) >= size {
		list = append(list, fmt.Sprint(little(got[:size], false)))
		got = got[size:]
	}
	return strings.Join(list, ", ")
}
