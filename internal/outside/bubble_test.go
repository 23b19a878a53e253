package outside_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/outside"
)

// Each bubble has a number of its own, which its goroutines and the functions of its timers share.
func TestHere(t *testing.T) {
	require.Zero(t, outside.Here())
	require.False(t, outside.Bubbled())
	numbers := map[outside.Bubble]bool{}
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			require.True(t, outside.Bubbled())
			here := outside.Here()
			require.NotZero(t, here)
			require.NotEqual(t, outside.Bubble(1<<64-1), here, "the number isn't in the traceback")
			others := make(chan outside.Bubble)
			go func() { others <- outside.Here() }()
			require.Equal(t, here, <-others)
			time.AfterFunc(time.Hour, func() { others <- outside.Here() })
			require.Equal(t, here, <-others)
			numbers[here] = true
		})
	}
	require.Len(t, numbers, 3)
	require.Zero(t, outside.Here())
}
