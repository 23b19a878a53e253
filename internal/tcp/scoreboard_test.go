package tcp

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A stream allocates nothing for what it has in flight, one segment at a time or many.
func TestScoreboardUsesItsRoomAgain(t *testing.T) {
	for _, flight := range []int{1, 2, 10, 100, 300, 3000} {
		var b scoreboard
		next, una := Seq(0), Seq(0)
		step := func() {
			for next.From(una) < 10*flight {
				b.add(0, next, 10, 10, false)
				next = next.Add(10)
			}
			una = una.Add(10)
			b.ack(una, func([]record) {})
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
			b.add(0, next, 10, 10, false)
			next = next.Add(10)
		}
		b.lose(b.base)
		b.ack(next, func(run []record) {
			for _, r := range run {
				if r.flags&recordLost != 0 {
					lost++
				}
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

// Whatever was sent, SACKed, lost and sent again: what is acknowledged is handed over once, in order,
// in runs of what was sent once, and the lists and counts are those that are made anew.
func TestScoreboardRuns(t *testing.T) {
	for range 30 { // a hundred sequences don't have all that matters
		rapid.Check(t, boardProperty)
	}
}

func boardProperty(t *rapid.T) {
	mss := rapid.SampledFrom([]int{10, 1023, 1024, 1460}).Draw(t, "mss")
	var b scoreboard
	una, next, fin := Seq(0), Seq(0), false
	now := time.Duration(0)
	for range rapid.IntRange(1, 30).Draw(t, "steps") {
		now++
		n := uint32(0)
		if len(b.records) > 0 {
			n = b.base + uint32(rapid.IntRange(0, len(b.records)-1).Draw(t, "record"))
		}
		switch what := rapid.IntRange(0, 5).Draw(t, "what"); {
		case what == 0 && !fin:
			bytes := rapid.IntRange(0, 20*mss).Draw(t, "bytes")
			fin = bytes == 0 || rapid.IntRange(0, 9).Draw(t, "fin") == 0
			b.add(now, next, bytes, mss, fin)
			if next = next.Add(bytes); fin {
				next++
			}
		case n == 0:
		case what == 1 && b.at(n).flags&(recordSACKed|recordLost) == 0:
			b.lose(n)
		case what == 2:
			for k := rapid.IntRange(0, 9).Draw(t, "sent again"); k > 0 && b.lost.first != 0; k-- {
				b.resend(now, b.lost.first)
			}
		case what == 5:
			b.loseAll(false)
		case what == 3:
			b.sack(Block{b.at(n).seq, next}, func(*record) {})
		case what == 4:
			una = una.Add(rapid.IntRange(0, next.From(una)).Draw(t, "acknowledged"))
			var want []record
			for _, r := range b.records {
				if r.flags&recordSACKed == 0 && !r.end().After(una) {
					want = append(want, r)
				}
			}
			var got []record
			b.ack(una, func(run []record) {
				for i, r := range run {
					require.True(t, len(run) == 1 || r.resends == 0 && r.flags&(recordSACKed|recordLost) == 0)
					require.True(t, i == 0 || r.order > run[i-1].order)
				}
				got = append(got, run...)
			})
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, want[i].seq, got[i].seq)
			}
		}
		anew := b
		anew.records = slices.Clone(b.records)
		anew.relink()
		require.Equal(t, []any{anew.pipe, anew.sacked, anew.sackedRecords, anew.smallRecords, anew.flight},
			[]any{b.pipe, b.sacked, b.sackedRecords, b.smallRecords, b.flight})
		sum := 0
		for _, r := range b.records {
			sum += int(r.size)
		}
		require.Equal(t, next.From(una), sum)
		for n, before := b.flight.first, uint32(0); n != 0; before, n = n, b.at(n).next {
			require.Equal(t, before, b.at(n).prev)
		}
	}
}
