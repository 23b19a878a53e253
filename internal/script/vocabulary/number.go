package vocabulary

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// errorf is an error in e.
func errorf(e syntax.Expr, advice, format string, args ...any) error {
	return &Error{Pos: e.At(), Problem: fmt.Sprintf(format, args...), Advice: advice}
}

// Number returns the number that e is, of that kind: names, digits, flags joined with |, ~, -, and
// the functions htons, htonl, ntohs, ntohl and inet_addr, whose results are numbers as a
// little-endian machine has them. Names of either system may stand everywhere. The error is an
// *Error.
func (v Evaluator) Number(k Kind, e syntax.Expr) (int64, error) {
	switch e := e.(type) {
	case *syntax.Number:
		return v.digits(k, e)
	case *syntax.Name:
		return v.named(k, e)
	case *syntax.Or:
		return v.joined(k, e)
	case *syntax.Unary:
		return v.unary(k, e)
	case *syntax.Binary:
		return v.calculated(k, e)
	case *syntax.Apply:
		return v.applied(e)
	case *syntax.Any:
		return 0, errorf(e, "write the value itself", "... stands here for no value, as %s is needed", kinds[k].what)
	}
	return 0, errorf(e, "write a name or a number", "this isn't %s", kinds[k].what)
}

// joined returns flags that are joined with |.
func (v Evaluator) joined(k Kind, e *syntax.Or) (int64, error) {
	var n int64
	for _, part := range e.Parts {
		p, err := v.Number(k, part)
		if err != nil {
			return 0, err
		}
		n |= p
	}
	return n, nil
}

func (v Evaluator) unary(k Kind, e *syntax.Unary) (int64, error) {
	if n, ok := e.Operand.(*syntax.Number); ok && e.Op == "-" {
		return -n.Value, nil // -1 is no number of a system's
	}
	n, err := v.Number(k, e.Operand)
	if err != nil {
		return 0, err
	}
	switch e.Op {
	case "-":
		return -n, nil
	case "~":
		return ^n, nil
	}
	return 0, errorf(e, "write the value itself", "%s isn't of use in a value", e.Op)
}

// calculated returns the result of an operator.
func (v Evaluator) calculated(k Kind, e *syntax.Binary) (int64, error) {
	left, err := v.Number(k, e.Left)
	if err != nil {
		return 0, err
	}
	if e.Op != "&" && e.Op != "^" {
		k = Plain
	}
	right, err := v.Number(k, e.Right)
	if err != nil {
		return 0, err
	}
	return operate(e, left, right)
}

// applied returns what a function of a number or an address is.
func (v Evaluator) applied(e *syntax.Apply) (int64, error) {
	if len(e.Args) != 1 {
		return 0, errorf(e, "write "+syntax.Short(e.Name)+"(80)", "%s takes one value", e.Name)
	}
	switch e.Name {
	case "htons", "ntohs":
		n, err := v.within(e.Args[0], 16)
		return int64(bits.ReverseBytes16(uint16(n))), err
	case "htonl", "ntohl":
		n, err := v.within(e.Args[0], 32)
		return int64(bits.ReverseBytes32(uint32(n))), err
	case "inet_addr":
		addr, err := addressIn(e)
		if err == nil && !addr.Is4() {
			err = errorf(e, "IPv6 addresses are written with inet_pton(AF_INET6, …)", "inet_addr takes an IPv4 address")
		}
		if err != nil {
			return 0, err
		}
		four := addr.As4()
		return int64(binary.LittleEndian.Uint32(four[:])), nil
	}
	return 0, errorf(e, "functions of values: htons, htonl, ntohs, ntohl, inet_addr", "there is no function %s of values", e.Name)
}

// within returns a number that fits so many bits, without a sign.
func (v Evaluator) within(e syntax.Expr, size int) (int64, error) {
	n, err := v.Number(Plain, e)
	if err == nil && (n < 0 || n >= 1<<size) {
		err = errorf(e, fmt.Sprintf("0 to %d", int64(1)<<size-1), "%d doesn't fit %d bits", n, size)
	}
	return n, err
}

// addressIn returns the address that is the last argument of a function.
func addressIn(e *syntax.Apply) (netip.Addr, error) {
	if len(e.Args) == 0 {
		return netip.Addr{}, errorf(e, `write inet_addr("192.0.2.1")`, "%s needs an address", e.Name)
	}
	last := e.Args[len(e.Args)-1]
	text, ok := last.(*syntax.Text)
	if !ok {
		return netip.Addr{}, errorf(last, `write inet_addr("192.0.2.1")`, "an address stands in quotes")
	}
	addr, err := netip.ParseAddr(text.Value)
	if err != nil {
		return netip.Addr{}, errorf(last, `such as "192.0.2.1"`, "%q is no address", text.Value)
	}
	return addr, nil
}

// named returns the number of a name.
func (v Evaluator) named(k Kind, e *syntax.Name) (int64, error) {
	if k == ErrorCode {
		return v.errnoNamed(e)
	}
	c, ok := find(k, e.Word)
	switch {
	case !ok:
		return 0, unknown(k, e)
	case !c.has(v.For):
		return 0, errorf(e, "leave it out, or write what "+v.For.String()+" has instead", "%s has nothing like %s", v.For, e.Word)
	}
	return c.of(v.For), nil
}

// find finds a name of the kind, or one of those that every kind has.
func find(k Kind, word string) (constant, bool) {
	for _, list := range [][]constant{names[k], names[Plain]} {
		for _, c := range list {
			if c.word == word {
				return c, true
			}
		}
	}
	return constant{}, false
}

// unknown is the error of a name that isn't of its kind.
func unknown(k Kind, e *syntax.Name) error {
	for other := range Kind(len(kinds)) {
		if c, ok := find(other, e.Word); ok && c.word != "" {
			return errorf(e, "names that fit: "+examples(k), "%s is %s, not %s", e.Word, kinds[other].what, kinds[k].what)
		}
	}
	var words []string
	for _, c := range names[k] {
		words = append(words, c.word)
	}
	return errorf(e, meant(e.Word, "names that fit: "+examples(k), words), "%s isn't the name of %s", e.Word, kinds[k].what)
}

// examples are the first names of a kind.
func examples(k Kind) string {
	var words []string
	for _, c := range names[k] {
		words = append(words, c.word)
		if len(words) == 4 {
			words = append(words, "…")
			break
		}
	}
	if words == nil {
		return "none, write a number"
	}
	return strings.Join(words, ", ")
}

// digits returns what a number in digits is in the numbers of v.For.
func (v Evaluator) digits(k Kind, e *syntax.Number) (int64, error) {
	n := e.Value
	t := kinds[k]
	switch {
	case v.For == v.Digits || t.only != both || k == Plain || k == OptionValue || k == TCPState || k == Protocol || n == 0 && t.flags:
		return n, nil
	case k == ErrorCode:
		return v.errnoDigits(e)
	case t.flags:
		return v.flagDigits(k, e)
	}
	taken := ""
	for _, c := range names[k] {
		switch {
		case c.has(v.Digits) && c.of(v.Digits) == n && c.has(v.For):
			return c.of(v.For), nil
		case c.has(v.For) && c.of(v.For) == n:
			taken = c.word
		}
	}
	if taken != "" {
		return 0, errorf(e, "write "+taken+" if that is meant", "%d isn't %s of %s", n, t.what, v.Digits)
	}
	return n, nil
}

// flagDigits translates flags bit by bit.
func (v Evaluator) flagDigits(k Kind, e *syntax.Number) (int64, error) {
	rest, n := e.Value, int64(0)
	if k == SocketType {
		n, rest = rest&0xf, rest&^0xf
	}
	for _, c := range names[k] {
		if bit := c.of(v.Digits); c.has(v.Digits) && c.has(v.For) && bit != 0 && rest&bit == bit {
			n, rest = n|c.of(v.For), rest&^bit
		}
	}
	if rest != 0 {
		return 0, errorf(e, "write names, such as "+examples(k), "no %s of %s has the bits %#x", strings.TrimPrefix(kinds[k].what, "a "), v.Digits, rest)
	}
	return n, nil
}

// Text returns a number of the system in the words of a script: "POLLIN|POLLOUT", and digits for
// what has no name.
func (s System) Text(k Kind, n int64) string {
	switch {
	case k == ErrorCode:
		return s.errnoValueText(n)
	case kinds[k].flags:
		return s.flagsText(k, n)
	case k != Plain && k != OptionValue: // whose names are each for something else
		if c, ok := s.nameOf(k, n); ok {
			return c.word
		}
	}
	return strconv.FormatInt(n, 10)
}

// nameOf finds the first name of the system for a number, or else the other system's.
func (s System) nameOf(k Kind, n int64) (constant, bool) {
	for _, own := range []bool{true, false} {
		for _, c := range names[k] {
			if c.has(s) && c.spoken(s) == own && c.of(s) == n {
				return c, true
			}
		}
	}
	return constant{}, false
}

func (s System) flagsText(k Kind, n int64) string {
	if n == 0 {
		if c, ok := s.nameOf(k, 0); ok && k != TransmitFlags {
			return c.word
		}
		return "0"
	}
	var words []string
	if k == SocketType {
		if c, ok := s.nameOf(k, n&0xf); ok {
			words, n = append(words, c.word), n&^0xf
		}
	}
	for _, own := range []bool{true, false} {
		for _, c := range names[k] {
			if bit := c.of(s); c.has(s) && c.spoken(s) == own && bit != 0 && n&bit == bit {
				words, n = append(words, c.word), n&^bit
			}
		}
	}
	if n != 0 {
		words = append(words, fmt.Sprintf("%#x", n))
	}
	return strings.Join(words, "|")
}
