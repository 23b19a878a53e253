package play_test

import (
	"testing"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// A percentage of tolerance counts from the beginning of a call that blocks.
func TestPlay_PercentOfBlocking(t *testing.T) {
	const receives = `--tolerance_percent=20
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
+0...1 recv(3, ..., 100, 0) = 10
`
	for at, passes := range map[string]bool{"+.79": false, "+.81": true, "+1.19": true, "+1.21": false} {
		s, err := syntax.Parse("percent", []byte(receives+at+" < udp (10)\n"), syntax.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r := play.Play(s, play.Config{}); r.Passed() != passes {
			t.Errorf("at %s: %+v, want that it passes: %v", at, r.Failure, passes)
		}
	}
}
