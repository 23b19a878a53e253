package simnet_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// With Offload the stack sends few segments, and the wire carries as many
// packets of the MTU as without.
func TestOffload(t *testing.T) {
	sent := func(opts ...simnet.Option) (segments uint64, packets, largest int) {
		n := simnet.New(t, opts...)
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b, simnet.Delay(time.Millisecond))
		payload := bytes.Repeat([]byte("offload "), 1<<14)
		n.Go("server", func() {
			l, err := b.Listen("tcp", ":80")
			require.NoError(t, err)
			c, err := l.Accept()
			require.NoError(t, err)
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, payload, got)
			c.Close()
			l.Close()
		})
		n.Do("client", func() {
			c, err := a.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
			_, err = c.Write(payload)
			require.NoError(t, err)
			require.NoError(t, c.Close())
		})
		n.Run()
		for _, p := range n.Trace() {
			if p.From == "a" {
				packets++
				largest = max(largest, p.Segment.Len)
			}
		}
		return a.Stats().SegmentsOut, packets, largest
	}
	segments, packets, largest := sent()
	require.EqualValues(t, packets, segments)
	require.Greater(t, largest, 1400, "full packets")
	few, same, largest := sent(simnet.Offload())
	require.InDelta(t, packets, same, 20)
	require.LessOrEqual(t, largest, 1460)
	require.Less(t, few, segments/2)
}
