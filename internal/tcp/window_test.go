package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The peer is told of the room that a reader makes when it is a quarter of a window
// that grows, or two segments of one that SO_RCVBUF sets; and at once when it is nearly
// out of room.
func TestRoomIsWorthAWord(t *testing.T) {
	for _, tt := range []struct {
		grows      bool
		read, next Seq
		want       bool
	}{
		{true, 15_999, 20_000, false},
		{true, 16_000, 20_000, true},
		{true, 1000, 63_001, true},
		{true, 999, 63_001, false}, // silly
		{false, 1999, 20_000, false},
		{false, 2000, 20_000, true},
	} {
		r := receiver{tuner: tuner{quota: 64_000}, least: 1000, grows: tt.grows, edge: 64_000, read: tt.read, next: tt.next}
		require.Equal(t, tt.want, r.worthTelling(int(tt.read)), "%+v", tt)
	}
}
