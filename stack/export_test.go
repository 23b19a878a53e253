package stack

// SetTimeWaitLimit is for tests that have no room for 65,536 connections.
func (s *Stack) SetTimeWaitLimit(n int) { s.timeWaits.limit = n }

// FloodedPatience is how long a handshake may take while many are half open.
const FloodedPatience = floodedPatience

// EchoesWaiting is how many calls of Ping wait.
func (s *Stack) EchoesWaiting() int {
	s.hooks.echoes.mu.Lock()
	defer s.hooks.echoes.mu.Unlock()
	return len(s.hooks.echoes.waiting)
}
