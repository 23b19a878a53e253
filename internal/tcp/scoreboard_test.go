package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A stream allocates nothing for what it has in flight, one segment at a time or many.
func TestScoreboardUsesItsRoomAgain(t *testing.T) {
	for _, flight := range []int{1, 2, 10, 100} {
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
		require.LessOrEqual(t, len(b.room), 4*flight)
	}
}
