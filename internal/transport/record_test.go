package transport

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	engine "github.com/wsstack/wsstack/internal/tcp"
)

// A ledger is a Recorder that writes down, each connection under its remote port.
type ledger struct {
	began map[uint16]int
	lines map[uint16][]string
	last  map[uint16]engine.Sample
}

func newLedger() *ledger {
	return &ledger{began: map[uint16]int{}, lines: map[uint16][]string{}, last: map[uint16]engine.Sample{}}
}

func (l *ledger) open(id ID) Log {
	l.began[id.RemotePort]++
	return entry{l, id.RemotePort}
}

// An entry is the Log of a ledger.
type entry struct {
	l    *ledger
	port uint16
}

func (e entry) Sample(c Change) {
	causes := ""
	for i, name := range []string{"in", "out", "timer"} {
		if c.Causes&(1<<i) != 0 {
			causes += " " + name
		}
	}
	if c.Option != "" {
		causes += " " + c.Option
	}
	e.l.lines[e.port] = append(e.l.lines[e.port], fmt.Sprint(c.State, causes))
	e.l.last[e.port] = c.Sample
}

func (e entry) End() { e.l.lines[e.port] = append(e.l.lines[e.port], "end") }

// expect compares what was written of a connection since the last call.
func (l *ledger) expect(t *testing.T, port uint16, want ...string) {
	t.Helper()
	require.Equal(t, want, l.lines[port])
	delete(l.lines, port)
}

// A connection of a listener has one Log, from the SYN on to the end of TIME-WAIT; sending the
// SYN-ACK again counts.
func TestRecord_PassiveOpen(t *testing.T) {
	wires(t, func(w *wire) {
		led := newLedger()
		w.p.Record(led.open)
		l := listen(w.t, w.s, w.net, 80)
		w.syn(1000, 1000)
		led.expect(w.t, 1000, "SYN-RECEIVED in out")
		first := led.last[1000]
		require.Equal(w.t, [3]uint32{0, 1, 1}, [3]uint32{first.Una, first.Next, first.RcvNext})
		w.seconds(1)
		led.expect(w.t, 1000, "SYN-RECEIVED out timer")
		w.syn(1000, 1000)
		led.expect(w.t, 1000, "SYN-RECEIVED in out")
		iss := w.sent()[0].seq()
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK})
		led.expect(w.t, 1000, "ESTABLISHED in")
		require.EqualValues(w.t, 2, led.last[1000].Resent)
		c := l.poll()
		c.Close()
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 2, Flags: engine.ACK})
		w.say(1000, engine.Segment{Seq: 1001, Ack: iss + 2, Flags: engine.ACK | engine.FIN})
		led.expect(w.t, 1000, "FIN-WAIT-1 out", "FIN-WAIT-2 in", "TIME-WAIT in out")
		c.Recv(nil)
		w.seconds(59)
		led.expect(w.t, 1000)
		w.seconds(1)
		led.expect(w.t, 1000, "end")
		require.Equal(w.t, map[uint16]int{1000: 1}, led.began)
	})
}

// Handshakes that don't come to an end have one all the same: by a RST, by time, with the listener,
// and where nobody wants the connection.
func TestRecord_HalfOpenEnds(t *testing.T) {
	wires(t, func(w *wire) {
		led := newLedger()
		w.p.Record(led.open)
		l := listen(w.t, w.s, w.net, 80)
		w.syn(1000, 7)
		w.say(1000, engine.Segment{Seq: 8, Flags: engine.RST})
		led.expect(w.t, 1000, "SYN-RECEIVED in out", "end")
		w.syn(1001, 7)
		w.seconds(22)
		require.Equal(w.t, "end", led.lines[1001][len(led.lines[1001])-1])
		l.shut = true
		w.sent()
		w.syn(1002, 7)
		iss := w.sent()[0].seq()
		w.say(1002, engine.Segment{Seq: 8, Ack: iss + 1, Flags: engine.ACK})
		led.expect(w.t, 1002, "SYN-RECEIVED in out", "CLOSED out", "end")
		w.syn(1003, 7)
		l.Close()
		led.expect(w.t, 1003, "SYN-RECEIVED in out", "end")
	})
}

// A busy is a Log during whose first sample something else happens.
type busy struct{ meanwhile func() }

func (b *busy) Sample(Change) {
	if f := b.meanwhile; f != nil {
		b.meanwhile = nil
		f()
	}
}

func (*busy) End() {}

// A segment that comes while a connection is looked at isn't forgotten.
func TestRecord_SegmentMeanwhile(t *testing.T) {
	wires(t, func(w *wire) {
		c, iss := w.open(listen(w.t, w.s, w.net, 80), 1000)
		w.p.Record(func(ID) Log {
			return &busy{func() {
				done := make(chan struct{})
				go func() {
					defer close(done)
					w.say(1000, withData(engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK}, "data"))
				}()
				<-done
				require.Zero(w.t, c.Readable(), "the connection is locked")
			}}
		})
		require.Equal(w.t, 4, c.Readable())
	})
}

// What there is comes in the order of the tuples, whatever the tables have it in.
func TestRecord_Order(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		conns := []*stream{}
		for port := uint16(2050); port > 2000; port-- {
			c, _ := w.open(l, port)
			conns = append(conns, c)
		}
		recorded := func() (order []uint16) {
			led := newLedger()
			w.p.Record(func(id ID) Log {
				order = append(order, id.RemotePort)
				return led.open(id)
			})
			return order
		}
		order := recorded()
		require.Len(w.t, order, 50)
		require.True(w.t, slices.IsSorted(order))
		w.p.Record(nil)
		for i, c := range conns {
			port := uint16(2050 - i)
			iss := iss(c)
			c.log = nil // as if nobody had recorded
			c.Close()
			w.say(port, engine.Segment{Seq: 1001, Ack: iss + 2, Flags: engine.ACK | engine.FIN})
		}
		order = recorded()
		require.Len(w.t, order, 50)
		require.True(w.t, slices.IsSorted(order))
	})
}

// A Recorder hears at once of everything that there is, in the order of the tuples; without one
// nothing is told, and nothing is sent because of one.
func TestRecord_WhatThereIs(t *testing.T) {
	wires(t, func(w *wire) {
		l := listen(w.t, w.s, w.net, 80)
		c, iss := w.open(l, 1001)
		ended, other := w.open(l, 1003)
		w.syn(1002, 1)
		ended.Close()
		w.say(1003, engine.Segment{Seq: 1001, Ack: other + 2, Flags: engine.ACK | engine.FIN})
		w.sent()
		w.open(l, 1000)

		led, order := newLedger(), []uint16(nil)
		record := func(id ID) Log {
			order = append(order, id.RemotePort)
			return led.open(id)
		}
		w.p.Record(record)
		require.Equal(w.t, []uint16{1000, 1001, 1002, 1003}, order)
		w.p.Record(record)
		for port, state := range map[uint16]string{1000: "ESTABLISHED", 1001: "ESTABLISHED", 1002: "SYN-RECEIVED", 1003: "TIME-WAIT"} {
			led.expect(w.t, port, state, state)
		}
		require.Len(w.t, order, 4)
		require.True(w.t, w.p.Recording())
		c.Note("OPTION 1")
		led.expect(w.t, 1001, "ESTABLISHED OPTION 1")
		w.sees()

		w.p.Record(nil)
		require.False(w.t, w.p.Recording())
		c.Note("OPTION 2")
		w.say(1001, withData(engine.Segment{Seq: 1001, Ack: iss + 1, Flags: engine.ACK}, "data"))
		led.expect(w.t, 1001)
		w.p.Record(record)
		led.expect(w.t, 1001, "ESTABLISHED")
		require.Len(w.t, order, 4, "a Log stays with its connection")
		w.p.Close()
		led.expect(w.t, 1001, "CLOSED", "end")
		led.expect(w.t, 1003, "TIME-WAIT", "end")
	})
}
