package endpoint

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// newEndpointLocked makes the netstack endpoint, for addresses of the given
// protocol, and gives it what the socket has been told so far. Endpoints are
// single use, so a socket may have several in its life.
func (s *Socket) newEndpointLocked(proto tcpip.NetworkProtocolNumber) wsa.Errno {
	queue := &waiter.Queue{}
	ep, err := s.makeEndpoint(proto, queue)
	if err != nil {
		return errno(err)
	}
	// The registry decides, netstack never vetoes. Datagram sockets with both
	// flags would be chosen by a hash.
	ep.SocketOptions().SetReuseAddress(true)
	ep.SocketOptions().SetReusePort(s.kind == options.Stream)
	s.adoptLocked(ep, queue, nil)
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

// adoptLocked makes ep the endpoint of the socket. A stream endpoint that was
// accepted comes with the record the hooks have kept.
func (s *Socket) adoptLocked(ep tcpip.Endpoint, queue *waiter.Queue, w *Wire) {
	s.ep, s.queue, s.opt.known, s.lastTry = ep, queue, false, false
	if s.kind == options.Stream {
		if w == nil {
			w = newWire()
			ep.SetOwner(w)
		}
		w.attach(s)
		s.wire = w
		s.host.Watch(ep, w)
	}
	queue.EventRegister(&s.entry)
}

// dropEndpointLocked forgets the endpoint after an attempt that failed, so
// that the socket can try again with another.
func (s *Socket) dropEndpointLocked() {
	if s.ep == nil {
		return
	}
	s.queue.EventUnregister(&s.entry)
	if s.wire != nil {
		s.wire.attach(nil)
	}
	s.host.Unwatch(s.ep)
	s.ep.Abort()
	s.vacateLocked()
	s.unholdLocked()
	s.ep, s.queue, s.wire = nil, nil, nil
}
