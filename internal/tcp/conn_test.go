package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

// A clean transfer over a link with a rate takes what the link takes.
func TestTransfer(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "timestamps": {Timestamps: true}, "no SACK": {WithoutSACK: true},
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
