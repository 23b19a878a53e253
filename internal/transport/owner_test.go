package transport

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// A witness is an Owner that looks at its connection when it is told, which takes no
// lock, and that may lock it as well: none is held.
type witness struct {
	conn *Conn
	saw  []seen
}

type seen struct {
	events           engine.Events
	state            engine.State
	cause            engine.Cause
	queued, readable int
}

// ConnChanged implements Owner.
func (o *witness) ConnChanged(e engine.Events) {
	s := seen{events: e, queued: o.conn.Queued(), readable: o.conn.Readable()}
	s.state, s.cause = o.conn.State()
	o.conn.mu.Lock() // fails to return if it is held
	live := seen{e, o.conn.engine.State(), o.conn.engine.Cause(), o.conn.engine.Queued(), o.conn.engine.Readable()}
	o.conn.mu.Unlock()
	if s != live {
		s.events = 0xff // what shows isn't how it is
	}
	o.saw = append(o.saw, s)
}

// The owner sees what it is told of, without a lock; nobody is told when there is no
// owner.
func TestOwner(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		o := &witness{conn: c.Conn}
		expect := func(want ...seen) {
			w.t.Helper()
			require.Equal(w.t, want, o.saw)
			o.saw = nil
		}
		c.SetOwner(o)
		require.Equal(w.t, []any{engine.Established, engine.None}, c.status())
		w.say(1000, withData(engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK}, "seven.."))
		expect(seen{engine.Readable, engine.Established, engine.None, 0, 7})
		_, _ = c.Send([]byte("four"))
		require.Equal(w.t, 4, c.Queued())
		expect()
		w.say(1000, engine.Segment{Seq: 1008, Ack: iss + 5, Flags: engine.ACK})
		expect(seen{engine.Acked | engine.AllAcked, engine.Established, engine.None, 0, 7})
		_, _ = c.Recv(make([]byte, 3))
		require.Equal(w.t, 4, c.Readable())
		c.SetOwner(nil)
		w.say(1000, withData(engine.Segment{Seq: 1008, Ack: iss + 5, Flags: engine.ACK}, "more"))
		require.Equal(w.t, 8, c.Readable())
		expect()
		c.SetOwner(o)
		w.say(1000, engine.Segment{Seq: 1012, Flags: engine.RST})
		expect(seen{engine.Over, engine.Closed, engine.ResetByPeer, 0, 0})
	})
}

// The owner of a connection of Dial hears of all of it, even before Dial returns.
func TestOwnerOfDial(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		a, b := twoHosts(t, 0, New, faketime.NewManualClock())
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		require.EqualValues(t, engine.Over, c.events.Load(), "refused")
		listen(t, b, n, 80)
		c = dial(t, a, n, hostA, hostB, 1001, 80)
		require.EqualValues(t, engine.Connected, c.events.Load())
		nobodys, err := Of(a).Dial(0, ID{RemoteAddress: hostB[n], LocalPort: 1002, RemotePort: 80}, n, settings, nil)
		require.Nil(t, err)
		state, _ := nobodys.State()
		require.Equal(t, engine.Established, state)
	})
}

// A connection that arrives can be called from Arrived: nothing is locked.
func TestArrivedUnlocked(t *testing.T) {
	wires(t, func(w *wire) {
		var l *Listener
		arrived := 0
		l, err := w.p.Listen(ListenConfig{Port: 80, Net: w.net, Make: usual, Arrived: func(c *Conn) bool {
			arrived++
			c.Do(func(_ time.Duration, e *engine.Conn) { require.Equal(w.t, engine.Established, e.State()) })
			require.False(w.t, l.Decide(c.ID(), Admit))
			c.SetTap(nil)
			c.Close()
			return true
		}})
		require.Nil(w.t, err)
		w.syn(1000, 1000)
		iss := w.sees("SA 1000")[0].seq()
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK})
		require.Equal(w.t, 1, arrived)
		w.sees("FA 1000")
	})
}

// Whoever had the connection serves what was left for it meanwhile, whatever it had it
// for.
func TestLeftSegments(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		at := engine.Seq(1001)
		for name, call := range map[string]func(){
			"Do":       func() { c.Do(func(time.Duration, *engine.Conn) {}) },
			"SetIP":    func() { c.SetIP(1, 2, false, nil) },
			"SetTap":   func() { c.SetTap(nil) },
			"AfterEnd": func() { c.AfterEnd(func() {}) },
			"Report":   func() { w.p.Report(c.ID(), Report{}) },
			"segment":  func() { w.say(1000, engine.Segment{Seq: at, Ack: iss + 1, Flags: engine.ACK}) },
		} {
			had := c.Readable()
			s := withData(engine.Segment{Seq: at, Ack: iss + 1, Flags: engine.ACK, Window: 65535}, "left")
			c.inbox.put(&delivery{segment: s})
			at += 4
			call()
			require.Equal(w.t, had+4, c.Readable(), name)
		}
	})
}

// What comes when the inbox was looked at already, and the connection is still locked,
// is served as well.
func TestLateSegment(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		c.SetTap(func(out bool, s *engine.Segment) {
			if out && s.Payload.Size() > 0 {
				w.say(1000, withData(engine.Segment{Seq: 1001, Ack: iss + 5, Flags: engine.ACK}, "answer"))
			}
		})
		_, _ = c.Send([]byte("data"))
		require.Equal(w.t, []int{0, 6}, []int{c.Queued(), c.Readable()})
	})
}

// What comes while nobody serves the inbox is bounded.
func TestInboxBound(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		c.Do(func(time.Duration, *engine.Conn) {
			for i := range 2 * maxInbox {
				w.say(1000, withData(engine.Segment{Seq: 1001 + engine.Seq(i), Ack: iss + 1, Flags: engine.ACK}, "x"))
			}
		})
		require.Equal(w.t, maxInbox, c.Readable())
	})
}
