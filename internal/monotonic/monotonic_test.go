package monotonic_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/monotonic"
)

func TestSinceAndAt(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Hour, -time.Second} {
		require.Equal(t, d, monotonic.Since(monotonic.At(d)))
	}
	require.Zero(t, monotonic.Since(tcpip.MonotonicTime{}))
	reading := tcpip.MonotonicTime{}.Add(3 * time.Second)
	require.Equal(t, 3*time.Second, monotonic.Since(reading))
	require.Equal(t, reading, monotonic.At(3*time.Second))
}
