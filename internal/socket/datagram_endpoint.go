package socket

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/wsa"
)

// newEndpointLocked makes the netstack endpoint of a datagram or raw socket, for
// addresses of the given protocol, and gives it what the socket has been told so
// far. Endpoints are single use, so a socket may have several in its life.
func (s *Socket) newEndpointLocked(proto tcpip.NetworkProtocolNumber) wsa.Errno {
	queue := &waiter.Queue{}
	ep, err := s.behaviour.newEndpoint(s, proto, queue)
	if err != nil {
		return translate.Errno(err)
	}
	// The registry decides, netstack never vetoes. Sockets with both flags would be
	// chosen by a hash.
	ep.SocketOptions().SetReuseAddress(true)
	s.ep, s.queue, s.opt.known = ep, queue, false
	queue.EventRegister(&s.entry)
	s.applyLocked()
	return 0
}

// dropEndpointLocked forgets the endpoint after an attempt that failed, so
// that the socket can try again with another.
func (s *Socket) dropEndpointLocked() {
	if s.ep == nil {
		return
	}
	s.queue.EventUnregister(&s.entry)
	s.host.ForgetDatagrams(s.ep)
	s.ep.Abort()
	s.ep, s.queue = nil, nil
}
