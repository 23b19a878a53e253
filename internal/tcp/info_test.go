package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Both ends of a lossy link count the same bytes, and what the link has done to them.
func TestInfo(t *testing.T) {
	cfg := Config{Quota: 1 << 20, Timestamps: true}
	p := newPair(t, cfg, cfg, lossy(0.01, clean()))
	const size = 1 << 20
	took := p.transfer(size, time.Minute)
	a, b := p.a.Info(), p.b.Info()
	t.Logf("%v %+v", took, a)
	require.EqualValues(t, size, a.BytesOut)
	require.EqualValues(t, size, b.BytesIn)
	require.NotZero(t, a.BytesResent)
	require.NotZero(t, a.Fast)
	require.NotZero(t, a.DupAcksIn)
	require.Zero(t, a.BytesIn+a.EarlySegments+b.DupAcksIn)
	require.NotZero(t, b.EarlySegments)
	require.Equal(t, b.EarlyBytes, b.EarlySegments*uint64(a.MSS))
	require.Equal(t, 1448, a.MSS, "RFC 6691: without the options that each segment has")
	require.True(t, a.Timestamps)
	require.Equal(t, p.a.out, []byte{})
	require.GreaterOrEqual(t, a.MinRTT, 10*ms)
	require.Less(t, a.MinRTT, 11*ms)
	require.Greater(t, a.SRTT, a.MinRTT)
	require.Positive(t, a.Cwnd)
	require.EqualValues(t, size, a.BytesAcked)
	require.GreaterOrEqual(t, a.RTO, a.SRTT+minSpread)
	require.Positive(t, a.RTTVar)
	require.Less(t, a.SSThresh, size, "losses have set it")
	require.Positive(t, a.SSThresh)
	require.Equal(t, "CUBIC", a.Congestion)
	require.True(t, a.SACK)
	require.Equal(t, "slow start", b.Phase, "it has sent nothing")
	require.Zero(t, b.SSThresh)
	require.Equal(t, initialRTO, New(Config{}).Info().RTO)
}

// Phase says what governs the congestion window.
func TestInfoPhase(t *testing.T) {
	require.Empty(t, New(Config{}).Info().Phase)
	l := newLone()
	l.become(Established)
	require.Equal(t, "slow start", l.Info().Phase)
	l.out.control.Lost(l.now, 10000)
	l.out.control.Exit(l.out.control.Threshold())
	require.Equal(t, "avoidance", l.Info().Phase)
	l.out.phase = recovering
	require.Equal(t, "recovery", l.Info().Phase)
	l.out.phase = repairing
	require.Equal(t, "loss", l.Info().Phase)
	l.Abort()
	require.Empty(t, l.Info().Phase)
}

// The sizes that Info tells at one moment.
func TestInfoSizes(t *testing.T) {
	l := newLone()
	l.cfg.Quota = 1 << 20
	l.peer.Scale, l.win = 3, 1000
	l.become(Established)
	require.False(t, l.Info().Timestamps)
	require.Equal(t, 1000, l.Info().SndWnd, "the window of a SYN isn't scaled")
	l.give(Segment{Seq: 1, Ack: 1, Flags: ACK, Window: 1000, Options: l.plain(), Payload: payload(100)})
	info := l.Info()
	require.Equal(t, 8000, info.SndWnd)
	require.Equal(t, int(l.rcv.window())<<l.rcv.shift, info.RcvWnd, "as it was told")
	require.Less(t, info.RcvWnd, 1<<20)
	require.Equal(t, 10000, info.Cwnd)
	require.Zero(t, info.InFlight)
	l.Send(l.now, make([]byte, 300))
	l.Close(l.now)
	l.drain()
	require.Equal(t, 301, l.InFlight())
	require.Equal(t, 300, l.Info().InFlight, "without the FIN")
	require.Zero(t, l.Info().BytesAcked)
	l.give(Segment{Seq: 101, Ack: 101, Flags: ACK, Window: 500, Options: l.plain()})
	require.Equal(t, 200, l.Info().InFlight)
	require.Equal(t, 4000, l.Info().SndWnd)
	require.EqualValues(t, 100, l.Info().BytesAcked)
	require.Equal(t, 20000, func() int { l := newLone(); l.become(Established); return l.LargestWindow() }())
	require.Equal(t, 8000, l.LargestWindow())
	l.Abort()
	require.Zero(t, l.Info().Cwnd)
	require.Zero(t, l.Info().InFlight)
	require.Equal(t, 200, l.Left())
	require.EqualValues(t, 100, l.Info().BytesAcked, "after the end, too")
}

// The active side is established with the SYN-ACK, the passive one with its
// acknowledgement, and one whose SYN has met another with that of its own.
func TestEstablishedAt(t *testing.T) {
	p := newPair(t, Config{}, Config{}, delay(ms))
	require.Equal(t, origin+10*ms, p.a.Established())
	require.Equal(t, origin+10*ms, p.b.Established())
	l := newLone()
	l.become(SynReceived)
	require.Zero(t, l.Established())
	l.now += 3 * ms
	l.give(Segment{Seq: 1, Ack: 1, Flags: ACK, Window: l.win, Options: l.plain()})
	require.Equal(t, l.now, l.Established())
	l.Abort()
	require.Equal(t, l.now, l.Established(), "after the end, too")
}

// The least round trip is that of the whole connection, that of RACK one of the last
// minutes.
func TestMinRTT(t *testing.T) {
	var r rtt
	r.sample(origin, 5*ms)
	r.sample(origin+time.Second, 9*ms)
	r.sample(origin+time.Hour, 8*ms)
	r.sample(origin+2*time.Hour, 7*ms)
	require.Equal(t, 5*ms, (&Conn{rtt: r}).MinRTT())
	require.Equal(t, 7*ms, r.least.get())
}
