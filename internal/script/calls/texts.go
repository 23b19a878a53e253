package calls

import (
	"slices"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/wsa"
)

// filled are the calls that fill a buffer with what was received, and which argument has it.
var filled = map[string]int{
	"read": 1, "recv": 1, "recvfrom": 1, "readv": 1, "recvmsg": 1,
	"WSARecv": 1, "WSARecvFrom": 1, "WSARecvMsg": 1, "AcceptEx": 2,
}

// CheckText says that a text in quotes stands where a call, which is to fail, leaves no bytes:
// nothing would be compared with it. A datagram that is longer than the buffer fills it
// (WSAEMSGSIZE), and an overlapped operation may receive something later; nil: it is one of these,
// or there is no text.
func CheckText(call *syntax.Call) *Fault {
	i, ok := filled[call.Name]
	if !ok || i >= len(call.Args) || call.Error == "" && !isMinusOne(call.Result) {
		return nil
	}
	text := textIn(call.Args[i])
	if text == nil || vocabulary.ErrnoMatches(call.Name, wsa.WSAEMSGSIZE, call.Error) ||
		vocabulary.ErrnoMatches(call.Name, wsa.WSA_IO_PENDING, call.Error) {
		return nil
	}
	return &Fault{
		Pos: text.Pos, What: "the text isn't compared, as " + call.Name + " fails and leaves no bytes",
		Hint: `write "..." in its place`,
	}
}

func isMinusOne(e syntax.Expr) bool {
	if e == nil {
		return false
	}
	n, err := vocabulary.Evaluator{}.Number(vocabulary.Plain, e)
	return err == nil && n == -1
}

// textIn is the first text in quotes of a buffer, or of several in brackets; nil: there is none.
func textIn(e syntax.Expr) *syntax.Text {
	switch e := e.(type) {
	case *syntax.Text:
		return e
	case *syntax.List:
		if i := slices.IndexFunc(e.Items, func(item syntax.Expr) bool { return textIn(item) != nil }); i >= 0 {
			return textIn(e.Items[i])
		}
	case *syntax.Struct:
		if i := slices.IndexFunc(e.Fields, func(f syntax.Field) bool { return textIn(f.Value) != nil }); i >= 0 {
			return textIn(e.Fields[i].Value)
		}
	}
	return nil
}

// arrived reports whether a call that receives has left bytes: it has succeeded, or a datagram was
// longer than the buffer.
func arrived(err error) bool { return err == nil || errno(err) == wsa.WSAEMSGSIZE }
