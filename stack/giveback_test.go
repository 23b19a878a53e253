package stack_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"github.com/wsstack/wsstack/stack"
)

// What 10,000 connections took is given back once they have left TIME-WAIT: what
// stays are maps that the next ones use again.
func TestTimeWaitGivesMemoryBack(t *testing.T) {
	clock := faketime.NewManualClock()
	s, err := stack.New(stack.Config{Clock: clock})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	l, err := s.Listen("tcp", "127.0.0.1:80")
	require.NoError(t, err)
	start := heap()
	var stays [2]int64
	for round, dials := range []int{5000, 1000} { // each makes two connections: both ends are here
		for range dials {
			c, err := s.Dial("tcp", "127.0.0.1:80")
			require.NoError(t, err)
			p, err := l.Accept()
			require.NoError(t, err)
			require.NoError(t, c.Close())
			require.NoError(t, p.Close())
		}
		s.Settle()
		require.Greater(t, s.Stats().TimeWait, dials-1)
		taken := heap() - start
		for range 61 {
			clock.Advance(time.Second)
			s.Settle()
		}
		require.Zero(t, s.Stats().TimeWait)
		require.Equal(t, 1, s.Stats().Sockets)
		stays[round] = heap() - start
		t.Logf("%.1f MB in TIME-WAIT, %.1f MB afterwards", float64(taken)/1e6, float64(stays[round])/1e6)
		require.Greater(t, taken, int64(dials*100), "bytes: there was something to give back")
		require.Less(t, stays[round], int64(6<<20), "bytes")
	}
	require.Less(t, stays[1]-stays[0], int64(1<<20), "bytes more with each round")
}
