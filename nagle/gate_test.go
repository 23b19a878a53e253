package nagle_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/nagle"
)

func TestRelease(t *testing.T) {
	nodelay := nagle.Gate{NoDelay: true}
	for _, tt := range []struct {
		name  string
		gate  nagle.Gate
		state nagle.State
		want  int
	}{
		{"nothing", nagle.Gate{}, nagle.State{MSS: 1000}, 0},
		{"first small write", nagle.Gate{}, nagle.State{Queued: 1, MSS: 1000, Usable: 9000}, 1},
		{"small write in flight", nagle.Gate{}, nagle.State{Queued: 999, InFlight: 1, MSS: 1000, Usable: 9000}, 0},
		{"a full segment", nagle.Gate{}, nagle.State{Queued: 1000, InFlight: 1, MSS: 1000, Usable: 9000}, 1000},
		{"a full one and a rest", nagle.Gate{}, nagle.State{Queued: 1001, InFlight: 1, MSS: 1000, Usable: 9000}, 1000},
		{"a large send on an idle connection", nagle.Gate{}, nagle.State{Queued: 2500, MSS: 1000, Usable: 9000}, 2000},
		{"several full ones", nagle.Gate{}, nagle.State{Queued: 3000, MSS: 1000, Usable: 9000}, 3000},
		{"no delay", nodelay, nagle.State{Queued: 1, InFlight: 9, MSS: 1000, Usable: 9000}, 1},
		{"no delay, more than the window", nodelay, nagle.State{Queued: 1800, InFlight: 9, MSS: 1000, Usable: 1500}, 1000},
		{"no delay, a closed window", nodelay, nagle.State{Queued: 500, MSS: 1000}, 500},
		{"no delay, a closed window, more than a segment", nodelay, nagle.State{Queued: 1500, MSS: 1000}, 1000},
		{"no delay, a window that is used up", nodelay, nagle.State{Queued: 500, InFlight: 9, MSS: 1000}, 0},
		{"urgent", nagle.Gate{}, nagle.State{Queued: 1, InFlight: 9, MSS: 1000, Urgent: true}, 1},
		{"FIN", nagle.Gate{}, nagle.State{Queued: 1, InFlight: 9, MSS: 1000, FIN: true}, 1},
		{"full ones in flight, and a rest", nagle.Gate{}, nagle.State{Queued: 500, InFlight: 2000, MSS: 1000, Usable: 9000}, 0},
		{"silly", nodelay, nagle.State{Queued: 500, MSS: 1000, Usable: 100, Largest: 8000}, 0},
		{"silly, urgent", nodelay, nagle.State{Queued: 500, MSS: 1000, Usable: 100, Largest: 8000, Urgent: true}, 500},
		{"silly, overridden", nagle.Gate{}, nagle.State{Queued: 500, MSS: 1000, Usable: 100, Largest: 8000, Override: true}, 100},
		{"silly, an acknowledgement will come", nagle.Gate{}, nagle.State{Queued: 500, InFlight: 1, MSS: 1000, Usable: 100, Largest: 8000, Override: true}, 0},
		{"half of a small peer's window", nagle.Gate{}, nagle.State{Queued: 500, MSS: 1000, Usable: 300, Largest: 600}, 500},
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
		s := nagle.State{Usable: tt.usable, Largest: tt.largest, Queued: tt.waiting, MSS: 1000}
		assert.Equal(t, tt.want, s.Silly(), tt.name)
	}
}

// Whatever happens: bytes leave in order and none is lost; a partial segment
// leaves only by one of the four rules; everything leaves once it is
// acknowledged.
func TestReleaseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := nagle.Gate{NoDelay: rapid.Bool().Draw(t, "nodelay")}
		s := nagle.State{
			Queued:   rapid.IntRange(0, 5000).Draw(t, "queued"),
			InFlight: rapid.IntRange(0, 3000).Draw(t, "in flight"),
			MSS:      rapid.IntRange(1, 1500).Draw(t, "mss"),
			Usable:   rapid.IntRange(-10, 9000).Draw(t, "usable"),
			Largest:  rapid.IntRange(0, 9000).Draw(t, "largest"),
			Urgent:   rapid.Bool().Draw(t, "urgent"),
			FIN:      rapid.Bool().Draw(t, "fin"),
			Override: rapid.Bool().Draw(t, "override"),
		}
		n, forced := g.Release(s), s.Urgent || s.FIN
		if n < 0 || n > s.Queued || s.Queued-n >= s.MSS && !s.Silly() {
			t.Fatalf("Release(%+v) = %d: full segments are held by a silly window only", s, n)
		}
		if s.Silly() && n > 0 && !forced && (!s.Override || s.InFlight > 0 || n > s.Usable) {
			t.Fatalf("Release(%+v) = %d: a silly window is used", s, n)
		}
		if n%s.MSS != 0 && !s.Silly() { // a partial segment leaves
			idle := s.InFlight == 0 && s.Queued < s.MSS
			if !idle && !g.NoDelay && !forced {
				t.Fatalf("Release(%+v) = %d: a partial segment with data in flight", s, n)
			}
		}
		s.Queued, s.InFlight, s.Usable = s.Queued-n, 0, 9000
		if left := s.Queued - g.Release(s); left >= s.MSS || left > 0 && s.Queued < s.MSS {
			t.Fatalf("%d bytes stay though everything is acknowledged", left)
		}
	})
}
