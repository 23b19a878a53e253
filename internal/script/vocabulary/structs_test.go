package vocabulary

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/wsa"
)

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		`{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`:                              "192.0.2.1:80",
		`{sa_family=AF_INET6, sin_port=htons(8080), sin_addr=inet_addr("2001:db8::1")}`:                         "[2001:db8::1]:8080",
		`{sa_family=AF_INET6, sin6_port=htons(443), sin6_addr=inet_pton(AF_INET6, "fe80::1"), sin6_scope_id=3}`: "[fe80::1%3]:443",
		`{sin_port=0x5000, sin_addr=INADDR_ANY}`:                                                                "0.0.0.0:80",
		`{sin_addr=htonl(INADDR_LOOPBACK)}`:                                                                     "127.0.0.1:0",
		`"192.0.2.1:80"`:                                                                                        "192.0.2.1:80",
	} {
		addr, wild, err := toStack.Address(expr(t, text))
		require.NoError(t, err, text)
		require.False(t, wild)
		require.Equal(t, want, addr.String(), text)
		again, _, err := toStack.Address(expr(t, TextAddress(addr)))
		require.NoError(t, err)
		require.Equal(t, addr, again)
	}
	_, wild, err := toStack.Address(expr(t, "..."))
	require.NoError(t, err)
	require.True(t, wild)
	require.Equal(t, `{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`,
		TextAddress(netip.MustParseAddrPort("192.0.2.1:80")))
}

func TestAddressBeside(t *testing.T) {
	given := netip.MustParseAddrPort("192.0.2.1:80")
	for text, same := range map[string]bool{
		`{sa_family=AF_INET, sin_port=..., sin_addr=inet_addr("192.0.2.1")}`:       true,
		`{sa_family=AF_INET, sin_port=..., sin_addr=inet_addr("192.0.2.2")}`:       false,
		`{sa_family=..., sin_port=htons(80), sin_addr=...}`:                        true,
		`{sa_family=AF_INET, sin_port=htons(81), sin_addr=...}`:                    false,
		`{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`: true,
	} {
		want, wild, err := toStack.AddressBeside(expr(t, text), given)
		require.NoError(t, err, text)
		require.False(t, wild)
		require.Equal(t, same, want == given, text)
	}
	_, wild, err := toStack.AddressBeside(expr(t, "..."), given)
	require.NoError(t, err)
	require.True(t, wild)
	_, _, err = toStack.Address(expr(t, `{sa_family=AF_INET, sin_port=..., sin_addr=inet_addr("192.0.2.1")}`))
	requireMistake(t, err, "no value", "write the value")
}

func TestAddress_Mistakes(t *testing.T) {
	for _, tt := range []struct{ text, problem, hint string }{
		{`{sa_family=AF_INET, sin_port=htons(80)}`, "has no address", "inet_addr"},
		{`{sa_family=AF_INET, sin_addr=inet_addr("::1")}`, "isn't of the family", ""},
		{`{sa_family=AF_INETT, sin_addr=inet_addr("1.2.3.4")}`, "isn't the name of an address family", "AF_INET"},
		{`{sin_adr=inet_addr("1.2.3.4")}`, `no field "sin_adr"`, "sin_addr"},
		{`{sin_port=htons(80), sin_addr=5}`, "isn't an address", "inet_addr"},
		{`"1.2.3.4"`, "isn't an address with a port", "192.0.2.1:80"},
		{`5`, "isn't an address with a port", "sa_family"},
	} {
		_, _, err := toStack.Address(expr(t, tt.text))
		requireMistake(t, err, tt.problem, tt.hint)
	}
}

func TestPollFDs(t *testing.T) {
	const text = "[{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}, {fd=5, events=POLLOUT}, {fd=6, events=0, revents=...}]"
	got, err := toKernel.PollFDs(expr(t, text))
	require.NoError(t, err)
	require.Equal(t, []PollFD{{FD: 4, Events: 5, Revents: 1}, {FD: 5, Events: 4}, {FD: 6, Any: true}}, got)
	got, err = toWinsock.PollFDs(expr(t, "{4, POLLIN, POLLRDNORM}"))
	require.NoError(t, err)
	require.Equal(t, []PollFD{{FD: 4, Events: wsa.POLLIN, Revents: wsa.POLLRDNORM}}, got)

	_, err = toKernel.PollFDs(expr(t, "[{fd=4, event=POLLIN}]"))
	requireMistake(t, err, `no field "event"`, "{fd=3, events=POLLIN")
	_, err = toKernel.PollFDs(expr(t, "[4]"))
	requireMistake(t, err, "isn't a structure", "{fd=3")
	many := &syntax.List{Pos: syntax.Pos{Line: 1, Column: 1}, Items: make([]syntax.Expr, MaxList+1)}
	_, err = toKernel.PollFDs(many)
	requireMistake(t, err, "1025 elements", "1024 at most")
}

func TestEpollEvents(t *testing.T) {
	got, err := toStack.EpollEvents(expr(t, "[{events=EPOLLIN|EPOLLET, fd=4}, {events=..., u64=...}, {events=0, ptr=0}]"))
	require.NoError(t, err)
	require.Equal(t, []EpollEvent{
		{Events: 1 | EPOLLET, Field: "fd", Data: 4},
		{AnyBits: true, Field: "u64", AnyData: true},
		{Field: "ptr"},
	}, got)
}

func TestMsghdr(t *testing.T) {
	got, err := toStack.Msghdr(expr(t, `{msg_name(...)=..., msg_iov(2)=[{..., 10}, {"abc", 3}], msg_flags=MSG_TRUNC, msg_control=[]}`))
	require.NoError(t, err)
	require.Equal(t, []Iovec{{Length: 10}, {Bytes: []byte("abc"), Length: 3}}, got.Iovecs)
	require.EqualValues(t, wsa.MSG_TRUNC, got.Flags)
	require.False(t, got.AnyFlags)
	require.False(t, got.Name.IsValid())
	require.NotNil(t, got.Control)

	got, err = toStack.Msghdr(expr(t, `{msg_name(...)="1.2.3.4:5", msg_iov(1)=[{..., 10}]}`))
	require.NoError(t, err)
	require.Equal(t, "1.2.3.4:5", got.Name.String())
	require.True(t, got.AnyFlags)
	_, err = toStack.Msghdr(expr(t, `{msg_iov(1)=[{..., 1000000000}]}`))
	requireMistake(t, err, "a buffer of 1000000000 bytes", "0 to")
}

func TestTimeval(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"{tv_sec=1, tv_usec=500000}": 1500 * time.Millisecond, "{2}": 2 * time.Second, "{0, 1}": time.Microsecond,
	} {
		d, wild, err := toStack.Timeval(expr(t, text))
		require.NoError(t, err)
		require.False(t, wild)
		require.Equal(t, want, d, text)
	}
	_, _, err := toStack.Timeval(expr(t, "{tv_nsec=1}"))
	requireMistake(t, err, `no field "tv_nsec"`, "tv_usec")
}

func TestPoll(t *testing.T) {
	const all = POLLIN | POLLPRI | POLLOUT | POLLRDHUP
	for _, tt := range []struct {
		asked   int64
		revents int16
		want    int64
	}{
		{all, wsa.POLLRDNORM, POLLIN},
		{POLLRDNORM, wsa.POLLRDNORM, POLLRDNORM},
		{POLLOUT, wsa.POLLRDNORM | wsa.POLLWRNORM, POLLOUT},
		{all, wsa.POLLRDBAND, POLLPRI},
		{all, wsa.POLLHUP, POLLIN | POLLRDHUP},
		{POLLIN, wsa.POLLHUP, POLLIN},
		{0, wsa.POLLERR | wsa.POLLHUP, POLLERR | POLLHUP},
		{all, wsa.POLLERR | wsa.POLLHUP, POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP},
		{0, wsa.POLLNVAL, POLLNVAL},
	} {
		require.Equal(t, tt.want, PollFound(tt.asked, tt.revents), "asked %#x, found %#x", tt.asked, tt.revents)
	}
}
