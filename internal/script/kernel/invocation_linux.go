package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// An invocation is a call that is made: its arguments are read first, then the system call is made,
// and then what has come out is compared with the script.
type invocation struct {
	*machine
	call   *syntax.Call
	fault  *calls.Fault // the first; nil: there is none yet
	checks []func()     // what compares the results of a call that has succeeded

	kind  vocabulary.Kind // of the result
	makes bool            // the result is a new descriptor
	held  int             // how many bytes its buffers have (machine.buffers)
}

// A system is a system call. It gets the number that the call returns; the number of an error
// otherwise.
type system func() (int, error)

func (i *invocation) do() calls.Outcome {
	defer func() { i.buffers.Return(i.held) }()
	call := i.prepare()
	if i.fault != nil {
		return calls.Outcome{Text: i.call.String(), Fault: i.fault}
	}
	n, err := call()
	for errors.Is(err, unix.EINTR) && !i.closing.Load() { // preemption by the runtime of Go
		n, err = call()
	}
	return i.outcome(n, err)
}

// prepare reads the arguments.
func (i *invocation) prepare() system {
	f := Check(i.call)
	if f != nil {
		i.fault = f
		return nil
	}
	return systemCalls[i.call.Name].prepare(i)
}

// Check says what is wrong with a call before it is made: that Linux has none of this name, that it
// has another number of arguments, or that a text is compared with nothing.
func Check(c *syntax.Call) *calls.Fault {
	s, ok := systemCalls[c.Name]
	switch {
	case !ok:
		return &calls.Fault{Pos: c.Pos, What: "Linux has no call " + c.Name, Hint: unknownHint(c.Name)}
	case len(c.Args) < s.least || len(c.Args) > s.most:
		return &calls.Fault{Pos: c.Pos, What: fmt.Sprintf("the number of arguments of %s is %d, and not %d", c.Name, s.most, len(c.Args))}
	}
	return calls.CheckText(c)
}

// outcome compares the result of the call with what the script says.
func (i *invocation) outcome(n int, err error) calls.Outcome {
	errno := unix.Errno(0)
	if err != nil && !errors.As(err, &errno) {
		i.fail(i.call.Pos, err)
	}
	if err == nil && i.makes && i.fault == nil {
		n = i.adopt(n)
	}
	actual := i.resultText(int64(n), errno)
	text := i.callText() + " = " + actual
	if i.fault == nil && !i.expected(int64(n), errno) {
		i.fault = &calls.Fault{
			Pos: i.call.Pos, What: "the result of the call differs",
			Expected: i.callText() + " = " + i.expectedText(), Actual: text,
		}
	}
	if err == nil {
		for _, check := range i.checks {
			if i.fault == nil {
				check()
			}
		}
	}
	return calls.Outcome{Text: text, Fault: i.fault}
}

// adopt gives a new descriptor the number of the script.
func (i *invocation) adopt(file int) int {
	fd := int64(-1)
	if i.call.Result != nil && !vocabulary.IsAny(i.call.Result) {
		want, err := linux.Number(vocabulary.Plain, i.call.Result)
		if err != nil {
			i.fail(i.call.Result.At(), err)
		}
		fd = max(want, -1)
	}
	got, wrong := i.add(file, fd)
	if wrong != "" {
		_ = unix.Close(file)
		i.fail(i.call.Pos, mistake.Errorf("", "%s", wrong))
	}
	return int(got)
}

// expected reports whether the script has the result.
func (i *invocation) expected(n int64, errno unix.Errno) bool {
	if i.call.Result == nil || vocabulary.IsAny(i.call.Result) {
		return true
	}
	want, err := linux.Number(i.kind, i.call.Result)
	if err != nil {
		i.fail(i.call.Result.At(), err)
		return true
	}
	if errno != 0 {
		code, known := vocabulary.LinuxErrno(i.call.Error)
		return want == -1 && (i.call.Error == "" || known && unix.Errno(code) == errno)
	}
	return want == n && i.call.Error == ""
}

func (i *invocation) resultText(n int64, errno unix.Errno) string {
	switch {
	case errno == 0:
		return vocabulary.Linux.Text(i.kind, n)
	case unix.ErrnoName(errno) == "":
		return fmt.Sprintf("-1 errno %d", errno)
	}
	return "-1 " + unix.ErrnoName(errno)
}

// callText is the call without its result.
func (i *invocation) callText() string {
	bare := *i.call
	bare.Result, bare.Error = nil, ""
	return bare.String()
}

func (i *invocation) expectedText() string {
	if i.call.Error != "" {
		return "-1 " + i.call.Error
	}
	n, _ := linux.Number(i.kind, i.call.Result) // expected has seen that it is one
	return vocabulary.Linux.Text(i.kind, n)
}

// fail notes a mistake of the script, unless there was one before.
func (i *invocation) fail(pos syntax.Pos, err error) {
	if err == nil || i.fault != nil {
		return
	}
	f := &calls.Fault{Pos: pos, What: err.Error(), Hint: mistake.HintOf(err)}
	if e := (*vocabulary.Error)(nil); errors.As(err, &e) && e.Pos != (syntax.Pos{}) {
		f.Pos = e.Pos
	}
	i.fault = f
}

// differs notes that a result isn't the one of the script.
func (i *invocation) differs(pos syntax.Pos, what, expected, actual string) {
	if i.fault == nil {
		i.fault = &calls.Fault{Pos: pos, What: what + " differs", Expected: expected, Actual: actual}
	}
}

// receivedOther notes that other bytes have come than those of the script.
func (i *invocation) receivedOther(pos syntax.Pos, want, got []byte) {
	expected, actual := syntax.Beside(want, got)
	i.differs(pos, "what was received", expected, actual)
}

// number reads an argument.
func (i *invocation) number(k vocabulary.Kind, place int) int {
	n, err := linux.Number(k, i.call.Args[place])
	i.fail(i.call.Args[place].At(), err)
	return int(n)
}

// descriptor reads an argument that is a descriptor.
func (i *invocation) descriptor(place int) int {
	return i.file(int64(i.number(vocabulary.Plain, place)))
}

// length reads an argument that is a number of bytes or structures.
func (i *invocation) length(place, most int) int { return i.lengthOf(i.call.Args[place], most) }

// pointed reads an argument that points to a length: "[4]".
func (i *invocation) pointed(place, most int) int {
	list, ok := i.call.Args[place].(*syntax.List)
	if !ok || len(list.Items) != 1 {
		i.fail(i.call.Args[place].At(), mistake.Errorf("write [4], for one", "not a pointer to a length"))
		return 0
	}
	return i.lengthOf(list.Items[0], most)
}

func (i *invocation) lengthOf(e syntax.Expr, most int) int {
	n, err := linux.Number(vocabulary.Plain, e)
	i.fail(e.At(), err)
	if n < 0 || n > int64(most) {
		i.fail(e.At(), mistake.Errorf(fmt.Sprintf("write one from 0 to %d", most), "a length of %d", n))
		return 0
	}
	return int(n)
}

// address reads an argument that is an address, in place of which "..." may stand.
func (i *invocation) address(place int, any netip.AddrPort) unix.Sockaddr {
	switch e := i.call.Args[place].(type) {
	case *syntax.Any:
		return sockaddr(any)
	case *syntax.Number, *syntax.Name: // NULL
		if i.number(vocabulary.Plain, place) == 0 {
			return nil
		}
	case *syntax.Struct:
		a, _, err := linux.Address(e)
		i.fail(e.Pos, err)
		return sockaddr(a)
	}
	i.fail(i.call.Args[place].At(), mistake.Errorf(`write ... or {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`, "not an address"))
	return nil
}

// compareAddress compares an address that has come out of a call with an argument.
func (i *invocation) compareAddress(place int, got func() unix.Sockaddr) {
	e, ok := i.call.Args[place].(*syntax.Struct)
	if !ok {
		return // "..." and NULL
	}
	want, any, err := linux.Address(e)
	i.fail(e.Pos, err)
	i.checks = append(i.checks, func() {
		if actual := addrPort(got()); !any && actual != want {
			i.differs(e.Pos, "the address", vocabulary.TextAddress(want), vocabulary.TextAddress(actual))
		}
	})
}

// payload is what an argument sends: a text, or zeros for "...".
func (i *invocation) payload(e syntax.Expr, length int) []byte {
	text := ""
	switch e := e.(type) {
	case *syntax.Any:
	case *syntax.Text:
		text = e.Value
		if len(text) < length {
			i.fail(e.Pos, mistake.Errorf("write the length of the text, or ... for zeros", "the length is %d, and that of the text %d", length, len(text)))
		}
	default:
		i.fail(e.At(), mistake.Errorf("write ... or a text in quotes", "not a buffer"))
	}
	b := i.allocate(length, e.At())
	copy(b, text)
	return b
}

// allocate makes a buffer for an argument.
func (i *invocation) allocate(n int, at syntax.Pos) []byte {
	if f := i.buffers.Take(n, at); f != nil {
		i.fault = cmp.Or(i.fault, f)
		return nil
	}
	i.held += n
	return make([]byte, n)
}

// room is a buffer that a call fills. An argument that is a text is compared with it.
func (i *invocation) room(e syntax.Expr, length int, filled func() int) []byte {
	b := i.allocate(length, e.At())
	switch e := e.(type) {
	case *syntax.Any:
	case *syntax.Text:
		i.checks = append(i.checks, func() {
			got := b[:min(filled(), length)]
			if string(got) != e.Value && !(e.More && strings.HasPrefix(string(got), e.Value)) {
				i.receivedOther(e.Pos, []byte(e.Value), got)
			}
		})
	default:
		i.fail(e.At(), mistake.Errorf("write ... or a text in quotes", "not a buffer"))
	}
	return b
}
