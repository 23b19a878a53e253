package socket

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// Host is what a socket needs of the stack it lives on. Its methods are safe
// for concurrent use, and none of them calls back into the socket.
type Host interface {
	Netstack() *stack.Stack
	Clock() tcpip.Clock
	Profile() options.Profile

	// NewWaiter returns the waiter for one blocking call, or nil for the
	// default of this package.
	NewWaiter() wait.Waiter

	// Outside runs f, in a bubble of testing/synctest outside of it: channels
	// that the stack is to close or send on are made so. f waits for nothing.
	Outside(f func())

	// RawAllowed reports whether raw sockets may be created.
	RawAllowed() bool

	// Down reports that the stack has failed or is being closed (ND-1).
	Down() bool

	// Source chooses the local address for a destination, and the interface
	// that the packets leave by: the first address whose prefix holds the next
	// hop, else the interface's first. A valid bound address is kept; the
	// interface is then the one for it.
	Source(bound, remote netip.Addr) (netip.Addr, tcpip.NICID, wsa.Errno)

	// IsLocal reports whether a is an address of this stack, IsBroadcast
	// whether it is the limited broadcast address or that of a subnet.
	IsLocal(a netip.Addr) bool
	IsBroadcast(a netip.Addr) bool

	// Interfaces lists the addresses of all interfaces, the loopback's first.
	Interfaces() []options.Interface

	// Bind registers a binding under the rules of the bind matrix; it fills
	// in the port when that is zero. Unbind gives the address back.
	Bind(b *Binding) wsa.Errno
	Unbind(b *Binding)

	// Hold keeps others from binding exclusively where an exclusive listener
	// was, until release, while active says so: it takes no lock of a socket.
	Hold(b *Binding, active func() bool) (release func())

	// TCP is the transport protocol of the stack.
	TCP() *transport.Protocol

	// MinMSS is the least MSS that a peer's SYN may say, in bytes.
	MinMSS() int

	// ForgetDatagrams ends what the stack keeps for a datagram endpoint.
	ForgetDatagrams(ep tcpip.Endpoint)

	// KeepAliveDefaults are the parameters of sockets that set none.
	KeepAliveDefaults() options.KeepAlive

	// Defaults are the options that new sockets have set, besides.
	Defaults() []options.Assignment

	// Occupy brackets, with Vacate, an attempt to connect, so that no port is chosen
	// for its peer twice. It comes before the SYN leaves; when that is so, the stack
	// does the rest.
	Occupy(t Tuple)
	Vacate(t Tuple)

	// PathMTU is what is known of the path to an address besides the MTU of the
	// interface, in bytes; 0: nothing. LearnPathMTU is for an ICMP error that
	// quotes a packet which was sent there.
	PathMTU(remote netip.Addr) uint32
	LearnPathMTU(remote netip.Addr, mtu uint32)

	// SendPacket sends a message past netstack's endpoints. It never waits.
	SendPacket(*OwnPacket) tcpip.Error

	// Collects reports that sockets are closed when their net faces have become
	// garbage: that anybody may Signal them at any time.
	Collects() bool

	// Debug keeps a record of SO_DEBUG for the logger. It never waits.
	Debug(Record)

	// NewID returns the next number of a socket. Register lists a socket that
	// has one, from when on others read it: the socket must be complete, or
	// its lock held until it is.
	NewID() uint64
	Register(s *Socket)
	Unregister(s *Socket)

	// Signal asks the pump to call Serve on the socket soon. It only sets
	// flags: it is called with connections locked.
	Signal(s *Socket)
}

// A Binding is one local address in use: an entry of the port registry.
type Binding struct {
	Protocol  int32          // wsa.IPPROTO_TCP or IPPROTO_UDP; of a raw socket, its own
	Raw       bool           // a raw socket: no ports, no conflicts
	Addr      netip.AddrPort // port 0 until the registry has chosen one
	DualStack bool           // an IPv6 wildcard that takes IPv4 as well
	Reuse     bool           // SO_REUSEADDR when bound (RU-1)
	Exclusive bool           // SO_EXCLUSIVEADDRUSE when bound
	Owner     string         // the user (RU-7)
	Avoid     uint16         // a port not to choose: a connection to itself
	Socket    *Socket        // whose it is

	Shared     bool           // an ephemeral port that connections to different peers may share (PO-7)
	PerAddress bool           // an ephemeral port for this address only (SO_PORT_SCALABILITY)
	Multicast  bool           // no unicast is received (SO_REUSE_MULTICASTPORT)
	Peer       netip.AddrPort // of the connection that the port is chosen for
	Order      uint64         // counts the bindings of the stack; set by the registry
}

// A Tuple is the two ends of a TCP connection.
type Tuple struct{ Local, Remote netip.AddrPort }

// A Socket is one Winsock socket. All methods are safe for concurrent use.
//
// What belongs to the socket is here: its options, binding, mode, events and the calls and
// operations in progress. What it has of a connection is in stream, what datagrams need in
// datagram; a socket may have one connection after the other.
//
// Lock order: ops.serving, then rmu, then wmu, then mu, then the lock of a
// listener or a connection, of netstack or of the host. rmu and wmu are for
// datagrams; what a stream does with its bytes is done with the connection locked.
// The locks of calls, of the backlog and of the deadlines are leaves. Nothing waits
// with a lock held, and callbacks take leaves only. A method whose name ends in Locked
// is called with mu held; where it needs another lock, too, its comment says so.
type Socket struct {
	behaviour behaviour // that of its kind; it never changes
	host      Host      // the stack that it lives on
	id        uint64    // its number in Stack.Sockets
	family    int32     // wsa.AF_INET or AF_INET6
	protocol  int32     // an IPPROTO constant
	owner     string    // the user, for the bind matrix (RU-7)
	created   time.Time

	calls       wait.Calls  // the blocking calls in progress
	nonblocking atomic.Bool // FIONBIO
	signalled   atomic.Bool // the pump has this socket in its list
	debugOn     atomic.Bool // SO_DEBUG
	unreachable atomic.Bool // nobody has the net face any more: the pump closes the socket

	mu       sync.Mutex
	values   options.Values  // what the options are set to
	opt      optionState     // what the connection or the endpoint knows of them
	state    options.State   // see state.go
	closed   bool            // by closesocket or Stack.Close
	down     bool            // closed by Stack.Close
	shutRecv bool            // SD_RECEIVE
	shutSend bool            // SD_SEND, or a FIN of DisconnectEx
	implicit bool            // the binding was made by connect or sendto
	pending  wsa.Errno       // SO_ERROR
	binding  *Binding        // nil: not bound
	local    netip.AddrPort  // what getsockname shows
	remote   netip.AddrPort  // the peer; not valid when there is none
	conn     *transport.Conn // of a stream; nil: none
	ep       tcpip.Endpoint  // of a datagram socket; nil until the address is decided
	events   eventState
	ops      opState

	stream
	*datagram // nil on streams: what they don't need, idle ones needn't carry
}

// New creates a socket, as WSPSocket does: family is wsa.AF_INET or AF_INET6,
// typ a SOCK constant, protocol an IPPROTO constant or 0 for the only one.
// The options of Host.Defaults are set. WSAEACCES: raw sockets aren't allowed
// on this stack.
func New(h Host, family, typ, protocol int32, owner string) (*Socket, wsa.Errno) {
	if h.Down() {
		return nil, wsa.WSAENETDOWN
	}
	kind, protocol, err := checkProtocol(family, typ, protocol)
	if err != 0 {
		return nil, err
	}
	if kind == options.Raw && !h.RawAllowed() {
		return nil, wsa.WSAEACCES
	}
	s := freshSocket(h, family, kind, protocol, owner)
	if err := s.setDefaults(h.Defaults()); err != 0 {
		return nil, err
	}
	h.Register(s) // last: others read the socket from now on
	if h.Down() { // since then: the stack may have missed it
		s.CloseDown()
		return nil, wsa.WSAENETDOWN
	}
	return s, 0
}

// freshSocket is a socket with the values of its profile and the stack's
// keep-alive parameters, which nobody else knows yet.
func freshSocket(h Host, family int32, kind options.Kind, protocol int32, owner string) *Socket {
	s := newSocket(h, family, kind, protocol, owner)
	s.state = options.Fresh
	s.values = options.Defaults(h.Profile(), family, kind)
	s.values.KeepAlive = h.KeepAliveDefaults()
	return s
}

func newSocket(h Host, family int32, kind options.Kind, protocol int32, owner string) *Socket {
	s := &Socket{behaviour: behaviours[kind], host: h, family: family, protocol: protocol, owner: owner, created: h.Clock().Now()}
	s.id = h.NewID()
	s.quota.Store(noQuota)
	if kind != options.Stream {
		s.datagram = &datagram{}
		s.entry.Init(s, wait.AnyEvent)
	}
	return s
}

// checkProtocol decides which of the triples a TCP/IP provider creates
// (API-socket: WSAEAFNOSUPPORT, WSAESOCKTNOSUPPORT, WSAEPROTOTYPE,
// WSAEPROTONOSUPPORT). A raw socket may have any protocol number. Type 0 is that of
// the first protocol in the catalogue that fits (page of WSASocket).
func checkProtocol(family, typ, protocol int32) (options.Kind, int32, wsa.Errno) {
	if family != wsa.AF_INET && family != wsa.AF_INET6 {
		return 0, 0, wsa.WSAEAFNOSUPPORT
	}
	if typ == 0 { // the provider chooses
		var ok bool
		if typ, ok = wsa.DefaultSocketType(family, protocol); !ok {
			return 0, 0, wsa.WSAEPROTONOSUPPORT
		}
	}
	var kind options.Kind
	var only int32
	switch typ {
	case wsa.SOCK_STREAM:
		kind, only = options.Stream, wsa.IPPROTO_TCP
	case wsa.SOCK_DGRAM:
		kind, only = options.Datagram, wsa.IPPROTO_UDP
	case wsa.SOCK_RAW:
		if protocol < 0 || protocol > wsa.IPPROTO_RAW {
			return 0, 0, wsa.WSAEPROTONOSUPPORT
		}
		return options.Raw, protocol, 0
	default:
		return 0, 0, wsa.WSAESOCKTNOSUPPORT
	}
	switch protocol {
	case 0, only:
		return kind, only, 0
	case wsa.IPPROTO_TCP, wsa.IPPROTO_UDP:
		return 0, 0, wsa.WSAEPROTOTYPE
	}
	return 0, 0, wsa.WSAEPROTONOSUPPORT
}

// SetV6Only is IPV6_V6ONLY, for a socket that isn't bound yet.
func (s *Socket) SetV6Only(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values.V6Only = on
}

// Kind says whether it is a stream, datagram or raw socket.
func (s *Socket) Kind() options.Kind { return s.behaviour.kind() }

// ID is the number of the socket in Stack.Sockets and in trace records.
func (s *Socket) ID() uint64 { return s.id }

// Nonblocking reports the mode set by SetNonblocking.
func (s *Socket) Nonblocking() bool { return s.nonblocking.Load() }

// NotifyEvent implements waiter.EventListener: netstack calls it, maybe with
// the endpoint locked.
func (s *Socket) NotifyEvent(mask waiter.EventMask) {
	s.calls.Wake(mask)
	if mask&(waiter.EventErr|waiter.EventHUp) != 0 {
		s.host.Signal(s)
	}
}

// TakeSignal is called by the pump before Serve, so that a signal that comes
// during Serve isn't lost. MarkSignal reports whether the pump must be told.
func (s *Socket) TakeSignal() { s.signalled.Store(false) }

// MarkSignal reports whether the socket was not signalled yet.
func (s *Socket) MarkSignal() bool { return !s.signalled.Swap(true) }

// Serve is the pump's turn with a signalled socket. It never waits.
func (s *Socket) Serve() {
	if s.unreachable.Swap(false) {
		s.close(false)
	}
	s.pullUrgent()
	s.serveOps()
	if s.events.selected.Load() {
		s.dropRefused()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.pollLocked()
	s.serveICMPLocked()
	s.resetIfUnreadLocked()
	s.serveChangesLocked()
	s.observeLocked()
}
