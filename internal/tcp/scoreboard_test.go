package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A stream allocates nothing for what it has in flight, one segment at a time or many.
func TestScoreboardUsesItsRoomAgain(t *testing.T) {
	for _, flight := range []int{1, 2, 10, 100, 300, 3000} {
		var b scoreboard
		next, una := Seq(0), Seq(0)
		step := func() {
			for next.From(una) < 10*flight {
				b.add(0, next, 10, false)
				next = next.Add(10)
			}
			una = una.Add(10)
			b.ack(una, func(*record) {})
		}
		for range 4 * flight {
			step()
		}
		require.Zero(t, testing.AllocsPerRun(1000, step), flight)
		require.Len(t, b.records, flight-1)
		require.LessOrEqual(t, len(b.array), 4*flight)
	}
}

// What comes in bursts, with nothing in flight between them, allocates nothing either,
// and keeps nothing while nothing is in flight.
func TestScoreboardBorrowsItsRoom(t *testing.T) {
	var b scoreboard
	next, lost := Seq(0), 0
	burst := func(n int) {
		for range n {
			b.add(0, next, 10, false)
			next = next.Add(10)
		}
		b.lose(b.base)
		b.ack(next, func(r *record) {
			if r.flags&recordLost != 0 {
				lost++
			}
		})
	}
	burst(700)
	require.Nil(t, b.array)
	require.Zero(t, testing.AllocsPerRun(100, func() { burst(700) })) // on average: the collector empties pools
	require.Nil(t, b.array)
	burst(2) // the last one that borrows
	burst(2)
	require.Len(t, b.array, 2)
	require.Equal(t, scoreboard{base: b.base, order: b.order, records: b.records, array: b.array, most: 2}, b)
	require.NotZero(t, lost)
}
