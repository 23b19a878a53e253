package wsa_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func TestErrnoNumbers(t *testing.T) {
	for _, e := range errnoNumbers {
		assert.Equal(t, e.want, int32(e.got), "%s", e.symbol)
		assert.Equal(t, e.symbol, e.got.Symbol(), "Errno(%d).Symbol()", e.want)
	}
}

// Every number with a text has a constant, and nothing else has a text.
func TestErrnoTexts_ExactlyTheConstants(t *testing.T) {
	known := make(map[int32]bool)
	for _, e := range errnoNumbers {
		require.False(t, known[e.want], "%s: two constants have number %d", e.symbol, e.want)
		known[e.want] = true
	}
	for n := int32(-1); n < 20000; n++ {
		assert.Equal(t, known[n], wsa.Errno(n).Symbol() != "", "Errno(%d).Symbol() = %q", n, wsa.Errno(n).Symbol())
	}
}

func TestErrnoError(t *testing.T) {
	assert.EqualError(t, wsa.WSAEINVAL, "WSAEINVAL: invalid argument")
	assert.EqualError(t, wsa.WSA_IO_PENDING, "WSA_IO_PENDING: overlapped operation started")
	assert.EqualError(t, wsa.Errno(12345), "winsock error 12345")
	assert.EqualError(t, wsa.Errno(-1), "winsock error -1")
	assert.Empty(t, wsa.Errno(12345).Symbol())

	words := regexp.MustCompile(`^[a-z][a-z -]*[a-z]$`)
	for _, e := range errnoNumbers {
		symbol, text, found := strings.Cut(e.got.Error(), ": ")
		assert.True(t, found && symbol == e.symbol, "%s.Error() = %q", e.symbol, e.got.Error())
		assert.Regexp(t, words, text, "%s: words in lower case, no full stop", e.symbol)
	}
}

func TestErrnoErr_ZeroIsNil(t *testing.T) {
	assert.True(t, wsa.NO_ERROR.Err() == nil, "NO_ERROR.Err() is not the nil error")
	assert.Equal(t, error(wsa.WSAECONNRESET), wsa.WSAECONNRESET.Err())
}

func TestErrnoIs(t *testing.T) {
	targets := []struct {
		err     error
		matches []wsa.Errno
	}{
		{fs.ErrPermission, []wsa.Errno{wsa.WSAEACCES}},
		{net.ErrClosed, []wsa.Errno{wsa.WSAENOTSOCK, wsa.WSAEINTR, wsa.WSA_OPERATION_ABORTED}},
		{errors.ErrUnsupported, []wsa.Errno{wsa.WSAEOPNOTSUPP, wsa.WSAENOPROTOOPT}},
		{os.ErrDeadlineExceeded, nil},
		{context.DeadlineExceeded, nil},
		{fs.ErrClosed, nil},
		{fs.ErrExist, nil},
		{fs.ErrInvalid, nil},
		{syscall.ECONNRESET, []wsa.Errno{wsa.WSAECONNRESET}},
		{syscall.ECONNREFUSED, []wsa.Errno{wsa.WSAECONNREFUSED}},
		{syscall.EADDRINUSE, []wsa.Errno{wsa.WSAEADDRINUSE}},
		{syscall.EAGAIN, []wsa.Errno{wsa.WSAEWOULDBLOCK}},
		{syscall.EWOULDBLOCK, []wsa.Errno{wsa.WSAEWOULDBLOCK}},
		{syscall.EPIPE, []wsa.Errno{wsa.WSAESHUTDOWN}},
		{syscall.ESHUTDOWN, []wsa.Errno{wsa.WSAESHUTDOWN}},
		{syscall.ENOENT, nil},
		{syscall.Errno(0), nil},
		{syscall.Errno(10054), onWindows(wsa.WSAECONNRESET)}, // package windows has these numbers
	}
	for _, target := range targets {
		for _, e := range errnoNumbers {
			want := false
			for _, m := range target.matches {
				want = want || m == e.got
			}
			assert.Equal(t, want, errors.Is(e.got, target.err), "errors.Is(%s, %v)", e.symbol, target.err)
		}
	}
}

func onWindows(e wsa.Errno) []wsa.Errno {
	if runtime.GOOS == "windows" {
		return []wsa.Errno{e}
	}
	return nil
}

// Every code that a socket call returns and that has a kin of its name in package
// syscall is it, whatever the number.
func TestErrnoIs_KinOfPackageSyscall(t *testing.T) {
	for _, e := range []struct {
		code wsa.Errno
		kin  syscall.Errno
	}{
		{wsa.WSAEINTR, syscall.EINTR},
		{wsa.WSAEBADF, syscall.EBADF},
		{wsa.WSAEACCES, syscall.EACCES},
		{wsa.WSAEFAULT, syscall.EFAULT},
		{wsa.WSAEINVAL, syscall.EINVAL},
		{wsa.WSAEMFILE, syscall.EMFILE},
		{wsa.WSAEINPROGRESS, syscall.EINPROGRESS},
		{wsa.WSAEALREADY, syscall.EALREADY},
		{wsa.WSAENOTSOCK, syscall.ENOTSOCK},
		{wsa.WSAEDESTADDRREQ, syscall.EDESTADDRREQ},
		{wsa.WSAEMSGSIZE, syscall.EMSGSIZE},
		{wsa.WSAEPROTOTYPE, syscall.EPROTOTYPE},
		{wsa.WSAENOPROTOOPT, syscall.ENOPROTOOPT},
		{wsa.WSAEPROTONOSUPPORT, syscall.EPROTONOSUPPORT},
		{wsa.WSAESOCKTNOSUPPORT, syscall.ESOCKTNOSUPPORT},
		{wsa.WSAEOPNOTSUPP, syscall.EOPNOTSUPP},
		{wsa.WSAEPFNOSUPPORT, syscall.EPFNOSUPPORT},
		{wsa.WSAEAFNOSUPPORT, syscall.EAFNOSUPPORT},
		{wsa.WSAEADDRNOTAVAIL, syscall.EADDRNOTAVAIL},
		{wsa.WSAENETDOWN, syscall.ENETDOWN},
		{wsa.WSAENETUNREACH, syscall.ENETUNREACH},
		{wsa.WSAENETRESET, syscall.ENETRESET},
		{wsa.WSAECONNABORTED, syscall.ECONNABORTED},
		{wsa.WSAENOBUFS, syscall.ENOBUFS},
		{wsa.WSAEISCONN, syscall.EISCONN},
		{wsa.WSAENOTCONN, syscall.ENOTCONN},
		{wsa.WSAETIMEDOUT, syscall.ETIMEDOUT},
		{wsa.WSAEHOSTDOWN, syscall.EHOSTDOWN},
		{wsa.WSAEHOSTUNREACH, syscall.EHOSTUNREACH},
	} {
		assert.ErrorIs(t, &net.OpError{Op: "read", Err: e.code}, e.kin, "%s", e.code.Symbol())
	}
}

// Callers write errors.Is(err, wsa.WSAECONNRESET) on what a net.Conn returns.
func TestErrno_ThroughOpError(t *testing.T) {
	err := fmt.Errorf("read greeting: %w", &net.OpError{Op: "read", Net: "tcp", Err: wsa.WSAECONNRESET})
	assert.ErrorIs(t, err, wsa.WSAECONNRESET)
	assert.NotErrorIs(t, err, wsa.WSAECONNABORTED)
	var errno wsa.Errno
	require.ErrorAs(t, err, &errno)
	assert.Equal(t, wsa.WSAECONNRESET, errno)

	var netErr net.Error = &net.OpError{Op: "read", Net: "tcp", Err: wsa.WSAETIMEDOUT}
	assert.True(t, netErr.Timeout(), "OpError{WSAETIMEDOUT}.Timeout()")
	assert.True(t, os.IsTimeout(netErr), "os.IsTimeout(OpError{WSAETIMEDOUT})")
}

func TestErrno_TimeoutAndTemporary(t *testing.T) {
	temporary := map[wsa.Errno]bool{
		wsa.WSAETIMEDOUT: true, wsa.WSAEWOULDBLOCK: true, wsa.WSAEMFILE: true, wsa.WSAENOBUFS: true, wsa.WSATRY_AGAIN: true,
	}
	for _, e := range errnoNumbers {
		var netErr net.Error = e.got
		assert.Equal(t, e.got == wsa.WSAETIMEDOUT, netErr.Timeout(), "%s.Timeout()", e.symbol)
		assert.Equal(t, temporary[e.got], e.got.Temporary(), "%s.Temporary()", e.symbol)
	}
}
