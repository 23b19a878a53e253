package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Host is what a socket needs of the stack it lives on. All methods are safe for concurrent use,
// and none of them calls back into the socket.
type Host interface {
	// Clock is the stack's clock, by which every time-out, deadline and age counts.
	Clock() tcpip.Clock

	// NewWaiter returns the waiter for one blocking call, or nil for a channel.
	NewWaiter() wait.Waiter

	// Outside runs f, in a bubble of testing/synctest outside of the bubble: channels that the
	// stack is to close or send on are made so. f waits for nothing.
	Outside(f func())

	// Signal asks the pump to call Serve on the socket soon. It only sets flags, because it is
	// called with connections locked.
	Signal(s *Socket)

	// Read runs f, which may wait for a file, on another goroutine, when that has done what it
	// was asked before. It reports false where there are no such goroutines: then f isn't run,
	// and the caller has to.
	Read(f func()) bool

	// Down reports that the stack has failed or is being closed (ND-1).
	Down() bool

	// Collects reports that a socket is closed when its net face has become garbage, and so
	// that anybody may Signal it at any time.
	Collects() bool

	// NewID returns the number of the next socket.
	NewID() uint64

	// Register lists a socket that has a number. Others read the socket from then on, so it is
	// complete, or its lock is held until it is. Unregister takes it off the list.
	Register(s *Socket)
	Unregister(s *Socket)

	// Profile is the profile that the sockets of the stack follow.
	Profile() options.Profile

	// Defaults are the options that a new socket has set, besides those of its profile.
	Defaults() []options.Assignment

	// SendBuffer is how many bytes a stream takes whose SO_SNDBUF isn't set; 0: as many as suit
	// the peer's window.
	SendBuffer() int

	// KeepAliveDefaults are the keep-alive parameters of sockets that set none.
	KeepAliveDefaults() options.KeepAlive

	// RawAllowed reports whether raw sockets may be created.
	RawAllowed() bool

	// Debug keeps a record of SO_DEBUG for the logger. It never waits.
	Debug(Record)

	// Bind enters a binding in the port registry under the rules of the bind matrix, and fills
	// in the port when that is zero. Unbind gives the address back.
	Bind(b *Binding) wsa.Errno
	Unbind(b *Binding)

	// Hold keeps others from binding exclusively where an exclusive listener was, until release
	// is called, while active says so. active takes no lock of a socket.
	Hold(b *Binding, active func() bool) (release func())

	// Occupy and Vacate bracket an attempt to connect, so that no port is chosen for its peer
	// twice. Occupy is called before the SYN leaves. Vacate is called only if it doesn't:
	// otherwise the stack vacates the pair of addresses when the connection is over.
	Occupy(t Tuple)
	Vacate(t Tuple)

	// TCP is the transport protocol of streams.
	TCP() *transport.Protocol

	// MinMSS is the least MSS, in bytes, that is believed of a peer's SYN.
	MinMSS() int

	// Netstack is the gVisor stack that has the endpoints of datagram sockets.
	Netstack() *stack.Stack

	// ForgetDatagrams ends what the stack keeps for a datagram endpoint.
	ForgetDatagrams(ep tcpip.Endpoint)

	// SendPacket sends a message past netstack's endpoints. It never waits.
	SendPacket(*OwnPacket) tcpip.Error

	// Source chooses the local address for a destination, and the interface that packets leave
	// by: the first address whose prefix holds the next hop, else the interface's first. A
	// bound address that is valid is kept, and the interface is then the one for it.
	Source(bound, remote netip.Addr) (netip.Addr, tcpip.NICID, wsa.Errno)

	// LocalZone gives an address that may be one of the stack's the zone that it lacks, the
	// index of the interface that alone has it. A zone that is the name of an interface becomes
	// its index; an address that needs no zone loses the one it has.
	LocalZone(a netip.Addr) netip.Addr

	// RemoteZone is LocalZone for an address elsewhere, which is on the link of the only
	// interface, where there is but one besides the loopback.
	RemoteZone(a netip.Addr) netip.Addr

	// ZoneName is an address with the name of the interface for its zone.
	ZoneName(a netip.Addr) netip.Addr

	// IsLocal reports whether an address is one of this stack's, on the interface of its zone if
	// it has one.
	IsLocal(a netip.Addr) bool

	// IsBroadcast reports whether an address is the limited broadcast address or that of a
	// subnet of this stack.
	IsBroadcast(a netip.Addr) bool

	// Interfaces lists the addresses of all interfaces, the loopback's first.
	Interfaces() []options.Interface

	// PathMTU is what is known of the MTU on the path to an address, in bytes, besides that of
	// the interface; 0 is nothing. LearnPathMTU is told of an ICMP error about a packet which
	// was sent there.
	PathMTU(remote netip.Addr) uint32
	LearnPathMTU(remote netip.Addr, mtu uint32)
}

// A Binding is one local address in use: an entry of the port registry.
type Binding struct {
	Protocol  int32          // wsa.IPPROTO_TCP or IPPROTO_UDP; the protocol of a raw socket
	Raw       bool           // the socket is a raw one: it has no port, and conflicts with none
	Addr      netip.AddrPort // the address; its port is 0 until the registry has chosen one
	DualStack bool           // the address is an IPv6 wildcard that takes IPv4 as well
	Reuse     bool           // SO_REUSEADDR was set when the socket was bound (RU-1)
	Exclusive bool           // SO_EXCLUSIVEADDRUSE was set when the socket was bound
	Owner     string         // the user that the socket belongs to (RU-7)
	Avoid     uint16         // a port that isn't chosen, as it would connect the socket to itself
	Socket    *Socket        // the socket that is bound

	Shared     bool           // connections to different peers may share the ephemeral port (PO-7)
	PerAddress bool           // the ephemeral port is for this address only (SO_PORT_SCALABILITY)
	Multicast  bool           // the socket receives no unicast (SO_REUSE_MULTICASTPORT)
	Peer       netip.AddrPort // the peer of the connection that the port is chosen for
	Order      uint64         // the number of the binding on its stack, which the registry sets
}

// A Tuple is the two ends of a TCP connection.
type Tuple struct{ Local, Remote netip.AddrPort }
