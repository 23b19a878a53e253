package play_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// TestPlay plays the scripts of testdata/play, and compares what comes of them.
func TestPlay(t *testing.T) {
	datadriven.Walk(t, "testdata/play", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "play", d.Cmd)
			s, err := syntax.Parse("script", []byte(d.Input), syntax.Options{})
			if err != nil {
				return err.Error() + "\n"
			}
			return report(play.Play(s, play.Config{Settings: exact}), true)
		})
	})
}

// exact are settings by which everything happens at its time, and not a nanosecond beside.
var exact = []syntax.Setting{{Name: "tolerance_usecs", Value: "0", HasValue: true}}

// report is a Result as a text.
func report(r *play.Result, whole bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, %d events, %d packets, %d calls\n", r.Took, r.Events, r.Packets, r.Calls)
	if f := r.Failure; f != nil {
		fmt.Fprintf(&b, "%d:%d: %s\n", f.Pos.Line, f.Pos.Column, f.What)
		for _, l := range f.Expected {
			fmt.Fprintf(&b, "  want %s\n", l)
		}
		for _, l := range f.Actual {
			fmt.Fprintf(&b, "  got  %s\n", l)
		}
		if f.Hint != "" {
			fmt.Fprintf(&b, "  hint %s\n", f.Hint)
		}
	}
	if whole {
		for _, l := range r.Conversation {
			fmt.Fprintf(&b, "%.6f %s\n", l.At.Seconds(), l.Text)
		}
	}
	return b.String()
}

// parse reads a script that has no mistakes.
func parse(t testing.TB, text string) *syntax.Script {
	t.Helper()
	s, err := syntax.Parse("script", []byte(text), syntax.Options{})
	require.NoError(t, err)
	return s
}

// The capture and the recording have the packets of the conversation.
func TestPlay_Recorded(t *testing.T) {
	var capture bytes.Buffer
	r := play.Play(parse(t, server), play.Config{Record: true, Capture: &capture})
	require.Nil(t, r.Failure)
	require.NoError(t, r.CaptureErr)
	require.Len(t, r.Recording.Packets, r.Packets)
	require.Equal(t, []string{"peer", "stack"}, r.Recording.Nodes)
	require.NotEmpty(t, r.Recording.Connections)
	require.Contains(t, capture.String(), "hello, script")
}

// What the command line says goes before what the script says.
func TestPlay_Settings(t *testing.T) {
	s := parse(t, "--mtu=1400\n"+server)
	r := play.Play(s, play.Config{Settings: []syntax.Setting{{Name: "mtu", Value: "1300", HasValue: true}}})
	require.Nil(t, r.Failure)
	require.EqualValues(t, 1300, r.Setup.MTU)
}

// opened is a script in which the stack is a server, up to accept.
const opened = `
0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0   bind(3, ..., ...) = 0
+0   listen(3, 1) = 0
+0   < S 0:0(0) win 65535 <mss 1000, nop, nop, sackOK>
+0   > S. 0:0(0) ack 1 <...>
+0   < . 1:1(0) ack 1 win 65535
+0   accept(3, ..., ...) = 4
`

// server goes on to the end of the connection.
const server = opened + `
+0   write(4, "hello, script", 13) = 13
+0   > P. 1:14(13) ack 1
+.05 < . 1:1(0) ack 14 win 65535
+0   < F. 1:1(0) ack 14 win 65535
+0   > . 14:14(0) ack 2
+1   close(4) = 0
+0   > F. 14:14(0) ack 2
+.05 < . 2:2(0) ack 15 win 65535
`

// With a tolerance, something may happen that much beside its time, and no more.
func TestPlay_Tolerance(t *testing.T) {
	late := opened + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n"
	for retransmission, passes := range map[string]bool{".2": true, ".196": true, ".204": true, ".195999": false, ".204001": false} {
		require.Equal(t, passes, play.Play(parse(t, late+"+"+retransmission+" > P. 1:11(10) ack 1\n"), play.Config{}).Passed(), retransmission)
	}
	for setting, passes := range map[string]bool{"--tolerance_usecs=0\n": false, "--tolerance_usecs=99999\n": false, "--tolerance_usecs=100000\n": true, "--tolerance_percent=50\n": false} {
		s := parse(t, setting+opened+"+0 write(4, ..., 10) = 10\n+.1 > P. 1:11(10) ack 1\n+.1~+.3 > P. 1:11(10) ack 1\n")
		require.Equal(t, passes, play.Play(s, play.Config{}).Passed(), setting)
	}
	// Half of 400 ms are 200: the retransmission after 200 ms is one at 400.
	s := parse(t, "--tolerance_percent=50\n"+opened+"+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+.4 > P. 1:11(10) ack 1\n")
	require.True(t, play.Play(s, play.Config{}).Passed())
}

// Check finds mistakes of packets, calls and conditions before anything is played.
func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"0 frobnicate(3) = 0\n":                         "frobnicate",
		opened + "+0 assert tcpi_frobnicated(4) == 1\n": "tcpi_frobnicated",
		"0 < icmp unreachable frobnicated\n":            "frobnicated",
	} {
		f := play.Check(parse(t, text), play.Config{})
		require.NotNil(t, f, text)
		require.Contains(t, f.What, want)
		require.NotEmpty(t, f.Hint, text)
		require.Positive(t, f.Pos.Line, text)
		require.Equal(t, f, play.Play(parse(t, text), play.Config{}).Failure)
	}
	require.Nil(t, play.Check(parse(t, server), play.Config{}))
}

// The seed of a link is that of the network.
func TestPlay_Seed(t *testing.T) {
	r := play.Play(parse(t, lossy), play.Config{})
	require.EqualValues(t, 7, r.Setup.Seed)
	require.Equal(t, 10, r.Events, "%v", r.Failure)
}
