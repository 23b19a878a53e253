package stack

// SetTimeWaitLimit is for tests that have no room for as many connections as there
// may be.
func (s *Stack) SetTimeWaitLimit(n int) { s.tcp.SetTimeWaitLimit(n) }

// EchoesWaiting is how many calls of Ping wait.
func (s *Stack) EchoesWaiting() int {
	s.hooks.echoes.mu.Lock()
	defer s.hooks.echoes.mu.Unlock()
	return len(s.hooks.echoes.waiting)
}
