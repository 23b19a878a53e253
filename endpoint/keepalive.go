package endpoint

import (
	"encoding/binary"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/wsstack/wsstack/keepalive"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// An OwnSegment is a TCP segment that a socket sends past netstack, whose state
// doesn't change by it.
type OwnSegment struct {
	Local, Remote netip.AddrPort
	Seq, Ack      uint32
	Flags         header.TCPFlags
	Window        uint16 // as on the wire, not scaled
	Urgent        uint16 // the urgent pointer, with its flag
	Options       []byte // padded to a multiple of 4
	Payload       []byte
	TTL, TOS      uint8
	Debug         Debuggee // the socket that wants a record of it; 0: none does
}

// Keep-alive is ours (netstack's stays off: it counts any segment as an answer,
// valid or not, and its setters clear the count): a keepalive.Prober says when,
// the pump sends, and the hooks note when the last acceptable segment came.
//
// Nothing is done per segment but that note. The timer fires at the time that
// was next when it was set; when a segment has come since, it is set again.

// startKeepAliveLocked begins an idle period at a time with these parameters,
// or ends probing, as k says.
func (s *Socket) startKeepAliveLocked(k options.KeepAlive, from time.Time) {
	if s.kind != options.Stream || s.state != options.Connected || s.closed || s.wire == nil {
		return
	}
	s.wire.watched.Store(k.On)
	if !k.On {
		s.prober.Stop()
	} else {
		s.lastSegment = from
		s.prober.Start(from, keepalive.Config{Idle: k.Idle, Interval: k.Interval, Count: int(k.Count)})
	}
	s.armKeepAliveLocked()
}

// stopKeepAliveLocked ends probing for good: the connection or the socket is
// over.
func (s *Socket) stopKeepAliveLocked() {
	s.prober.Stop()
	s.armKeepAliveLocked()
	if s.wire != nil {
		s.wire.watched.Store(false)
	}
}

// armKeepAliveLocked sets the timer to what the Prober waits for. One that
// fires earlier than needed does no harm, so it is moved only to an earlier
// time, or when it has fired.
func (s *Socket) armKeepAliveLocked() {
	next := s.prober.Next()
	if next.IsZero() {
		if s.probeTimer != nil {
			s.probeTimer.Stop()
			s.probeTimer = nil
		}
		return
	}
	if fired := s.probeFired.Swap(false); s.probeTimer != nil && !fired && !next.Before(s.probeAt) {
		return
	}
	if s.probeTimer != nil {
		s.probeTimer.Stop()
	}
	s.probeAt = next
	// Rounded up: the readings of the stack's clock run some nanoseconds ahead
	// of the one that fires timers.
	wait := (next.Sub(s.now()) + time.Microsecond - 1).Truncate(time.Microsecond)
	s.probeTimer = s.host.Clock().AfterFunc(wait, func() {
		s.probeFired.Store(true)
		s.host.Signal(s)
	})
}

// now is the monotonic clock in the form the Prober takes.
func (s *Socket) now() time.Time { return instant(s.host.Clock().NowMonotonic()) }

func instant(t tcpip.MonotonicTime) time.Time {
	return time.Unix(0, int64(t.Sub(tcpip.MonotonicTime{})))
}

// serveKeepAliveLocked does what is due.
func (s *Socket) serveKeepAliveLocked() {
	if s.state != options.Connected || s.wire == nil || !s.wire.watched.Load() {
		return
	}
	if last := time.Unix(0, s.wire.lastSeen.Load()); last.After(s.lastSegment) {
		s.lastSegment = last
		s.prober.Segment(last)
	}
	for {
		switch s.prober.Poll(s.now(), s.busyLocked()) {
		case keepalive.Probe:
			s.probeLocked()
			continue
		case keepalive.Drop:
			s.endLocked(keepalive.Dropped)
			return
		}
		break
	}
	s.armKeepAliveLocked()
}

// busyLocked reports that retransmission owns the connection (KA-6), or that
// the TCP state is none of those that are probed (KA-12).
func (s *Socket) busyLocked() bool {
	switch tcp.EndpointState(s.ep.State()) {
	case tcp.StateEstablished, tcp.StateCloseWait, tcp.StateFinWait2:
		return s.queued() > 0
	}
	return true
}

// garbage is what a probe carries to a peer that ignores empty ones (KA-8). The
// peer has acknowledged that sequence number, so it drops the octet.
var garbage [1]byte

// probeLocked sends a probe: an ACK with SEG.SEQ = SND.NXT − 1 and no data
// (KA-7), or one octet of garbage (KA-8). A probe that can't be sent counts like
// one that was lost.
func (s *Socket) probeLocked() {
	seg := s.bareAckLocked(s.wire.nxt.Load() - 1)
	if s.host.GarbageOctet() {
		seg.Payload = garbage[:]
	}
	s.sendOwn(seg)
}

// bareAckLocked is an acknowledgement without data, with this SEG.SEQ.
func (s *Socket) bareAckLocked(seq uint32) OwnSegment {
	w, ip := s.wire, &s.values.IPv4
	ack, window := s.wire.told.load()
	if s.local.Addr().Unmap().Is6() {
		ip = &s.values.IPv6
	}
	seg := OwnSegment{
		Local: s.local, Remote: s.remote,
		Seq: seq, Ack: ack,
		Flags: header.TCPFlagAck, Window: uint16(window >> w.ownShift.Load()),
		TTL: ip.TTL, TOS: ip.TOS,
	}
	if pointer, ok := w.urgent.pointer(seq); ok {
		seg.Flags, seg.Urgent = seg.Flags|header.TCPFlagUrg, pointer
	}
	if w.has(wireTimestamps) {
		seg.Options = timestamps(w.timestamp(s.host.Clock()), w.tsRecent.Load())
	}
	return seg
}

// timestamps is the timestamp option (RFC 7323 §3.2), with the padding that
// everybody uses.
func timestamps(value, echo uint32) []byte {
	b := []byte{header.TCPOptionNOP, header.TCPOptionNOP, header.TCPOptionTS, header.TCPOptionTSLength}
	b = binary.BigEndian.AppendUint32(b, value)
	return binary.BigEndian.AppendUint32(b, echo)
}

// endLocked ends a connection whose peer is gone (KA-19, TCP_MAXRT): one RST with
// SEQ = SND.NXT, which netstack's Abort sends, nothing queued is kept, and the
// port is free.
func (s *Socket) endLocked(cause keepalive.Cause) {
	s.becomeDeadLocked(cause.InProgress())
	s.ep.Abort()
	if s.binding != nil {
		s.host.Unbind(s.binding)
		s.binding = nil
	}
	s.dropped.Store(true)
}

// undropped is what a call remembers of the moment it was made; see caught.
func (s *Socket) undropped() bool { return !s.dropped.Load() }

// caught is the code of a call that failed. One that was made before the drop
// and looked at the connection after it was in progress, though it never
// waited (KA-30). before is undropped when it was made.
func (s *Socket) caught(before bool, err wsa.Errno) wsa.Errno {
	if before && err != 0 && s.dropped.Load() && (err == wsa.WSAENOTCONN || err == s.host.Profile().Endings().LaterDrop) {
		return wsa.WSAENETRESET
	}
	return err
}

// SetKeepAlive implements options.Endpoint: it (re)starts the idle period with
// the new parameters, or ends probing (KA-13, KA-14).
func (v *optionView) SetKeepAlive(k options.KeepAlive) wsa.Errno {
	var from time.Time
	if k.On { // or nothing begins
		from = (*Socket)(v).now()
	}
	(*Socket)(v).startKeepAliveLocked(k, from)
	return 0
}
