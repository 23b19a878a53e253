package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
)

// wide is a connection whose windows let everything out, in segments of mss bytes.
func wide(mss int) *lone {
	l := newLone()
	l.cfg.MSS, l.cfg.NoDelay = 1460, true
	l.peer.MSS, l.peer.Scale, l.win = uint16(mss), MaxScale, 65535
	l.become(Established)
	l.give(Segment{Seq: 1, Ack: 1, Flags: ACK, Window: l.win, Options: l.plain()})
	l.out.control = congestion.New(congestion.CUBIC, l.snd.mss, 1<<30)
	return l
}

// sends sends bytes by a call each time, and returns how many segments leave.
func (l *lone) sends(calls, bytes int) (segments int) {
	for range calls {
		l.Send(l.now, make([]byte, bytes))
		segments += l.count()
	}
	return segments
}

func (l *lone) count() (n int) {
	var s Segment
	for l.Output(l.now, &s) {
		s.Payload.Release()
		n++
	}
	return n
}

// At most 2,048 segments of less than 1,024 bytes are in flight, whatever made them
// small; the others don't count.
func TestSmallSegments(t *testing.T) {
	for _, tt := range []struct {
		name              string
		mss, calls, bytes int
		segments          int
	}{
		{"a small MSS", 1023, 1, 3000 * 1023, 2048},
		{"a small MSS, and small writes", 48, 2060, 1, 2048},
		{"the least MSS that doesn't count", 1024, 1, 3000 * 1024, 3000},
		{"small writes", 1460, 3000, 1, 2048},
		{"writes that aren't small", 1460, 3000, 1024, 3000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := wide(tt.mss)
			require.Equal(t, tt.segments, l.sends(tt.calls, tt.bytes))
			if tt.segments == 3000 {
				return
			}
			held := l.snd.unsent()
			require.Positive(t, held)
			require.False(t, l.out.blocked, "it isn't the congestion window")

			// What is acknowledged makes room, a segment for a segment.
			size := min(tt.bytes, tt.mss)
			l.put(Segment{Seq: 1, Ack: 1 + Seq(10*size), Flags: ACK, Window: l.win, Options: l.plain()})
			require.Equal(t, min(10, (held+l.snd.mss-1)/l.snd.mss), l.count())
			require.LessOrEqual(t, l.out.board.smallRecords, maxSmall)
		})
	}
}

// With 2,048 small segments in flight the full ones of a large write leave, and its
// rest waits; a FIN leaves, as there is one at most.
func TestSmallRest(t *testing.T) {
	for _, segmenting := range []int{0, 65495} {
		l := wide(1460)
		l.Conn.cfg.Segmenting = segmenting
		require.Equal(t, maxSmall, l.sends(maxSmall, 1))
		l.Send(l.now, make([]byte, 10*1460+5))
		require.Positive(t, l.count())
		require.Equal(t, 5, l.snd.unsent())
		require.Equal(t, maxSmall, l.out.board.smallRecords)

		l.Send(l.now, make([]byte, 1019)) // with the 5 no small one any more
		require.Equal(t, 1, l.count())
		require.Zero(t, l.snd.unsent())

		l = wide(1460)
		l.Conn.cfg.Segmenting = segmenting
		require.Equal(t, maxSmall, l.sends(maxSmall, 1))
		l.Close(l.now)
		require.Equal(t, 1, l.count())
	}
}

// What a smaller path cuts up, and an acknowledgement of a part, makes segments small:
// they count from then on.
func TestSmallByPath(t *testing.T) {
	l := wide(1460)
	require.Equal(t, 10, l.sends(1, 14600))
	require.Zero(t, l.out.board.smallRecords)
	l.put(Segment{Seq: 1, Ack: 601, Flags: ACK, Window: l.win, Options: l.plain()})
	require.Equal(t, 1, l.out.board.smallRecords)
	require.True(t, l.PathMTU(536, l.snd.una))
	l.count()
	require.Equal(t, 2+9*3, l.out.board.smallRecords)
}
