package tcp

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/spare"
)

// numbered is the bytes from a position on, of a stream in which each can be told.
func numbered(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((from + i) * 7 >> 3)
	}
	return b
}

// arrive gives pieces of a stream to a receiver, and returns what it has made of them.
func arrive(r *receiver, from, n int) {
	b := buffer.MakeWithData(numbered(from, n))
	r.data(Seq(1).Add(from), &b)
}

func content(t require.TestingT, r *receiver) []byte {
	p := make([]byte, r.queue.size)
	require.Equal(t, len(p), r.queue.read(p, 0))
	return p
}

// Pieces in any order, of any size, make the stream.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 20000
		r := &receiver{next: 1, read: 1, edge: 1 + size, tuner: tuner{quota: size}}
		largest := rapid.SampledFrom([]int{1, 10, 600, 3000}).Draw(t, "largest")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		read := 0
		for range rapid.IntRange(0, 300).Draw(t, "pieces") {
			arrive(r, random.IntN(size), 1+random.IntN(largest))
			if random.IntN(10) == 0 {
				n := random.IntN(2000)
				p := make([]byte, n)
				p = p[:r.queue.read(p, 0)]
				require.True(t, bytes.Equal(numbered(read, len(p)), p))
				r.queue.drop(len(p), new(spare.Keeper))
				read += len(p)
			}
		}
		for i := 1; i < len(r.pieces.runs); i++ {
			require.True(t, r.pieces.runs[i-1].end.Before(r.pieces.runs[i].start))
		}
		for at := 0; at < size; at += 1000 {
			arrive(r, at, 1000)
		}
		require.True(t, bytes.Equal(numbered(read, size-read), content(t, r)))
		require.Zero(t, early(r))
		require.Empty(t, r.pieces.runs)
	})
}

// early is how many bytes are kept that came ahead of missing ones.
func early(r *receiver) (bytes int) {
	for i := range r.pieces.runs {
		bytes += r.pieces.runs[i].data.size
	}
	return bytes
}

// Orders in which a peer may send single bytes.
var orders = map[string]func(i, n int) int{
	"in order":             func(i, n int) int { return i },
	"backwards":            func(i, n int) int { return n - 1 - i },
	"every second, in two": func(i, n int) int { return i/1000*1000 + i%1000*2%1000 + i%1000/500 },
	"every second backwards, and the gaps": func(i, n int) int {
		return n - 1 - (i/1000*1000 + i%1000*2%1000 + i%1000/500)
	},
	"pairs backwards": func(i, n int) int { return n - 1 - i ^ 1 },
}

// spread is what n single bytes cost: bytes that were allocated, and views that are
// held.
func spread(t testing.TB, n int, order func(i, n int) int) (allocated, views int) {
	r := &receiver{next: 1, read: 1, edge: Seq(1).Add(n + 1), tuner: tuner{quota: int32(n) + 1}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		b := buffer.MakeWithData([]byte{byte(i)})
		r.data(Seq(2).Add(order(i, n)), &b)
	}
	runtime.ReadMemStats(&after)
	require.Equal(t, n, r.queue.size+early(r))
	views = len(r.queue.views)
	for i := range r.pieces.runs {
		views += len(r.pieces.runs[i].data.views) - r.pieces.runs[i].data.head
	}
	return int(after.TotalAlloc - before.TotalAlloc), views
}

// A peer that sends single bytes in an order of its choice makes us allocate in
// proportion to what it sends, and keep views of some size.
func TestSingleBytes(t *testing.T) {
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			const n = 32000
			allocated, views := spread(t, n, order)
			t.Log(allocated, views)
			require.Less(t, allocated, 500*n)
			require.LessOrEqual(t, views, n/16)
		})
	}
}

func BenchmarkSingleBytes(b *testing.B) {
	for name, order := range orders {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				spread(b, 64000, order) // the orders are for whole thousands
			}
		})
	}
}
