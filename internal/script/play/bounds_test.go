package play_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// A script in which too much happens ends with a failure that says so.
func TestPlay_TooManySteps(t *testing.T) {
	defer play.SetMaxSteps(100)()
	r := play.Play(parse(t, fiveSeconds()), play.Config{})
	require.NotNil(t, r.Failure)
	require.Contains(t, r.Failure.What, "too much happens in the script")
	require.NotEmpty(t, r.Failure.Hint)
}

// Looks at the descriptors that a call of epoll_wait waits for count as steps.
func TestPlay_TooManyLooks(t *testing.T) {
	defer play.SetMaxSteps(2000)()
	require.Nil(t, play.Play(parse(t, fiveSeconds()), play.Config{}).Failure)
	var b strings.Builder
	b.WriteString("0 epoll_create(1) = 200\n")
	for fd := 100; fd < 150; fd++ {
		fmt.Fprintf(&b, "+0 socket(..., SOCK_DGRAM, 0) = %d\n", fd)
		fmt.Fprintf(&b, "+0 epoll_ctl(200, EPOLL_CTL_ADD, %d, {events=EPOLLIN|EPOLLET, fd=%d}) = 0\n", fd, fd)
	}
	b.WriteString("+0...5 epoll_wait(200, ..., 1, 5000) = 0\n+0")
	r := play.Play(parse(t, b.String()+strings.TrimPrefix(strings.TrimSpace(fiveSeconds()), "0")), play.Config{})
	require.NotNil(t, r.Failure)
	require.Contains(t, r.Failure.What, "more than 2000000 steps")
}

// Packets that nobody expects don't fill the memory.
func TestPlay_TooManyPackets(t *testing.T) {
	var b strings.Builder
	fmt.Fprint(&b, "0 socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 connect(3, ..., ...) = 0\n")
	for range 20_001 {
		fmt.Fprint(&b, "+0 write(3, ..., 1) = 1\n")
	}
	r := play.Play(parse(t, b.String()), play.Config{})
	require.NotNil(t, r.Failure)
	require.Contains(t, r.Failure.What, "more than 20000 packets")
}

// Whatever a script has that is long, lines of the report aren't, and a call says where the bytes
// differ.
func TestPlay_LongLines(t *testing.T) {
	long := strings.Repeat("y", 9000)
	const udp = "0 socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 bind(3, ..., ...) = 0\n+0 connect(3, ..., ...) = 0\n"
	for _, tt := range []struct{ text, expected, actual string }{
		{udp + `+0 < udp (9001) "` + long + "!\"\n+0 recv(3, \"" + long + `?", 10000, 0) = 9001`, `…"yyyyyyyyyyyyyyyy?" (9001 bytes)`, `…"yyyyyyyyyyyyyyyy!" (9001 bytes)`},
		{udp + `+0 recv(3, ` + strings.Repeat("1|", 90) + long + `, 100, 0) = 9001`, "", ""},
		{"0 " + long + "(3) = 0", "", ""},
		{"0 link " + long + "=1", "", ""},
		{udp + `+0...1 recv(3, "` + long + `", 9000, 0) = 9000`, "returns at 1.000", "still waits at"},
		{"--mtu=" + long + "\n0 nothing", "", ""},
		{udp + `+0 send(3, "` + long + `", 9000, 0) = 1`, "", "9000, 0) = 9000"},
		{udp + "+0 assert SO_TYPE(" + strings.Repeat("3+", 50) + long + ") == 1", "", ""},
	} {
		r := play.Play(parse(t, tt.text+"\n"), play.Config{})
		f := r.Failure
		require.NotNil(t, f, "%.100s", tt.text)
		lines := append(append([]string{f.What, f.Event, f.Hint}, f.Expected...), f.Actual...)
		require.Contains(t, strings.Join(f.Expected, "\n"), tt.expected)
		require.Contains(t, strings.Join(f.Actual, "\n"), tt.actual)
		for _, l := range r.Conversation {
			lines = append(lines, l.Text)
		}
		for _, l := range lines {
			require.LessOrEqual(t, utf8.RuneCountInString(l), syntax.MaxShown, l)
		}
	}
}

// A conversation keeps its latest lines.
func TestPlay_LongConversation(t *testing.T) {
	text := "0 socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 connect(3, ..., ...) = 0\n" +
		strings.Repeat("+0 write(3, ..., 1) = 1\n+0 > udp (1)\n", 3000)
	r := play.Play(parse(t, text), play.Config{})
	require.Nil(t, r.Failure)
	require.Equal(t, 6002, r.Left+len(r.Conversation))
	require.Len(t, r.Conversation, play.MaxConversation)
	require.Contains(t, r.Conversation[len(r.Conversation)-1].Text, "stack>peer udp ")
}
