//go:build linux

package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// A crowd has all its figures, and leaves no goroutine.
func TestCrowd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	v, err := Crowd(Wsstack, 70, 5*time.Millisecond)
	require.NoError(t, err)
	for _, c := range CrowdColumns {
		if c == CrowdGoroutines {
			require.Zero(t, v[c], "an idle connection has no goroutine")
			continue
		}
		require.Positive(t, v[c], "%s", c)
	}
	require.GreaterOrEqual(t, v[CrowdFewP99], v[CrowdFewP50])
}

// Of a crowd whose connections die the exchanges end with the error.
func TestCrowdDies(t *testing.T) {
	n, err := PipeLink(Wsstack)
	require.NoError(t, err)
	defer n.Close()
	c, err := n.gather(3)
	require.NoError(t, err)
	c.close()
	require.Error(t, c.exchange(time.Millisecond, map[Column]float64{}))
}
