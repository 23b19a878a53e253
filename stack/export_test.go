package stack

import (
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/wsa"
)

// SetTimeWaitLimit is for tests that have no room for as many connections as there
// may be.
func (s *Stack) SetTimeWaitLimit(n int) { s.tcp.SetTimeWaitLimit(n) }

// EchoesWaiting is how many calls of Ping wait.
func (s *Stack) EchoesWaiting() int {
	s.hooks.echoes.mu.Lock()
	defer s.hooks.echoes.mu.Unlock()
	return len(s.hooks.echoes.waiting)
}

// Occupied is how many ports connections have that connect has made, those in
// TIME-WAIT included.
func (s *Stack) Occupied() int {
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	return len(s.ports.pools[wsa.IPPROTO_TCP].conns)
}

// PortsInUse is how many ports are bound, or held for an exclusive listener.
func (s *Stack) PortsInUse() int {
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	return len(s.ports.used)
}

// TCP is the transport protocol of the stack.
func (s *Stack) TCP() *transport.Protocol { return s.tcp }
