package tun

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// A packet takes the view along only if it fills more than half of it, whatever
// its size, but for its head; the next one is read into another.
func TestReadSpace(t *testing.T) {
	var s readSpace
	for _, vnet := range []bool{false, true} {
		for _, n := range []int{20, 1500, viewSize / 2, viewSize/2 + 1, 65535, viewSize, maxPacket} {
			pieces := s.pieces(vnet)
			want := bytes.Repeat([]byte{byte(n), 1, 2}, n/3+1)[:n]
			left := want
			if vnet {
				copy(pieces[0], make([]byte, vnetHeaderSize))
				pieces = pieces[1:]
			}
			for _, piece := range pieces {
				left = left[copy(piece, left):]
			}
			require.Empty(t, left)
			before := s.view
			read := n
			if vnet {
				read += vnetHeaderSize
			}
			p, ok := s.take(read, vnet)
			require.True(t, ok)
			require.Equal(t, want, p.Data.Flatten())
			whole := n > viewSize/2 && n <= viewSize
			require.Equal(t, whole, s.view == nil)
			if whole {
				views := p.Data.AsViewList()
				require.Equal(t, headSize, views.Front().Size(), "the headers have a view of their own")
				require.Same(t, before, views.Back())
			}
			p.Data.Release()
		}
	}
	s.pieces(true)
	_, ok := s.take(vnetHeaderSize-1, true)
	require.False(t, ok)
}
