package vocabulary

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func TestErrno(t *testing.T) {
	for _, tt := range []struct {
		call  string
		code  wsa.Errno
		linux string   // how a message names it
		also  []string // other names that are accepted
		not   []string
	}{
		{"recv", wsa.WSAEWOULDBLOCK, "EAGAIN", []string{"EWOULDBLOCK", "WSAEWOULDBLOCK"}, []string{"EINPROGRESS", "EINTR"}},
		{"connect", wsa.WSAEWOULDBLOCK, "EINPROGRESS", []string{"WSAEWOULDBLOCK"}, []string{"EAGAIN", "EWOULDBLOCK", "WSAEINPROGRESS", "EALREADY"}},
		{"connect", wsa.WSAEALREADY, "EALREADY", nil, []string{"EINPROGRESS"}},
		{"send", wsa.WSAESHUTDOWN, "EPIPE", []string{"ESHUTDOWN", "WSAESHUTDOWN"}, []string{"ECONNRESET"}},
		{"write", wsa.WSAECONNRESET, "ECONNRESET", []string{"EPIPE"}, []string{"ETIMEDOUT"}},
		{"read", wsa.WSAECONNRESET, "ECONNRESET", nil, []string{"EPIPE"}},
		{"bind", wsa.WSAENOTSOCK, "EBADF", []string{"ENOTSOCK", "WSAENOTSOCK"}, []string{"WSAEBADF"}},
		{"recv", wsa.WSAENETRESET, "ENETRESET", []string{"ETIMEDOUT", "WSAENETRESET"}, []string{"WSAETIMEDOUT"}},
		{"recv", wsa.WSAETIMEDOUT, "ETIMEDOUT", nil, []string{"ENETRESET"}},
		{"setsockopt", wsa.WSAENOPROTOOPT, "ENOPROTOOPT", nil, []string{"EOPNOTSUPP"}},
		{"WSARecv", wsa.WSA_IO_PENDING, "WSA_IO_PENDING", []string{"ERROR_IO_PENDING"}, []string{"EINPROGRESS"}},
	} {
		require.Equal(t, tt.linux, ErrnoText(Linux, tt.call, tt.code))
		require.Equal(t, tt.code.Symbol(), ErrnoText(Winsock, tt.call, tt.code))
		for _, word := range append(tt.also, tt.linux, tt.code.Symbol()) {
			assert.True(t, ErrnoMatches(tt.call, tt.code, word), "%s of %s is %s", tt.code, tt.call, word)
		}
		for _, word := range append(tt.not, "EXYZ", "") {
			assert.False(t, ErrnoMatches(tt.call, tt.code, word), "%s of %s isn't %s", tt.code, tt.call, word)
		}
	}
	require.Equal(t, "12345", ErrnoText(Linux, "send", 12345))
}

// TestErrno_RoundTrip reads how messages name each code, for all calls.
func TestErrno_RoundTrip(t *testing.T) {
	for word, code := range codesByName {
		for _, call := range []string{"", "connect", "send", "recv"} {
			for _, s := range []System{Winsock, Linux} {
				text := ErrnoText(s, call, code)
				require.True(t, ErrnoMatches(call, code, text), "%s: %s of %s", word, text, call)
			}
		}
		_, ok := ErrnoKnown(word)
		require.True(t, ok, word)
	}
}

func TestErrnoKnown(t *testing.T) {
	hint, ok := ErrnoKnown("EAGIAN")
	require.False(t, ok)
	require.Equal(t, "did you mean EAGAIN?", hint)
	hint, ok = ErrnoKnown("X")
	require.False(t, ok)
	require.Contains(t, hint, "names of errors")
	_, ok = ErrnoKnown("EPERM")
	require.True(t, ok)
}

func TestLinuxErrno(t *testing.T) {
	for word, want := range map[string]int{
		"EAGAIN": 11, "EPIPE": 32, "WSAEWOULDBLOCK": 11, "WSAECONNRESET": 104, "WSAENOTSOCK": 9,
		"WSAESHUTDOWN": 32, "WSAEINPROGRESS": 115, "EINPROGRESS": 115,
	} {
		n, ok := LinuxErrno(word)
		require.True(t, ok, word)
		require.Equal(t, want, n, word)
	}
	_, ok := LinuxErrno("WSA_IO_PENDING")
	require.False(t, ok)
}
