package tun

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// bytesOf is what a piece is made of.
func bytesOf(piece unix.Iovec) []byte { return unsafe.Slice(piece.Base, piece.Len) }

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
				clear(bytesOf(pieces[0]))
				pieces = pieces[1:]
			}
			for _, piece := range pieces {
				left = left[copy(bytesOf(piece), left):]
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

// A packet that was waited for is a batch by itself, whatever comes behind it; what comes before the
// reader waits again is one. A message that is no packet doesn't end the wait: the poller tells of
// those behind it no more.
func TestReadAlone(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	p := &port{vnet: Offload{Checksum: true}, batch: make([]Packet, 8)}
	send := func(sizes ...int) {
		for _, n := range sizes {
			_, err := unix.Write(fds[1], make([]byte, n))
			require.NoError(t, err)
		}
	}
	read := func() (done bool, packets int) {
		p.got = 0
		done = p.readReady(uintptr(fds[0]))
		require.NoError(t, p.readErr)
		for i := range p.batch[:p.got] {
			p.batch[i].Data.Release()
		}
		return done, p.got
	}
	const whole, short = vnetHeaderSize + 20, vnetHeaderSize - 1
	expect := func(done bool, packets int) {
		t.Helper()
		d, n := read()
		require.Equal(t, []any{done, packets}, []any{d, n})
	}
	send(whole, whole)
	expect(true, 2) // nobody has waited
	expect(false, 0)
	send(whole, whole, whole)
	expect(true, 1)
	expect(true, 2)
	send(whole)
	expect(true, 1)
	expect(false, 0)
	send(short, whole, whole)
	expect(true, 1)
	expect(true, 1)
	expect(false, 0)
	send(short)
	expect(false, 0)
}
