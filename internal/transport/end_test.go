package transport

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// Close sends what is queued and a FIN; with something unread it resets, and nothing
// is listed as an orphan (LG-13).
func TestClose(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		c, iss := w.open(l, 1000)
		_, _ = c.Send([]byte("last words"))
		c.Close()
		w.sees("PA 1000", "FA 1000")
		require.Equal(w.t, 1, w.p.orphans.order.Len())
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 12, Flags: engine.ACK})
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 12, Flags: engine.ACK | engine.FIN})
		w.sees("A 1000")
		require.Zero(w.t, w.p.orphans.order.Len())
		require.Zero(w.t, w.p.orphans.bytes)

		c, iss = w.open(l, 1001)
		w.say(1001, withData(engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK}, "unread"))
		w.sent()
		require.Equal(w.t, 6, c.Readable())
		c.Close()
		w.sees("RA 1001")
		require.Zero(w.t, w.p.orphans.order.Len())
	})
}

func withData(s engine.Segment, data string) engine.Segment {
	s.Payload = payload([]byte(data))
	return s
}

// Data that comes for a connection that is closed resets it (RFC 1122 §4.2.2.13).
func TestOrphanGetsData(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		c.Close()
		w.sees("FA 1000")
		w.say(1000, withData(engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK}, "late"))
		require.EqualValues(w.t, iss+2, w.sees("RA 1000")[0].seq())
		require.Empty(w.t, w.p.orphans.order.Len())
	})
}

// Orphans are bounded in number, and in what they hold: the oldest is reset, but for
// one that is alone.
func TestOrphanBounds(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		w.p.orphans.maxCount, w.p.orphans.maxBytes = 3, 2000
		closed := func(port uint16, bytes int) {
			w.sent()
			c, _ := w.open(l, port)
			_, _ = c.Send(make([]byte, bytes))
			c.Close()
			c.Close() // counts once
		}
		resets := func(want ...string) {
			w.t.Helper()
			got := []string(nil)
			for _, p := range w.sent() {
				if p.flag(uint8(engine.RST)) {
					got = append(got, p.String())
				}
			}
			require.Equal(w.t, want, got)
		}
		for port := range uint16(3) {
			closed(1000+port, 1)
		}
		resets()
		closed(1003, 1)
		resets("RA 1000")
		closed(1004, 1996)
		resets("RA 1001") // the number
		closed(1005, 10)
		resets("RA 1002", "RA 1003", "RA 1004") // the number, and the bytes: the large one is the third to go
		closed(1006, 1)
		resets()
		closed(1007, 5000)
		resets("RA 1005", "RA 1006")
		require.Equal(w.t, 1, w.p.orphans.order.Len())
		closed(1008, 1)
		resets("RA 1007")
		require.Equal(w.t, 1, w.p.orphans.bytes)
		w.p.AbortOrphans()
		resets("RA 1008")
		require.Zero(w.t, w.p.orphans.bytes)
	})
}

// The bounds themselves are what the documentation says.
func TestOrphanLimits(t *testing.T) {
	w := newWire(t, four)
	require.Equal(t, []int{4096, 256 << 20}, []int{w.p.orphans.maxCount, w.p.orphans.maxBytes})
	require.Equal(t, 1<<18, w.p.parts[0].waits.limit)
}

// AbortOrphans resets the oldest first.
func TestAbortOrphans(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		var want []string
		for i := range uint16(100) {
			port := 1000 + i*37%100
			w.sent()
			c, _ := w.open(l, port)
			c.Close()
			want = append(want, packetName("RA", port))
		}
		w.sent()
		kept, _ := w.open(l, 999)
		w.p.AbortOrphans()
		w.sees(want...)
		require.Equal(w.t, []any{engine.Established, engine.None}, kept.status())
		require.Equal(w.t, []*Conn{kept.Conn}, w.p.table.all())
	})
}

// An orphan whose peer acknowledges nothing is given up after four minutes.
func TestOrphanPatience(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		_, _ = c.Send(make([]byte, 100))
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 101, Flags: engine.ACK})
		_, _ = c.Send(make([]byte, 1<<16+1000)) // beyond its window, which it closes
		w.sent()
		c.Close()
		for range 239 {
			s := engine.Segment{Seq: 1001, Ack: iss + 101, Flags: engine.ACK}
			w.say(1000, s)
			w.seconds(1)
		}
		require.Equal(w.t, []any{engine.FinWait1, engine.None}, c.status())
		w.seconds(2)
		require.Equal(w.t, []any{engine.Closed, engine.TimedOut}, c.status())
		require.Zero(w.t, w.p.orphans.order.Len())
	})
}

// Freed is told of connections of Dial, once each, when their tuples can be used
// again; of those that Dial didn't make, or couldn't, nothing is told.
func TestFreed(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		var freed []uint16
		free := func(id ID) bool {
			return Of(a).table.conn(id) == nil && !func() bool { _, there := Of(a).parts[0].waits.records[id]; return there }()
		}
		Of(a).Configure(Hooks{Freed: func(id ID) {
			assert.True(t, free(id)) // not require: this is called with locks held
			assert.Equal(t, hostA[n], id.LocalAddress)
			freed = append(freed, id.LocalPort)
		}})
		Of(b).Configure(Hooks{Freed: func(ID) { assert.Fail(t, "it has dialed nothing") }})
		l := listen(t, b, n, 80)
		expect := func(want ...uint16) {
			t.Helper()
			require.Equal(t, want, freed)
			freed = nil
		}
		// Dial chooses the local address.
		anywhere := map[tcpip.NetworkProtocolNumber]tcpip.Address{}
		dial(t, a, n, anywhere, hostB, 1000, 81)
		expect(1000) // refused
		c := dial(t, a, n, anywhere, hostB, 1001, 80)
		require.Equal(t, hostA[n], c.ID().LocalAddress)
		_, err := connect(Of(a), c.ID(), n, settings)
		require.Equal(t, &tcpip.ErrPortInUse{}, err)
		expect()
		c.Abort()
		expect(1001)
		l.poll()
		c = dial(t, a, n, anywhere, hostB, 1002, 80)
		c.Close()
		l.poll().Close()
		require.Equal(t, []any{engine.TimeWait, engine.None}, c.status())
		_, err = connect(Of(a), c.ID(), n, settings)
		require.Equal(t, &tcpip.ErrPortInUse{}, err)
		require.Empty(t, Of(a).table.all())
		clock.Advance(2*MSL - time.Second)
		expect()
		clock.Advance(time.Second)
		expect(1002)
		_, err = connect(Of(a), c.ID(), n, settings)
		require.Nil(t, err)
		waits, err := connect(Of(a), ID{LocalPort: 1003, RemoteAddress: hostB[n], RemotePort: 80}, n, settings)
		require.Nil(t, err)
		l.poll()
		waits.Close()
		l.poll().Close()
		expect()
		Of(a).Close()
		slices.Sort(freed)
		expect(1002, 1003)
		Of(a).parts[0].waits.add(c.ID(), waiting{dialed: true}) // it was about to
		expect(1002)
		_, err = connect(Of(a), c.ID(), n, settings)
		require.Equal(t, &tcpip.ErrInvalidEndpointState{}, err)
		require.Empty(t, Of(a).table.all())
	})
}

// Abort of a connection in TIME-WAIT leaves nothing of it, unless another has its
// tuple by then.
func TestAbortInTimeWait(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		timeWait := func(seq engine.Seq) *stream {
			w.syn(1000, seq)
			iss := w.sees("SA 1000")[0].seq()
			w.say(1000, engine.Segment{Seq: seq + 1, Ack: iss + 1, Flags: engine.ACK})
			c := l.poll()
			c.Close()
			w.say(1000, engine.Segment{Seq: seq + 1, Ack: iss + 2, Flags: engine.ACK | engine.FIN})
			w.sees("FA 1000", "A 1000")
			require.Equal(w.t, 1, w.p.TimeWaits())
			return c
		}
		first := timeWait(1000)
		second := timeWait(2000)
		first.Abort()
		require.Equal(w.t, 1, w.p.TimeWaits())
		second.Abort()
		require.Zero(w.t, w.p.TimeWaits())
		w.sees()
	})
}

// What is unread when a connection is closed is told with a RST in every state but
// TIME-WAIT, whose FINs are both acknowledged (LG-13).
func TestCloseUnread(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		states := map[engine.State]bool{}
		for port, fins := range [][]bool{{}, {true}, {false}, {false, true}, {true, false}} { // ours first: true
			port := uint16(1000 + port)
			c, iss := w.open(l, port)
			at := engine.Seq(1001)
			w.say(port, withData(engine.Segment{Seq: at, Ack: iss + 1, Flags: engine.ACK}, "unread"))
			for _, ours := range fins {
				if ours {
					c.Shutdown()
				} else {
					w.say(port, engine.Segment{Seq: at + 6, Ack: iss + 1, Flags: engine.ACK | engine.FIN})
				}
			}
			w.sent()
			state, _ := c.State()
			states[state] = true
			c.Close()
			w.sees(packetName("RA", port))
		}
		require.Len(w.t, states, 5)
		c, iss := w.open(l, 2000)
		w.say(2000, withData(engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK}, "unread"))
		c.Shutdown()
		w.say(2000, engine.Segment{Seq: 1007, Ack: iss + 2, Flags: engine.ACK | engine.FIN})
		require.Equal(w.t, []any{engine.TimeWait, engine.None}, c.status())
		w.sent()
		c.Close()
		w.sees()
		require.Equal(w.t, 1, w.p.TimeWaits())
	})
}

// A connection of Dial in TIME-WAIT whose tuple a listener takes over is freed.
func TestFreedByReuse(t *testing.T) {
	families(t, func(t *testing.T, n tcpip.NetworkProtocolNumber) {
		clock := faketime.NewManualClock()
		a, b := twoHosts(t, 0, New, clock)
		freed := 0
		Of(a).Configure(Hooks{Freed: func(ID) { freed++ }})
		l := listen(t, b, n, 80)
		c := dial(t, a, n, hostA, hostB, 1000, 80)
		c.Close()
		l.poll().Close()
		require.Equal(t, []int{0, 1}, []int{freed, Of(a).TimeWaits()})
		clock.Advance(1e9)
		listen(t, a, n, 1000)
		back, err := connect(Of(b), ID{LocalAddress: hostB[n], LocalPort: 80, RemoteAddress: hostA[n], RemotePort: 1000}, n, settings)
		require.Nil(t, err)
		require.Equal(t, []any{engine.Established, engine.None}, back.status())
		require.Equal(t, []int{1, 0}, []int{freed, Of(a).TimeWaits()})
	})
}

// AfterEnd's functions are called once, when the connection is over or in TIME-WAIT.
func TestAfterEnd(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		for port, end := range []func(*stream, engine.Seq){
			func(c *stream, _ engine.Seq) { c.Abort() },
			func(c *stream, iss engine.Seq) {
				w.say(c.ID().RemotePort, engine.Segment{Seq: 1001, Flags: engine.RST})
			},
			func(c *stream, iss engine.Seq) { // TIME-WAIT
				c.Close()
				w.say(c.ID().RemotePort, engine.Segment{Seq: 1001, Ack: iss + 2, Flags: engine.ACK | engine.FIN})
				require.Equal(w.t, 1, w.p.TimeWaits())
			},
			func(c *stream, iss engine.Seq) { // LAST-ACK
				w.say(c.ID().RemotePort, engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK | engine.FIN})
				c.Close()
				w.say(c.ID().RemotePort, engine.Segment{Seq: 1002, Ack: iss + 2, Flags: engine.ACK})
			},
			func(c *stream, _ engine.Seq) { c.destroy() },
		} {
			c, iss := w.open(l, uint16(port))
			calls := [3]int{}
			c.AfterEnd(func() { calls[0]++ })
			c.AfterEnd(func() {
				calls[1]++
				state, _ := c.State()
				assert.Contains(w.t, []engine.State{engine.Closed, engine.TimeWait}, state)
			})
			require.Equal(w.t, [3]int{}, calls)
			end(c, iss)
			c.AfterEnd(func() { calls[2]++ })
			require.Equal(w.t, [3]int{1, 1, 1}, calls)
			c.Abort()
			w.seconds(100)
			require.Equal(w.t, [3]int{1, 1, 1}, calls)
			w.sent()
		}
	})
}
