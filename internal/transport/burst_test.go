package transport

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// In a burst each eighth of the window draws an acknowledgement, which is six segments
// here, and the rest does at its end; without one each segment does.
func TestBurst(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b, off := cut(t, clock)
		c, p := meet(t, a, b, n)
		acks := 0
		p.SetTap(func(out bool, _ *engine.Segment) {
			if out {
				acks++
			}
		})
		segment := make([]byte, 0)
		c.Do(func(_ time.Duration, e *engine.Conn) { segment = make([]byte, e.MSS()) })
		send := func() {
			for range 13 {
				_, ok := c.Send(segment)
				require.True(t, ok)
			}
		}
		send()
		require.Equal(t, 13, acks)
		acks = 0
		Of(b).BeginBurst(0)
		send()
		require.Equal(t, 2, acks)
		Of(b).EndBurst(0)
		require.Equal(t, 3, acks)
		acks = 0
		Of(b).BeginBurst(0)
		_, ok := c.Send(segment)
		require.True(t, ok)
		require.Zero(t, acks)
		p.Do(func(time.Duration, *engine.Conn) {})
		require.Zero(t, acks, "somebody who reads isn't the end of a burst")
		Of(b).EndBurst(0)
		require.Equal(t, 1, acks)

		// What came as one packet counts by its size.
		off(1) // a hasn't sent what comes now
		acks = 0
		s := engine.Segment{Flags: engine.ACK, Window: 1000}
		c.Do(func(_ time.Duration, e *engine.Conn) { s.Seq = e.End() })
		p.Do(func(_ time.Duration, e *engine.Conn) { s.Ack = e.End() })
		Of(b).BeginBurst(0)
		for range 3 {
			large := s
			large.Payload = buffer.MakeWithData(make([]byte, 3*len(segment)))
			s.Seq = s.Seq.Add(3 * len(segment))
			Of(b).deliver(origin{id: p.ID(), nic: 1, net: n}, &large)
		}
		require.Equal(t, 1, acks)
		Of(b).EndBurst(0)
		require.Equal(t, 2, acks)
	})
}

// A segment that was left in the inbox comes before the next one, also where that is
// brought in the moment before the goroutine that had the connection looks again.
func TestInboxKeepsOrder(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b, off := cut(t, clock)
		c, p := meet(t, a, b, n)
		off(1)
		s := engine.Segment{Flags: engine.ACK, Window: 1000}
		c.Do(func(_ time.Duration, e *engine.Conn) { s.Seq = e.End() })
		p.Do(func(_ time.Duration, e *engine.Conn) { s.Ack = e.End() })
		bring := func() {
			one := s
			one.Payload = buffer.MakeWithData(make([]byte, 100))
			s.Seq = s.Seq.Add(100)
			Of(b).deliver(origin{id: p.ID(), nic: 1, net: n}, &one)
		}
		p.mu.Lock()
		bring()
		p.mu.Unlock()
		bring()
		require.Equal(t, 200, p.Readable())
		p.Do(func(_ time.Duration, e *engine.Conn) { require.Zero(t, e.Info().EarlySegments) })
	})
}
