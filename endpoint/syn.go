package endpoint

import (
	"bytes"
	"encoding/binary"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// The retransmission of a SYN is ours: netstack's first time-out is a constant,
// and it gives up after 127 s. Its first SYN leaves, later ones are dropped by
// the egress hook (HoldsSYN), and the socket sends copies of the first when its
// synSchedule says so.
const (
	initialRTO    = time.Second
	maxSynRTO     = time.Minute // TCP_MAXRT: the time-out backs off to 60 s
	defaultSYNs   = 4           // retransmissions (NB-1)
	synTimeLimit  = 21 * time.Second
	unlimitedSYNs = -1
)

// A synSchedule says when the SYNs of one attempt to connect leave and when it
// has failed (NB-1). It holds no clock.
type synSchedule struct {
	start time.Time
	rto   time.Duration // the wait that runs
	next  time.Time     // when it is over
	sent  int           // retransmissions
	most  int           // of them; unlimitedSYNs
	limit time.Duration // of the whole attempt; 0: none
}

// newSynSchedule begins an attempt: its first SYN leaves now.
func newSynSchedule(now time.Time, v *options.TCPValues) synSchedule {
	y := synSchedule{start: now, rto: initialRTO}
	if v.InitialRTT != wsa.TCP_INITIAL_RTO_DEFAULT_RTT {
		y.rto = time.Duration(v.InitialRTT) * time.Millisecond
	}
	y.next = now.Add(y.rto)
	y.limitTo(v)
	return y
}

// limitTo bounds the attempt. The number of retransmissions is that of
// SIO_TCP_INITIAL_RTO, or none with TCP_NOSYNRETRIES; the last one has its
// whole time-out. Where neither gives a number, it is as many as fit into
// TCP_MAXRT or, without that, four, and 21 s at most (assumed: no page says how
// they combine).
func (y *synSchedule) limitTo(v *options.TCPValues) {
	y.most, y.limit = int(v.MaxSynRetransmissions), max(0, v.MaxRetransmit)
	switch n := v.MaxSynRetransmissions; {
	case v.NoSynRetries, n == wsa.TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS:
		y.most = 0
	case n != wsa.TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS:
	case v.MaxRetransmit != 0:
		y.most = unlimitedSYNs
	default:
		y.most, y.limit = defaultSYNs, synTimeLimit
	}
}

// Next is when Poll has something to do.
func (y *synSchedule) Next() time.Time {
	if end := y.start.Add(y.limit); y.limit > 0 && end.Before(y.next) {
		return end
	}
	return y.next
}

// Poll says what is due: a SYN, or the end of the attempt.
func (y *synSchedule) Poll(now time.Time) (send, failed bool) {
	switch {
	case y.limit > 0 && !now.Before(y.start.Add(y.limit)):
		return false, true
	case now.Before(y.next):
		return false, false
	case y.sent == y.most:
		return false, true
	}
	y.sent++
	y.rto = max(y.rto, min(2*y.rto, maxSynRTO))
	y.next = y.next.Add(y.rto)
	return true, false
}

// HoldsSYN reports that a SYN of ours is not to leave: netstack's first one is
// kept as the model of the copies that the socket sends, the later ones are
// held back. It is called with the segment as it would leave, with the
// endpoint locked.
func (w *Wire) HoldsSYN(t header.TCP) bool {
	if t.Flags()&(header.TCPFlagSyn|header.TCPFlagAck) != header.TCPFlagSyn {
		return false
	}
	if w.syn.Load() != nil {
		return true
	}
	syn := header.TCP(bytes.Clone(t))
	w.syn.Store(&syn)
	return w.has(wireHoldFirst)
}

// KeepsTimestamps reports whether the SYNs of the connection, both ways, keep
// their timestamp option (TCP_TIMESTAMPS).
func (w *Wire) KeepsTimestamps() bool { return w.has(wireOffersTS) }

// inherit takes from the record of the listener what holds at the time of the
// SYN (IN-4).
func (w *Wire) inherit(listener *Wire) {
	w.set(listener.known.Load() & wireOffersTS)
	w.debug.Store(listener.debug.Load())
}

// offerLocked tells the record of an endpoint what its SYN may carry: the
// connection's before it leaves, a listener's at any time.
func (s *Socket) offerLocked() {
	s.wire.allow(wireOffersTS, s.values.TCP.Timestamps)
	s.wire.allow(wireFailOnICMP, s.values.TCP.FailOnICMP)
}

// startSynTimerLocked begins the schedule of an attempt to connect.
func (s *Socket) startSynTimerLocked() {
	s.attempt++
	plan := newSynSchedule(s.nowMicro(), &s.values.TCP)
	s.synPlan = &plan
	s.armSynTimerLocked()
}

// armSynTimerLocked makes the pump look at the attempt when something is due.
func (s *Socket) armSynTimerLocked() {
	s.stopSynTimerLocked()
	attempt := s.attempt
	s.synTimer = s.host.Clock().AfterFunc(max(0, s.synPlan.Next().Sub(s.nowMicro())), func() {
		s.synFired.Store(attempt) // one that was stopped too late names an old attempt
		s.host.Signal(s)
	})
}

func (s *Socket) stopSynTimerLocked() {
	if s.synTimer != nil {
		s.synTimer.Stop()
		s.synTimer = nil
	}
}

// serveSynLocked does what the schedule says, and reports that the attempt has
// taken too long.
func (s *Socket) serveSynLocked() (failed bool) {
	if !s.synFired.CompareAndSwap(s.attempt, 0) {
		return false
	}
	send, failed := s.synPlan.Poll(s.nowMicro())
	if failed {
		return true
	}
	if send && tcp.EndpointState(s.ep.State()) == tcp.StateSynSent {
		s.sendSYNLocked()
	}
	s.armSynTimerLocked()
	return false
}

// sendSYNLocked sends the SYN again. A timestamp in it shows the time of now.
func (s *Socket) sendSYNLocked() {
	syn := s.wire.syn.Load()
	if syn == nil {
		return // netstack hasn't sent one
	}
	t, ip := *syn, s.ipValuesLocked(s.local.Addr())
	o := OwnSegment{
		Local: s.local, Remote: s.remote,
		Seq: t.SequenceNumber(), Flags: t.Flags(), Window: t.WindowSize(),
		Options: bytes.Clone(t.Options()),
		TTL:     ip.TTL, TOS: ip.TOS,
	}
	if ts := tcpOption(o.Options, header.TCPOptionTS, header.TCPOptionTSLength); ts != nil {
		binary.BigEndian.PutUint32(ts[2:], s.wire.timestamp(s.host.Clock()))
	}
	s.wire.synAgain.Add(1)
	s.wire.tally.spoil()
	s.sendOwn(o)
}

// restartHandshakeLocked goes on with an attempt that netstack has given up,
// which it does after 127 s, with a new endpoint and a new sequence number. Its
// SYN waits for the time that the schedule has for it.
func (s *Socket) restartHandshakeLocked() bool {
	_, nic, err := s.host.Source(s.local.Addr().Unmap(), s.remote.Addr().Unmap())
	if err != 0 {
		return false
	}
	if s.tuple == nil {
		return false
	}
	ends := *s.tuple
	s.dropEndpointLocked()
	if s.newEndpointLocked(netProto(s.local.Addr())) != 0 {
		return false
	}
	s.occupyLocked(ends.Local, ends.Remote) // as before
	if s.ep.Bind(FullAddress(nic, s.local)) != nil {
		return false
	}
	s.offerLocked()
	s.wire.set(wireHoldFirst)
	_, ok := s.ep.Connect(FullAddress(0, s.remote)).(*tcpip.ErrConnectStarted)
	return ok
}
