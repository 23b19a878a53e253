package vocabulary

import (
	"fmt"
	"strconv"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/wsa"
)

// An errno is an error of Linux, and the codes of Winsock that say the same.
type errno struct {
	word   string
	number int64

	// codes are what calls of Winsock fail with where those of Linux fail with this; the first of
	// them is what the name stands for.
	codes []wsa.Errno

	// calls are the calls in which it is so; nil: all.
	calls []string
}

// sending are the calls that send.
var sending = []string{"send", "sendto", "sendmsg", "write", "writev", "WSASend", "WSASendTo"}

// connecting are the calls that connect.
var connecting = []string{"connect", "WSAConnect"}

// errnos are the errors of Linux that calls on sockets have. For a code of Winsock, the first row
// that has it and the call is how a message names it. It is accepted, and so are those below, up to
// a row that is of some calls only: a connect that goes on is EINPROGRESS, and not EAGAIN.
var errnos = []errno{
	// A connect that goes on, what is sent after a shutdown or a reset, and a descriptor that is
	// none have names of their own there.
	{"EINPROGRESS", 115, []wsa.Errno{wsa.WSAEWOULDBLOCK}, connecting},
	{"EPIPE", 32, []wsa.Errno{wsa.WSAESHUTDOWN}, nil},
	{"EBADF", 9, []wsa.Errno{wsa.WSAENOTSOCK, wsa.WSAEBADF, wsa.WSA_INVALID_HANDLE}, nil},

	{"EAGAIN", 11, []wsa.Errno{wsa.WSAEWOULDBLOCK}, nil},
	{"EWOULDBLOCK", 11, []wsa.Errno{wsa.WSAEWOULDBLOCK}, nil},
	{"EINTR", 4, []wsa.Errno{wsa.WSAEINTR}, nil},
	{"EACCES", 13, []wsa.Errno{wsa.WSAEACCES}, nil},
	{"EFAULT", 14, []wsa.Errno{wsa.WSAEFAULT}, nil},
	{"EINVAL", 22, []wsa.Errno{wsa.WSAEINVAL, wsa.WSA_INVALID_PARAMETER}, nil},
	{"EMFILE", 24, []wsa.Errno{wsa.WSAEMFILE}, nil},
	{"ENOTSOCK", 88, []wsa.Errno{wsa.WSAENOTSOCK}, nil},
	{"EDESTADDRREQ", 89, []wsa.Errno{wsa.WSAEDESTADDRREQ}, nil},
	{"EMSGSIZE", 90, []wsa.Errno{wsa.WSAEMSGSIZE}, nil},
	{"EPROTOTYPE", 91, []wsa.Errno{wsa.WSAEPROTOTYPE}, nil},
	{"ENOPROTOOPT", 92, []wsa.Errno{wsa.WSAENOPROTOOPT}, nil},
	{"EPROTONOSUPPORT", 93, []wsa.Errno{wsa.WSAEPROTONOSUPPORT}, nil},
	{"ESOCKTNOSUPPORT", 94, []wsa.Errno{wsa.WSAESOCKTNOSUPPORT}, nil},
	{"EOPNOTSUPP", 95, []wsa.Errno{wsa.WSAEOPNOTSUPP}, nil},
	{"ENOTSUP", 95, []wsa.Errno{wsa.WSAEOPNOTSUPP}, nil},
	{"EPFNOSUPPORT", 96, []wsa.Errno{wsa.WSAEPFNOSUPPORT}, nil},
	{"EAFNOSUPPORT", 97, []wsa.Errno{wsa.WSAEAFNOSUPPORT}, nil},
	{"EADDRINUSE", 98, []wsa.Errno{wsa.WSAEADDRINUSE}, nil},
	{"EADDRNOTAVAIL", 99, []wsa.Errno{wsa.WSAEADDRNOTAVAIL}, nil},
	{"ENETDOWN", 100, []wsa.Errno{wsa.WSAENETDOWN}, nil},
	{"ENETUNREACH", 101, []wsa.Errno{wsa.WSAENETUNREACH}, nil},
	{"ENETRESET", 102, []wsa.Errno{wsa.WSAENETRESET}, nil},
	{"ECONNABORTED", 103, []wsa.Errno{wsa.WSAECONNABORTED}, nil},
	{"ECONNRESET", 104, []wsa.Errno{wsa.WSAECONNRESET}, nil},
	{"ENOBUFS", 105, []wsa.Errno{wsa.WSAENOBUFS}, nil},
	{"ENOMEM", 12, []wsa.Errno{wsa.WSAENOBUFS, wsa.WSA_NOT_ENOUGH_MEMORY}, nil},
	{"EISCONN", 106, []wsa.Errno{wsa.WSAEISCONN}, nil},
	{"ENOTCONN", 107, []wsa.Errno{wsa.WSAENOTCONN}, nil},
	{"ESHUTDOWN", 108, []wsa.Errno{wsa.WSAESHUTDOWN}, nil},
	{"ETOOMANYREFS", 109, []wsa.Errno{wsa.WSAETOOMANYREFS}, nil},
	{"ETIMEDOUT", 110, []wsa.Errno{wsa.WSAETIMEDOUT}, nil},
	{"ECONNREFUSED", 111, []wsa.Errno{wsa.WSAECONNREFUSED}, nil},
	{"EHOSTDOWN", 112, []wsa.Errno{wsa.WSAEHOSTDOWN}, nil},
	{"EHOSTUNREACH", 113, []wsa.Errno{wsa.WSAEHOSTUNREACH}, nil},
	{"EALREADY", 114, []wsa.Errno{wsa.WSAEALREADY}, nil},
	{"EINPROGRESS", 115, []wsa.Errno{wsa.WSAEINPROGRESS}, nil},
	{"ESTALE", 116, []wsa.Errno{wsa.WSAESTALE}, nil},
	{"EDQUOT", 122, []wsa.Errno{wsa.WSAEDQUOT}, nil},
	{"ECANCELED", 125, []wsa.Errno{wsa.WSA_OPERATION_ABORTED, wsa.WSAECANCELLED}, nil},
	{"ELOOP", 40, []wsa.Errno{wsa.WSAELOOP}, nil},
	{"ENAMETOOLONG", 36, []wsa.Errno{wsa.WSAENAMETOOLONG}, nil},
	{"ENOTEMPTY", 39, []wsa.Errno{wsa.WSAENOTEMPTY}, nil},
	{"EUSERS", 87, []wsa.Errno{wsa.WSAEUSERS}, nil},
	{"EREMOTE", 66, []wsa.Errno{wsa.WSAEREMOTE}, nil},

	// Where a call on Linux fails with one error, Winsock has several.
	{"ETIMEDOUT", 110, []wsa.Errno{wsa.WSAENETRESET, wsa.WSAECONNABORTED}, nil}, // keep-alive; retransmissions
	{"EPIPE", 32, []wsa.Errno{wsa.WSAECONNRESET, wsa.WSAECONNABORTED, wsa.WSAENOTCONN}, sending},

	// Winsock has nothing like these.
	{"EPERM", 1, nil, nil}, {"ENOENT", 2, nil, nil}, {"EIO", 5, nil, nil}, {"EBUSY", 16, nil, nil},
	{"EEXIST", 17, nil, nil}, {"ENODEV", 19, nil, nil}, {"ENFILE", 23, nil, nil}, {"ENOTTY", 25, nil, nil},
	{"ENOSPC", 28, nil, nil}, {"ESPIPE", 29, nil, nil}, {"ENOSYS", 38, nil, nil}, {"ENOMSG", 42, nil, nil},
	{"EPROTO", 71, nil, nil}, {"EBADMSG", 74, nil, nil}, {"EOVERFLOW", 75, nil, nil}, {"ERANGE", 34, nil, nil},
}

// in reports whether the row is one of that call; "" is a call of any name.
func (e errno) in(call string) bool { return e.calls == nil || contains(e.calls, call) }

func contains[T comparable](list []T, item T) bool {
	for _, each := range list {
		if each == item {
			return true
		}
	}
	return false
}

// codesByName are all codes of Winsock that have a name.
var codesByName = func() map[string]wsa.Errno {
	codes := make(map[string]wsa.Errno)
	for code := range wsa.Errno(20000) {
		if word := code.Symbol(); word != "" {
			codes[word] = code
		}
	}
	codes["ERROR_IO_PENDING"] = wsa.WSA_IO_PENDING
	return codes
}()

// ErrnoText returns how a message names the error of a call: by the symbol of Winsock, or by the
// name that the call has for it on Linux.
func ErrnoText(s System, call string, code wsa.Errno) string {
	if s == Linux {
		for _, e := range errnos {
			if e.in(call) && contains(e.codes, code) {
				return e.word
			}
		}
	}
	if word := code.Symbol(); word != "" {
		return word
	}
	return strconv.Itoa(int(code))
}

// ErrnoMatches reports whether the error of a call is the one that a script has, by a name of
// either system.
func ErrnoMatches(call string, code wsa.Errno, word string) bool {
	if c, ok := codesByName[word]; ok {
		return c == code
	}
	for _, e := range errnos {
		if e.in(call) && contains(e.codes, code) && (e.word == word || e.calls != nil) {
			return e.word == word
		}
	}
	return false
}

// ErrnoKnown reports whether a word is the name of an error. If it isn't, hint says which one may
// be meant.
func ErrnoKnown(word string) (hint string, ok bool) {
	if _, ok := LinuxErrno(word); ok {
		return "", true
	}
	if _, ok := codesByName[word]; ok {
		return "", true
	}
	var words []string
	for _, e := range errnos {
		words = append(words, e.word)
	}
	for name := range codesByName {
		words = append(words, name)
	}
	return meant(word, "names of errors: EAGAIN, ECONNRESET, WSAEWOULDBLOCK, …", words), false
}

// LinuxErrno returns the number of an error of Linux. The name may be Winsock's, for the same
// error. ok is false for a name that Linux has no error for.
func LinuxErrno(word string) (number int, ok bool) {
	code, winsock := codesByName[word]
	for _, e := range errnos {
		if e.word == word || winsock && e.calls == nil && len(e.codes) > 0 && e.codes[0] == code {
			return int(e.number), true
		}
	}
	return 0, false
}

// errnoNamed returns the number of an error, as SO_ERROR has it.
func (v Evaluator) errnoNamed(e *syntax.Name) (int64, error) {
	if v.For == Linux {
		if n, ok := LinuxErrno(e.Word); ok {
			return int64(n), nil
		}
		if e.Word == "NO_ERROR" {
			return 0, nil
		}
	} else {
		if code, ok := codesByName[e.Word]; ok {
			return int64(code), nil
		}
		if code, ok := codeOf(func(row errno) bool { return row.word == e.Word }); ok {
			return int64(code), nil
		}
	}
	hint, known := ErrnoKnown(e.Word)
	if known {
		return 0, errorf(e, "write what "+v.For.String()+" has instead", "%s has nothing like %s", v.For, e.Word)
	}
	return 0, errorf(e, hint, "%s isn't the name of an error", e.Word)
}

// codeOf returns the code of the first row that applies in all calls and that wanted wants.
func codeOf(wanted func(errno) bool) (wsa.Errno, bool) {
	for _, row := range errnos {
		if row.calls == nil && len(row.codes) > 0 && wanted(row) {
			return row.codes[0], true
		}
	}
	return 0, false
}

// winsockBase is where the numbers of Winsock begin (WSABASEERR). Linux has none so large.
const winsockBase = 10000

// errnoDigits translates the number of an error. One of Winsock may stand in a script of Linux's
// names as well, as nobody takes it for another.
func (v Evaluator) errnoDigits(e *syntax.Number) (int64, error) {
	if e.Value == 0 || v.For == Winsock && e.Value > winsockBase && wsa.Errno(e.Value).Symbol() != "" {
		return e.Value, nil
	}
	if v.For == Winsock {
		if code, ok := codeOf(func(row errno) bool { return row.number == e.Value }); ok {
			return int64(code), nil
		}
	} else if n, ok := LinuxErrno(wsa.Errno(e.Value).Symbol()); ok {
		return int64(n), nil
	}
	return 0, errorf(e, "write its name", "%d isn't an error of %s that %s has, too", e.Value, v.Digits, v.For)
}

// errnoValueText names a value of SO_ERROR.
func (s System) errnoValueText(n int64) string {
	if n == 0 {
		return "0"
	}
	if s == Linux {
		for _, e := range errnos {
			if e.number == n {
				return e.word
			}
		}
	} else if word := wsa.Errno(n).Symbol(); word != "" {
		return word
	}
	return fmt.Sprint(n)
}
