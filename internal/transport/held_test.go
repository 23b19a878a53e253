package transport

import (
	"testing"

	"github.com/stretchr/testify/require"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// hold is a listener that holds every SYN, and counts what it is asked.
func (w *wire) hold() (l *door, asked *int) {
	asked = new(int)
	return listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Ask: func(ID, *engine.Segment) Decision {
		*asked++
		return Hold
	}}), asked
}

// A request is forgotten when the next copy of its SYN is overdue: after 7.5 s, or
// 2.5 times the last gap between two copies if that is more (CA-7).
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		copies []float64 // when copies come, seconds
		other  bool      // the last has another number
		end    float64   // when the request is forgotten
	}{
		"no copy":           {nil, false, 7.5},
		"a short gap":       {[]float64{3}, false, 3 + 7.5},
		"a long gap":        {[]float64{6}, false, 6 + 15},
		"gaps that double":  {[]float64{3, 9, 21}, false, 21 + 30},
		"gaps that shrink":  {[]float64{6, 7}, false, 7 + 7.5},
		"another attempt":   {[]float64{6}, true, 6 + 7.5},
		"a later attempt":   {[]float64{6, 16}, true, 16 + 7.5},
		"a copy just early": {[]float64{7.499}, false, 7.499 * 3.5},
	} {
		t.Run(name, func(t *testing.T) {
			wires(t, func(w *wire) {
				l, asked := w.hold()
				w.syn(1000, 1)
				now := 0.0
				for i, at := range c.copies {
					w.seconds(at - now)
					now = at
					seq := engine.Seq(1)
					if c.other && i == len(c.copies)-1 {
						seq = 100
					}
					w.syn(1000, seq)
				}
				w.seconds(c.end - now - 0.001)
				require.Equal(w.t, [2]int{0, 1}, l.sees())
				require.Empty(w.t, l.lost)
				w.seconds(0.002)
				require.Equal(w.t, [2]int{}, l.sees())
				require.Equal(w.t, []ID{w.id(1000)}, l.lost)
				require.Equal(w.t, 1, *asked)
				w.sees()
			})
		})
	}
}

// A SYN with another number takes the place of the first: it is the one that is
// answered, or refused.
func TestAnotherAttempt(t *testing.T) {
	wires(t, func(w *wire) {
		l, _ := w.hold()
		w.syn(1000, 1)
		w.syn(1000, 500)
		require.True(w.t, l.Decide(w.id(1000), Admit))
		require.EqualValues(w.t, 501, w.sees("SA 1000")[0].ack())
		w.syn(1001, 1)
		w.syn(1001, 500)
		require.True(w.t, l.Decide(w.id(1001), Reject))
		require.EqualValues(w.t, 501, w.sees("RA 1001")[0].ack())
	})
}

// A RST ends a request if it names the number of the SYN or the next; another one,
// and an acknowledgement, which a RST answers, leave it.
func TestRequestReset(t *testing.T) {
	wires(t, func(w *wire) {
		l, _ := w.hold()
		for i, seq := range []engine.Seq{1, 2} {
			port := uint16(1000 + i)
			w.syn(port, 1)
			for _, other := range []engine.Seq{0, 3, 1 << 31} {
				w.say(port, engine.Segment{Seq: other, Flags: engine.RST})
			}
			w.say(port, engine.Segment{Seq: 2, Flags: engine.FIN})
			w.sees()
			w.say(port, engine.Segment{Seq: 2, Ack: 77, Flags: engine.ACK})
			require.EqualValues(w.t, 77, w.sees([]string{"R 1000", "R 1001"}[i])[0].seq())
			require.Equal(w.t, [2]int{0, 1}, l.sees())
			require.Len(w.t, l.lost, i)
			w.say(port, engine.Segment{Seq: seq, Flags: engine.RST | engine.ACK})
			require.Equal(w.t, [2]int{}, l.sees())
			require.False(w.t, l.Decide(w.id(port), Admit))
		}
		require.Equal(w.t, []ID{w.id(1000), w.id(1001)}, l.lost)
		w.sees()
	})
}

// So many requests are held and no more: the listener isn't asked about another one
// until there is room (CA-8).
func TestHeldBound(t *testing.T) {
	wires(t, func(w *wire) {
		l, asked := w.hold()
		for i := range maxHeld + 10 {
			w.syn(uint16(1000+i), 1)
		}
		require.Equal(w.t, [2]int{0, maxHeld}, l.sees())
		require.Equal(w.t, maxHeld, *asked)
		require.EqualValues(w.t, 10, w.s.Stats().TCP.ListenOverflowSynDrop.Value())
		w.syn(1000, 1) // a copy is none more
		require.EqualValues(w.t, 10, w.s.Stats().TCP.ListenOverflowSynDrop.Value())
		require.True(w.t, l.Decide(w.id(1000), Drop))
		w.syn(999, 1)
		require.Equal(w.t, [2]int{0, maxHeld}, l.sees())
		w.sees()
		w.seconds(7.6)
		require.Equal(w.t, [2]int{}, l.sees())
		require.Len(w.t, l.lost, maxHeld)
		for i, id := range l.lost[:maxHeld-1] {
			require.Equal(w.t, uint16(1001+i), id.RemotePort, "they are told in order of origin")
		}
	})
}

// What was held and admitted is a half-open connection like any: it is completed, or
// given up and told.
func TestAdmittedLate(t *testing.T) {
	wires(t, func(w *wire) {
		l, _ := w.hold()
		w.syn(1000, 1000)
		w.syn(1001, 1)
		w.seconds(7)
		require.True(w.t, l.Decide(w.id(1000), Admit))
		require.True(w.t, l.Decide(w.id(1001), Admit))
		require.Equal(w.t, [2]int{2, 0}, l.sees())
		require.Equal(w.t, 2, w.p.HalfOpen())
		iss := w.sees("SA 1000", "SA 1001")[0].seq()
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK})
		require.NotNil(w.t, l.poll())
		require.Equal(w.t, 1, w.p.HalfOpen())
		w.seconds(20.9)
		require.Empty(w.t, l.lost)
		w.seconds(0.2)
		require.Equal(w.t, []ID{w.id(1001)}, l.lost)
		require.Zero(w.t, w.p.HalfOpen())
	})
}

// A request that is admitted when as many are half open as may be is lost.
func TestAdmittedInFlood(t *testing.T) {
	wires(t, func(w *wire) {
		decision := Admit
		l := listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Ask: func(ID, *engine.Segment) Decision { return decision }})
		for i := range maxHalfOpen {
			w.syn(uint16(1000+i), 1)
		}
		decision = Hold
		w.syn(999, 1)
		w.sent()
		require.True(w.t, l.Decide(w.id(999), Admit))
		w.sees()
		require.Equal(w.t, [2]int{maxHalfOpen, 0}, l.sees())
		require.Equal(w.t, []ID{w.id(999)}, l.lost)
		w.say(1000, engine.Segment{Seq: 2, Flags: engine.RST})
		w.syn(999, 1)
		require.True(w.t, l.Decide(w.id(999), Admit))
		w.sees("SA 999")
	})
}
