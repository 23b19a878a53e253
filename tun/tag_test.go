package tun

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A joined is a device whose packets another one receives at once.
type joined struct {
	sentTo
	far *sentTo
}

func (j *joined) Send(packets []Packet) error {
	clones := make([]Packet, len(packets))
	for i := range packets {
		clones[i] = packets[i]
		clones[i].Data = packets[i].Data.Clone()
	}
	j.far.receive(clones)
	return nil
}

// Whatever happens to a packet between two observers, the second one knows it again by its Tag.
func TestTag_SurvivesImpairments(t *testing.T) {
	for name, m := range map[string]Impairment{
		"perfect":    {},
		"delayed":    {Delay: time.Second},
		"jittered":   {Delay: time.Second, Jitter: time.Second},
		"reordered":  {Reorder: 0.5, ReorderDelay: time.Second},
		"duplicated": {Duplicate: 1},
		"corrupted":  {Corrupt: 1},
		"slow":       {Rate: 8000},
		"filtered":   {Filter: func(p []byte) []byte { return append(p, 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := &fakeClock{}
			b := &sentTo{clock: c}
			a := &joined{sentTo: sentTo{clock: c}, far: b}
			next, sent, arrived := uint64(0), map[uint64]int{}, map[uint64]int{}
			out, err := Impair(a, ImpairConfig{Out: m, Clock: c, Rand: rand.NewPCG(1, 1), Observe: func(_ Direction, p *Packet, _ Fate) {
				next++
				p.Tag = next
				sent[next] = numberOf(p)
			}})
			require.NoError(t, err)
			in, err := Impair(b, ImpairConfig{Clock: c, Observe: func(_ Direction, p *Packet, fate Fate) {
				if name != "corrupted" { // which may have hit the number
					require.Equal(t, sent[p.Tag], numberOf(p))
				}
				arrived[p.Tag]++
			}})
			require.NoError(t, err)
			require.NoError(t, in.Start(release))
			sendNumbered(t, out, c, 1, 50, 60, 10*time.Millisecond)
			c.advance(time.Minute)
			want := 1
			if m.Duplicate > 0 {
				want = 2
			}
			require.Len(t, arrived, 50)
			for tag, n := range arrived {
				require.Equal(t, want, n, "packet %d", tag)
			}
		})
	}
}

// The packets that are cut from one have its Tag, and a Pipe carries it.
func TestTag_SurvivesCuttingAndPipe(t *testing.T) {
	a, b := Pipe(9000)
	defer a.Close()
	defer b.Close()
	a.(Offloader).EnableOffload()
	var mu sync.Mutex
	tags, got := map[uint64]int{}, 0
	require.NoError(t, b.Start(func(packets []Packet) {
		mu.Lock()
		defer mu.Unlock()
		for i := range packets {
			tags[packets[i].Tag]++
			got++
		}
		release(packets)
	}))
	whole := bulky{payload: 5000, mss: 1000}.packet()
	whole.Tag = 7
	require.NoError(t, a.Send([]Packet{whole, {Data: numbered(1, 50).Data, Tag: 8}}))
	soon(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return got == 6
	}, "packets arrive")
	require.Equal(t, map[uint64]int{7: 5, 8: 1}, tags)
	sums := bulky{payload: 100}.packet() // only the checksum is missing
	sums.Tag = 9
	Segments(&sums, func(p Packet) { require.EqualValues(t, 9, p.Tag) })
}
