// Package stack is a userspace TCP/IP stack whose sockets behave as Microsoft documents Winsock: a
// gVisor netstack on packet devices, with a TCP of its own, and options that do what they say.
//
// A Stack is a host with interfaces, addresses, routes and ports of its own, which the system knows
// nothing of. Programs use it by one of two faces. That of package net is here: Stack, Dialer and
// ListenConfig dial and listen, and give the connections, listeners and datagram sockets of package
// endpoint. Package provider has the calls of Winsock, on handles and bytes.
package stack

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/socket"

	"gvisor.dev/gvisor/pkg/tcpip"
	netstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/link"
	"github.com/wsstack/wsstack/internal/outside"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/tun"
)

// Config describes a stack. The zero value is a stack with loopback only and
// the documented defaults.
type Config struct {
	// Device is the packet device of the first interface; nil means that there is the loopback
	// alone, and broadcasts and multicasts stay on it. The devices of a stack belong to it: Close
	// closes them.
	Device tun.Device

	// Addresses are the addresses of Device's interface, each with the prefix that is on link. The
	// loopback has 127.0.0.1/8 and ::1/128 besides, always.
	Addresses []netip.Prefix

	// Routes are the route table, besides what is on link; nil means that everything goes through
	// Device. A table that is empty and not nil has no further routes.
	Routes []Route

	// Forwarding makes the stack a router: packets between other hosts go on to
	// the device that Routes has for their destination (RFC 1812), each with the
	// sender's addresses. A packet never leaves by the device that it came from.
	// Each of the stack's addresses can be spoken to over every device. Whether a
	// source can be where a packet came from isn't looked at (RFC 3704).
	Forwarding bool

	// MTU is the size of the largest packet of Device's interface, in bytes; 0 means that of the
	// device. It is 68 to 65535, and at least 1280 where there is an IPv6 address.
	MTU uint32

	// MinMSS is the shortest segment, in bytes, that a peer can ask for in its SYN; a SYN that asks
	// for less counts as one that asks for this. 0 means 48, as Linux has it; the most is 536,
	// which every host takes (RFC 9293 §3.7.1). Options, 40 bytes of them at most, are a part of
	// it.
	MinMSS uint16

	// MinPathMTU is the shortest packet, in bytes, that an ICMP error can make a
	// TCP connection over IPv4 send; where a router names less, packets may be
	// fragmented (no DF) instead. 0 means 552, as Linux has it; it is 68 to 1500.
	MinPathMTU uint32

	// ECN has TCP connections offer and accept explicit congestion notification (RFC 3168): a queue
	// on the way marks their packets instead of dropping them, and TCP sends more slowly all the
	// same. Windows has it off until "netsh int tcp set global ecncapability=enabled".
	ECN bool

	// Clock is the only source of time of the stack, timers and deadlines included; nil means the
	// real clock.
	Clock tcpip.Clock

	// Rand is the source of initial sequence numbers, ports, IDs and offsets; nil means
	// crypto/rand. It must be safe for concurrent use.
	Rand io.Reader

	// NewWaiter makes the waiter that one blocking call waits on; nil means that calls wait on
	// channels. A scheduler with a virtual clock knows by its waiters who waits.
	NewWaiter func() endpoint.Waiter

	// DynamicPorts is the range that ephemeral ports are chosen from; the zero
	// range means 49152 to 65535.
	DynamicPorts PortRange

	// Stepped is for a scheduler that decides about every step, such as
	// simnet's: the stack has no pump goroutine and moves only inside Settle,
	// one packet at a time.
	Stepped bool

	// Profile decides between the documents and the behaviour of real machines where the two
	// differ; the zero value is options.Documented.
	Profile options.Profile

	// KeepAlive are the keep-alive parameters of sockets that set none; a zero field is the
	// documented default. SetKeepAlive changes them later.
	KeepAlive KeepAlive

	// Defaults are options that every new socket has set from its creation, in
	// order, whichever face makes it: options.TCP_NODELAY.With(true), say. A
	// socket passes over those that its kind or family doesn't have, and may
	// set them otherwise later; accepted sockets have what their listener has.
	// New refuses what setsockopt on a new socket would refuse, with the code
	// of that. What Dialer and ListenConfig set comes after the defaults, and so
	// does IPV6_V6ONLY of a listener on both families.
	Defaults []options.Assignment

	// SendBuffer is how many bytes a TCP socket whose SO_SNDBUF isn't set takes before the peer has
	// acknowledged them; 0 means as many as suit the path: 1 to 4 MiB by what is acknowledged in a
	// round trip, and 64 KiB while more than half of Memory is held. It is 1 GiB at most. What is
	// sent when is up to the peer's window and congestion control, and not to this.
	SendBuffer int

	// Memory is how many bytes all TCP connections of the stack may hold together: what was
	// accepted and isn't acknowledged, what has come and wasn't read, and what came ahead of a
	// gap. 0 means 1 GiB; it is 1 MiB at least. From a half of it on buffers whose size nobody has
	// set fall back to 64 KiB. When all of it is held, each connection still has a segment each
	// way, which comes on top, and no more, whatever SO_SNDBUF and SO_RCVBUF say: sends wait or
	// fail with WSAEWOULDBLOCK, windows don't open, and what a peer has sent already is dropped,
	// so that the peer sends it again. Stats has what is held.
	Memory int64

	// Hosts are the addresses of names, in the order they should be tried. They
	// are looked up before anybody is asked.
	Hosts map[string][]netip.Addr

	// Nameservers are DNS servers, which are asked over the stack, in order.
	// Names are taken as complete: there is no search list.
	Nameservers []netip.AddrPort

	// Resolver finds the addresses of names, instead of Nameservers. Without
	// either, the only names are those of Hosts and "localhost".
	Resolver Resolver

	// Changed is called after each change of the addresses or routes, for whoever remembers
	// something of them; nil means that nobody does. It is called with the stack locked, so it must
	// not wait and not call the stack. Calls may overlap with everything else.
	Changed func()

	// IGMP makes the stack report its memberships of groups to the link, with IGMP and MLD;
	// without it a socket joins a group, but no router or switch learns of it.
	IGMP bool

	// Owner is the user whose sockets these are, for the bind matrix, which tells users apart
	// (RU-7); the empty name is a user like any other.
	Owner string

	// DenyRaw makes the creation of a raw socket fail with WSAEACCES, as it
	// does for users without the privilege.
	DenyRaw bool

	// Logger gets the records of sockets with SO_DEBUG; nil means that nobody does.
	Logger *slog.Logger
}

// A Route is a line of the route table: it sends what is for a destination through a device.
type Route struct {
	Destination netip.Prefix // the addresses that the route is for
	Gateway     netip.Addr   // the router to give the packets to; the zero Addr: the destination itself
	Device      tun.Device   // the device that the packets leave by; nil: Config.Device
}

// A Stack is one network stack. Its methods are safe for concurrent use.
//
// It runs two goroutines of its own, the pump and one that does what mustn't be
// done in a bubble of testing/synctest; none per socket or connection. With a
// GOMAXPROCS of 4 or more when it is made, the pump is several: one for each two
// processors, 8 at most, among which the connections are divided.
//
// A stack may be made outside of a bubble and used inside. Its time stays the real
// one; a deadline of a net.Conn is as far away as it is by the time of who sets
// it. A goroutine that waits for the stack isn't durably blocked.
type Stack struct {
	cfg     Config                  // as New was given it, with its zero fields filled in
	clock   clock                   // Config.Clock, or the real one
	outside outside.Door            // the way out of bubbles of testing/synctest
	ns      *netstack.Stack         // gVisor's stack
	tcp     *transport.Protocol     // the TCP of ns
	hosts   map[string][]netip.Addr // Config.Hosts by hostKey
	ports   ports                   // the registry of local addresses
	hooks   hooks                   // the filter of ns
	debug   debugRecords            // what SO_DEBUG has recorded

	anywhere  atomic.Pointer[Forwarder]         // the Forwarder that takes SYNs; nil: there is none
	adopted   adopted                           // the addresses that a Forwarder answers for
	pathMTU   pathMTUs                          // what ICMP has said of paths
	forwarded atomic.Uint64                     // how many packets the router has sent on
	fragments atomic.Uint32                     // the ID of the last message that was cut up here
	keepAlive atomic.Pointer[options.KeepAlive] // the parameters of sockets that set none

	down    atomic.Bool // Close has begun: it is set before anything is taken down
	sockets registry    // the sockets that are open
	pollers pollers     // the pollers that Close has to wake
	work    pump        // who delivers packets and serves sockets
	readers readers     // who reads files for TransmitFile

	// settleMu lets one at a time settle the stack, change its interfaces or close it.
	settleMu sync.Mutex
	lastNIC  tcpip.NICID // the highest number of an interface so far; guarded by settleMu, but in New

	closeOnce sync.Once
	closeErr  error          // what Close returns
	wg        sync.WaitGroup // the goroutines of the pump and of readers

	mu    sync.RWMutex                 // guards nics and table
	nics  []*nic                       // the interfaces, the loopback first
	table []route                      // the route table, longest prefix first
	own   atomic.Pointer[ownAddresses] // the addresses of nics, for the hooks
	index atomic.Pointer[routeIndex]   // of table; nil: table has changed
}

// New makes a stack and starts it. Errors name the field of cfg that is wrong.
// After an error, Config.Device is still the caller's.
func New(cfg Config) (*Stack, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	cfg.Defaults, cfg.Nameservers = slices.Clone(cfg.Defaults), slices.Clone(cfg.Nameservers)
	cfg.setFloors()
	s := &Stack{cfg: cfg, hosts: hostTable(cfg.Hosts)}
	s.keepAlive.Store(cfg.KeepAlive.resolve(cfg.Profile))
	if !cfg.Stepped {
		s.outside.Open()
	}
	s.clock = newClock(cfg.Clock, &s.outside)
	s.debug.log, s.work.debug = cfg.Logger, &s.debug
	if cfg.Logger == nil {
		s.debug.log = slog.New(slog.DiscardHandler)
	}
	s.work.init(s.parts())
	s.pathMTU.init(s.clock)
	s.hooks.init(s)
	s.ns = newNetstack(s)
	rng := s.ns.SecureRNG()
	s.ports.init(&rng, cfg.Profile, cfg.DynamicPorts)
	s.fragments.Store(rng.Uint32())
	if s.hooks.wire.CountedIDs { // the other profiles' numbers by a seed stay as they were
		s.hooks.ids.next.Store(rng.Uint32())
	}
	if err := s.start(); err != nil {
		s.ns.Destroy()
		s.outside.Close()
		return nil, fmt.Errorf("stack: %w", err)
	}
	return s, nil
}

// start gives a new stack its devices and routes and sets it going.
func (s *Stack) start() error {
	if err := s.addLoopback(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	if cfg := &s.cfg; cfg.Device != nil {
		if err := s.addDevice(cfg.Device, cfg.MTU, cfg.Addresses); err != nil {
			return fmt.Errorf("device: %w", err)
		}
	}
	if err := s.setRoutes(); err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	if err := socket.CheckDefaults(s.host(), s.cfg.Defaults); err != nil {
		return fmt.Errorf("config.Defaults%w", err)
	}
	if err := s.startDevices(); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	if !s.cfg.Stepped {
		for i := range s.work.parts {
			s.wg.Go(func() { s.runPump(i) }) // ends when Close closes s.work.quit
		}
	}
	return nil
}

// validate says in a plain sentence what is wrong.
func (c *Config) validate() error {
	if c.Device == nil {
		switch {
		case len(c.Addresses) > 0:
			return errors.New("config.Addresses: there is no Device to give them to")
		case c.MTU != 0:
			return errors.New("config.MTU: there is no Device to give it to")
		}
	} else if err := validMTU(c.MTU, uint32(c.Device.MTU()), c.Addresses); err != nil {
		return err
	}
	for _, p := range c.Addresses {
		if err := validPrefix(p); err != nil {
			return fmt.Errorf("config.Addresses: %w", err)
		}
	}
	for i, r := range c.Routes {
		if err := r.validate(); err != nil {
			return fmt.Errorf("config.Routes[%d]: %w", i, err)
		}
		if r.Device == nil && c.Device == nil {
			return fmt.Errorf("config.Routes[%d]: no device", i)
		}
		if r.Device != nil {
			if err := validMTU(0, uint32(r.Device.MTU()), nil); err != nil {
				return fmt.Errorf("config.Routes[%d]: %w", i, err)
			}
		}
	}
	if err := c.KeepAlive.validate(); err != nil {
		return fmt.Errorf("config.%w", err)
	}
	if err := c.validateFloors(); err != nil {
		return err
	}
	if err := c.validateNames(); err != nil {
		return err
	}
	if c.Profile > options.Legacy {
		return fmt.Errorf("config.Profile: unknown profile %d", c.Profile)
	}
	if r := c.DynamicPorts; r != (PortRange{}) && (r.First == 0 || r.First > r.Last) {
		return fmt.Errorf("config.DynamicPorts: %d to %d is not a range of ports", r.First, r.Last)
	}
	return nil
}

func validMTU(mtu, device uint32, addresses []netip.Prefix) error {
	if mtu == 0 {
		mtu = device
	}
	if mtu < inet.MinMTU4 || mtu > inet.MaxMTU {
		return fmt.Errorf("MTU %d is not between %d and %d", mtu, inet.MinMTU4, inet.MaxMTU)
	}
	if mtu > device {
		return fmt.Errorf("MTU %d is more than the device's %d", mtu, device)
	}
	for _, p := range addresses {
		if p.Addr().Is6() && mtu < inet.MinMTU6 {
			return fmt.Errorf("MTU %d is too small for IPv6 (%s), which needs %d", mtu, p, inet.MinMTU6)
		}
	}
	return nil
}

func validPrefix(p netip.Prefix) error {
	switch a := p.Addr(); {
	case !p.IsValid():
		return fmt.Errorf("%v is not a valid prefix", p)
	case a.Is4In6():
		return fmt.Errorf("%v is an IPv4 address in IPv6 form", p)
	case a.IsUnspecified(), a.IsMulticast():
		return fmt.Errorf("%v is not the address of a host", p)
	}
	return nil
}

func (r Route) validate() error {
	if !r.Destination.IsValid() {
		return errors.New("the destination is not a valid prefix")
	}
	if g := r.Gateway; g.IsValid() && g.Is4() != r.Destination.Addr().Is4() {
		return fmt.Errorf("the gateway %v is not of the family of %v", g, r.Destination)
	}
	return nil
}

// String names the stack in logs, by its addresses. Package fmt would print everything that is in
// it otherwise.
func (s *Stack) String() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	name := "stack"
	for _, n := range s.nics[1:] { // without the loopback
		for _, p := range n.addresses {
			name += " " + p.String()
		}
	}
	return name
}

// Close closes the sockets, oldest first, resets their connections, closes the
// devices and waits for every goroutine of the stack. Calls in progress and
// later ones fail with WSAENETDOWN. It is idempotent and safe for concurrent
// use.
func (s *Stack) Close() error {
	s.closeOnce.Do(func() {
		s.down.Store(true)
		s.settleMu.Lock() // no Settle and no AddDevice runs any more
		defer s.settleMu.Unlock()
		s.work.stop()
		s.readers.close()
		for _, sock := range s.sockets.list() {
			sock.CloseDown()
		}
		if f := s.anywhere.Load(); f != nil {
			_ = f.Close()
		}
		s.tcp.AbortOrphans()
		s.pollers.wake()
		s.hooks.echoes.wake()
		s.ns.Destroy()
		s.outside.Do(func() { s.closeErr = s.closeDevices() }) // they wait for goroutines outside
		s.wg.Wait()
		s.debug.write()
		s.outside.Close()
	})
	return s.closeErr
}

// Netstack is the gVisor stack, for what this package has no words for. Don't
// change its filter tables, transport options, forwarding or endpoints.
//
// Its TCP isn't gVisor's: package gonet makes datagram sockets on it, which are
// netstack's and have no options of Winsock, but no connections and listeners.
// udp.NewForwarder works. gVisor's tcp.NewForwarder doesn't: it asserts the type of
// gVisor's TCP, and panics, with a type in its message whose name says what to use:
// NewForwarder. A handler of SetTransportProtocolHandler for TCP sees every segment
// before the stack does, not only those that are for nobody.
func (s *Stack) Netstack() *netstack.Stack { return s.ns }

// Owner is the user of Config.Owner.
func (s *Stack) Owner() string { return s.cfg.Owner }

// Clock is the clock of the stack: Config.Clock, or the real one.
func (s *Stack) Clock() tcpip.Clock { return s.clock }

// Profile is the profile of Config.Profile.
func (s *Stack) Profile() options.Profile { return s.cfg.Profile }

// loopbackMTU is as large as an IP packet can be.
const loopbackMTU = link.LoopbackMTU
