package endpoint

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/wsa"
)

// tally is what SIO_TCP_INFO tells and netstack doesn't count for one
// connection. The hooks write it: Out with the endpoint locked, In one segment
// of a connection at a time.
type tally struct {
	bytesIn  atomic.Int64  // acknowledged by us, a FIN included
	retrans  atomic.Uint32 // bytes sent again
	dupAcks  atomic.Uint32
	ahead    atomic.Uint32 // segments that came ahead of missing ones
	aheadBy  atomic.Uint32 // their bytes
	rttEnd   atomic.Uint32 // what the sample in progress waits for; 0: none
	rttStart atomic.Uint32 // µs, modulo 2^32
	minRTT   atomic.Uint32 // µs, at least 1; 0: not measured
	trips    atomic.Uint32 // that could have been sampled
}

// The first earlyTrips round trips are sampled, then every laterTrips-th: in a
// dialogue each segment is one, and reading the clock twice a trip costs 2 % of it.
const (
	earlyTrips = 32
	laterTrips = 16
)

// measure begins a round trip sample with new data, one at a time.
func (t *tally) measure(end uint32, clock tcpip.Clock) {
	if t.rttEnd.Load() != 0 {
		return
	}
	if n := t.trips.Add(1); n <= earlyTrips || n%laterTrips == 0 {
		t.rttStart.Store(micros(clock))
		t.rttEnd.Store(end) // 0, once in 2^32: no sample
	}
}

// spoil ends the sample: what it waits for may have been sent twice (Karn).
func (t *tally) spoil() { t.rttEnd.Store(0) }

// acked ends the sample that waits for ack or less.
func (t *tally) acked(ack uint32, clock tcpip.Clock) {
	end := t.rttEnd.Load()
	if end == 0 || seqnum.Value(ack).LessThan(seqnum.Value(end)) {
		return
	}
	start := t.rttStart.Load()
	if !t.rttEnd.CompareAndSwap(end, 0) {
		return // a send has spoilt it, and start may be the next one's
	}
	if d := max(1, micros(clock)-start); t.minRTT.Load() == 0 || d < t.minRTT.Load() {
		t.minRTT.Store(d)
	}
}

func micros(clock tcpip.Clock) uint32 { return uint32(nanos(clock) / int64(time.Microsecond)) }

// delivered notes that our acknowledgement moves from one number to another.
func (t *tally) delivered(from, to uint32) {
	if n := int32(to - from); n > 0 {
		t.bytesIn.Add(int64(n))
	}
}

// arrived notes a segment that came, when what came in order ended at end, and
// whether its ACK is a duplicate (RFC 5681 §2).
func (t *tally) arrived(seg Segment, end uint32, duplicate bool) {
	switch {
	case seg.Payload == 0:
		if duplicate {
			t.dupAcks.Add(1)
		}
	case seqnum.Value(end).LessThan(seqnum.Value(seg.Header.SequenceNumber())):
		t.ahead.Add(1)
		t.aheadBy.Add(uint32(seg.Payload))
	}
}

// TCPInfo implements options.Endpoint. Where there is no connection, what it
// tells is 0 but for the state and the sizes.
func (v *optionView) TCPInfo() wsa.TCPInfo {
	s := (*Socket)(v)
	info := wsa.TCPInfo{RcvBuf: uint32(s.values.RecvBuffer.Bytes)}
	if s.ep == nil {
		return info
	}
	info.State = tcpInfoStates[tcp.EndpointState(s.ep.State())]
	if s.wire == nil || !s.wire.Acknowledged() {
		return info
	}
	s.wire.fill(&info)
	if age, ok := v.ConnectedFor(); ok {
		info.ConnectionTimeMs = uint64(age.Milliseconds())
	}
	var native tcpip.TCPInfoOption
	if s.ep.GetSockOpt(&native) == nil {
		info.RttUs = uint32(native.RTT.Microseconds())
		info.Cwnd = native.SndCwnd * info.Mss
	}
	if stats, ok := s.ep.Stats().(*tcp.Stats); ok {
		info.FastRetrans = uint32(stats.SendErrors.FastRetransmit.Value())
		info.TimeoutEpisodes = uint32(stats.SendErrors.Timeouts.Value())
	}
	return info
}

// fill is the part of it that the hooks know. ECN and tail loss probes are never
// used, so that their numbers are 0.
func (w *Wire) fill(info *wsa.TCPInfo) {
	una, nxt := w.una.Load(), w.nxt.Load()
	first := w.iss.Load() + 1
	written := w.written.Load()
	info.Mss = uint32(w.MSS())
	if w.has(wireTimestamps) {
		info.TimestampsEnabled = 1
	}
	info.MinRttUs = w.tally.minRTT.Load()
	// Sequence numbers are the low 32 bits of the totals; a FIN counts one more.
	total := first + uint32(written)
	sent := written
	if unsent := int32(total - nxt); unsent > 0 {
		sent -= int64(unsent)
	}
	if int32(nxt-total) > 0 {
		nxt = total
	}
	if flight := int32(nxt - una); flight > 0 {
		info.BytesInFlight = uint32(flight)
	}
	info.BytesOut = uint64(sent)
	received := w.tally.bytesIn.Load()
	if w.has(wireFIN) && w.told.next() == w.rcvEnd.Load() && received > 0 {
		received--
	}
	info.BytesIn = uint64(received)
	info.SndWnd = w.window.Load()
	_, info.RcvWnd = w.told.load()
	info.BytesRetrans, info.DupAcksIn = w.tally.retrans.Load(), w.tally.dupAcks.Load()
	info.OutOfOrderPktsIn, info.BytesReordered = w.tally.ahead.Load(), w.tally.aheadBy.Load()
	info.SynRetrans = uint8(min(w.synAgain.Load(), 255))
}

var tcpInfoStates = map[tcp.EndpointState]uint32{
	tcp.StateListen:      wsa.TCPSTATE_LISTEN,
	tcp.StateConnecting:  wsa.TCPSTATE_SYN_SENT,
	tcp.StateSynSent:     wsa.TCPSTATE_SYN_SENT,
	tcp.StateSynRecv:     wsa.TCPSTATE_SYN_RCVD,
	tcp.StateEstablished: wsa.TCPSTATE_ESTABLISHED,
	tcp.StateFinWait1:    wsa.TCPSTATE_FIN_WAIT_1,
	tcp.StateFinWait2:    wsa.TCPSTATE_FIN_WAIT_2,
	tcp.StateCloseWait:   wsa.TCPSTATE_CLOSE_WAIT,
	tcp.StateClosing:     wsa.TCPSTATE_CLOSING,
	tcp.StateLastAck:     wsa.TCPSTATE_LAST_ACK,
	tcp.StateTimeWait:    wsa.TCPSTATE_TIME_WAIT,
}
