package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// trickle has the application send so many bytes at a time for a while.
func (p *pair) trickle(bytes int, every, length time.Duration) {
	for until := p.now + length; p.now < until; {
		p.a.out = make([]byte, bytes)
		p.run(every, func() bool { return false })
	}
	p.b.got = nil
}

// A sender that the application limits doesn't make its window larger (RFC 9438
// §5.8): nothing has shown that the path takes more.
func TestUnusedWindow_Stays(t *testing.T) {
	p := newPair(t, Config{Quota: 1 << 20}, Config{Quota: 1 << 20}, delay(10*ms))
	before := p.a.Conn.out.control.Window()
	p.trickle(5000, 25*ms, time.Minute)
	require.Equal(t, before, p.a.Conn.out.control.Window())
}

// A large window that the application no longer fills comes down to what it uses, and
// never below the initial one; the threshold remembers it, so that slow start brings
// it back (RFC 2861 §3.1).
func TestUnusedWindow_ComesDown(t *testing.T) {
	for _, c := range []struct {
		name         string
		bytes, least int
	}{{"what is used", 40 * 1460, 40 * 1460}, {"a little", 100, 14_600}} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Quota: 4 << 20}
			p := newPair(t, cfg, cfg, rate(12_500_000, 8<<20, 10*ms))
			p.transfer(8<<20, time.Minute)
			large := p.a.Conn.out.control.Window()
			require.Greater(t, large, 1<<20)
			p.a.Conn.out.control.Lost(p.now, large) // the threshold is known
			p.a.Conn.out.control.Exit(large)
			p.trickle(c.bytes, 27*ms, 10*time.Second)
			window, threshold := p.a.Conn.out.control.Window(), p.a.Conn.out.control.Threshold()
			t.Log(large, window, threshold)
			least := large
			p.check = func() { least = min(least, p.a.Conn.out.control.Window()) }
			p.trickle(c.bytes, 27*ms, 10*time.Second)
			require.GreaterOrEqual(t, least, c.least)
			require.Less(t, window, 2*c.least)
			require.InDelta(t, large*3/4, threshold, 1460)
		})
	}
}

// A window that the peer's doesn't let us fill isn't the application's doing.
func TestUnusedWindow_PeersWindow(t *testing.T) {
	cfg := Config{Quota: 1 << 20}
	p := newPair(t, cfg, cfg, delay(10*ms))
	p.transfer(8<<20, time.Minute)
	large := p.a.Conn.out.control.Window()
	p.b.paused = true
	p.a.out = make([]byte, 8<<20)
	for range 100 { // it reads slowly
		p.run(50*ms, func() bool { return false })
		p.b.Conn.Discard(p.now, min(50_000, p.b.Readable()))
	}
	require.NotZero(t, p.a.snd.unsent())
	require.GreaterOrEqual(t, p.a.Conn.out.control.Window(), large)
}

// A sender that fills its window keeps all of it.
func TestUnusedWindow_Full(t *testing.T) {
	cfg := Config{Quota: 4 << 20}
	p := newPair(t, cfg, cfg, rate(12_500_000, 8<<20, 10*ms))
	window := 0
	p.check = func() {
		now := p.a.Conn.out.control.Window()
		if now < window {
			t.Fatalf("the window comes down, from %d to %d", window, now)
		}
		window = now
	}
	p.transfer(8<<20, time.Minute)
	require.Less(t, window, p.a.snd.window)
}
