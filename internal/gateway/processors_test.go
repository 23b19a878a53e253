package gateway_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/gateway"
)

func TestLeaveProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	t.Setenv("GOMAXPROCS", "2")
	left := func(have int) int {
		runtime.GOMAXPROCS(have)
		gateway.LeaveProcessor()
		return runtime.GOMAXPROCS(0)
	}
	require.Equal(t, 2, left(2), "asked for")
	require.NoError(t, os.Unsetenv("GOMAXPROCS"))
	for have, want := range map[int]int{1: 1, 2: map[bool]int{true: 1, false: 2}[runtime.NumCPU() == 2], 3: 3, 8: 8} {
		require.Equal(t, want, left(have))
	}
}
