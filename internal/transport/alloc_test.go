//go:build !race

package transport

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// A segment that is sent or received allocates nothing here, with a tap one copy of
// it. What is counted is others': of each packet a slice that the pipe between the
// hosts makes, and with IPv6 four things that netstack does; of each flight of data
// the engine's record. The race detector has pools forget.
func TestAllocations(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		a, b := twoHosts(t, 0, New, faketime.NewManualClock())
		c, p := meet(t, a, b, n)
		buf := make([]byte, 1000)
		rounds := func() (allocs, packets int) {
			sent := func() int {
				return int(a.Stats().TCP.SegmentsSent.Value() + b.Stats().TCP.SegmentsSent.Value())
			}
			const runs = 2000
			before := sent()
			allocs = int(testing.AllocsPerRun(runs, func() {
				c.Send(buf)
				p.Recv(buf)
				p.Send(buf)
				c.Recv(buf)
			}))
			return allocs, (sent() - before) / (runs + 1) // one more warms up
		}
		const flights = 2
		others := func(packets int) int {
			if n == four {
				return packets + flights
			}
			return 5*packets + flights
		}
		allocs, packets := rounds()
		require.GreaterOrEqual(t, packets, 4)
		require.LessOrEqual(t, allocs, others(packets))
		shown := 0
		c.SetTap(func(bool, *engine.Segment) { shown++ })
		allocs, packets = rounds()
		require.LessOrEqual(t, allocs, others(packets)+packets)
		require.NotZero(t, shown)
	})
}
