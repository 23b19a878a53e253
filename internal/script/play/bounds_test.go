package play_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/play"
)

// A script in which too much happens ends with a failure that says so.
func TestPlay_TooManySteps(t *testing.T) {
	defer play.SetMaxSteps(100)()
	r := play.Play(parse(t, fiveSeconds()), play.Config{})
	require.NotNil(t, r.Failure)
	require.Contains(t, r.Failure.What, "too much happens in the script")
	require.NotEmpty(t, r.Failure.Hint)
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
