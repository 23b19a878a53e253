package socket

import (
	"net/netip"

	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// This file is what the net faces of package endpoint need of a socket.

// Host is the stack that the socket lives on.
func (s *Socket) Host() Host { return s.host }

// Calls are the calls in progress on the socket.
func (s *Socket) Calls() *wait.Calls { return &s.calls }

// LastLocal is the local address, which stays after Close.
func (s *Socket) LastLocal() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local
}

// LastRemote is the peer's address, which stays after Close.
func (s *Socket) LastRemote() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// CheckOpen says why no call is possible any more; 0: they are.
func (s *Socket) CheckOpen() wsa.Errno {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closedLocked()
}

// Addressed gives an address the form that the socket's calls take: IPv4 as
// 4in6 on an AF_INET6 socket, and the reverse.
func (s *Socket) Addressed(ap netip.AddrPort) netip.AddrPort {
	a := ap.Addr()
	switch {
	case s.family == wsa.AF_INET6 && a.Is4():
		a = netip.AddrFrom16(a.As16())
	case s.family == wsa.AF_INET && a.Is4In6():
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, ap.Port())
}

// FaceGone runs on a goroutine of the runtime, which must not wait: the pump
// closes the socket.
func (s *Socket) FaceGone() {
	if s.host.Down() {
		return // closed, or about to be
	}
	s.unreachable.Store(true)
	s.host.Signal(s)
}

// Levels are those of a socket: IPv6 has IPv4's, too, for the groups of that.
func (s *Socket) Levels() []int32 {
	if s.family == wsa.AF_INET6 {
		return []int32{wsa.IPPROTO_IPV6, wsa.IPPROTO_IP}
	}
	return []int32{wsa.IPPROTO_IP}
}
