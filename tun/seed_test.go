package tun

import (
	"fmt"
	"hash/fnv"
	"testing"
	"time"
)

// A seed gives the same fates and times in all versions: the digests are those of the first version
// that had these impairments.
func TestImpair_SeedsKeepTheirMeaning(t *testing.T) {
	for _, c := range []struct {
		m    Impairment
		want string
	}{
		{Impairment{Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1, Reorder: 0.1, Delay: 5 * time.Millisecond, Jitter: time.Millisecond}, "fba4fd00f43252b9"},
		{Impairment{Burst: Burst{Enter: 0.02, Leave: 0.25, Loss: 0.9}, Loss: 0.01, Reorder: 0.1, ReorderDelay: time.Millisecond}, "9e51428e6f2a513c"},
		{Impairment{Duplicate: 0.3, Corrupt: 0.01, Jitter: time.Millisecond, Rate: 900_000, Queue: 2_000}, "39bda971b3373c2f"},
	} {
		i, p, clock := newBench(t, c.m, 1)
		sendNumbered(t, i, clock, 1, 2000, 100, 700*time.Microsecond)
		clock.advance(time.Second)
		h := fnv.New64a()
		fmt.Fprint(h, p.numbers, p.times, p.data)
		if got := fmt.Sprintf("%016x", h.Sum64()); got != c.want {
			out, _ := i.Stats()
			t.Errorf("%+v has the digest %s, want %s; %+v", c.m, got, c.want, out)
		}
	}
}
