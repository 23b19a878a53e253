package mistake

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"SO_TYPE", "SO_TYPE", 0},
		{"kitten", "sitting", 3}, {"KEEPALIVE", "SO_KEEPALIVE", 3}, {"ab", "ba", 2},
	} {
		require.Equal(t, tt.want, Distance(tt.a, tt.b), "%q and %q", tt.a, tt.b)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"bind", "send", "sendto", "recv"}
	for word, want := range map[string]string{"bnd": "bind", "sned": "send", "sendt": "send", "recv": "recv"} {
		nearest, distance := Nearest(word, names)
		require.Equal(t, want, nearest, word)
		require.Equal(t, Distance(want, word), distance, word)
	}
	nearest, distance := Nearest("any", nil)
	require.Empty(t, nearest)
	require.Greater(t, distance, 1000)
	nearest, distance = Nearest(strings.Repeat("x", 1001), names)
	require.Empty(t, nearest)
	require.Greater(t, distance, 1001)
}
