package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// block makes a block of a pcapng file.
func block(kind uint32, size int) []byte {
	b := make([]byte, size)
	binary.LittleEndian.PutUint32(b, kind)
	binary.LittleEndian.PutUint32(b[4:], uint32(size))
	binary.LittleEndian.PutUint32(b[size-4:], uint32(size))
	return b
}

// Whole packets are dropped when nobody reads, and nothing else; blocks come in any parts.
func TestBlockQueue(t *testing.T) {
	q := newBlockQueue()
	header, packet := block(0x0a0d0d0a, 28), block(blockPacket, 64<<10)
	file := bytes.Join([][]byte{header, packet, packet}, nil)
	for len(file) > 0 { // in parts that aren't blocks
		n := min(len(file), 1000)
		_, err := q.Write(file[:n])
		require.NoError(t, err)
		file = file[n:]
	}
	require.Equal(t, bytes.Join([][]byte{header, packet, packet}, nil), q.next(t.Context()))
	for range maxQueued/len(packet) + 10 {
		_, err := q.Write(packet)
		require.NoError(t, err)
	}
	_, err := q.Write(header)
	require.NoError(t, err)
	got := q.next(t.Context())
	require.Len(t, got, maxQueued+len(header), "a header is never dropped")
	require.EqualValues(t, 10, q.lost())
	_, err = q.Write(packet)
	require.NoError(t, err)
	require.Equal(t, packet, q.next(t.Context()), "there is room again")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Nil(t, q.next(ctx))
	_, err = q.Write(make([]byte, 8))
	require.ErrorIs(t, err, errBlock)
}
