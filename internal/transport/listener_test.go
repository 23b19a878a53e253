package transport

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// A SYN that is held draws nothing, however often it comes, until it is decided.
func TestHold(t *testing.T) {
	for name, c := range map[string]struct {
		decide Decision
		state  engine.State
		cause  engine.Cause
	}{
		"admitted": {Admit, engine.Established, engine.None},
		"rejected": {Reject, engine.Closed, engine.Refused},
		"dropped":  {Drop, engine.SynSent, engine.None},
	} {
		t.Run(name, func(t *testing.T) {
			families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
				clock := faketime.NewManualClock()
				a, b := twoHosts(t, 0, New, clock)
				var asked []ID
				l := listenWith(t, b, ListenConfig{Port: 80, Net: n, Ask: func(id ID, s *engine.Segment) Decision {
					require.Equal(t, engine.SYN, s.Flags)
					asked = append(asked, id)
					return Hold
				}})
				d := dial(t, a, n, hostA, hostB, 1000, 80)
				clock.Advance(2e9)
				require.Len(t, asked, 1, "the SYN has come twice")
				require.Equal(t, []any{engine.SynSent, engine.None}, d.status())
				require.Equal(t, [2]int{0, 1}, l.sees())
				require.Zero(t, Of(b).HalfOpen())
				require.True(t, l.Decide(asked[0], c.decide))
				require.False(t, l.Decide(asked[0], c.decide), "once")
				require.Equal(t, []any{c.state, c.cause}, d.status())
				require.Equal(t, c.decide == Admit, l.poll() != nil)
				require.Equal(t, [2]int{}, l.sees())
				require.Empty(t, l.lost)
				if c.decide == Drop {
					clock.Advance(5e9)
					require.Len(t, asked, 2, "its next SYN is a new one")
				}
			})
		})
	}
}

// A connection that Arrived doesn't want is reset.
func TestUnwanted(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		a, b := twoHosts(t, 0, New, faketime.NewManualClock())
		l := listen(t, b, n, 80)
		l.shut = true
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		require.Equal(t, []any{engine.Closed, engine.ResetByPeer}, c.status())
		require.Empty(t, Of(b).table.all())
		require.EqualValues(t, 1, b.Stats().TCP.ListenOverflowAckDrop.Value())
	})
}

// A new SYN for a tuple in TIME-WAIT goes through the listener's door like any
// (RFC 6191), with a number beyond the old connection's.
func TestReuse(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		asked := 0
		l := listenWith(t, b, ListenConfig{Port: 80, Net: n, Ask: func(ID, *engine.Segment) Decision { asked++; return Admit }})
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		p := l.poll()
		p.Close() // the server is the one that waits
		c.Close()
		require.True(t, Of(b).parts[0].waits.has(p.ID()))
		require.Equal(t, 1, Of(b).TimeWaits())
		clock.Advance(1e9) // the numbers of a tuple grow with the clock (RFC 6528)
		again, err := connect(Of(a), c.ID(), n, settings)
		require.Nil(t, err)
		require.Equal(t, []any{engine.Established, engine.None}, again.status())
		require.Equal(t, 2, asked)
		require.Zero(t, Of(b).TimeWaits())
		require.NotNil(t, l.poll())
		l.Close()
		clock.Advance(3 * MSL)
	})
}

// The numbers of a connection that takes over a tuple in TIME-WAIT lie beyond those of
// the old one (RFC 6191 §3), whatever the clock says, and when a request was held too.
func TestReuseNumbers(t *testing.T) {
	for _, decision := range []Decision{Admit, Hold} {
		wires(t, func(w *wire) {
			d := Admit
			l := listenWith(w.t, w.s, ListenConfig{Port: 80, Net: w.net, Ask: func(ID, *engine.Segment) Decision { return d }})
			c, iss := w.open(l, 1000)
			d = decision
			c.Close()
			w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 2, Flags: engine.ACK | engine.FIN})
			w.sees("FA 1000", "A 1000")
			require.Equal(w.t, 1, w.p.TimeWaits())
			w.syn(1000, 5000)
			require.Equal(w.t, decision == Hold, l.Decide(w.id(1000), Admit))
			require.True(w.t, w.sees("SA 1000")[0].seq().After(iss+2))
		})
	}
}

// TIME-WAIT answers what isn't acceptable, ten times a second.
func TestTimeWaitAnswers(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		l := listen(t, b, n, 80)
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		p := l.poll()
		p.Close()
		c.Close()
		sent := b.Stats().TCP.SegmentsSent
		old := func() { // an old duplicate with data
			Of(b).deliver(origin{id: p.ID(), nic: 1, net: n}, &engine.Segment{Seq: iss(c), Ack: 1, Flags: engine.ACK | engine.FIN})
		}
		before := sent.Value()
		for range 50 {
			old()
		}
		require.EqualValues(t, maxAnswers, sent.Value()-before)
		clock.Advance(1e9)
		old()
		require.EqualValues(t, maxAnswers+1, sent.Value()-before)
	})
}

// The records of TIME-WAIT are bounded, also when the oldest has begun anew, which
// isn't the first to go then.
func TestTimeWaitBound(t *testing.T) {
	a, _ := twoHosts(t, 0, New, faketime.NewManualClock())
	p := Of(a)
	var freed []uint16
	p.Configure(Hooks{Freed: func(id ID) { freed = append(freed, id.LocalPort) }})
	const limit = 5
	p.SetTimeWaitLimit(limit)
	id := func(i int) ID {
		return ID{LocalAddress: hostA[four], LocalPort: uint16(i), RemoteAddress: hostB[four]}
	}
	for i := range limit {
		p.parts[0].waits.add(id(i), waiting{dialed: i != 2})
	}
	p.parts[0].waits.records[id(0)].until++
	p.parts[0].waits.add(id(limit), waiting{})
	require.Equal(t, limit, p.TimeWaits())
	require.True(t, p.parts[0].waits.has(id(0)))
	require.False(t, p.parts[0].waits.has(id(1)))
	require.Equal(t, []uint16{1}, freed)
	p.SetTimeWaitLimit(2)
	require.Equal(t, 2, p.TimeWaits())
	require.Equal(t, []uint16{1, 3, 4}, freed, "the second wasn't dialed")
}

// Records that end early leave nothing behind that grows, and the others end when
// they should.
func TestTimeWaitForgets(t *testing.T) {
	clock := faketime.NewManualClock()
	a, _ := twoHosts(t, 0, New, clock)
	w := &Of(a).parts[0].waits
	id := func(port uint16) ID { return ID{LocalPort: port} }
	for i := range 4 {
		w.add(id(uint16(i)), waiting{})
		clock.Advance(1e9)
	}
	for range 10 * shortOrder {
		w.add(id(9), waiting{})
		w.forget(id(9), engine.Remains{})
	}
	require.LessOrEqual(t, len(w.order), 2*4+shortOrder)
	clock.Advance(2*MSL - 4e9 - 1)
	for left := 4; left >= 0; left-- {
		require.Equal(t, left, Of(a).TimeWaits())
		clock.Advance(1e9)
	}
	require.Empty(t, w.order)
}
