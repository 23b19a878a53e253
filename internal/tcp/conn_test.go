package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

// A clean transfer over a link with a rate takes what the link takes.
func TestTransfer(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "timestamps": {Timestamps: true}, "no SACK": {NoSACK: true},
		"offload": {Segmenting: 65495}, "ECN": {ECN: true}, "delayed": {DelayAck: 40 * ms}} {
		t.Run(name, func(t *testing.T) {
			cfg.Quota = 1 << 20
			p := newPair(t, cfg, cfg, rate(12_500_000, 1<<20, 5*ms))
			took := p.transfer(4<<20, time.Minute)
			t.Log(took, p.a.Counters)
			require.Less(t, took, 500*ms) // 336 ms of payload
			require.Zero(t, p.a.Counters.Timeouts)
			p.a.close, p.b.close = true, true
			p.run(time.Minute, func() bool { return false })
			require.Contains(t, []State{TimeWait, Closed}, p.a.State())
			require.Contains(t, []State{TimeWait, Closed}, p.b.State())
			require.Equal(t, None, p.a.Cause())
			require.Equal(t, None, p.b.Cause())
		})
	}
}

// The mark of urgent data is a distance in the stream, on both readings of the
// pointer, before and after it was read.
func TestRecvUrgent(t *testing.T) {
	for _, cfg := range []Config{{Quota: Unset}, {Quota: Unset, Expedited: true}} {
		p := newPair(t, cfg, cfg, delay(ms))
		_, ok := p.b.RecvUrgent()
		require.False(t, ok)
		require.True(t, p.a.Send(p.now, []byte("before")))
		require.True(t, p.a.SendUrgent(p.now, []byte("!")))
		require.True(t, p.a.Send(p.now, []byte("after")))
		p.b.paused = true
		p.run(time.Second, func() bool { return p.b.Readable() == 12 })
		p.serve(p.b)
		require.NotZero(t, p.b.events&Urgent)
		ahead, ok := p.b.RecvUrgent()
		require.True(t, ok)
		require.Equal(t, 7, ahead)
		buf := make([]byte, 6)
		require.Equal(t, 6, p.b.Read(p.now, buf, 0, false))
		ahead, _ = p.b.RecvUrgent()
		require.Equal(t, 1, ahead)
		require.Equal(t, 1, p.b.Read(p.now, buf[:1], 0, false))
		require.Equal(t, "!", string(buf[:1]))
		_, ok = p.b.RecvUrgent()
		require.False(t, ok)
	}
}
