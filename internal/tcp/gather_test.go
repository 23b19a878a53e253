package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The rest of a large write waits while two packets that the device cuts up are in flight, and leaves
// with the acknowledgement that leaves one of them. It doesn't wait where the peer is far away or the
// device cuts up nothing, nor with TCP_NODELAY, urgent data or a FIN.
func TestGathers(t *testing.T) {
	const mss, large, rest = 1460, 44 * 1460, 4 * 1460
	for name, tt := range map[string]struct {
		cfg   Config
		trip  time.Duration
		then  func(c *Conn, now time.Duration)
		waits bool
	}{
		"nearby":       {cfg: Config{Segmenting: 65495}, trip: 500 * time.Microsecond, waits: true},
		"far away":     {cfg: Config{Segmenting: 65495}, trip: 2 * ms},
		"no large one": {trip: 500 * time.Microsecond},
		"no delay":     {cfg: Config{Segmenting: 65495, NoDelay: true}, trip: 500 * time.Microsecond},
		"urgent":       {cfg: Config{Segmenting: 65495}, trip: 500 * time.Microsecond, then: func(c *Conn, now time.Duration) { c.SendUrgent(now, []byte{1}, 0) }},
		"FIN":          {cfg: Config{Segmenting: 65495}, trip: 500 * time.Microsecond, then: func(c *Conn, now time.Duration) { c.Close(now) }},
	} {
		t.Run(name, func(t *testing.T) {
			tt.cfg.Quota = 1 << 20
			p := newPair(t, tt.cfg, tt.cfg, delay(tt.trip/2))
			p.transfer(16<<20, time.Minute) // the handshake took 10 ms
			p.run(time.Second, func() bool { return p.a.InFlight() == 0 })

			var sent []Segment
			output := func() (bytes int) {
				var s Segment
				for p.a.Output(p.now, &s) {
					bytes += int(s.Payload.Size())
					sent = append(sent, s)
				}
				return bytes
			}
			require.True(t, p.a.Send(p.now, make([]byte, 3*large+rest)))
			if tt.then != nil {
				tt.then(p.a.Conn, p.now)
			}
			got := output()
			if !tt.waits {
				require.GreaterOrEqual(t, got, 3*large+rest)
				return
			}
			require.Equal(t, 3*large, got)
			for _, want := range []int{0, rest} { // two are left in flight, then one
				p.b.Segment(p.now, &sent[0])
				sent = sent[1:]
				p.read(p.b)
				var ack Segment
				for p.b.Output(p.now, &ack) {
					p.a.Segment(p.now, &ack)
				}
				require.Equal(t, want, output())
			}
			require.True(t, p.a.Send(p.now, make([]byte, 2*large)))
			require.Equal(t, 2*large, output(), "more of it came")
		})
	}
}

// What fills the room that Fill gives leaves in one packet of the device, also with TCP_NODELAY; a
// few bytes don't hold a chunk, and nothing is asked for where nothing can be sent any more.
func TestFill(t *testing.T) {
	for name, tt := range map[string]struct {
		segmenting, room int
	}{
		"cut up":   {65495, 44 * 1460},
		"plain":    {0, maxChunk},
		"less cut": {1459, maxChunk},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Segmenting: tt.segmenting, NoDelay: true, Quota: 1 << 20}
			p := newPair(t, cfg, cfg, delay(ms))
			p.transfer(1<<20, time.Minute)
			p.run(time.Second, func() bool { return p.a.InFlight() == 0 })
			n, ok := p.a.Fill(1<<20, func(room []byte) int {
				require.Len(t, room, tt.room)
				return len(room)
			})
			require.True(t, ok)
			require.Equal(t, tt.room, n)
			var s Segment
			require.True(t, p.a.Output(p.now, &s))
			if tt.segmenting > 1460 {
				require.EqualValues(t, tt.room, s.Payload.Size())
				require.False(t, p.a.Output(p.now, &s))
			}
			n, _ = p.a.Fill(1000, func(room []byte) int {
				require.Len(t, room, 1000)
				return 10
			})
			require.Equal(t, 10, n)
			last := p.a.snd.queue.chunks[len(p.a.snd.queue.chunks)-1].view
			require.Equal(t, 10, last.Size())
			require.LessOrEqual(t, last.Capacity(), 64)

			n, ok = p.a.Fill(1000, func([]byte) int { return 0 })
			require.True(t, ok)
			require.Zero(t, n)
			p.a.Close(p.now)
			_, ok = p.a.Fill(1000, func([]byte) int { panic("after the FIN") })
			require.False(t, ok)
		})
	}
}
