package stack

import (
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// ForwarderConfig describes a Forwarder. With the zero value it takes the
// connections to every destination.
type ForwarderConfig struct {
	// Destinations are the addresses to which the Forwarder takes the connections; nil means every
	// address.
	Destinations []netip.Prefix

	// InFlight is how many handshakes the stack may have in progress: a SYN
	// beyond that is dropped and counted, and the peer sends it again. 0 means
	// 1,024.
	InFlight int
}

// Bounds of a Forwarder: the destinations that it listens on at a time, how many
// connections of each may wait for Accept, and how long a destination stays after a SYN
// when there is no room for another.
const (
	forwarderInFlight = 1024
	doorLimit         = 1024
	doorBacklog       = 16
	doorRest          = 5 * time.Second
)

// A Forwarder accepts TCP connections to addresses that aren't the stack's, and to
// any port: the LocalAddr of a connection is what its peer asked for. It is for
// proxies that a device brings packets for anybody to. It is a net.Listener, safe for
// concurrent use. Options are those of Config.Defaults.
//
// A connection is established before Accept returns it. Packets of TCP that belong
// to no connection and aren't a SYN are dropped. What it doesn't take, UDP and
// echo requests among it, is forwarded with Config.Forwarding, and else dropped.
type Forwarder struct {
	stack        *Stack
	poller       *endpoint.Poller
	destinations []netip.Prefix
	inFlight     int

	mu     sync.Mutex // before the locks of sockets, connections and netstack
	doors  map[netip.AddrPort]*list.Element
	order  *list.List // of *forwarderDoor, that of the oldest SYN first
	closed bool
}

var _ net.Listener = (*Forwarder)(nil)

// A forwarderDoor is the listening socket for one destination.
type forwarderDoor struct {
	at           netip.AddrPort
	sock         *socket.Socket
	registration *endpoint.Registration
	last         tcpip.MonotonicTime // when a SYN came
}

// NewForwarder makes the Forwarder of the stack, which may have one. Errors name the
// field of cfg that is wrong.
func (s *Stack) NewForwarder(cfg ForwarderConfig) (*Forwarder, error) {
	for _, p := range cfg.Destinations {
		if !p.IsValid() {
			return nil, errors.New("stack: NewForwarder: config.Destinations: not a valid prefix")
		}
	}
	if cfg.InFlight < 0 {
		return nil, fmt.Errorf("stack: NewForwarder: config.InFlight: %d is negative", cfg.InFlight)
	}
	if s.down.Load() {
		return nil, fmt.Errorf("stack: NewForwarder: %w", wsa.WSAENETDOWN)
	}
	f := &Forwarder{
		stack: s, poller: s.NewPoller(), destinations: slices.Clone(cfg.Destinations), inFlight: cfg.InFlight,
		doors: map[netip.AddrPort]*list.Element{}, order: list.New(),
	}
	if f.inFlight == 0 {
		f.inFlight = forwarderInFlight
	}
	if !s.anywhere.CompareAndSwap(nil, f) {
		_ = f.poller.Close()
		return nil, errors.New("stack: NewForwarder: the stack has a Forwarder already")
	}
	return f, nil
}

// Accept waits for the next connection, an *endpoint.Conn. After Close it fails
// with net.ErrClosed.
func (f *Forwarder) Accept() (net.Conn, error) {
	for {
		var ready [1]endpoint.Notice
		if _, err := f.poller.Wait(ready[:], -1); err != nil {
			if errors.Is(err, net.ErrClosed) {
				err = net.ErrClosed
			}
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: f.Addr(), Err: err}
		}
		sock, _, errno := ready[0].Data.(*socket.Socket).Accept()
		if errno != 0 {
			continue // another call was faster, or the peer has reset it
		}
		sock.SetNonblocking(false)
		return endpoint.NewConn(sock, "tcp"), nil
	}
}

// Addr implements net.Listener: the unspecified address, port 0.
func (f *Forwarder) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv6unspecified} }

// Close ends the Forwarder: connections that wait for Accept are reset, those that
// were accepted live on. It is idempotent.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.stack.anywhere.CompareAndSwap(f, nil)
	_ = f.poller.Close()
	for f.order.Len() > 0 {
		f.shutLocked(f.order.Front())
	}
	return nil
}

// shutLocked ends a door.
func (f *Forwarder) shutLocked(e *list.Element) {
	d := f.order.Remove(e).(*forwarderDoor)
	delete(f.doors, d.at)
	d.registration.Close()
	d.sock.Close()
}

// takes reports a destination that the Forwarder is for.
func (f *Forwarder) takes(a netip.Addr) bool {
	return f.destinations == nil || slices.ContainsFunc(f.destinations, func(p netip.Prefix) bool { return p.Contains(a) })
}

// knock is a SYN to a destination: it passes when somebody listens there.
func (f *Forwarder) knock(at netip.AddrPort) verdict {
	now := f.stack.clock.NowMonotonic()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.stack.tcp.HalfOpen() >= f.inFlight {
		return refuse
	}
	if e := f.doors[at]; e != nil {
		e.Value.(*forwarderDoor).last = now
		f.order.MoveToBack(e)
		return pass
	}
	oldest, full := f.order.Front(), f.order.Len() >= doorLimit
	if full && now.Sub(oldest.Value.(*forwarderDoor).last) < doorRest || !f.stack.adopt(at.Addr()) {
		return refuse
	}
	if full {
		f.shutLocked(oldest)
	}
	if !f.openLocked(at, now) {
		return refuse
	}
	return pass
}

// openLocked listens on a destination.
func (f *Forwarder) openLocked(at netip.AddrPort, now tcpip.MonotonicTime) bool {
	sock, errno := socket.New(f.stack.host(), familyOf(at.Addr()), wsa.SOCK_STREAM, 0, f.stack.cfg.Owner)
	if errno != 0 {
		return false
	}
	sock.SetV6Only(true)
	sock.SetNonblocking(true)
	if sock.Bind(at) != 0 || sock.Listen(doorBacklog) != 0 {
		sock.Close()
		return false
	}
	registration, err := f.poller.Add(endpoint.NewListener(sock, "tcp"), endpoint.ReadyRead, sock)
	if err != nil {
		sock.Close()
		return false
	}
	f.doors[at] = f.order.PushBack(&forwarderDoor{at, sock, registration, now})
	return true
}

// receive decides about a packet for another host, if there is a Forwarder or
// connections of one: it is dropped (refuse), or it passes, to netstack if it is ours.
// What others may not have (passes) isn't for who stands in for them.
func (s *Stack) receive(t *transit, p *tun.Packet, passes bool) (v verdict, ours bool) {
	known := s.adopted.touch(t.destination, s.clock.NowMonotonic())
	switch {
	case !passes && known:
		return refuse, false
	case !passes:
		return pass, false
	case t.protocol == uint8(header.TCPProtocolNumber):
	case known && t.reportsError(p):
		return pass, true
	case known && !s.cfg.Forwarding:
		return refuse, false // netstack would answer it
	default:
		return pass, false
	}
	var b [header.TCPMinimumSize]byte
	n, _ := p.Data.ReadAt(b[:], int64(len(t.header)))
	f := s.anywhere.Load()
	if f == nil || t.fragment || n < len(b) || !f.takes(t.destination) {
		return pass, known
	}
	const opens = header.TCPFlagSyn | header.TCPFlagAck | header.TCPFlagRst
	h := header.TCP(b[:])
	if h.Flags()&opens != header.TCPFlagSyn {
		return pass, true // of a connection; else netstack drops it, or answers with a RST
	}
	return f.knock(netip.AddrPortFrom(t.destination, binary.BigEndian.Uint16(b[header.TCPDstPortOffset:]))), true
}

// reportsError reports an ICMP error.
func (t *transit) reportsError(p *tun.Packet) bool {
	b, ok := peek(p, len(t.header))
	switch {
	case !ok:
		return false
	case t.source.Is4():
		typ := header.ICMPv4Type(b[0])
		return t.protocol == uint8(header.ICMPv4ProtocolNumber) && !t.fragment &&
			(typ == header.ICMPv4DstUnreachable || typ == header.ICMPv4TimeExceeded || typ == header.ICMPv4ParamProblem)
	}
	return t.protocol == uint8(header.ICMPv6ProtocolNumber) && b[0]&0x80 == 0
}
