package transport

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// The acknowledgements of a connection wait for the end of bursts of its own part, and for no other's.
func TestPartsBurst(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		const parts = 4
		a, b := twoHosts(t, 0, New, faketime.NewManualClock())
		Of(b).Configure(Hooks{Parts: parts})
		l := listen(t, b, n, 80)
		var client, server [parts]*stream // one of each part
		for port := range uint16(100) {
			c := dial(t, a, n, hostA, hostB, 1000+port, 80)
			s := l.poll()
			client[s.part], server[s.part] = c, s
		}
		require.NotContains(t, server, (*stream)(nil), "a part without a connection")
		var acks [parts]int
		for part, s := range server {
			s.SetTap(func(out bool, _ *engine.Segment) {
				if out {
					acks[part]++
				}
			})
		}
		var segment []byte
		client[0].Do(func(_ time.Duration, e *engine.Conn) { segment = make([]byte, e.MSS()) })
		send := func() (sent [parts]int) {
			for _, c := range client {
				_, ok := c.Send(segment)
				require.True(t, ok)
			}
			sent, acks = acks, [parts]int{}
			return sent
		}
		require.Equal(t, [parts]int{1, 1, 1, 1}, send())
		Of(b).BeginBurst(2)
		require.Equal(t, [parts]int{1, 1, 0, 1}, send())
		Of(b).BeginBurst(1)
		require.Equal(t, [parts]int{1, 0, 0, 1}, send())
		Of(b).EndBurst(1)
		require.Equal(t, [parts]int{0, 1, 0, 0}, acks)
		acks = [parts]int{}
		Of(b).EndBurst(2)
		require.Equal(t, [parts]int{0, 0, 1, 0}, acks)
	})
}

// The records of TIME-WAIT are those of all parts: each is found by its tuple, ends in its time, and
// each part has its share of the bound.
func TestPartsTimeWait(t *testing.T) {
	const parts, bound = 4, 40
	wires(t, func(w *wire) {
		freed := map[ID]int{}
		w.p.Configure(Hooks{Parts: parts, Freed: func(id ID) { freed[id]++ }})
		held := [parts]int{}
		for port := range uint16(100) {
			id := w.id(port)
			w.p.waitsOf(&id).add(id, waiting{dialed: true})
			held[w.p.partOf(&id)]++
		}
		require.Equal(t, 100, w.p.TimeWaits())
		require.Empty(t, freed)
		for part, n := range held {
			require.Len(t, w.p.parts[part].waits.records, n)
			require.Greater(t, n, 5, "part %d", part)
		}
		w.p.SetTimeWaitLimit(bound)
		left := 0
		for _, n := range held {
			left += min(n, bound/parts)
		}
		require.Equal(t, left, w.p.TimeWaits())
		require.Len(t, freed, 100-left)
		_, err := w.p.Dial(0, w.id(99), w.net, settings, nil)
		require.IsType(t, &tcpip.ErrPortInUse{}, err, "the newest record is there")
		w.clock.Advance(2*MSL + time.Second)
		require.Zero(t, w.p.TimeWaits())
		for port := range uint16(100) {
			require.Equal(t, 1, freed[w.id(port)], "port %d", port)
		}
		w.p.SetTimeWaitLimit(1)
		require.Equal(t, 1, w.p.parts[3].waits.limit)
	})
}
