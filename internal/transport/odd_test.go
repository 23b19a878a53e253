package transport

import (
	"testing"

	"github.com/stretchr/testify/require"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// Segments that no connection is expected to begin with, to a port where somebody listens and to
// one where nobody does: as RFC 9293 §3.10.7 has them, and as Hooks have them otherwise.
func TestOddSegments(t *testing.T) {
	const christmas = engine.FIN | engine.URG | engine.PSH
	for _, tt := range []struct {
		name      string
		flags     engine.Flags
		size      int
		plain     string // what a listener answers
		odd       string // what a listener answers with Hooks.OddResets
		closed    string // what nobody's port answers
		seq, ack  engine.Seq
		ackInOdds engine.Seq // ack with Hooks.AckInResets
	}{
		{"no flags", 0, 0, "", "RA", "RA", 0, 1000, 1000},
		{"no flags, data", 0, 10, "", "RA", "RA", 0, 1010, 1010},
		{"FIN", engine.FIN, 0, "", "RA", "RA", 0, 1001, 1001},
		{"FIN, URG and PSH", christmas, 0, "", "RA", "RA", 0, 1001, 1001},
		{"SYN and all of these", engine.SYN | christmas, 0, "SA", "RA", "RA", 0, 1002, 1002},
		{"ACK", engine.ACK, 0, "R", "R", "R", 5000, 0, 5000},
		{"ACK and FIN", engine.ACK | engine.FIN, 0, "R", "R", "R", 5000, 0, 5000},
		{"SYN and ACK", engine.SYN | engine.ACK, 0, "R", "R", "R", 5000, 0, 5000},
		{"SYN", engine.SYN, 0, "SA", "SA", "RA", 0, 1001, 1001},
		{"RST", engine.RST, 0, "", "", "", 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wires(t, func(w *wire) {
				w.p.Configure(Hooks{})
				listen(t, w.s, w.net, 80)
				say := func(port uint16) {
					w.say(port, engine.Segment{Seq: 1000, Ack: 5000, Flags: tt.flags, Payload: payload(make([]byte, tt.size)),
						Options: engine.Options{MSS: 1000, Scale: engine.NoScale}})
				}
				answered := func(flags string, port uint16, ack engine.Seq) {
					if flags == "" {
						w.sees()
						return
					}
					p := w.sees(packetName(flags, port))[0]
					if flags != "SA" {
						require.Equal(t, []engine.Seq{tt.seq, ack}, []engine.Seq{p.seq(), p.ack()})
						require.Equal(t, []any{uint16(0), 0, true}, []any{p.tcp.WindowSize(), p.size, p.df})
					}
				}
				say(1)
				answered(tt.plain, 1, tt.ack)
				w.p.hooks.OddResets = true
				say(2)
				answered(tt.odd, 2, tt.ack)
				w.p.hooks.AckInResets = true
				say(3)
				answered(tt.odd, 3, tt.ackInOdds)
				w.p.listeners.close()
				say(4)
				answered(tt.closed, 4, tt.ackInOdds)
			})
		})
	}
}

// Hooks.AckInResets counts for a RST of a connection, too.
func TestAckInResets(t *testing.T) {
	wires(t, func(w *wire) {
		w.p.Configure(Hooks{AckInResets: true})
		l := listen(t, w.s, w.net, 80)
		w.syn(1, 1000)
		w.sees("SA 1")
		w.say(1, engine.Segment{Seq: 1001, Ack: 7, Flags: engine.ACK})
		p := w.sees("R 1")[0]
		require.Equal(t, []engine.Seq{7, 7}, []engine.Seq{p.seq(), p.ack()})
		c, iss := w.open(l, 2)
		c.Abort()
		p = w.sees("RA 2")[0]
		require.Equal(t, []engine.Seq{iss + 1, 1001}, []engine.Seq{p.seq(), p.ack()}, "it has an acknowledgement")
	})
}
