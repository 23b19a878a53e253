package endpoint

import (
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// occupyLocked tells the registry of the connection that connect makes.
func (s *Socket) occupyLocked(local, remote netip.AddrPort) {
	s.tuple = &Tuple{local, remote}
	s.host.Occupy(*s.tuple)
}

// vacateLocked tells it that netstack has forgotten the connection.
func (s *Socket) vacateLocked() {
	if s.tuple != nil {
		s.host.Vacate(*s.tuple)
		s.tuple = nil
	}
}

// takeTupleLocked is what the registry knows the connection by; the zero value if
// it doesn't. The caller vacates it.
func (s *Socket) takeTupleLocked() (t Tuple) {
	if s.tuple != nil {
		t, s.tuple = *s.tuple, nil
	}
	return t
}

// holdAddressLocked makes an accepted connection hold the address of its exclusive
// listener: other exclusive binds fail until the connection is inactive
// (RU-12).
func (s *Socket) holdAddressLocked(listener *Binding) {
	if listener != nil && listener.Exclusive {
		ep, held := s.ep, &s.held
		s.unhold = s.host.Hold(listener, func() bool { return active(ep, held) })
	}
}

func (s *Socket) unholdLocked() {
	if s.unhold != nil {
		s.unhold()
		s.unhold = nil
	}
}

// active reports a connection that has not ended, or that has data which nobody
// has read. One with both FINs in TIME-WAIT has ended.
func active(ep tcpip.Endpoint, held *atomic.Int64) bool {
	st := tcp.EndpointState(ep.State())
	if ended(st) {
		return false
	}
	if st != tcp.StateTimeWait {
		return true
	}
	queued, _ := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	return queued > 0 || held.Load() > 0
}
