package socket

import (
	"bytes"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/raw"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// datagram is what a socket has that isn't a stream.
type datagram struct {
	rmu  sync.Mutex        // one reads at a time
	dst  tcpip.SliceWriter // the buffer of the read in progress; guarded by rmu
	kept keptQueue         // guarded by rmu

	wmu sync.Mutex  // one writes at a time
	out datagramOut // guarded by wmu

	// Guarded by Socket.mu.
	queue     *waiter.Queue // the queue of the endpoint, which tells of its events
	entry     waiter.Entry  // the socket in that queue
	icmp      icmpErrors
	softErr   wsa.Errno // an ICMP error that waits for recv, and is SO_ERROR as well
	dissolved bool      // connect has removed the peer
}

// datagramOut is the datagram being sent, and its destination.
type datagramOut struct {
	bytes.Reader
	to tcpip.FullAddress
}

// datagramBehaviour is that of datagram sockets: UDP.
type datagramBehaviour struct{}

func (datagramBehaviour) kind() options.Kind       { return options.Datagram }
func (datagramBehaviour) name() string             { return "udp" }
func (datagramBehaviour) connectionOriented() bool { return false }
func (datagramBehaviour) hasPorts() bool           { return true }

// checkBindLocked refuses broadcast addresses without SO_BROADCAST (BC-2).
func (datagramBehaviour) checkBindLocked(s *Socket, a netip.Addr) wsa.Errno {
	if s.host.IsBroadcast(a) && !s.values.Broadcast {
		return wsa.WSAEACCES
	}
	return 0
}

// openLocked makes the endpoint, so that datagrams are queued from now on.
func (datagramBehaviour) openLocked(s *Socket, addr netip.AddrPort) wsa.Errno {
	return s.openDatagramLocked(addr)
}

func (datagramBehaviour) newEndpoint(s *Socket, proto tcpip.NetworkProtocolNumber, queue *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	return s.host.Netstack().NewEndpoint(tcpip.TransportProtocolNumber(s.protocol), proto, queue)
}

func (datagramBehaviour) checkPeerLocked(*Socket, netip.Addr) wsa.Errno { return 0 }

func (datagramBehaviour) connectLocked(s *Socket, addr netip.AddrPort) wsa.Errno {
	return s.connectDatagramLocked(addr)
}

func (datagramBehaviour) checkRecvLocked(s *Socket, _ int32, _ bool) wsa.Errno {
	switch {
	case s.ep == nil:
		return wsa.WSAEINVAL
	case s.shutRecv:
		return wsa.WSAESHUTDOWN
	case s.softErr != 0: // an ICMP error for an earlier datagram (NB-3)
		return s.takeSoftErrorLocked()
	}
	return 0
}

func (datagramBehaviour) checkSendLocked(s *Socket, size int, to netip.AddrPort, _ bool) wsa.Errno {
	return s.checkSendToLocked(size, to)
}

func (datagramBehaviour) recv(s *Socket, on medium, b []byte, flags int32, _ attempt) (int, netip.AddrPort, wsa.Errno) {
	return s.readDatagram(on.ep, b, flags)
}

func (datagramBehaviour) send(s *Socket, on medium, b []byte, to netip.AddrPort, _ bool) (int, wsa.Errno) {
	return s.writeDatagrams(on.ep, b, to, nil)
}

func (datagramBehaviour) readable(s *Socket, on medium, _ options.State) (int, wsa.Errno) {
	if on.ep == nil {
		return 0, 0
	}
	if n, kept := s.firstKept(); kept {
		return n, 0
	}
	n, err := on.ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	return n, translate.Errno(err)
}

func (datagramBehaviour) catchUp(s *Socket) { s.dropRefused() }

func (datagramBehaviour) checkShutdownLocked(*Socket) wsa.Errno { return 0 }

func (datagramBehaviour) shutSendLocked(*Socket) {}

// shutRecvLocked has nothing to do: datagrams are queued as before (SH-3).
func (datagramBehaviour) shutRecvLocked(*Socket) {}

func (datagramBehaviour) applyLocked(s *Socket) {
	s.applyEndpointLocked((*Socket).applyDatagramIPLocked)
}

// rawBehaviour is that of raw sockets: datagrams without ports.
type rawBehaviour struct{ datagramBehaviour }

func (rawBehaviour) kind() options.Kind { return options.Raw }
func (rawBehaviour) name() string       { return "ip" }
func (rawBehaviour) hasPorts() bool     { return false }

// checkBindLocked refuses IPv4 addresses in IPv6 form as well.
func (r rawBehaviour) checkBindLocked(s *Socket, a netip.Addr) wsa.Errno {
	if err := r.datagramBehaviour.checkBindLocked(s, a); err != 0 {
		return err
	}
	if a.Is4In6() {
		return wsa.WSAEADDRNOTAVAIL
	}
	return 0
}

// newEndpoint: a socket without a protocol (0), or for IPPROTO_RAW, receives nothing.
func (rawBehaviour) newEndpoint(s *Socket, proto tcpip.NetworkProtocolNumber, queue *waiter.Queue) (tcpip.Endpoint, tcpip.Error) {
	ns, transport := s.host.Netstack(), tcpip.TransportProtocolNumber(s.protocol)
	if s.protocol == wsa.IPPROTO_IP || s.protocol == wsa.IPPROTO_RAW {
		return raw.EndpointFactory{}.NewUnassociatedEndpoint(ns, proto, transport, queue)
	}
	// Not Stack.NewRawEndpoint: that knows no ICMPv6 over IPv4.
	return raw.NewEndpoint(ns, proto, transport, queue)
}

// checkPeerLocked refuses IPv4 addresses in IPv6 form.
func (rawBehaviour) checkPeerLocked(_ *Socket, a netip.Addr) wsa.Errno {
	if a.Is4In6() {
		return wsa.WSAENETUNREACH
	}
	return 0
}

func (rawBehaviour) applyLocked(s *Socket) { s.applyEndpointLocked((*Socket).applyRawLocked) }
