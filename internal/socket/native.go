package socket

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// newEndpointLocked makes the netstack endpoint of a datagram or raw socket, for
// addresses of the given protocol, and gives it what the socket has been told so
// far. Endpoints are single use, so a socket may have several in its life.
func (s *Socket) newEndpointLocked(proto tcpip.NetworkProtocolNumber) wsa.Errno {
	queue := &waiter.Queue{}
	ep, err := s.makeEndpoint(proto, queue)
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

// makeEndpoint makes the netstack endpoint. A raw socket without a protocol
// (0), or for IPPROTO_RAW, receives nothing.
func (s *Socket) makeEndpoint(proto tcpip.NetworkProtocolNumber, queue *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	ns, transport := s.host.Netstack(), tcpip.TransportProtocolNumber(s.protocol)
	switch {
	case s.kind != options.Raw:
		return ns.NewEndpoint(transport, proto, queue)
	case s.protocol == wsa.IPPROTO_IP || s.protocol == wsa.IPPROTO_RAW:
		return raw.EndpointFactory{}.NewUnassociatedEndpoint(ns, proto, transport, queue)
	}
	// Not Stack.NewRawEndpoint: that knows no ICMPv6 over IPv4.
	return raw.NewEndpoint(ns, proto, transport, queue)
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
