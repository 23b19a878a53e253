package spare

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
)

// chunkOf is where the chunk of a view is.
func chunkOf(v *buffer.View) *byte {
	c := v.Clone()
	defer c.Release()
	c.Reset()
	c.Grow(1)
	return &c.AsSlice()[0]
}

// full is a view with a whole chunk of a byte.
func full(b byte) *buffer.View {
	v := View()
	v.Write(bytes.Repeat([]byte{b}, Size))
	return v
}

// comesAgain requires that the chunk of a view comes again that was given back, and that the view is
// empty then.
func comesAgain(t *testing.T, view func() *buffer.View, back func(*buffer.View)) {
	t.Helper()
	again := 0
	for range 100 { // a pool may lose what it has
		v := view()
		at := chunkOf(v)
		back(v)
		v = View()
		require.Zero(t, v.Size())
		require.Equal(t, Size, v.AvailableSize())
		if chunkOf(v) == at {
			again++
		}
		v.Release()
	}
	require.Positive(t, again)
}

// A chunk that nobody refers to comes again.
func TestKeeps(t *testing.T) {
	var k Keeper
	comesAgain(t, func() *buffer.View {
		v := full(1)
		v.TrimFront(10)
		return v
	}, k.Release)
}

// So does one that was taken back, whatever was done to the view.
func TestBack(t *testing.T) {
	comesAgain(t, func() *buffer.View {
		v := View()
		v.Grow(100)
		v.CapLength(10)
		return v
	}, Back)
}

// A chunk that somebody still reads is nobody else's, whatever is written to the next ones.
func TestShared(t *testing.T) {
	var k Keeper
	var readers []*buffer.View
	for i := range 300 {
		v := full(byte(i))
		readers = append(readers, v.Clone())
		k.Release(v)
		w := full(255)
		defer w.Release()
	}
	for i, r := range readers {
		require.Equal(t, bytes.Repeat([]byte{byte(i)}, Size), r.AsSlice())
		r.Release()
	}
}

// Who shares all chunks looks at one in 256 in the end, and at each again once one wasn't shared.
func TestLooksRarely(t *testing.T) {
	var k Keeper
	looks := 0
	for range 1 << 12 {
		v := full(1)
		r := v.Clone()
		if k.left == 0 {
			looks++
		}
		k.Release(v)
		r.Release()
	}
	require.InDelta(t, 1<<12/256+8, looks, 2)
	for k.left > 0 {
		k.Release(full(1))
	}
	k.Release(full(1))
	require.Equal(t, Keeper{}, k)
}

// What isn't of the size goes back where it is from.
func TestOtherSizes(t *testing.T) {
	var k Keeper
	for _, size := range []int{1, 1000, Size / 2, Size + 1, 3 * Size} {
		k.Release(buffer.NewViewSize(size))
		v := View()
		require.Equal(t, Size, v.AvailableSize())
		v.Release()
	}
}

func BenchmarkView(b *testing.B) {
	b.Run("kept", func(b *testing.B) {
		var k Keeper
		for b.Loop() {
			k.Release(View())
		}
	})
	b.Run("of package buffer", func(b *testing.B) {
		for b.Loop() {
			buffer.NewView(Size).Release()
		}
	})
}

// Copy copies as copy does, at any place and of any length.
func TestCopy(t *testing.T) {
	src := make([]byte, 9000)
	for i := range src {
		src[i] = byte(i * 7 >> 3)
	}
	for _, length := range []int{0, 1, 8, 2047, 2048, 2049, 8000} {
		for from := range 17 {
			for to := range 17 {
				dst := make([]byte, 9000)
				require.Equal(t, length, Copy(dst[to:to+length], src[from:]))
				require.Equal(t, src[from:from+length], dst[to:to+length])
				require.Equal(t, make([]byte, 9000-to-length), dst[to+length:])
			}
		}
	}
	require.Equal(t, 3000, Copy(make([]byte, 9000), src[1:3001]))
}

func BenchmarkCopy(b *testing.B) {
	src, dst := make([]byte, 4<<20), make([]byte, Size)
	for name, copied := range map[string]func(dst, src []byte) int{
		"Copy": Copy, "builtin": func(dst, src []byte) int { return copy(dst, src) },
	} {
		for _, from := range []int{0, 4, 804} {
			b.Run(fmt.Sprintf("%s/from %d", name, from), func(b *testing.B) {
				b.SetBytes(Size)
				for i := 0; b.Loop(); i = (i + 1) % 63 {
					copied(dst, src[i*Size+from:])
				}
			})
		}
	}
}
