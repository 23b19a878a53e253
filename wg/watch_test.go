package wg

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A clock that went on while the other one stood still is a machine that slept.
func TestSlept(t *testing.T) {
	require.False(t, slept(time.Hour, time.Hour), "awake")
	require.False(t, slept(time.Minute, 0), "not for long: the keys are still good")
	require.True(t, slept(61*time.Second, 0))
	require.False(t, slept(-time.Hour, time.Second), "the clock was set back")
}

// After renew the next packet begins a session.
func TestRenew(t *testing.T) {
	devices, stacks := joined(t)
	exchange(t, stacks, 0)
	first := devices[1].Peers()[0].LastHandshake
	exchange(t, stacks, 0)
	require.Equal(t, first, devices[1].Peers()[0].LastHandshake)
	// Handshakes of less than 20 ms later are refused.
	require.Eventually(t, func() bool { return time.Since(first) > 50*time.Millisecond }, time.Minute, time.Millisecond)
	devices[0].renew()
	exchange(t, stacks, 0)
	require.NotEqual(t, first, devices[1].Peers()[0].LastHandshake)
}
