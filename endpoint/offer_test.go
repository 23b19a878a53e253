package endpoint

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// pairSegment is a segment of a connection whose first sequence numbers are 0,
// both ways.
func pairSegment(clock *faketime.ManualClock, seq, ack uint32, window uint16, payload int) Segment {
	h := header.TCP(make([]byte, header.TCPMinimumSize))
	h.Encode(&header.TCPFields{SeqNum: seq, AckNum: ack, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck, WindowSize: window})
	return Segment{Header: h, Payload: payload, Clock: clock}
}

// establishedWire is such a connection, with 10 bytes in flight: the peer may send
// 1,000.
func establishedWire(clock *faketime.ManualClock) *Wire {
	w := newWire()
	w.nxt.Store(1)
	w.una.Store(1)
	w.set(wireISS | wireIRS)
	w.since.Store(1)
	w.wrote(10)
	w.Out(pairSegment(clock, 1, 1, 1000, 10))
	return w
}

// netstack acknowledges what fills the window, and before that segment has left,
// the peer's next one comes, from the right edge: its acknowledgement counts.
func TestAcknowledgementAtTheEdge(t *testing.T) {
	clock := faketime.NewManualClock()
	w := establishedWire(clock)
	w.In(pairSegment(clock, 1, 1, 100, 1000))
	leaving := pairSegment(clock, 11, 1001, 0, 0)
	w.outWindow(leaving) // the first half of Out
	w.In(pairSegment(clock, 1001, 11, 100, 0))
	require.EqualValues(t, 11, w.una.Load())
	w.Out(leaving)
	next, size := w.told.load()
	require.EqualValues(t, 1001, next)
	require.Zero(t, size)
}

// A window update of our own doesn't undo what netstack has told since.
func TestStaleWindowUpdate(t *testing.T) {
	var o offer
	o.set(1001, 0)
	o.enlarge(501, 600)
	next, size := o.load()
	require.EqualValues(t, 1001, next)
	require.Zero(t, size)
	o.enlarge(1001, 20)
	require.EqualValues(t, 1021, o.edge())
}

// A scaled window is rounded, so that the last segment may tell of less than one
// before it. The edge stays: the peer sends up to there, and acknowledges from
// there.
func TestAcknowledgementAtARoundedEdge(t *testing.T) {
	clock := faketime.NewManualClock()
	w := establishedWire(clock)
	w.ownShift.Store(7)
	w.Out(pairSegment(clock, 11, 1, 512, 0)) // to 65,537
	w.In(pairSegment(clock, 1, 1, 100, 100))
	w.Out(pairSegment(clock, 11, 101, (65537-101)>>7, 0)) // to 65,509
	w.In(pairSegment(clock, 65537, 11, 100, 0))
	require.EqualValues(t, 11, w.una.Load())
}

// Numbers that belong together are read together, while segments leave: the
// right edge stays where it is, and what was written is in flight or waits.
func TestPairsBesideSends(t *testing.T) {
	clock := faketime.NewManualClock()
	w := establishedWire(clock)
	const rounds = 1000
	w.wrote(rounds)
	done := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		defer close(done)
		for range 200 {
			w.nxt.Store(11)
			w.told.set(1, 1000)
			for i := range uint32(rounds) {
				w.Out(pairSegment(clock, 11+i, 1+i, uint16(1000-i), 1))
			}
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		inFlight, unsent := w.outstanding()
		running = running && assert.True(t, w.inWindow(1001), "the right edge") &&
			assert.EqualValues(t, 1001, w.told.edge()) &&
			assert.Equal(t, 10+rounds, inFlight+unsent)
	}
	sender.Wait()
}

// The time of TCP_MAXRT runs while something is in flight, though it left at the
// moment when all before it was acknowledged.
func TestStuckBesideAcknowledgement(t *testing.T) {
	clock := faketime.NewManualClock()
	clock.Advance(1)
	w := establishedWire(clock)
	w.retransmission.limit.Store(1)
	stuck := &w.retransmission.stuck
	seg := pairSegment(clock, 11, 1, 1000, 5)
	for range 20000 {
		w.nxt.Store(11)
		w.una.Store(1)
		stuck.Store(1)
		var other sync.WaitGroup
		other.Go(func() { w.Out(seg) })
		w.una.Store(11)
		w.acknowledged(11, clock)
		other.Wait()
		require.NotZero(t, stuck.Load())
	}
	w.una.Store(16)
	w.acknowledged(16, clock)
	require.Zero(t, stuck.Load())
}
