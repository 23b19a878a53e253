package tun

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestQueueBounds(t *testing.T) {
	q := NewQueue(3, 100)
	require.True(t, q.Put([]Packet{numbered(0, 60)}), "first packet")
	require.False(t, q.Put([]Packet{numbered(1, 41)}), "too many bytes")
	require.False(t, q.Put([]Packet{numbered(2, 40)}), "exactly full")
	require.Equal(t, uint64(1), q.Dropped())
	var batch [4]Packet
	require.Equal(t, 2, q.Pop(batch[:]))
	require.Equal(t, 0, numberOf(&batch[0]))
	require.Equal(t, 2, numberOf(&batch[1]))
	require.Equal(t, 2, q.Pending(), "taken, not arrived")
	release(batch[:2])
	q.Done(2)
	require.Zero(t, q.Pending())

	require.True(t, q.Put([]Packet{numbered(0, 4), numbered(1, 4), numbered(2, 4), numbered(3, 4)}))
	require.Equal(t, uint64(2), q.Dropped(), "too many packets")
	q.Drop(5)
	q.Close()
	q.Close()
	require.Equal(t, uint64(10), q.Dropped())
	require.False(t, q.Put([]Packet{numbered(0, 4)}))
	require.Equal(t, uint64(11), q.Dropped())
	n, ok := q.Wait(batch[:])
	require.Zero(t, n)
	require.False(t, ok)
	require.Zero(t, q.Pending())
}

// Borrowed packets stay the caller's, whether they were queued or dropped.
func TestQueueClones(t *testing.T) {
	q := NewQueue(1, 0)
	packets := []Packet{numbered(7, 4), numbered(8, 4)}
	packets[0].GSO = GSO{Type: GSOTCPv4, MSS: 1000}
	require.True(t, q.PutClones(packets))
	release(packets)
	var batch [2]Packet
	require.Equal(t, 1, q.Pop(batch[:]))
	require.Equal(t, 7, numberOf(&batch[0]))
	require.Equal(t, GSO{Type: GSOTCPv4, MSS: 1000}, batch[0].GSO, "metadata goes along")
	release(batch[:1])
	q.Close()
}

// A queue is a slice with two bounds.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxPackets, maxBytes := rapid.IntRange(1, 200).Draw(t, "packets"), rapid.Int64Range(1, 10000).Draw(t, "bytes")
		q := NewQueue(maxPackets, maxBytes)
		defer q.Close()
		var model []int // the sizes; numbered in the order of sending
		var bytes int64
		var sent, dropped int
		var ids []int
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				empty := len(model) == 0
				var batch []Packet
				for _, size := range rapid.SliceOfN(rapid.IntRange(4, 60), 0, 80).Draw(t, "sizes") {
					batch = append(batch, numbered(sent, size))
					if len(model) < maxPackets && bytes+int64(size) <= maxBytes {
						model, ids, bytes = append(model, size), append(ids, sent), bytes+int64(size)
					} else {
						dropped++
					}
					sent++
				}
				require.Equal(t, empty && len(model) > 0, q.Put(batch))
			},
			"pop": func(t *rapid.T) {
				batch := make([]Packet, rapid.IntRange(0, 100).Draw(t, "max"))
				n := q.Pop(batch)
				require.Equal(t, min(len(batch), len(model)), n)
				for i := range n {
					require.Equal(t, ids[i], numberOf(&batch[i]))
					require.Equal(t, int64(model[i]), batch[i].Data.Size())
					bytes -= int64(model[i])
				}
				release(batch[:n])
				q.Done(n)
				model, ids = model[n:], ids[n:]
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(model), q.Pending())
				require.Equal(t, uint64(dropped), q.Dropped())
			},
		})
	})
}
