package endpoint

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/keepalive"
	"github.com/wsstack/wsstack/options"
)

// How long data may stay unacknowledged is ours: netstack looks at a user
// time-out only when a retransmission is due, and has one number of retries for
// all sockets. That is out of reach (package stack sets it), and the hooks count
// in its place.
//
//	TCP_MAXRT 0    the limit of the system: maxRetries transmissions without an answer
//	TCP_MAXRT n    so long after the last progress, to the millisecond
//	TCP_MAXRT -1   no limit, until closesocket
//
// Progress is an acknowledgement of new data, and the answer to a zero-window
// probe: that peer is there (RFC 9293 §3.8.6.1).
const maxRetries = 15

// retransmission is what the hooks note of it.
type retransmission struct {
	again atomic.Uint32 // transmissions of the oldest byte, or probes, since there was progress
	limit atomic.Int64  // TCP_MAXRT, ns; positive: stuck is kept
	stuck atomic.Int64  // since when there was no progress, ns of the monotonic clock; 0: nothing waits
}

// sent notes a segment that leaves, before SND.NXT moves to its end.
func (w *Wire) sent(seg Segment, end uint32) {
	una, nxt := w.una.Load(), w.nxt.Load()
	r := &w.retransmission
	oldest := una != nxt && end != una && seg.Header.SequenceNumber() == una
	probe := seg.Payload == 1 && end == una // netstack's, for a zero window
	again := oldest || probe
	switch seq := seg.Header.SequenceNumber(); {
	case probe:
	case end != nxt && int32(end-nxt) > 0:
		w.tally.measure(end, seg.Clock)
	case end != seq: // bytes that left before
		w.tally.retrans.Add(uint32(seg.Payload))
		w.tally.spoil()
	}
	if again && r.again.Add(1) == maxRetries {
		w.signal()
	}
	if again {
		w.wait(seg.Clock)
	}
}

// wait begins the time of TCP_MAXRT, unless it runs.
func (w *Wire) wait(clock tcpip.Clock) {
	if r := &w.retransmission; r.limit.Load() > 0 && r.stuck.Load() == 0 {
		r.stuck.Store(nanos(clock))
		w.signal()
	}
}

// progress notes that the peer has answered; waiting says that more is on its
// way.
func (w *Wire) progress(clock tcpip.Clock, waiting bool) {
	r := &w.retransmission
	if r.again.Load() != 0 && r.again.Swap(0) >= maxRetries {
		w.signal()
	}
	switch {
	case r.limit.Load() <= 0:
	case waiting:
		r.stuck.Store(nanos(clock))
	default:
		r.stuck.Store(0)
	}
}

// acknowledged is progress by an acknowledgement of new data. A segment may leave
// meanwhile: the other side stores SND.NXT and then looks whether the time of
// TCP_MAXRT runs, this one stops the time and then looks at SND.NXT, so that one
// of them sees the other.
func (w *Wire) acknowledged(ack uint32, clock tcpip.Clock) {
	w.progress(clock, ack != w.nxt.Load())
	if ack != w.nxt.Load() {
		w.wait(clock)
	}
}

// signal asks the pump to serve the socket.
func (w *Wire) signal() {
	if s := w.socket.Load(); s != nil {
		s.host.Signal(s)
	}
}

func nanos(clock tcpip.Clock) int64 { return int64(clock.NowMonotonic().Sub(tcpip.MonotonicTime{})) }

// applyRetransmitLocked tells the record, and an attempt to connect, of
// TCP_MAXRT. Where data is waiting already, its time begins now.
func (s *Socket) applyRetransmitLocked() {
	limit := int64(s.values.TCP.MaxRetransmit)
	r := &s.wire.retransmission
	if r.limit.Load() == limit {
		return
	}
	r.stuck.Store(0)
	r.limit.Store(limit)
	if limit > 0 && s.state == options.Connected && s.wire.una.Load() != s.wire.nxt.Load() {
		r.stuck.Store(nanos(s.host.Clock()))
	}
	if s.state == options.Connecting {
		s.synPlan.limitTo(&s.values.TCP)
		s.armSynTimerLocked()
	}
	s.host.Signal(s)
}

// serveRetransmitLocked does what the limit says. A closed socket whose data is
// still on its way has a limit in any case.
func (s *Socket) serveRetransmitLocked() {
	if s.wire == nil || s.ep == nil || s.state != options.Connected {
		return
	}
	r := &s.wire.retransmission
	limit := time.Duration(r.limit.Load())
	last := limit == 0 || limit < 0 && s.closed
	if last = last && r.again.Load() >= maxRetries; last != s.lastTry {
		// The retransmission that is under way is the last: any user time-out
		// makes netstack end the connection at the next.
		s.lastTry = last
		timeout := tcpip.TCPUserTimeoutOption(0)
		if last {
			timeout = 1
		}
		mustApply(s.ep.SetSockOpt(&timeout))
	}
	stuck := r.stuck.Load()
	if limit <= 0 || stuck == 0 {
		s.stopRetransmitLocked()
		return
	}
	due := time.Unix(0, stuck).Truncate(time.Microsecond).Add(limit)
	if s.nowMicro().Before(due) {
		s.armRetransmitLocked(due)
		return
	}
	s.stopRetransmitLocked()
	if s.closed {
		s.ep.Abort()
		return
	}
	s.endLocked(keepalive.Verdict(keepalive.Evidence{UserTimeout: true, TimedOut: true, Unacked: s.wire.Unacked()}))
}

// armRetransmitLocked sets the timer. As with keep-alive, traffic doesn't move
// it: one that fires early is set again.
func (s *Socket) armRetransmitLocked(due time.Time) {
	if s.stuckTimer != nil && !s.stuckFired.Swap(false) && !due.Before(s.stuckAt) {
		return
	}
	s.stopRetransmitLocked()
	s.stuckAt = due
	s.stuckTimer = s.host.Clock().AfterFunc(due.Sub(s.nowMicro()), func() {
		s.stuckFired.Store(true)
		s.host.Signal(s)
	})
}

// nowMicro is now to the microsecond: the readings of the stack's clock run some
// nanoseconds ahead of the one that fires timers, which would make every
// timer seem early.
func (s *Socket) nowMicro() time.Time { return s.now().Truncate(time.Microsecond) }

func (s *Socket) stopRetransmitLocked() {
	if s.stuckTimer != nil {
		s.stuckTimer.Stop()
		s.stuckTimer = nil
	}
	s.stuckFired.Store(false)
}
