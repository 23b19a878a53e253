package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
)

// The numbers of a Sample count from the SYNs, and the windows are those of Info.
func TestSample(t *testing.T) {
	l := newLone()
	l.become(SynSent)
	s := l.Sample()
	require.Equal(t, Sample{State: SynSent, Next: 1, RTO: time.Second}, s)

	l = newLone()
	l.cfg.Quota = 1 << 20
	l.become(Established)
	s = l.Sample()
	require.Equal(t, [3]uint32{1, 1, 1}, [3]uint32{s.Una, s.Next, s.RcvNext})
	require.Equal(t, 10000, s.Cwnd)
	require.Zero(t, s.Ssthresh, "arbitrarily high")
	l.Send(l.now, make([]byte, 2000))
	l.drain()
	s = l.Sample()
	require.Equal(t, [2]uint32{1, 2001}, [2]uint32{s.Una, s.Next})
	require.Equal(t, 2000, s.InFlight)
	require.Equal(t, l.Info().SndWnd, s.SendWindow)
	require.Equal(t, l.Info().RcvWnd, s.ReceiveWindow)
	require.Equal(t, l.Info().SRTT, s.SRTT)
	require.Equal(t, l.rtt.variance, s.RTTVar)
	require.Zero(t, s.Resent)

	rto := s.RTO
	l.now += rto
	l.Timer(l.now)
	l.drain()
	s = l.Sample()
	require.Equal(t, 2*rto, s.RTO)
	require.EqualValues(t, 1, s.Resent)
	require.Equal(t, 1000, s.Cwnd, "one segment")
	require.Equal(t, 2000, s.Ssthresh)
	require.Equal(t, 2000, s.InFlight, "none of it is acknowledged")
	l.Abort()
	require.Equal(t, Closed, l.Sample().State)
	require.Zero(t, l.Sample().Cwnd)
}

// Segments that are sent again count one by one, SYNs included; the sample of a half-open
// connection has what its connection will have.
func TestSampleCountsWhatIsSentAgain(t *testing.T) {
	for _, a := range []congestion.Algorithm{congestion.CUBIC, congestion.NewReno} {
		cfg := Config{Quota: 1 << 20, Algorithm: a}
		lost := 0
		p := newPair(t, cfg, cfg, func(p *pair, from *side, s *Segment) []time.Duration {
			if from.name == "a" && s.Payload.Size() > 0 && lost < 7 && p.random.Float64() < 0.02 {
				lost++
				return nil
			}
			return []time.Duration{5 * ms}
		})
		p.transfer(1<<20, time.Minute)
		require.Equal(t, 7, lost)
		require.EqualValues(t, 7, p.a.Sample().Resent, "with SACK exactly what was lost")
	}
	l := newLone()
	l.become(SynSent)
	l.now += time.Second
	l.Timer(l.now)
	l.drain()
	require.EqualValues(t, 1, l.Sample().Resent)

	syn := Segment{Seq: 7, Flags: SYN, Options: Options{MSS: 1000, Scale: NoScale}}
	h := NewHalfOpen(100, &syn)
	cfg := Config{MSS: 1460, Quota: 1 << 16}
	h.SynAck(origin, cfg)
	s := h.Sample(origin, cfg, 3)
	require.Equal(t, SynReceived, s.State)
	require.Equal(t, [3]uint32{0, 1, 1}, [3]uint32{s.Una, s.Next, s.RcvNext})
	require.EqualValues(t, 3, s.Resent)
}
