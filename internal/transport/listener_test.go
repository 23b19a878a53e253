package transport

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/waiter"

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
				l, err := Of(b).Listen(ListenConfig{Port: 80, Net: n, Queue: &waiter.Queue{}, Make: usual,
					Ask: func(id ID, s *engine.Segment) Decision {
						require.Equal(t, engine.SYN, s.Flags)
						asked = append(asked, id)
						return Hold
					}})
				require.Nil(t, err)
				d := dial(t, a, n, hostA, hostB, 1000, 80)
				clock.Advance(2e9)
				require.Len(t, asked, 1, "the SYN has come twice")
				state, _ := d.State()
				require.Equal(t, engine.SynSent, state)
				require.True(t, l.Decide(asked[0], c.decide))
				require.False(t, l.Decide(asked[0], c.decide), "once")
				state, cause := d.State()
				require.Equal(t, []any{c.state, c.cause}, []any{state, cause})
				p, _ := l.Accept()
				require.Equal(t, c.decide == Admit, p != nil)
				if c.decide == Drop {
					clock.Advance(5e9)
					require.Len(t, asked, 2, "its next SYN is a new one")
				}
			})
		})
	}
}

// A connection that is gone before it was complete is told.
func TestLost(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		var lost []ID
		decision := Hold
		l, err := Of(b).Listen(ListenConfig{Port: 80, Net: n, Queue: &waiter.Queue{}, Make: usual,
			Ask:  func(ID, *engine.Segment) Decision { return decision },
			Lost: func(id ID) { lost = append(lost, id) }})
		require.Nil(t, err)
		id := ID{LocalAddress: hostB[n], LocalPort: 80, RemoteAddress: hostA[n], RemotePort: 1000}
		p := Of(b)
		syn := engine.Segment{Seq: 7, Flags: engine.SYN, Options: engine.Options{Scale: engine.NoScale}}
		p.deliver(arrival{id: id, nic: 1, net: n}, &syn)
		require.Len(t, l.half, 1)
		p.deliver(arrival{id: id, nic: 1, net: n}, &engine.Segment{Seq: 9, Flags: engine.RST})
		require.Empty(t, lost, "not the exact number")
		p.deliver(arrival{id: id, nic: 1, net: n}, &engine.Segment{Seq: 8, Flags: engine.RST})
		require.Equal(t, []ID{id}, lost)
		require.Empty(t, l.half)

		decision = Reject
		c := dial(t, a, n, hostA, hostB, 1001, 80)
		state, cause := c.State()
		require.Equal(t, []any{engine.Closed, engine.Refused}, []any{state, cause})
		decision = Drop
		c = dial(t, a, n, hostA, hostB, 1002, 80)
		clock.Advance(4e9)
		state, _ = c.State()
		require.Equal(t, engine.SynSent, state)
		require.Empty(t, l.half)
	})
}

// What is beyond the backlog stays half open, and is completed when there is room.
func TestBacklog(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		l, err := Of(b).Listen(ListenConfig{Port: 80, Net: n, Backlog: 2, Queue: &waiter.Queue{}, Make: usual})
		require.Nil(t, err)
		for i := range 3 {
			require.True(t, dial(t, a, n, hostA, hostB, uint16(1000+i), 80).connected())
		}
		require.Len(t, l.ready, 2)
		require.Len(t, l.half, 1)
		c, _ := l.Accept()
		require.NotNil(t, c)
		clock.Advance(2e9) // the SYN-ACK again: the client acknowledges again
		require.Len(t, l.ready, 2)
		require.Empty(t, l.half)
		_, err = Of(b).Listen(ListenConfig{Port: 80, Net: n, Queue: &waiter.Queue{}, Make: usual})
		require.NotNil(t, err, "the port is taken")
		l.Close()
		require.Equal(t, []*Conn{c}, Of(b).table.all(), "the others are reset")
		c.Abort()
		require.Empty(t, Of(b).table.all())
	})
}

// A new SYN for a tuple in TIME-WAIT goes through the listener's door like any
// (RFC 6191), with a number beyond the old connection's.
func TestReuse(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		asked := 0
		l, err := Of(b).Listen(ListenConfig{Port: 80, Net: n, Queue: &waiter.Queue{}, Make: usual,
			Ask: func(ID, *engine.Segment) Decision { asked++; return Admit }})
		require.Nil(t, err)
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		p, _ := l.Accept()
		p.Close() // the server is the one that waits
		c.Close()
		require.True(t, Of(b).waits.busy(p.ID()))
		clock.Advance(1e9) // the numbers of a tuple grow with the clock (RFC 6528)
		q := &waiter.Queue{}
		again, err := Of(a).Dial(0, c.ID(), n, engine.Config{Quota: engine.Unset}, 1<<20, q)
		require.Nil(t, err)
		state, _ := again.State()
		require.Equal(t, engine.Established, state)
		require.Equal(t, 2, asked)
		require.False(t, Of(b).waits.busy(p.ID()))
		p, _ = l.Accept()
		require.NotNil(t, p)
		l.Close()
		clock.Advance(3 * MSL)
	})
}

// TIME-WAIT answers what isn't acceptable, ten times a second.
func TestTimeWaitAnswers(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		l, _ := listen(t, b, n, 80)
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		p, _ := l.Accept()
		p.Close()
		c.Close()
		sent := b.Stats().TCP.SegmentsSent
		old := func() { // an old duplicate with data
			Of(b).deliver(arrival{id: p.ID(), nic: 1, net: n}, &engine.Segment{Seq: iss(c), Ack: 1, Flags: engine.ACK | engine.FIN})
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
	w := &Of(a).waits
	id := func(i int) ID {
		return ID{LocalAddress: hostA[four], LocalPort: uint16(i), RemoteAddress: hostB[four], RemotePort: uint16(i >> 16)}
	}
	for i := range maxWaits {
		w.add(id(i), engine.Remains{})
	}
	w.records[id(0)].until++
	w.add(id(maxWaits), engine.Remains{})
	require.Equal(t, maxWaits, len(w.records)) // not Len, which prints them all
	require.True(t, w.busy(id(0)))
	require.False(t, w.busy(id(1)))
}
