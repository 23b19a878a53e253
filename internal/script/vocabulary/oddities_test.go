package vocabulary

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// oddities are expressions that fit hardly anywhere.
var oddities = []string{
	"...", "0", "-1", "9223372036854775807", "0.5", `""`, `"text"`, `"a"...`, "NAME", "~0", "-NAME", "1|NAME", "1-2", "1/0", "1<<99",
	"[]", "[...]", "[1, 2]", "[{}]", "[[[1]]]", "{}", "{...}", "{1, 2, 3, 4}", "{fd=4}", "{fd=..., events=...}",
	"{msg_iov(1)={}}", "{msg_iov=[{..., -1}], msg_name=5}", "{tv_sec=99999999999}", "{onoff=..., linger=[1]}",
	"{sa_family=..., sin_port=..., sin_addr=...}", "htons()", "htons(1, 2)", `inet_addr("")`, "inet_addr(...)", "f(...)",
	"SO_LINGER", "SO_LINGER(4)", "EAGAIN", "TRUE",
}

// TestOddities gives odd expressions to everything that takes one. Whatever is wrong with one is an
// *Error with a place and a hint.
func TestOddities(t *testing.T) {
	for _, v := range []Evaluator{toStack, toWinsock, toKernel, {For: Linux, Digits: Winsock}} {
		for _, text := range oddities {
			e := expr(t, text)
			check := func(err error) {
				var m *Error
				if err == nil || errors.As(err, &m) && m.Advice != "" && m.Pos != (syntax.Pos{}) {
					return
				}
				require.Fail(t, "an error without a place or a hint", "%s: %v", text, err)
			}
			for k := range Kind(len(kinds)) {
				n, err := v.Number(k, e)
				check(err)
				_ = v.For.Text(k, n)
			}
			for _, symbol := range OptionNames() {
				if o, err := v.OptionNamed(symbol); err == nil {
					_, err := v.EncodeOption(o, e, 4)
					check(err)
					for _, size := range []int{0, 4, 300} {
						_, _, err := v.MatchOption(o, make([]byte, size), e)
						check(err)
					}
				}
			}
			for _, err := range oddly(v, e) {
				check(err)
			}
		}
	}
}

// oddly gives an expression to the functions for structures and to Assert, and returns
// their errors.
func oddly(v Evaluator, e syntax.Expr) []error {
	_, _, err1 := v.Address(e)
	_, err2 := v.PollFDs(e)
	_, err3 := v.EpollEvents(e)
	_, err4 := v.Iovecs(e)
	_, err5 := v.Msghdr(e)
	_, _, err6 := v.Timeval(e)
	_, err7 := v.Control(e)
	_, err8 := v.Option(e, e)
	_, err9 := v.Assert(&syntax.Assert{Cond: e}, socketFour)
	return []error{err1, err2, err3, err4, err5, err6, err7, err8, err9, CheckAssert(&syntax.Assert{Cond: e})}
}
