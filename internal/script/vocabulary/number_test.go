package vocabulary

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		kind  Kind
		text  string
		stack int64 // as the stack has it, digits being Linux's
		linux int64
	}{
		{Family, "AF_INET6", wsa.AF_INET6, 10},
		{Family, "10", wsa.AF_INET6, 10},
		{Family, "99", 99, 99},
		{SocketType, "SOCK_STREAM|SOCK_NONBLOCK", wsa.SOCK_STREAM | SOCK_NONBLOCK, 0x801},
		{SocketType, "0x801", wsa.SOCK_STREAM | SOCK_NONBLOCK, 0x801},
		{Protocol, "IPPROTO_TCP", 6, 6},
		{Protocol, "132", 132, 132},
		{MsgFlags, "MSG_WAITALL|MSG_DONTWAIT", wsa.MSG_WAITALL | MSG_DONTWAIT, 0x140},
		{MsgFlags, "0x8000", MSG_MORE, 0x8000},
		{MsgFlags, "0", 0, 0},
		{ShutdownHow, "SHUT_WR", wsa.SD_SEND, 1},
		{ShutdownHow, "SD_BOTH", wsa.SD_BOTH, 2},
		{ShutdownHow, "7", 7, 7},
		{PollEvents, "POLLIN|POLLOUT", wsa.POLLIN | wsa.POLLOUT, 5},
		{PollEvents, "POLLRDHUP", 0x2000 << 32, 0x2000},
		{EpollEvents, "EPOLLIN|EPOLLET", 1 | EPOLLET, 1 | EPOLLET},
		{FcntlCommand, "F_SETFL", F_SETFL, 4},
		{FileFlags, "O_RDWR|O_NONBLOCK", 0x802, 0x802},
		{FileFlags, "~O_NONBLOCK", ^0x800, ^0x800},
		{ControlCode, "SIOCINQ", wsa.FIONREAD, 0x541B},
		{ControlCode, "FIONBIO", wsa.FIONBIO, 0x5421},
		{ControlCode, "0x5421", wsa.FIONBIO, 0x5421},
		{MTUDiscovery, "IP_PMTUDISC_DONT", wsa.IP_PMTUDISC_DONT, 0},
		{MTUDiscovery, "2", wsa.IP_PMTUDISC_DO, 2},
		{ErrorCode, "ECONNREFUSED", int64(wsa.WSAECONNREFUSED), 111},
		{ErrorCode, "WSAECONNREFUSED", int64(wsa.WSAECONNREFUSED), 111},
		{ErrorCode, "111", int64(wsa.WSAECONNREFUSED), 111},
		{ErrorCode, "NO_ERROR", 0, 0},
		{Plain, "htons(80)", 0x5000, 0x5000},
		{Plain, "htonl(1)", 0x01000000, 0x01000000},
		{Plain, `inet_addr("1.2.3.4")`, 0x04030201, 0x04030201},
		{Plain, "1<<20", 1 << 20, 1 << 20},
		{Plain, "-1", -1, -1},
		{Plain, "2*1460+1", 2921, 2921},
		{PollEvents, "POLLIN & ~POLLRDBAND", wsa.POLLRDNORM, 1},
		{Plain, "TRUE", 1, 1},
		{Plain, "SOMAXCONN", wsa.SOMAXCONN, 4096},
	} {
		for v, want := range map[Evaluator]int64{toStack: tt.stack, toKernel: tt.linux} {
			got, err := v.Number(tt.kind, expr(t, tt.text))
			require.NoError(t, err, "%s for %s", tt.text, v.For)
			assert.Equal(t, want, got, "%s for %s", tt.text, v.For)
		}
	}
}

func TestNumber_WinsockDigits(t *testing.T) {
	n, err := toWinsock.Number(Family, expr(t, "23"))
	require.NoError(t, err)
	require.EqualValues(t, wsa.AF_INET6, n)
	n, err = Evaluator{For: Linux, Digits: Winsock}.Number(Family, expr(t, "23"))
	require.NoError(t, err)
	require.EqualValues(t, 10, n)
}

func TestNumber_Mistakes(t *testing.T) {
	for _, tt := range []struct {
		v             Evaluator
		kind          Kind
		text          string
		problem, hint string
	}{
		{toStack, Family, "AF_INTE", "AF_INTE isn't the name of an address family", "did you mean AF_INET?"},
		{toStack, Family, "SOCK_STREAM", "SOCK_STREAM is a type of socket, not an address family", "AF_UNSPEC"},
		{toStack, Family, "AF_UNIX", "Winsock has nothing like AF_UNIX", "instead"},
		{toStack, Family, "26", "26 isn't an address family of Linux", "AF_IRDA"},
		{toKernel, MsgFlags, "MSG_PARTIAL", "Linux has nothing like MSG_PARTIAL", "instead"},
		{toKernel, NetworkEvents, "FD_READ", "Linux has nothing like FD_READ", ""},
		{toStack, MsgFlags, "0x80000000", "bits 0x80000000", "MSG_OOB"},
		{toStack, Plain, "...", "no value", "write the value"},
		{toStack, Plain, `"text"`, "isn't a number", ""},
		{toStack, Plain, "htons(70000)", "70000 doesn't fit 16 bits", "0 to 65535"},
		{toStack, Plain, `inet_addr("1.2.3")`, `"1.2.3" is no address`, "192.0.2.1"},
		{toStack, Plain, `inet_addr("::1")`, "takes an IPv4 address", "inet_pton"},
		{toStack, Plain, "htonx(1)", "no function htonx", "htons"},
		{toStack, Plain, "1<<70", "a shift by 70 bits", "0 to 63"},
		{toStack, ErrorCode, "ECONREFUSED", "isn't the name of an error", "did you mean ECONNREFUSED?"},
		{toStack, ErrorCode, "ENOENT", "Winsock has nothing like ENOENT", ""},
	} {
		_, err := tt.v.Number(tt.kind, expr(t, tt.text))
		requireMistake(t, err, tt.problem, tt.hint)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		s    System
		kind Kind
		n    int64
		want string
	}{
		{Linux, FileFlags, 0x802, "O_RDWR|O_NONBLOCK"},
		{Linux, FileFlags, 0, "O_RDONLY"},
		{Linux, PollEvents, 5, "POLLIN|POLLOUT"},
		{Linux, PollEvents, 0, "0"},
		{Winsock, PollEvents, wsa.POLLIN | wsa.POLLHUP, "POLLIN|POLLHUP"},
		{Winsock, PollEvents, wsa.POLLRDNORM, "POLLRDNORM"},
		{Linux, ShutdownHow, 1, "SHUT_WR"},
		{Winsock, ShutdownHow, 1, "SD_SEND"},
		{Winsock, MsgFlags, wsa.MSG_PEEK | MSG_DONTWAIT, "MSG_PEEK|MSG_DONTWAIT"},
		{Linux, SocketType, 0x801, "SOCK_STREAM|SOCK_NONBLOCK"},
		{Winsock, Family, wsa.AF_INET6, "AF_INET6"},
		{Winsock, Family, 77, "77"},
		{Linux, EpollEvents, 1<<31 | 1<<20, "EPOLLET|0x100000"},
		{Winsock, NetworkEvents, wsa.FD_READ | wsa.FD_CLOSE, "FD_READ|FD_CLOSE"},
		{Winsock, ErrorCode, 10061, "WSAECONNREFUSED"},
		{Linux, ErrorCode, 111, "ECONNREFUSED"},
		{Linux, ErrorCode, 0, "0"},
		{Linux, TCPState, 1, "TCP_ESTABLISHED"},
		{Winsock, TCPState, 4, "TCPSTATE_ESTABLISHED"},
		{Linux, Plain, 1, "1"},
		{Winsock, OptionValue, 20, "20"},
	} {
		assert.Equal(t, tt.want, tt.s.Text(tt.kind, tt.n), "%s, kind %d, %#x", tt.s, tt.kind, tt.n)
	}
}

// TestText_RoundTrip reads what Text writes, for each constant of each kind.
func TestText_RoundTrip(t *testing.T) {
	for k := range Kind(len(kinds)) {
		for _, s := range []System{Winsock, Linux} {
			for _, c := range names[k] {
				if !c.has(s) {
					continue
				}
				text := s.Text(k, c.of(s))
				n, err := Evaluator{For: s, Digits: s}.Number(k, expr(t, text))
				require.NoError(t, err, "%s: %s", c.word, text)
				require.Equal(t, c.of(s), n, "%s: %s", c.word, text)
			}
		}
	}
}

// TestNames looks for names that a kind has twice, and for numbers that aren't of their kind.
func TestNames(t *testing.T) {
	require.Len(t, names, len(kinds)-1) // error codes are in another table
	for k, list := range names {
		seen := make(map[string]bool)
		for _, c := range list {
			require.False(t, seen[c.word], "%s stands there twice", c.word)
			seen[c.word] = true
			switch kinds[k].only {
			case linuxOnly:
				require.Equal(t, c.linux, c.winsock, c.word)
			case winsockOnly:
				require.False(t, c.has(Linux), c.word)
			}
		}
	}
}
