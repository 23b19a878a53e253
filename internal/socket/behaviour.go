package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/netevents"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A behaviour is what the sockets of one kind do in their own way: streams, datagrams and raw
// sockets have one each. newSocket chooses it, once. It has no state: that is the socket's.
type behaviour interface {
	// kind is the kind as the option table names it.
	kind() options.Kind

	// name is the protocol as the networks of package net begin.
	name() string

	// connectionOriented reports that such sockets listen, accept, and have connections.
	connectionOriented() bool

	// hasPorts reports that addresses of such sockets have ports.
	hasPorts() bool

	// checkBindLocked refuses addresses that the socket can't be bound to.
	checkBindLocked(s *Socket, a netip.Addr) wsa.Errno

	// openLocked is called when the registry has an address for the socket, before the
	// socket is bound to it.
	openLocked(s *Socket, addr netip.AddrPort) wsa.Errno

	// newEndpoint makes an endpoint of netstack, for a network protocol.
	newEndpoint(s *Socket, proto tcpip.NetworkProtocolNumber, queue *waiter.Queue) (tcpip.Endpoint, tcpip.Error)

	// checkPeerLocked refuses addresses of peers that the socket can't have.
	checkPeerLocked(s *Socket, a netip.Addr) wsa.Errno

	// connectLocked starts to connect, or sets the peer: WSAEWOULDBLOCK says that an attempt
	// runs. The caller holds rmu as well, where the socket has one.
	connectLocked(s *Socket, addr netip.AddrPort) wsa.Errno

	// checkRecvLocked says why the state of the socket doesn't permit a receive, and
	// checkSendLocked why it doesn't permit a send of size bytes; waited says that the call
	// was in progress already. checkSendLocked binds a datagram socket that isn't bound.
	checkRecvLocked(s *Socket, flags int32, waited bool) wsa.Errno
	checkSendLocked(s *Socket, size int, to netip.AddrPort, waited bool) wsa.Errno

	// recv and send are one attempt each, which the checks have permitted, on what the socket
	// had then.
	recv(s *Socket, on medium, b []byte, flags int32, a attempt) (int, netip.AddrPort, wsa.Errno)
	send(s *Socket, on medium, b []byte, to netip.AddrPort, waited bool) (int, wsa.Errno)

	// readable is FIONREAD, of what the socket had when its state was seen.
	readable(s *Socket, on medium, state options.State) (int, wsa.Errno)

	// readyLocked is what select and WSAPoll report.
	readyLocked(s *Socket) Readiness

	// conditionsLocked are the network events whose conditions hold (EV-2 to EV-5). The record
	// is returned, as a pointer to one would have it allocated.
	conditionsLocked(s *Socket) netevents.Conditions

	// catchUp makes what has come for the socket what recv would see.
	catchUp(s *Socket)

	// checkShutdownLocked says why shutdown isn't possible; shutSendLocked and shutRecvLocked
	// do what it does besides refusing later calls.
	checkShutdownLocked(s *Socket) wsa.Errno
	shutSendLocked(s *Socket)
	shutRecvLocked(s *Socket)

	// applyLocked gives the connection, the backlog or the endpoint what has changed of the
	// options.
	applyLocked(s *Socket)
}

// behaviours are those of the kinds.
var behaviours = map[options.Kind]behaviour{
	options.Stream:   streamBehaviour{},
	options.Datagram: datagramBehaviour{},
	options.Raw:      rawBehaviour{},
}

// A medium is where the bytes of a socket come from and go to, at the moment of a look: a connection,
// an endpoint, or nothing.
type medium struct {
	conn *transport.Conn
	ep   tcpip.Endpoint
}

// mediumLocked is what the socket has now.
func (s *Socket) mediumLocked() medium { return medium{s.conn, s.ep} }
