package tcp

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	aTuple = []byte{10, 0, 0, 1, 0, 80, 10, 0, 0, 2, 200, 1}
	bTuple = []byte{10, 0, 0, 1, 0, 80, 10, 0, 0, 2, 200, 2}
)

// The numbers are those of SHA-256, computed elsewhere: they must not change with
// a version, as a run with the same seed gives the same segments.
func TestISN(t *testing.T) {
	k := Secret{1, 2, 3}
	first := k.ISN(origin, aTuple)
	require.Equal(t, Seq(0x0d47b4d9), first-Seq(uint32(origin/isnTick)))
	require.Equal(t, first, k.ISN(origin, aTuple), "reproducible")

	require.Equal(t, first, k.ISN(origin+isnTick-1, aTuple))
	require.Equal(t, first+1, k.ISN(origin+isnTick, aTuple))
	require.Equal(t, first.Add(250_000), k.ISN(origin+time.Second, aTuple))
	// 2^32 ticks are a round, over which nothing overflows.
	require.Equal(t, first, k.ISN(origin+isnTick<<32, aTuple))

	other := Secret{1, 2, 4}
	for what, n := range map[string]Seq{"tuple": k.ISN(origin, bTuple), "key": other.ISN(origin, aTuple),
		"stamp": Seq(k.StampOffset(aTuple) + uint32(origin/isnTick))} {
		require.NotEqual(t, first, n, what)
	}
	require.NotEqual(t, k.StampOffset(aTuple), k.StampOffset(bTuple))
	require.Zero(t, testing.AllocsPerRun(10, func() { k.ISN(origin, aTuple) }))
}

// Each bit of the numbers of neighbouring tuples is set about half of the time.
func TestISNBits(t *testing.T) {
	var k Secret
	var ones [32]int
	tuple := append([]byte{}, aTuple...)
	const n = 4096
	for i := range n {
		tuple[10], tuple[11] = byte(i>>8), byte(i)
		isn := k.ISN(origin, tuple)
		for bit := range ones {
			ones[bit] += int(isn >> bit & 1)
		}
	}
	for bit, count := range ones {
		require.Less(t, math.Abs(float64(count-n/2)), 5*math.Sqrt(n)/2, "bit %d", bit)
	}
}
