package socket

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/netevents"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

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
// is called with mu held, in RmuLocked or WmuLocked with rmu or wmu, and in RmuMuLocked with both.
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
// typ a SOCK constant, protocol an IPPROTO constant or 0 for the only one. What else
// they may be, chooseProvider says.
// The options of Host.Defaults are set. WSAEACCES: raw sockets aren't allowed
// on this stack.
func New(h Host, family, typ, protocol int32, owner string) (*Socket, wsa.Errno) {
	if h.Down() {
		return nil, wsa.WSAENETDOWN
	}
	is, err := chooseProvider(h.Profile().Creation(), family, typ, protocol)
	if err != 0 {
		return nil, err
	}
	if is.kind == options.Raw && !h.RawAllowed() {
		return nil, wsa.WSAEACCES
	}
	s := freshSocket(h, is.family, is.kind, is.protocol, owner)
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
	s.applySendQuotaLocked() // nobody else knows the socket
	return s
}

func newSocket(h Host, family int32, kind options.Kind, protocol int32, owner string) *Socket {
	s := &Socket{behaviour: behaviours[kind], host: h, family: family, protocol: protocol, owner: owner, created: h.Clock().Now()}
	s.id = h.NewID()
	s.events.Recorder = netevents.New(h.Profile().Events().Remembers)
	if kind != options.Stream {
		s.datagram = &datagram{}
		s.entry.Init(s, wait.AnyEvent)
	}
	return s
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
	if attendant, over := s.serve(); attendant != nil {
		attendant(over)
	}
}

// serve returns who is to be told that something has happened, and whether the connection is over.
func (s *Socket) serve() (attendant func(over bool), over bool) {
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
	if !s.closed {
		s.pollLocked()
		s.serveICMPLocked()
		s.resetIfUnreadLocked()
		s.serveChangesLocked()
		s.observeLocked()
	}
	return s.events.attendant, s.closed || s.state == options.Dead
}
