package endpoint

import (
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// acceptQueue is netstack's limit of connections that are half open, and the
// largest backlog. It is higher than most backlogs because netstack answers
// with SYN cookies near its limit, and cookie connections have no window scale
// and no SACK (ARCHITECTURE.md, "Where netstack differs"). At 5.4 KB a
// connection it bounds a flood at 22 MB a listener.
const acceptQueue = 4096

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
	if s.kind != options.Stream {
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
	addr := s.binding.Addr
	if err := s.newEndpointLocked(s.listenProto(addr.Addr())); err != 0 {
		return err
	}
	if err := s.ep.Bind(FullAddress(0, addr)); err != nil {
		s.dropEndpointLocked()
		return errno(err)
	}
	s.openLocked(min(max(int(backlog), 1), acceptQueue))
	s.offerLocked()
	if err := s.ep.Listen(acceptQueue); err != nil {
		s.listens.Store(false)
		s.door = nil
		s.dropEndpointLocked()
		return errno(err)
	}
	s.host.Listening(s.binding, s.ep)
	s.becomeListeningLocked()
	return 0
}
