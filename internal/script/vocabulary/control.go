package vocabulary

import (
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/options"
)

// A Control is a control code in the numbers of a system.
type Control struct {
	Symbol string
	Code   uint32 // 0: only Linux has it, and the call is asked for Winsock
	Type   string // the type of the input; "": there is none
	Output string // the type of the output; "": there is none
}

// linuxControls are the types of what Linux's control codes take and give.
var linuxControls = map[string]Control{
	"FIONBIO": {Type: "int"}, "FIOASYNC": {Type: "int"}, "FIONREAD": {Output: "int"}, "SIOCINQ": {Output: "int"},
	"SIOCATMARK": {Output: "int"}, "SIOCOUTQ": {Output: "int"}, "TIOCOUTQ": {Output: "int"},
}

// Control returns the control code that the second argument of ioctl, ioctlsocket or WSAIoctl names.
// The error is an *Error.
func (v Evaluator) Control(code syntax.Expr) (Control, error) {
	n, err := v.Number(ControlCode, code)
	if err != nil {
		return Control{}, err
	}
	symbol := ""
	if name, ok := code.(*syntax.Name); ok {
		symbol = name.Word
	} else if c, ok := v.For.nameOf(ControlCode, n); ok {
		symbol = c.word
	}
	c := linuxControls[symbol]
	c.Symbol, c.Code = symbol, uint32(n)
	if v.For == Linux {
		return c, nil
	}
	for _, row := range options.Controls() {
		if int64(row.Code) == n {
			c.Type, c.Output = row.Type, row.Output
		}
	}
	return c, nil
}

// EncodeControl returns the bytes of the input of a control code. The error is an *Error.
func (v Evaluator) EncodeControl(c Control, in syntax.Expr) ([]byte, error) {
	return v.encode(value{typ: c.Type, kind: OptionValue}, in)
}

// MatchControl reports whether the output of a control code is what a script has for it, as
// MatchOption does.
func (v Evaluator) MatchControl(c Control, out []byte, want syntax.Expr) (actual string, ok bool, err error) {
	return v.match(value{typ: c.Output, kind: OptionValue}, out, want)
}
