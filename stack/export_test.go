package stack

import (
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/tun"
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

// A Reassembly is what a Forwarder puts fragments together with.
type Reassembly struct{ reassembly }

// Add takes a packet with a fragment, and returns what is complete with it.
func (r *Reassembly) Add(now time.Duration, packet []byte) []byte {
	p := tun.Packet{Data: buffer.MakeWithData(packet)}
	defer p.Data.Release()
	var t transit
	ok := t.parse(&p)
	if !ok {
		return nil
	}
	u := t.upper(&p)
	if !u.fragment {
		return nil
	}
	whole, _ := r.add(now, &t, &p, &u)
	return whole
}

// Held is how many datagrams are incomplete, and how many bytes there are of them.
func (r *Reassembly) Held() (datagrams, bytes int) { return len(r.partials), r.bytes }

// HoldTurn holds the turns of all parts of the pump until release.
func (s *Stack) HoldTurn() (release func()) {
	for i := range s.work.parts {
		s.work.parts[i].mu.Lock()
	}
	return func() {
		for i := range s.work.parts {
			s.work.parts[i].mu.Unlock()
		}
	}
}
