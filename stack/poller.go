package stack

import (
	"sync"

	"github.com/wsstack/wsstack/endpoint"
)

// pollers are the pollers that Close has to wake.
type pollers struct {
	mu   sync.Mutex
	open map[*endpoint.Poller]struct{}
}

// NewPoller makes a Poller for sockets of this stack. It keeps no goroutine,
// but Close gives back what it costs.
func (s *Stack) NewPoller() *endpoint.Poller {
	var p *endpoint.Poller
	p = endpoint.NewPoller(s.host(), func() {
		s.pollers.mu.Lock()
		defer s.pollers.mu.Unlock()
		delete(s.pollers.open, p)
	})
	s.pollers.mu.Lock()
	defer s.pollers.mu.Unlock()
	if s.pollers.open == nil {
		s.pollers.open = map[*endpoint.Poller]struct{}{}
	}
	s.pollers.open[p] = struct{}{}
	return p
}

// wake makes them see that the stack is down.
func (ps *pollers) wake() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for p := range ps.open {
		p.Wake()
	}
}
