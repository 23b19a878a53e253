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
	for _, tt := range []struct {
		have, want int
		asked      bool
	}{{1, 1, false}, {2, 1, false}, {3, 3, false}, {8, 8, false}, {2, 2, true}} {
		if !tt.asked {
			require.NoError(t, os.Unsetenv("GOMAXPROCS"))
		} else {
			require.NoError(t, os.Setenv("GOMAXPROCS", "2"))
		}
		runtime.GOMAXPROCS(tt.have)
		gateway.LeaveProcessor()
		require.Equal(t, tt.want, runtime.GOMAXPROCS(0), "%+v", tt)
	}
}
