package calls

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/wsa"
)

// maxTransfer is how many bytes a call may send or receive at once.
const maxTransfer = 16 << 20

// An invocation is one call while it is made: its arguments, what it returns, and what the script
// says of both. Methods that read arguments note the first mistake and go on with a zero, so that a
// function reads all of its arguments and looks once whether it may go on (make).
type invocation struct {
	*Machine
	call     *syntax.Call
	function *function
	winsock  bool // whose names errors have
	held     int  // how many bytes its buffers have (Machine.buffers)

	mistake    *Fault // the script is wrong
	difference *Fault // the first of what the call has left in its arguments
}

// A result is what a call has returned.
type result struct {
	value int64
	err   wsa.Errno // 0: the call has succeeded
	made  *file     // what the descriptor stands for that it returns; nil: it returns another value
}

// numbers evaluates for the calls of the stack: digits are those of the vocabulary of the call.
func (c *invocation) numbers() vocabulary.Evaluator {
	if c.function.vocabulary == winsock {
		return vocabulary.Evaluator{}
	}
	return vocabulary.Evaluator{Digits: vocabulary.Linux}
}

// linux evaluates for what Linux only has.
func (c *invocation) linux() vocabulary.Evaluator {
	return vocabulary.Evaluator{For: vocabulary.Linux, Digits: vocabulary.Linux}
}

// system is whose names show in messages.
func (c *invocation) system() vocabulary.System {
	if c.winsock {
		return vocabulary.Winsock
	}
	return vocabulary.Linux
}

// wrong notes a mistake of the script.
func (c *invocation) wrong(pos syntax.Pos, hint, format string, args ...any) {
	if c.mistake == nil {
		c.mistake = &Fault{Pos: pos, What: fmt.Sprintf(format, args...), Hint: hint}
	}
}

// check notes the mistake that an error of the vocabulary is.
func (c *invocation) check(err error, at syntax.Expr) bool {
	if err == nil {
		return true
	}
	pos := at.At()
	var e *vocabulary.Error
	if !errors.As(err, &e) {
		c.wrong(pos, "", "%v", err)
		return false
	}
	if e.Pos != (syntax.Pos{}) {
		pos = e.Pos
	}
	c.wrong(pos, e.Advice, "%s", e.Problem)
	return false
}

// differs notes that something in an argument isn't as the script says.
func (c *invocation) differs(pos syntax.Pos, what, expected, actual string) {
	if c.difference == nil {
		c.difference = &Fault{Pos: pos, What: what, Expected: expected, Actual: actual}
	}
}

// arg is an argument; one that isn't there is "...".
func (c *invocation) arg(i int) syntax.Expr {
	if i < len(c.call.Args) {
		return c.call.Args[i]
	}
	return &syntax.Any{Pos: c.call.Pos}
}

// number is an argument that is a number of a kind.
func (c *invocation) number(i int, kind vocabulary.Kind) int64 {
	n, err := c.numbers().Number(kind, c.arg(i))
	c.check(err, c.arg(i))
	return n
}

// numberOr is an argument that is a number, or "...", which is usual.
func (c *invocation) numberOr(i int, kind vocabulary.Kind, usual int64) int64 {
	if vocabulary.IsAny(c.arg(i)) {
		return usual
	}
	return c.number(i, kind)
}

// none reports whether an argument is "...", NULL, or isn't there.
func (c *invocation) none(i int) bool { return vocabulary.IsAny(c.arg(i)) || c.null(i) }

// null reports whether an argument is NULL.
func (c *invocation) null(i int) bool { return isNull(c.arg(i)) }

func isNull(e syntax.Expr) bool {
	switch e := e.(type) {
	case *syntax.Name:
		return e.Word == "NULL"
	case *syntax.Number:
		return e.Value == 0
	}
	return false
}

// unused says that an argument has to be "..." or NULL.
func (c *invocation) unused(from, to int, what string) {
	for i := from; i <= to; i++ {
		if !c.none(i) {
			c.wrong(c.arg(i).At(), `write "..." or NULL in its place`, "%s can't have a value here", what)
		}
	}
}

// file is the file of a descriptor among the arguments, which the call is about.
func (c *invocation) file(i int, kind fileKind) *file {
	fd := c.number(i, vocabulary.Plain)
	f := c.Machine.file(fd)
	if !f.closed && f.kind != kind {
		c.wrong(c.arg(i).At(), "", "descriptor %d is %s, and not %s", fd, fileKinds[f.kind], fileKinds[kind])
	}
	if kind == socketFile {
		c.about(fd)
	}
	return f
}

var fileKinds = map[fileKind]string{socketFile: "a socket", epollFile: "an epoll", eventFile: "an event"}

// socket is the socket that the first argument is.
func (c *invocation) socket() wsa.SOCKET { return c.file(0, socketFile).socket }

// element is an argument in brackets, "[1000]", or nil for "...".
func (c *invocation) element(i int) syntax.Expr {
	switch e := c.arg(i).(type) {
	case *syntax.Any:
		return nil
	case *syntax.List:
		if len(e.Items) == 1 {
			return e.Items[0]
		}
	}
	if !c.null(i) {
		c.wrong(c.arg(i).At(), `write "[1]", or "..." for any`, "%s is no value in brackets", c.arg(i).String())
	}
	return nil
}

// left compares a number that the call has left in an argument in brackets.
func (c *invocation) left(i int, actual int64) {
	e := c.element(i)
	if e == nil || vocabulary.IsAny(e) {
		return
	}
	want, err := c.numbers().Number(vocabulary.Plain, e)
	if c.check(err, e) && want != actual {
		c.differs(e.At(), c.ordinal(i)+" differs", "["+e.String()+"]", "["+strconv.FormatInt(actual, 10)+"]")
	}
}

// text is a number as the script would have it.
func (c *invocation) text(kind vocabulary.Kind, n int64) string {
	if kind == vocabulary.Plain {
		return strconv.FormatInt(n, 10)
	}
	return c.system().Text(kind, n)
}

func (c *invocation) ordinal(i int) string {
	names := []string{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"}
	return "the " + names[i] + " argument of " + c.call.Name
}

// make makes the call, unless there is a mistake among its arguments.
func (c *invocation) make(call func() (int64, error)) result {
	if c.mistake != nil {
		return result{}
	}
	n, err := call()
	return c.returned(n, err)
}

// status makes a call that returns 0.
func (c *invocation) status(call func() error) result {
	return c.make(func() (int64, error) { return 0, call() })
}

func (c *invocation) returned(n int64, err error) result {
	if err == nil {
		return result{value: n}
	}
	code := errno(err)
	c.noteError(code)
	return result{value: c.function.failure, err: code}
}

// errno is the code of an error of the provider, which has no others.
func errno(err error) wsa.Errno {
	var code wsa.Errno
	if !errors.As(err, &code) {
		return wsa.WSASYSCALLFAILURE
	}
	return code
}

func (m *Machine) noteError(code wsa.Errno) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastErr = code
}

// outcome compares what the call has returned with what the script says, gives a new descriptor its
// number, and tells it all.
func (c *invocation) outcome(r result) Outcome {
	if c.mistake != nil {
		return Outcome{Text: c.call.String(), Fault: c.mistake}
	}
	fault := c.compareResult(&r)
	text := c.callText() + " = " + c.resultText(r)
	if c.mistake != nil {
		return Outcome{Text: text, Fault: c.mistake}
	}
	return Outcome{Text: text, Fault: cmp.Or(fault, c.difference)}
}

// compareResult compares the result, and the code of the error. A descriptor is as the script says,
// whatever its number is here.
func (c *invocation) compareResult(r *result) *Fault {
	expected := c.call.Result
	said := expected != nil && !vocabulary.IsAny(expected)
	want := int64(-1)
	if said {
		var err error
		if want, err = c.numbers().Number(c.function.result, expected); !c.check(err, expected) {
			return nil
		}
	}
	if r.made != nil && (!said || want >= 0) {
		fd, wrong := c.add(r.made, want)
		if wrong != "" {
			c.wrong(c.call.Pos, "give it a number of its own", "%s can't return %d: %s", c.call.Name, want, wrong)
		}
		r.value = fd
		return nil
	}
	switch {
	case !said && c.call.Error == "":
		return nil
	case said && !c.sameResult(want, *r), c.call.Error != "" && !c.sameError(r.err):
		return c.otherResult(*r)
	}
	return nil
}

// sameResult reports whether a result is as expected. A function that fails with FALSE may be
// written with -1, as the others are.
func (c *invocation) sameResult(want int64, r result) bool {
	return want == r.value || r.err != 0 && want == -1
}

func (c *invocation) sameError(code wsa.Errno) bool {
	return code != 0 && vocabulary.ErrnoMatches(c.call.Name, code, c.call.Error)
}

func (c *invocation) otherResult(r result) *Fault {
	expected := c.call.String()
	return &Fault{
		Pos: c.call.Pos, What: c.call.Name + " returned something else", Expected: expected,
		Actual: c.callText() + " = " + c.resultText(r), Hint: c.explain(r),
	}
}

// explain says what a result may come from that is no difference between stacks.
func (c *invocation) explain(r result) string {
	if r.err == wsa.WSAENOTSOCK && len(c.call.Args) > 0 {
		if n, ok := c.call.Args[0].(*syntax.Number); ok && c.Machine.file(n.Value) == missing {
			return fmt.Sprintf("no call has returned %d", n.Value)
		}
	}
	return ""
}

// callText is the call without its result.
func (c *invocation) callText() string {
	bare := *c.call
	bare.Result, bare.Error = nil, ""
	return bare.String()
}

func (c *invocation) resultText(r result) string {
	if r.err != 0 {
		name := vocabulary.ErrnoText(c.system(), c.call.Name, r.err)
		return strconv.FormatInt(r.value, 10) + " " + name
	}
	if _, digits := c.call.Result.(*syntax.Number); digits || r.value == 0 { // fcntl(F_SETFL) has no O_RDONLY
		return strconv.FormatInt(r.value, 10)
	}
	return c.text(c.function.result, r.value)
}

// flags is an argument with flags, without those that are of the call only: they come in addition.
func (c *invocation) flags(i int, kind vocabulary.Kind, known ...int64) (flags int32, special int64) {
	n := c.numberOr(i, kind, 0)
	for _, flag := range known {
		special |= n & flag
	}
	if rest := n &^ special; rest>>vocabulary.ForeignShift != 0 {
		c.wrong(c.arg(i).At(), "leave it out", "%s isn't supported", c.arg(i).String())
	}
	return int32(n), special
}

// length is an argument that is a number of bytes to move.
func (c *invocation) length(i int) int {
	n := c.number(i, vocabulary.Plain)
	if n < 0 || n > maxTransfer {
		c.wrong(c.arg(i).At(), "", "a length of %d isn't possible: a call moves at most %d bytes", n, maxTransfer)
		return 0
	}
	return int(n)
}

// allocate makes a buffer for an argument.
func (c *invocation) allocate(n int, at syntax.Pos) []byte {
	if f := c.buffers.Take(n, at); f != nil {
		c.mistake = cmp.Or(c.mistake, f)
		return nil
	}
	c.held += n
	return make([]byte, n)
}

// same reports whether a word is one of a list.
func same(word string, list ...string) bool { return slices.Contains(list, word) }
