package transport

import (
	"testing"

	"github.com/stretchr/testify/require"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// A handshake lasts 21 s, with the SYN-ACK at 0, 1, 3, 7 and 15 s; nothing is sent
// when it is given up, and the next SYN begins another.
func TestHandshakeEnds(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		w.syn(1000, 1)
		w.sees("SA 1000")
		for _, gap := range []float64{1, 2, 4, 8} {
			w.seconds(gap - 0.001)
			w.sees()
			w.seconds(0.001)
			w.sees("SA 1000")
		}
		require.EqualValues(w.t, 4, w.s.Stats().TCP.Retransmits.Value())
		w.seconds(5.999)
		require.Equal(w.t, [2]int{1, 0}, l.sees())
		w.seconds(0.001)
		require.Equal(w.t, [2]int{}, l.sees())
		require.Equal(w.t, []ID{w.id(1000)}, l.lost)
		w.seconds(100)
		w.sees()
		w.syn(1000, 1)
		w.sees("SA 1000")
	})
}

// While 1,024 are half open, on all listeners together, a handshake lasts 7 s; one
// that is older when that begins ends with what is due next.
func TestFloodEnds(t *testing.T) {
	wires(t, func(w *wire) {
		l, other := listen(w.t, w.s, w.net, 80), listen(w.t, w.s, w.net, 81)
		w.syn(999, 1)
		w.seconds(10)
		for i := range flooded - 2 {
			a := origin{id: w.id(uint16(1000 + i)), nic: 1, net: w.net}
			a.id.LocalPort = 81
			w.p.deliver(a, &engine.Segment{Seq: 1, Flags: engine.SYN, Options: engine.Options{Scale: engine.NoScale}})
		}
		w.seconds(3)
		w.syn(998, 1)
		require.Equal(w.t, 1024, w.p.HalfOpen())
		w.seconds(2)
		require.Equal(w.t, []ID{w.id(999)}, l.lost, "15 s after its SYN")
		w.syn(997, 1)
		require.Equal(w.t, flooded, w.p.HalfOpen())
		w.seconds(1.999)
		require.Equal(w.t, [2]int{flooded - 2, 0}, other.sees())
		w.seconds(0.001)
		require.Equal(w.t, [2]int{}, other.sees())
		require.EqualValues(w.t, 1000, other.lost[0].RemotePort, "the oldest comes first")
		w.seconds(15.999)
		require.Equal(w.t, [2]int{2, 0}, l.sees(), "these have 21 s again")
		w.seconds(3.001)
		require.Equal(w.t, [2]int{}, l.sees())
	})
}

// A half-open connection ends with a RST of the exact number, and is told.
func TestHalfOpenReset(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		w.syn(1000, 7)
		w.sees("SA 1000")
		w.say(1000, engine.Segment{Seq: 9, Flags: engine.RST})
		require.Empty(w.t, l.lost)
		w.say(1000, engine.Segment{Seq: 8, Flags: engine.RST})
		require.Equal(w.t, []ID{w.id(1000)}, l.lost)
		require.Equal(w.t, [2]int{}, l.sees())
		w.seconds(60)
		w.sees()
	})
}

// Close resets what is half open, and refuses what is held, in the order in which
// they came, with the numbers that the peers expect (LG-16).
func TestCloseOrder(t *testing.T) {
	wires(t, func(w *wire) {
		decision := Admit
		l := listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Ask: func(ID, *engine.Segment) Decision { return decision },
			Make: func(ID) Settings { return Settings{Config: settings.Config, TTL: 33, TOS: 0x48} }})
		done, _ := w.open(l, 5000)
		var want []string
		iss := map[uint16]engine.Seq{}
		for i := range 100 {
			port := uint16(1000 + i*37%100)
			decision = []Decision{Admit, Hold}[i%2]
			w.syn(port, engine.Seq(port))
			for _, p := range w.sent() {
				iss[port] = p.seq()
			}
			want = append(want, packetName("RA", port))
		}
		w.seconds(1) // the timer's order isn't that of arrival
		w.sent()
		l.Close()
		for i, p := range w.sees(want...) {
			port := p.tcp.DestinationPort()
			require.Equal(w.t, engine.Seq(port)+1, p.ack())
			if i%2 == 0 {
				require.Equal(w.t, []any{iss[port] + 1, uint8(33), uint8(0x48)}, []any{p.seq(), p.ttl, p.tos})
			} else {
				require.Zero(w.t, p.seq())
			}
		}
		require.Equal(w.t, []any{engine.Established, engine.None}, done.status())
		require.Empty(w.t, l.lost)
		require.Zero(w.t, w.p.HalfOpen())
		w.syn(1000, 1)
		w.sees("RA 1000")
		w.seconds(60)
		w.sees()
	})
}

// The SYN that comes again draws the SYN-ACK again, and doesn't put off the end.
func TestSynRepeat(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		w.syn(1000, 1)
		first := w.sees("SA 1000")[0]
		for range 20 {
			w.seconds(1)
			w.sent()
			w.syn(1000, 1)
			require.Equal(w.t, first.seq(), w.sees("SA 1000")[0].seq())
		}
		w.seconds(1)
		require.Equal(w.t, []ID{w.id(1000)}, l.lost)
	})
}
