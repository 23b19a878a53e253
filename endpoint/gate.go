package endpoint

import (
	"io"
	"math"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/nagle"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// The way of a byte that was sent on a stream:
//
//	send ──▶ tail, less than a segment ──▶ netstack ──▶ wire ──▶ acknowledged
//	          held by the Gate             as its windows allow
//
// netstack's own Nagle algorithm is off: it sends partial segments with data
// in flight, and holds whole ones where the device segments (netstack.md §2).

// gather is the payload of one write to netstack: the tail and what follows.
type gather struct {
	first, second []byte
}

// Len implements tcpip.Payloader.
func (g *gather) Len() int { return len(g.first) + len(g.second) }

// Read implements tcpip.Payloader.
func (g *gather) Read(b []byte) (int, error) {
	if g.Len() == 0 {
		return 0, io.EOF
	}
	n := copy(b, g.first)
	m := copy(b[n:], g.second)
	g.first, g.second = g.first[n:], g.second[m:]
	return n + m, nil
}

// writeStream accepts bytes from the application: it gives netstack what may
// leave now and keeps a rest that is less than a segment.
func (s *Socket) writeStream(ep tcpip.Endpoint, w *Wire, b []byte) (int, wsa.Errno) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.pushLocked(ep, w, b, false)
}

// pushLocked is writeStream with wmu held. all overrules the Gate.
func (s *Socket) pushLocked(ep tcpip.Endpoint, w *Wire, b []byte, all bool) (int, wsa.Errno) {
	held := len(s.tail)
	release := nagle.Gate{NoDelay: all || s.noDelay.Load()}.Release(nagle.State{
		Queued:  held + len(b),
		Unacked: w.Unacked(),
		MSS:     w.MSS(),
	})
	accepted := 0
	if release > 0 {
		// The tail may be longer than what leaves: segments can get smaller.
		s.src = gather{s.tail[:min(held, release)], b[:max(0, release-held)]}
		n, err := ep.Write(&s.src, tcpip.WriteOptions{})
		s.src = gather{}
		w.wrote(int(n))
		fromTail := min(int(n), held)
		s.tail = append(s.tail[:0], s.tail[fromTail:]...)
		accepted = int(n) - fromTail
		if int(n) < release { // netstack's queue is full, or the connection over
			if over(err) {
				s.tail = s.tail[:0] // or the pump would try again and again
			}
			s.holdLocked(ep, w)
			if accepted > 0 {
				return accepted, 0
			}
			if err == nil {
				return 0, wsa.WSAEWOULDBLOCK
			}
			return 0, errno(err)
		}
	}
	s.tail = append(s.tail, b[accepted:]...)
	s.holdLocked(ep, w)
	return len(b), 0
}

// holdLocked tells the hooks how much waits here. What was in flight may have
// been acknowledged while the bytes became the tail; then nobody else would
// let them go.
func (s *Socket) holdLocked(ep tcpip.Endpoint, w *Wire) {
	s.waiting.Store(int64(len(s.tail)))
	if len(s.tail) > 0 && w.Unacked() == 0 {
		s.host.Signal(s)
	}
}

// flush gives netstack the tail if the Gate lets it go, or in any case with
// all: before a FIN, or when TCP_NODELAY was set.
func (s *Socket) flush(all bool) {
	if s.waiting.Load() == 0 {
		return
	}
	s.mu.Lock()
	ep, w := s.ep, s.wire
	usable := ep != nil && s.state == options.Connected
	s.mu.Unlock()
	if usable {
		s.wmu.Lock()
		s.flushLocked(ep, w, all)
		s.wmu.Unlock()
	}
}

// flushLocked is flush with wmu held. With all, netstack takes the tail even
// if its queue is full: nothing may come between the data and a FIN.
func (s *Socket) flushLocked(ep tcpip.Endpoint, w *Wire, all bool) {
	if len(s.tail) == 0 {
		return
	}
	s.pushLocked(ep, w, nil, all)
	if all && len(s.tail) > 0 {
		// The queue may hold far more than its size: SO_SNDBUF was lowered.
		ops := ep.SocketOptions()
		size := ops.GetSendBufferSize()
		ops.SetSendBufferSize(math.MaxInt32, false)
		s.pushLocked(ep, w, nil, true)
		ops.SetSendBufferSize(size, false)
	}
}

// over reports an error of a write that no later write will not meet.
func over(err tcpip.Error) bool {
	if err == nil {
		return false
	}
	_, full := err.(*tcpip.ErrWouldBlock)
	return !full
}

// queued is what was accepted and isn't acknowledged, in bytes.
func (s *Socket) queued() int { return s.wire.Unacked() + int(s.waiting.Load()) }
