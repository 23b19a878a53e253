package calls

import (
	"fmt"
	"slices"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// A language is one of the vocabularies, or both.
type language uint8

const (
	both language = iota
	unix
	winsock
)

// A function is a call that a script may make.
type function struct {
	vocabulary language
	usage      string // how it is written
	least      int    // the number of arguments
	most       int
	run        func(*invocation) result

	result  vocabulary.Kind // what its result is
	failure int64           // what it returns besides an error: -1, or 0 for FALSE
}

// functions are the calls of both vocabularies, by name. It is made by init, as the functions
// themselves need it to be there.
var functions map[string]*function

func init() {
	functions = make(map[string]*function)
	for _, group := range []map[string]function{
		socketFunctions, transferFunctions, optionFunctions, waitFunctions, eventFunctions, overlappedFunctions,
		transmitFunctions,
	} {
		for name, f := range group {
			functions[name] = &f
		}
	}
}

// fn describes a function that returns -1 when it fails.
func fn(v language, least, most int, usage string, run func(*invocation) result) function {
	return function{vocabulary: v, usage: usage, least: least, most: most, run: run, failure: -1}
}

// boolean describes a function that returns FALSE when it fails.
func boolean(least, most int, usage string, run func(*invocation) result) function {
	return function{vocabulary: winsock, usage: usage, least: least, most: most, run: run}
}

// unsupported are calls that scripts have and this stack hasn't, with what to write instead.
var unsupported = map[string]string{
	"dup":                   "use the descriptor itself: there is one for each socket",
	"dup2":                  "use the descriptor itself: there is one for each socket",
	"open":                  "send bytes with write: there are no files",
	"pipe":                  "send bytes with write: there are no pipes",
	"pipe2":                 "send bytes with write: there are no pipes",
	"splice":                "send bytes with write, and receive them with read",
	"tee":                   "send bytes with write, and receive them with read",
	"vmsplice":              "send bytes with writev",
	"sendfile":              "send the same bytes with write: there are no files",
	"sendmmsg":              "write one sendmsg for each message",
	"recvmmsg":              "write one recvmsg for each message",
	"socketpair":            "let the script be the other end",
	"mmap":                  "receive bytes with read",
	"cap_set":               "leave it out: nothing here needs a capability",
	"psp_rx_assoc":          "leave it out: this stack has no PSP",
	"psp_tx_assoc":          "leave it out: this stack has no PSP",
	"psp_key_rotate":        "leave it out: this stack has no PSP",
	"pselect":               "use poll",
	"ppoll":                 "use poll: there are no signals",
	"epoll_pwait":           "use epoll_wait: there are no signals",
	"WSAAsyncSelect":        "use WSAEventSelect: there are no windows",
	"WSADuplicateSocket":    "use the descriptor itself: there is one for each socket",
	"WSAIsBlocking":         "leave it out: scripts are of Winsock 2",
	"WSACancelBlockingCall": "leave it out: scripts are of Winsock 2",
}

// Check says what is wrong with a call before it is made: a name that no vocabulary has, something
// that isn't supported, another number of arguments, an unknown error. It is nil for a call that Do
// will try.
func Check(call *syntax.Call) *Fault {
	if f := refused(call); f != nil {
		return f
	}
	for _, e := range append(call.Args[:len(call.Args):len(call.Args)], call.Result) {
		if f := unknownName(e); f != nil {
			return f
		}
	}
	return nil
}

// refused is Check without the names in the arguments, which Do meets by itself.
func refused(call *syntax.Call) *Fault {
	f := functions[call.Name]
	if f == nil {
		return unknownCall(call)
	}
	if n := len(call.Args); n < f.least || n > f.most {
		want := fmt.Sprint(f.least)
		if f.most > f.least {
			want = fmt.Sprintf("%d to %d", f.least, f.most)
		}
		return &Fault{
			Pos: call.Pos, What: fmt.Sprintf("the number of arguments of %s is %s, and not %d", call.Name, want, n), Hint: "write " + f.usage,
		}
	}
	if call.Error == "" {
		return CheckText(call)
	}
	if hint, ok := vocabulary.ErrnoKnown(call.Error); !ok {
		return &Fault{Pos: call.Pos, What: fmt.Sprintf("there is no error %s", call.Error), Hint: hint}
	}
	return CheckText(call)
}

func unknownCall(call *syntax.Call) *Fault {
	if hint, ok := unsupported[call.Name]; ok {
		return &Fault{Pos: call.Pos, What: call.Name + " isn't supported", Hint: hint}
	}
	f := &Fault{Pos: call.Pos, What: "there is no call " + call.Name}
	if nearest, distance := mistake.Nearest(call.Name, Names()); distance < 4 {
		f.Hint = "perhaps " + nearest + " is meant: " + functions[nearest].usage
	}
	return f
}

// Names are the names of all calls, in alphabetical order.
func Names() []string {
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
