package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reordered holds a part of the segments back for 1 to 3 ms.
func reordered(part float64, l link) link {
	return func(p *pair, from *side, s *Segment) []time.Duration {
		at := l(p, from, s)
		if len(at) > 0 && p.random.Float64() < part {
			at[0] += ms + time.Duration(p.random.Int64N(int64(2*ms)))
		}
		return at
	}
}

// clean is the link of these tests: 100 Mbit/s, 5 ms each way.
func clean() link { return rate(12_500_000, 256<<10, 5*ms) }

// What a fault of the link may cost, as a ratio to the clean run.
func TestFaults(t *testing.T) {
	cfg := Config{Quota: 1 << 20}
	const size = 8 << 20
	base := newPair(t, cfg, cfg, clean()).transfer(size, time.Minute)
	t.Log("clean", base)
	for _, c := range []struct {
		name  string
		link  link
		ratio float64
	}{
		{"reordering 1 %", reordered(0.01, clean()), 1.3},
		{"reordering 5 %", reordered(0.05, clean()), 1.3},
		{"loss 0.1 %", lossy(0.001, clean()), 1.5},
		{"loss 1 %", lossy(0.01, clean()), 8},
		{"loss 5 %", lossy(0.05, clean()), 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, cfg, cfg, c.link)
			took := p.transfer(size, 10*time.Minute)
			t.Logf("%v, %.2f, %+v", took, float64(took)/float64(base), p.a.Counters)
			require.Less(t, float64(took), c.ratio*float64(base))
		})
	}
}

// A window of 4 MiB that is lost whole is repaired in half a second beyond the
// time-out that finds it.
func TestLostWindow(t *testing.T) {
	cfg := Config{Quota: 4 << 20}
	out := false
	wire := rate(125_000_000, 8<<20, 5*ms)
	p := newPair(t, cfg, cfg, func(p *pair, from *side, s *Segment) []time.Duration {
		if out {
			return nil
		}
		return wire(p, from, s)
	})
	p.transfer(16<<20, time.Minute)
	p.a.out = make([]byte, 16<<20)
	p.b.got = nil
	p.run(50*ms, func() bool { return p.a.InFlight() > 3<<20 })
	require.Greater(t, p.a.InFlight(), 3<<20)
	out, p.wire = true, nil
	p.run(200*ms, func() bool { return false })
	out = false
	took := p.run(time.Minute, func() bool { return len(p.b.got) >= 16<<20 })
	t.Logf("%v %+v", took, p.a.Counters)
	require.Less(t, took, time.Second)
}

// A rest that Nagle's algorithm holds behind a lost window doesn't stop its repair:
// F-RTO has nothing new to send.
func TestLostWindowWithRest(t *testing.T) {
	cfg, out := Config{Quota: 1 << 20}, false
	p := newPair(t, cfg, cfg, func(p *pair, from *side, s *Segment) []time.Duration {
		if out {
			return nil
		}
		return delay(5*ms)(p, from, s)
	})
	p.transfer(100_000, time.Minute)
	size := 6*p.a.MSS() + 100
	out, p.a.out, p.b.got = true, make([]byte, size), nil
	p.run(100*ms, func() bool { return false })
	require.Equal(t, 100, p.a.snd.unsent())
	out = false
	took := p.run(time.Minute, func() bool { return len(p.b.got) >= size })
	t.Logf("%v %+v", took, p.a.Counters)
	require.Less(t, took, 300*ms)
}

// On a path of microseconds a peer that hasn't had its turn for some milliseconds isn't
// probed: nothing was lost.
func TestTailProbeWaits(t *testing.T) {
	cfg, late := Config{Quota: 1 << 20}, time.Duration(0)
	p := newPair(t, cfg, cfg, func(p *pair, from *side, s *Segment) []time.Duration {
		return delay(20*time.Microsecond+late)(p, from, s)
	})
	p.transfer(100_000, time.Minute)
	late = 4 * ms
	size := 2 * p.a.MSS()
	p.a.out, p.b.got = make([]byte, size), nil
	p.run(time.Minute, func() bool { return len(p.b.got) >= size && p.a.InFlight() == 0 })
	require.Zero(t, p.a.Counters.BytesResent)
}

// Karn's algorithm: the round trip stays what it is, whatever is lost.
func TestRoundTripUnderLoss(t *testing.T) {
	p := newPair(t, Config{Quota: Unset}, Config{Quota: Unset}, lossy(0.1, delay(5*ms)))
	took := p.transfer(500_000, time.Minute)
	t.Logf("%v %+v rto %v srtt %v", took, p.a.Counters, p.a.rtt.rto(), p.a.rtt.smoothed)
	require.Less(t, p.a.rtt.base, 300*ms)
	require.Less(t, took, 8*time.Second)
}

// A window that was closed for two seconds doesn't cost the congestion window.
func TestClosedWindow(t *testing.T) {
	cfg := Config{Quota: 1 << 20}
	p := newPair(t, cfg, cfg, delay(20*ms))
	p.transfer(8<<20, time.Minute)
	window := p.a.Conn.out.control.Window()
	p.b.paused = true
	p.a.out = make([]byte, 4<<20)
	p.b.got = nil
	p.run(2*time.Second, func() bool { return false })
	require.Zero(t, p.a.snd.window)
	p.b.paused = false
	took := p.run(time.Minute, func() bool { return len(p.b.got) >= 4<<20 })
	t.Log(took, window, p.a.Conn.out.control.Window(), p.a.Counters)
	require.GreaterOrEqual(t, p.a.Conn.out.control.Window(), window/2)
	require.Zero(t, p.a.Counters.Timeouts)
}

// A black hole in the path is found.
func TestBlackHole(t *testing.T) {
	wire := delay(5 * ms)
	p := newPair(t, Config{Quota: Unset}, Config{Quota: Unset}, func(p *pair, from *side, s *Segment) []time.Duration {
		if s.Payload.Size() > 1300 {
			return nil
		}
		return wire(p, from, s)
	})
	took := p.transfer(1<<20, time.Minute)
	t.Logf("%v %+v", took, p.a.Counters)
	require.Equal(t, 1220, p.a.MSS())
}

// An outage looks like a black hole at first; the larger segments are soon tried
// again, and stay.
func TestBlackHoleFalseAlarm(t *testing.T) {
	wire := delay(5 * ms)
	out := false
	p := newPair(t, Config{Quota: Unset}, Config{Quota: Unset}, func(p *pair, from *side, s *Segment) []time.Duration {
		if out {
			return nil
		}
		return wire(p, from, s)
	})
	p.transfer(100_000, time.Minute)
	out = true
	p.a.out = make([]byte, 100_000)
	p.run(2*time.Second, func() bool { return false })
	out = false
	require.Equal(t, 1220, p.a.MSS())
	p.run(15*time.Second, func() bool { return false })
	require.Equal(t, 1460, p.a.MSS())
	p.transfer(100_000, time.Minute)
	require.Equal(t, 1460, p.a.MSS())
	require.Zero(t, p.a.blackHole)
}

// A short outage costs little more than itself.
func TestOutage(t *testing.T) {
	cfg := Config{Quota: 1 << 20}
	wire := clean()
	p := newPair(t, cfg, cfg, func(p *pair, from *side, s *Segment) []time.Duration {
		if d := p.now - origin; d > 100*ms && d < 400*ms {
			return nil
		}
		return wire(p, from, s)
	})
	took := p.transfer(8<<20, time.Minute)
	t.Logf("%v %+v", took, p.a.Counters)
	require.Less(t, took, 1800*ms)
}

// A delay of everything is no loss: what a time-out did is undone.
func TestSpuriousTimeout(t *testing.T) {
	for name, cfg := range map[string]Config{"SACK": {}, "timestamps": {Timestamps: true, WithoutSACK: true}} {
		t.Run(name, func(t *testing.T) {
			cfg.Quota = 1 << 20
			wire := rate(12_500_000, 1<<20, 5*ms)
			p := newPair(t, cfg, cfg, func(p *pair, from *side, s *Segment) []time.Duration {
				at := wire(p, from, s)
				if d := p.now - origin; d > 200*ms && d < 700*ms && len(at) > 0 {
					at[0] = max(at[0], origin+700*ms+(at[0]-origin-200*ms)/100)
				}
				return at
			})
			p.transfer(16<<20, time.Minute)
			t.Logf("%+v", p.a.Counters)
			require.NotZero(t, p.a.Counters.Timeouts)
			require.Less(t, p.a.Counters.BytesResent, uint64(20_000))
		})
	}
}

// Where the round trip becomes longer than the time-out, segments of which nothing else is in flight
// are sent twice only until one of them has measured it (Karn's algorithm).
func TestExchangeOnLongerPath(t *testing.T) {
	cfg, way := Config{Quota: 1 << 20}, 5*ms
	p := newPair(t, cfg, cfg, func(p *pair, from *side, s *Segment) []time.Duration { return delay(way)(p, from, s) })
	exchange := func() {
		p.a.out, p.b.got = []byte{1}, nil
		p.run(time.Minute, func() bool { return len(p.b.got) == 1 && p.a.InFlight() == 0 })
	}
	exchange()
	way = 300 * ms
	for range 40 {
		exchange()
	}
	require.Less(t, p.a.Counters.BytesResent, uint64(7), "%+v", p.a.Counters)
	require.Greater(t, p.a.rtt.smoothed, 500*ms)
}
