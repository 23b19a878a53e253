package stack

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
)

// Orphans are bounded in number and in bytes, and the oldest go first.
func TestOrphansAreBounded(t *testing.T) {
	var o orphans
	sockets := make([]*endpoint.Socket, maxOrphans+2)
	for i := range sockets {
		sockets[i] = &endpoint.Socket{}
	}
	for _, s := range sockets[:maxOrphans] {
		require.Empty(t, o.add(s, 1))
	}
	gone := o.add(sockets[maxOrphans], 1)
	require.Len(t, gone, 1)
	require.True(t, gone[0] == sockets[0], "the oldest")
	o.remove(sockets[5])
	o.remove(sockets[5])
	require.Empty(t, o.add(sockets[maxOrphans+1], 1))

	large := &endpoint.Socket{}
	gone = o.add(large, maxOrphanBytes-maxOrphans+10)
	require.Len(t, gone, 10, "as many as make room")
	require.True(t, gone[0] == sockets[1])
	require.Len(t, o.add(sockets[0], maxOrphanBytes+1), maxOrphans-9, "all but the newest, whatever its size")
	require.Equal(t, 1, o.order.Len())
}

func TestOrphansDrain(t *testing.T) {
	var o orphans
	a, b, c := &endpoint.Socket{}, &endpoint.Socket{}, &endpoint.Socket{}
	for _, s := range []*endpoint.Socket{a, b, c} {
		o.add(s, 1)
	}
	o.remove(b)
	got := o.drain()
	require.Len(t, got, 2)
	require.True(t, got[0] == a && got[1] == c, "oldest first")
	require.Empty(t, o.drain())
	require.Zero(t, o.bytes)
}
