package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A limit whose time is over is due at once, and not before.
func TestSynLimitIsDueNow(t *testing.T) {
	l := newLone()
	l.become(SynSent)
	l.wait(4 * time.Second)
	l.SetSynLimit(l.now, -1, 3*time.Second)
	require.Equal(t, l.now, l.Deadline())
	l.Timer(l.now)
	require.Equal(t, TimedOut, l.Cause())
}
