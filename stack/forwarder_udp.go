package stack

import (
	"container/list"
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/agenda"
	"github.com/wsstack/wsstack/internal/fifo"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// Bounds and times of sessions.
const (
	udpSessions   = 4096             // how many there may be, if the configuration doesn't say
	udpIdle       = 2 * time.Minute  // RFC 4787 REQ-5
	udpUnanswered = 30 * time.Second // while nothing has come back
	udpNames      = 10 * time.Second // of an answered session to port 53: a question each
	portNames     = 53
	udpQueue      = 128      // datagrams of a session that wait for Write
	udpQueueBytes = 16 << 20 // of all datagrams that wait or are written
	maxPayload4   = 65535 - header.IPv4MinimumSize - header.UDPMinimumSize
	maxPayload6   = 65535 - header.UDPMinimumSize
)

// A UDPSession is what one address and port sends to another by UDP, and what comes back. It ends
// when it has been silent for long enough (ForwarderConfig.UDPIdle), when ForwarderConfig.UDP or
// Write of what it has returned says so, when the source's host has nobody any more who takes the
// answers, with Close, and with its Forwarder. Its methods are safe for concurrent use.
type UDPSession struct {
	agenda.Slot // At: when to look whether the session is over; a datagram doesn't move it
	flow
	sessions *sessions
	serve    func()        // what a goroutine runs while datagrams wait
	ctx      *wait.Context // of ForwarderConfig.UDP; nil once that has returned

	// Guarded by the lock of sessions.
	in       *nic                  // where the source is
	upstream io.WriteCloser        // nil until ForwarderConfig.UDP has returned
	queue    fifo.Queue[*datagram] // those that wait for Write
	serving  bool                  // a goroutine runs serve
	last     time.Duration         // when the last datagram came or went
	silent   *list.Element         // in sessions.silent; nil: something has come back
	ended    bool
	latest   datagramHeader // of the datagram that came last
}

// A datagram is one that waits for Write.
type datagram struct {
	room    []byte // what the pool has given
	payload []byte // a part of room
	datagramHeader
}

// A datagramHeader is what an ICMP error quotes of a datagram besides its payload.
type datagramHeader struct {
	ip  [header.IPv6MinimumSize]byte // as ipHeader has it
	udp [header.UDPMinimumSize]byte
}

// sessions are those of a Forwarder. The lock is a leaf, but that a goroutine is started under it,
// so that none starts once the Forwarder is closed.
type sessions struct {
	f *Forwarder

	mu      sync.Mutex
	flows   map[flow]*UDPSession
	silent  *list.List // of *UDPSession: those that nothing came back for, the longest idle first
	agenda  agenda.Agenda[*UDPSession]
	timer   forwarderTimer
	entered uint64 // how many sessions there have been
	opening int    // calls of ForwarderConfig.UDP
	bytes   int    // room of the datagrams that wait or are written
	closed  bool
}

func (x *sessions) init(f *Forwarder) { x.f, x.flows, x.silent = f, map[flow]*UDPSession{}, list.New() }

// datagrams are recycled datagrams with room for what a link usually takes.
var datagrams = sync.Pool{New: func() any { return &datagram{room: make([]byte, usualPacket)} }}

// newDatagram has room for size bytes.
func newDatagram(size int) *datagram {
	if size > usualPacket {
		return &datagram{room: make([]byte, size)}
	}
	return datagrams.Get().(*datagram)
}

// free gives a datagram back.
func (d *datagram) free() {
	if len(d.room) == usualPacket {
		datagrams.Put(d)
	}
}

// receive takes a packet with a datagram; message is the datagram where it came in fragments.
func (x *sessions) receive(in *nic, t *transit, p *tun.Packet, u *upper, message []byte) verdict {
	size := t.size - u.at
	if message != nil {
		size = len(message)
	}
	d := newDatagram(size)
	if message != nil {
		copy(d.room, message)
	} else if n, _ := p.Data.ReadAt(d.room[:size], int64(u.at)); n != size {
		size = 0
	}
	to, ok := x.parse(t, d, d.room[:size], message == nil && p.GSO.NeedsCsum)
	if !ok || !x.put(in, to, d) {
		d.free()
		return refuse
	}
	return taken
}

// parse reads a datagram: its payload, and who sends it to whom. Over IPv6 there must be a checksum
// (RFC 8200 §8.1); with unchecked a local sender has left it to us.
func (x *sessions) parse(t *transit, d *datagram, b []byte, unchecked bool) (to flow, ok bool) {
	if len(b) < header.UDPMinimumSize {
		return to, false
	}
	h := header.UDP(b)
	length := int(h.Length())
	if length < header.UDPMinimumSize || length > len(b) {
		return to, false
	}
	none := h.Checksum() == 0 && t.source.Is4()
	if !unchecked && !none && (h.Checksum() == 0 || t.sum(uint8(header.UDPProtocolNumber), b[:length]) != 0xffff) {
		return to, false
	}
	to = flow{netip.AddrPortFrom(t.source, h.SourcePort()), netip.AddrPortFrom(t.destination, h.DestinationPort())}
	d.payload = b[header.UDPMinimumSize:length]
	t.plainHeader(d.ip[:], uint8(header.UDPProtocolNumber), length)
	copy(d.udp[:], b)
	return to, to.source.Port() != 0 && to.destination.Port() != 0 // RFC 768: nobody could answer
}

// put gives a datagram to its session, which may begin with it. It reports that the datagram is
// taken.
func (x *sessions) put(in *nic, to flow, d *datagram) bool {
	now := x.f.now()
	x.mu.Lock()
	var evicted *UDPSession
	defer func() {
		x.mu.Unlock()
		if evicted != nil {
			evicted.cancel()
		}
	}()
	if x.closed || x.bytes+len(d.room) > udpQueueBytes {
		return false
	}
	s := x.flows[to]
	if s == nil {
		if s, evicted = x.beginLocked(now, to); s == nil {
			return false
		}
	}
	if s.queue.Len() >= udpQueue {
		return false
	}
	s.in, s.last, s.latest = in, now, d.datagramHeader
	if s.silent != nil {
		x.silent.MoveToBack(s.silent)
	}
	s.queue.Push(d)
	x.bytes += len(d.room)
	if !s.serving {
		s.serving = true
		x.f.start(s.serve)
	}
	return true
}

// beginLocked begins a session, if there is room or one that nothing came back for makes room.
func (x *sessions) beginLocked(now time.Duration, to flow) (s, evicted *UDPSession) {
	if x.opening >= x.f.cfg.InFlight {
		return nil, nil
	}
	if len(x.flows) >= x.f.cfg.UDPSessions {
		oldest := x.silent.Front()
		if oldest == nil {
			return nil, nil
		}
		evicted = oldest.Value.(*UDPSession)
		x.endLocked(evicted)
	}
	x.entered++
	s = &UDPSession{flow: to, sessions: x, ctx: x.f.stack.newContext(x.f.ctx), last: now}
	s.serve = s.run
	s.Order, s.At = x.entered, now+min(udpUnanswered, x.f.cfg.UDPIdle)
	x.flows[to] = s
	x.agenda.Add(s)
	s.silent = x.silent.PushBack(s)
	x.opening++
	x.timer.set(x.f.stack, now, s.At, x.due)
	return s, evicted
}

// open asks ForwarderConfig.UDP where the datagrams go. It reports that there is somewhere.
func (s *UDPSession) open() bool {
	x := s.sessions
	upstream, err := x.f.cfg.UDP(s.ctx, s)
	s.ctx.End(context.Canceled)
	x.mu.Lock()
	x.opening--
	s.ctx = nil
	first, latest := s.first(), s.latest
	ended := s.ended
	switch {
	case err != nil:
		x.endLocked(s)
	case !ended:
		s.upstream = upstream
	}
	x.mu.Unlock()
	switch {
	case err != nil && !ended:
		x.f.stack.hooks.dropped.Add(1)
		s.tell(first, &latest, err)
	case err == nil && ended:
		_ = upstream.Close()
	}
	return err == nil && !ended
}

// first is the payload of the first datagram that waits.
func (s *UDPSession) first() []byte {
	if s.queue.Len() == 0 {
		return nil
	}
	return append([]byte(nil), (*s.queue.First()).payload...)
}

// lifeLocked is how long the session may be silent.
func (s *UDPSession) lifeLocked() time.Duration {
	idle := s.sessions.f.cfg.UDPIdle
	switch {
	case s.silent != nil:
		return min(idle, udpUnanswered)
	case s.destination.Port() == portNames:
		return min(idle, udpNames)
	}
	return idle
}

// due ends the sessions that have been silent for long enough.
func (x *sessions) due() {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.f.now()
	x.timer.armed = 0
	for x.agenda.Len() > 0 && x.agenda.First().At <= now {
		s := x.agenda.First()
		if over := s.last + s.lifeLocked(); over > now {
			s.At = over
			x.agenda.Fix(s)
			continue
		}
		x.endLocked(s)
		if !x.closed {
			x.f.start(s.cancel)
		}
	}
	if x.agenda.Len() > 0 {
		x.timer.set(x.f.stack, now, x.agenda.First().At, x.due)
	}
}

// endLocked ends a session; cancel follows, with the lock given up.
func (x *sessions) endLocked(s *UDPSession) {
	if s.ended {
		return
	}
	s.ended = true
	delete(x.flows, s.flow)
	x.agenda.Remove(s)
	if s.silent != nil {
		x.silent.Remove(s.silent)
		s.silent = nil
	}
	for s.queue.Len() > 0 {
		d := s.queue.Pop()
		x.bytes -= len(d.room)
		d.free()
	}
}

// cancel closes what a session that has ended has upstream, or the call that opens it.
func (s *UDPSession) cancel() {
	x := s.sessions
	x.mu.Lock()
	upstream, ctx := s.upstream, s.ctx
	s.upstream = nil
	x.mu.Unlock()
	if ctx != nil {
		ctx.End(context.Canceled)
	}
	if upstream != nil {
		_ = upstream.Close()
	}
}

// end ends the session of a flow, if there is one, on a goroutine of its own.
func (x *sessions) end(of flow) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.flows[of]; s != nil && !x.closed {
		x.endLocked(s)
		x.f.start(s.cancel)
	}
}

// close ends all sessions.
func (x *sessions) close() {
	x.mu.Lock()
	x.closed = true
	x.timer.stop()
	all := make([]*UDPSession, 0, len(x.flows))
	for x.agenda.Len() > 0 {
		s := x.agenda.First()
		all = append(all, s)
		x.endLocked(s)
	}
	x.mu.Unlock()
	for _, s := range all {
		s.cancel()
	}
}

// Source is where the datagrams come from, an address of another host.
func (s *UDPSession) Source() netip.AddrPort { return s.source }

// Destination is where the source has sent them.
func (s *UDPSession) Destination() netip.AddrPort { return s.destination }

// Write sends a datagram to the source, from the destination. It waits for nothing: what has no
// room on the way is lost, as datagrams are. It fails with net.ErrClosed when the session is over,
// and with WSAEMSGSIZE for what is longer than a datagram, 65,507 bytes over IPv4 and 65,527 over
// IPv6.
func (s *UDPSession) Write(payload []byte) (int, error) {
	limit := maxPayload4
	if !s.source.Addr().Is4() {
		limit = maxPayload6
	}
	if len(payload) > limit {
		return 0, &net.OpError{Op: "write", Net: "udp", Err: wsa.WSAEMSGSIZE}
	}
	in := s.sessions.answered(s)
	if in == nil {
		return 0, &net.OpError{Op: "write", Net: "udp", Err: net.ErrClosed}
	}
	var h [header.UDPMinimumSize]byte
	header.UDP(h[:]).Encode(&header.UDPFields{
		SrcPort: s.destination.Port(), DstPort: s.source.Port(), Length: uint16(len(h) + len(payload)),
	})
	o := outbound{s.destination.Addr(), s.source.Addr(), uint8(header.UDPProtocolNumber), udpChecksumAt}
	s.sessions.f.stack.sendAs(in, o, h[:], payload)
	return len(payload), nil
}

// udpChecksumAt is where a UDP header has its checksum.
const udpChecksumAt = 6

// answered notes that something comes back, and returns the interface of the source; nil: the
// session is over.
func (x *sessions) answered(s *UDPSession) *nic {
	now := x.f.now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.ended {
		return nil
	}
	if s.last = now; s.silent != nil {
		x.silent.Remove(s.silent)
		s.silent = nil
		s.At = min(s.At, now+s.lifeLocked())
		x.agenda.Fix(s)
		x.timer.set(x.f.stack, now, s.At, x.due)
	}
	return s.in
}

// Refuse tells the source, as RefusalOf says it, what has become of its latest datagram.
// ForwarderConfig.UDP and Write return such errors instead.
func (s *UDPSession) Refuse(err error) {
	s.sessions.mu.Lock()
	latest := s.latest
	s.sessions.mu.Unlock()
	s.tell(nil, &latest, err)
}

// Close ends the session. It is idempotent.
func (s *UDPSession) Close() error {
	s.sessions.mu.Lock()
	s.sessions.endLocked(s)
	s.sessions.mu.Unlock()
	s.cancel()
	return nil
}

// tell tells the source of an error about a datagram, of which as much of the payload is quoted as
// is known.
func (s *UDPSession) tell(payload []byte, h *datagramHeader, err error) {
	x := s.sessions
	x.mu.Lock()
	in := s.in
	x.mu.Unlock()
	x.f.tell(in, s.source.Addr(), s.destination.Addr(), h.ip[:], append(h.udp[:len(h.udp):len(h.udp)], payload...), err)
}
