package nagle_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/nagle"
)

func TestRelease(t *testing.T) {
	nodelay, minshall := nagle.Gate{NoDelay: true}, nagle.Gate{Minshall: true}
	for _, tt := range []struct {
		name  string
		gate  nagle.Gate
		state nagle.State
		want  int
	}{
		{"nothing", nagle.Gate{}, nagle.State{MSS: 1000}, 0},
		{"first small write", nagle.Gate{}, nagle.State{Queued: 1, MSS: 1000}, 1},
		{"small write in flight", nagle.Gate{}, nagle.State{Queued: 999, Unacked: 1, MSS: 1000}, 0},
		{"a full segment", nagle.Gate{}, nagle.State{Queued: 1000, Unacked: 1, MSS: 1000}, 1000},
		{"a full one and a rest", nagle.Gate{}, nagle.State{Queued: 1001, Unacked: 1, MSS: 1000}, 1000},
		{"a large send on an idle connection", nagle.Gate{}, nagle.State{Queued: 2500, MSS: 1000}, 2000},
		{"several full ones", nagle.Gate{}, nagle.State{Queued: 3000, MSS: 1000}, 3000},
		{"no delay", nodelay, nagle.State{Queued: 1, Unacked: 9, MSS: 1000}, 1},
		{"urgent", nagle.Gate{}, nagle.State{Queued: 1, Unacked: 9, MSS: 1000, Urgent: true}, 1},
		{"FIN", nagle.Gate{}, nagle.State{Queued: 1, Unacked: 9, MSS: 1000, FIN: true}, 1},
		{"Minshall, full ones in flight", minshall, nagle.State{Queued: 2500, MSS: 1000}, 2500},
		{"Minshall, a partial one in flight", minshall, nagle.State{Queued: 500, Unacked: 9, MSS: 1000, Partial: true}, 0},
	} {
		assert.Equal(t, tt.want, tt.gate.Release(tt.state), tt.name)
	}
}

func TestSilly(t *testing.T) {
	for _, tt := range []struct {
		name                     string
		usable, largest, waiting int
		want                     bool
	}{
		{"closed", 0, 8000, 5000, false},
		{"small", 100, 8000, 5000, true},
		{"a segment", 1000, 8000, 5000, false},
		{"all that waits fits", 100, 8000, 100, false},
		{"half of a small peer's window", 300, 600, 5000, false},
		{"less than half of it", 299, 600, 5000, true},
	} {
		assert.Equal(t, tt.want, nagle.Silly(tt.usable, tt.largest, tt.waiting, 1000), tt.name)
	}
}

// Whatever happens: bytes leave in order and none is lost; a partial segment
// leaves only by one of the five rules; everything leaves once it is
// acknowledged.
func TestReleaseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := nagle.Gate{NoDelay: rapid.Bool().Draw(t, "nodelay"), Minshall: rapid.Bool().Draw(t, "minshall")}
		s := nagle.State{
			Queued:  rapid.IntRange(0, 5000).Draw(t, "queued"),
			Unacked: rapid.IntRange(0, 3000).Draw(t, "unacked"),
			MSS:     rapid.IntRange(1, 1500).Draw(t, "mss"),
			Urgent:  rapid.Bool().Draw(t, "urgent"),
			FIN:     rapid.Bool().Draw(t, "fin"),
			Partial: rapid.Bool().Draw(t, "partial"),
		}
		n := g.Release(s)
		if n < 0 || n > s.Queued || s.Queued-n >= s.MSS {
			t.Fatalf("Release(%+v) = %d: full segments are never held", s, n)
		}
		if n%s.MSS != 0 { // a partial segment leaves
			idle := s.Unacked == 0 && s.Queued < s.MSS
			if !idle && !g.NoDelay && !s.Urgent && !s.FIN && !(g.Minshall && !s.Partial) {
				t.Fatalf("Release(%+v) = %d: a partial segment with data in flight", s, n)
			}
		}
		s.Queued, s.Unacked, s.Partial = s.Queued-n, 0, false
		if left := s.Queued - g.Release(s); left != 0 {
			t.Fatalf("%d bytes stay though everything is acknowledged", left)
		}
	})
}
