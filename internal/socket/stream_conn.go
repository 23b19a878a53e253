package socket

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/internal/tcp/congestion"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A Socket is the transport.Owner of its connection.
var _ transport.Owner = (*Socket)(nil)

// ConnChanged implements transport.Owner.
func (s *Socket) ConnChanged(events tcp.Events) {
	var mask waiter.EventMask
	if events&(tcp.Readable|tcp.Over) != 0 {
		mask |= waiter.ReadableEvents
	}
	if events&(tcp.Connected|tcp.Acked|tcp.AllAcked|tcp.Over) != 0 {
		mask |= waiter.WritableEvents
	}
	if events&tcp.Over != 0 {
		mask |= waiter.EventHUp | waiter.EventErr
	}
	if events&tcp.Urgent != 0 {
		s.urgent.Announced()
	}
	s.calls.Wake(mask)
	// The reason of a death is latched at once; see the flags for the others.
	if events&tcp.Over != 0 || s.undecided.Load() || s.noRecv.Load() || s.urgent.Pending() {
		s.host.Signal(s)
	}
}

// synLimits bounds an attempt to connect, as tcp.Config has it. The number of
// retransmissions is that of SIO_TCP_INITIAL_RTO, or none with TCP_NOSYNRETRIES;
// the last one has its whole time-out. Where neither gives a number, it is as many
// as fit into TCP_MAXRT or, without that, those of the profile, in the time of the
// profile (NB-1; assumed: no page says how they combine).
func synLimits(v *options.TCPValues, wire *options.Wire) (tries int, life time.Duration) {
	tries, life = int(v.MaxSynRetransmissions)+1, max(0, v.MaxRetransmit)
	switch n := v.MaxSynRetransmissions; {
	case v.NoSynRetries, n == wsa.TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS:
		tries = 1
	case n != wsa.TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS:
	case v.MaxRetransmit != 0:
		tries = -1
	default:
		tries, life = wire.ConnectTries, wire.ConnectLife
	}
	return tries, life
}

// algorithms are the engine's names of the algorithms.
var algorithms = map[options.Congestion]congestion.Algorithm{
	options.CongestionDefault: congestion.CUBIC,
	options.CongestionReno:    congestion.NewReno,
	options.CongestionCubic:   congestion.CUBIC,
}

// A liveState is what a connection has of the options that may change while it
// lives.
type liveState struct {
	ttl, tos    uint8
	fragment    bool
	extras      inet.Extras
	debug       bool
	noDelay     bool
	expedited   bool
	recv        int // SO_RCVBUF, bytes; tcp.Unset
	maxrt       time.Duration
	synTries    int
	synLife     time.Duration
	congestion  options.Congestion
	urgentModes uint32
	ackEvery    int // NG-11
}

// liveLocked is what a connection with an address should have.
func (s *Socket) liveLocked(remote netip.Addr) liveState {
	v, ip := &s.values, s.ipValuesLocked(remote)
	const ecn = 3 // a stream's are TCP's to use (RFC 3168 §5)
	l := liveState{
		ttl: ip.TTL, tos: ip.TOS &^ ecn, fragment: v.IPv4.DoesFragment(),
		debug: v.Debug, noDelay: v.NoDelay, expedited: v.TCP.Urgent.AtByte,
		recv: tcp.Unset, maxrt: v.TCP.MaxRetransmit, congestion: v.TCP.Congestion,
		urgentModes: s.urgentModesLocked(), ackEvery: int(v.TCP.AckFrequency),
	}
	if x := extrasOf(ip); x != nil {
		l.extras = *x
	}
	if v.RecvBuffer.Set {
		l.recv = int(v.RecvBuffer.Bytes)
	}
	wire := s.host.Profile().Wire()
	l.synTries, l.synLife = synLimits(&v.TCP, &wire)
	return l
}

// settingsLocked is what a connection with an address is made with.
func (s *Socket) settingsLocked(remote netip.Addr) transport.Settings {
	l, v := s.liveLocked(remote), &s.values.TCP
	c := transport.Settings{TTL: l.ttl, TOS: l.tos, Fragment: l.fragment, Extras: extrasOf(s.ipValuesLocked(remote)), Silent: s.silent}
	c.MinMSS = s.host.MinMSS()
	c.Quota, c.NoDelay, c.Expedited, c.AckEvery = l.recv, l.noDelay, l.expedited, l.ackEvery
	c.Tap = s.tapLocked()
	c.Timestamps, c.FailOnICMP = v.Timestamps, v.FailOnICMP
	c.Algorithm = algorithms[l.congestion]
	c.Lifetime, c.SynLimit, c.SynLifetime = l.maxrt, l.synTries, l.synLife
	applyWire(&c.Config, s.host.Profile().Wire())
	if s.host.IsLocal(remote) { // nobody but this host has refused it
		c.RefusedTries = 1
	}
	if v.InitialRTT != wsa.TCP_INITIAL_RTO_DEFAULT_RTT {
		c.InitialRTO = time.Duration(v.InitialRTT) * time.Millisecond
	}
	return c
}

// applyWire sets what the profile decides about how a connection looks from outside.
func applyWire(c *tcp.Config, wire options.Wire) {
	c.Scale, c.WholeWindows = wire.WindowScale, wire.WholeWindows
	c.DelayAck = wire.DelayedAck
	c.InitialRTO = wire.ConnectRTO
	c.RefusedTries, c.RefusedPause = wire.RefusedTries, wire.RefusedPause
}

// applyLocked gives the connection, or the backlog, what has changed of the
// options.
func (streamBehaviour) applyLocked(s *Socket) {
	s.applySendQuotaLocked()
	if s.backlog != nil {
		s.backlog.Set(s.values.PauseAccept, s.protectionLocked(), s.settingsLocked(netip.IPv4Unspecified()), s.settingsLocked(netip.IPv6Unspecified()))
	}
	if s.conn == nil {
		return
	}
	l, old := s.liveLocked(s.remote.Addr()), s.opt.live
	fresh := !s.opt.known
	if !fresh && l == old {
		return
	}
	s.opt.live, s.opt.known = l, true
	if fresh || l.ttl != old.ttl || l.tos != old.tos || l.fragment != old.fragment || l.extras != old.extras {
		s.conn.SetIP(l.ttl, l.tos, l.fragment, extrasOf(s.ipValuesLocked(s.remote.Addr())))
	}
	if fresh || l.debug != old.debug {
		s.conn.SetTap(s.tapLocked())
	}
	wake := false
	s.conn.Do(func(now time.Duration, e *tcp.Conn) {
		e.SetNoDelay(l.noDelay)
		e.SetExpedited(l.expedited)
		e.SetAckEvery(l.ackEvery)
		e.SetLifetime(now, l.maxrt)
		e.SetSynLimit(now, l.synTries, l.synLife)
		if fresh || l.congestion != old.congestion {
			e.SetAlgorithm(algorithms[l.congestion])
		}
		if l.recv != tcp.Unset && (fresh || l.recv != old.recv) {
			e.SetQuota(l.recv) // BF-13
		}
		wake = s.urgent.SetModes(now, e, l.urgentModes, s.host.Profile().Urgent().Queues)
	})
	if wake {
		s.calls.Wake(waiter.ReadableEvents)
	}
}

// adoptConnLocked makes c the connection of the socket.
func (s *Socket) adoptConnLocked(c *transport.Conn) {
	s.conn, s.opt.known = c, false
	s.urgent.Attach(c)
	s.events.stuck.Store(false)
	c.SetOwner(s)
	s.urgent.Announced() // what was announced before nobody was told of
}

// dropConnLocked ends a connection that nobody has heard of.
func (s *Socket) dropConnLocked() {
	if s.conn == nil {
		return
	}
	s.conn.SetOwner(nil)
	s.conn.Abort()
	s.unholdLocked()
	s.conn = nil
}

// connState is the TCP state of a stream that has a connection.
func (s *Socket) connState() tcp.State {
	st, _ := s.conn.State()
	return st
}

// finAcked reports that our FIN is acknowledged, or will never be.
func finAcked(st tcp.State) bool {
	return st == tcp.FinWait2 || st == tcp.TimeWait || st == tcp.Closed
}

// holdAddressLocked makes an accepted connection hold the address of its exclusive
// listener: other exclusive binds fail until the connection is inactive
// (RU-12).
func (s *Socket) holdAddressLocked(listener *Binding) {
	if listener != nil && listener.Exclusive {
		c := s.conn
		s.unhold = s.host.Hold(listener, func() bool { return active(c) })
	}
}

func (s *Socket) unholdLocked() {
	if s.unhold != nil {
		s.unhold()
		s.unhold = nil
	}
}

// active reports a connection that has not ended, or that has data which nobody
// has read. One with both FINs in TIME-WAIT has ended.
func active(c *transport.Conn) bool {
	switch st, _ := c.State(); st {
	case tcp.Closed:
		return false
	case tcp.TimeWait:
		return c.Readable() > 0
	}
	return true
}

// establishedAtLocked is when the handshake of the connection was complete: at the
// SYN-ACK for the side that connected, at the acknowledgement of it for the other
// (CT-1).
func (s *Socket) establishedAtLocked() (at tcpip.MonotonicTime) {
	s.conn.Do(func(_ time.Duration, e *tcp.Conn) { at = transport.Clock(e.Established()) })
	return at
}
