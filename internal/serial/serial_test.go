package serial_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/serial"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		from, to uint32
		want     int
	}{
		{0, 0, 0},
		{1, 2, 1},
		{2, 1, -1},
		{0xffffffff, 0, 1},
		{0, 0xffffffff, -1},
		{0xfffffff0, 0x10, 0x20},
		{0, 1<<31 - 1, 1<<31 - 1},
		{1<<31 - 1, 0, -(1<<31 - 1)},
	} {
		assert.Equal(t, tt.want, serial.Distance(tt.from, tt.to), "from %#x to %#x", tt.from, tt.to)
		assert.Equal(t, tt.want > 0, serial.Before(tt.from, tt.to), "%#x before %#x", tt.from, tt.to)
		assert.Equal(t, tt.want < 0, serial.Before(tt.to, tt.from), "%#x before %#x", tt.to, tt.from)
		assert.Equal(t, tt.want < 0, serial.After(tt.from, tt.to), "%#x after %#x", tt.from, tt.to)
	}
}

// Nothing comes after a number that is as far away as can be: a SYN with such a number, for
// instance, isn't taken for a later one.
func TestHalfWayRound(t *testing.T) {
	assert.True(t, serial.Before[uint32](0, 1<<31) && serial.Before[uint32](1<<31, 0))
	assert.False(t, serial.After[uint32](0, 1<<31) || serial.After[uint32](1<<31, 0))
}

// What is added to a number is its distance, wherever the number stands.
func TestDistanceIsWhatWasAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Uint32().Draw(t, "at")
		n := rapid.IntRange(-1<<31+1, 1<<31-1).Draw(t, "n")
		if got := serial.Distance(at, at+uint32(n)); got != n {
			t.Fatalf("Distance(%d, %d) = %d, want %d", at, at+uint32(n), got, n)
		}
	})
}
