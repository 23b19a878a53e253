package socket

import (
	"github.com/wsstack/wsstack/internal/backlog"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// maxBacklog is the largest backlog.
const maxBacklog = 4096

// Listen makes a bound stream socket accept connections. backlog is how many
// established connections may wait for accept; beyond it a SYN is answered
// with a RST, so that the client's connect fails with WSAECONNREFUSED
// (API-listen). A negative one is WSAEINVAL; zero counts as one, and values
// beyond 4096, SOMAXCONN included, as that.
//
// The half-open don't count: spoofed SYNs must not keep others out. One that
// finds the queue full when its handshake completes is reset.
func (s *Socket) Listen(backlog int32) (code wsa.Errno) {
	defer s.debugCall("listen", &code)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enterLocked(); err != 0 {
		return err
	}
	if !s.behaviour.connectionOriented() {
		return wsa.WSAEOPNOTSUPP
	}
	if s.droppedLocked() {
		return wsa.WSAENOTCONN // KA-31
	}
	switch s.state {
	case options.Listening:
		return 0
	case options.Connected, options.Dead:
		return wsa.WSAEISCONN
	case options.Fresh, options.Connecting:
		return wsa.WSAEINVAL
	}
	if backlog < 0 {
		return wsa.WSAEINVAL
	}
	return s.listenLocked(min(max(int(backlog), 1), maxBacklog))
}

// Silence has the connections that the socket will accept silent: once the handshake is complete
// nothing of them leaves any more, and what comes isn't looked at. It is called before Listen.
func (s *Socket) Silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

// listenLocked opens the socket to connections.
func (s *Socket) listenLocked(limit int) wsa.Errno {
	addr := s.binding.Addr
	s.backlog = backlog.New(limit, s.values.ConditionalAccept, &s.calls, s.tapSegment)
	s.applyLocked()
	cfg := transport.ListenConfig{
		Port: addr.Port(), Net: s.listenProto(addr.Addr()), Dual: s.binding.DualStack, Order: s.binding.Order,
	}
	if !addr.Addr().Unmap().IsUnspecified() {
		cfg.Addr, cfg.Zone = translate.Address(addr.Addr()), translate.Zone(addr.Addr())
	}
	if err := s.backlog.Open(s.host.TCP(), cfg); err != nil {
		s.backlog = nil
		return translate.Errno(err)
	}
	s.becomeListeningLocked()
	return 0
}
