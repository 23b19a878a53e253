package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/outside"
	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/transport"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// ForwarderConfig describes a Forwarder. With the zero value it takes the
// connections to every destination, and nothing but connections.
//
// The functions are called on goroutines of their own, as many at a time as each says. A context
// that they are given ends with the Forwarder. They return when their context has ended; Close,
// and that of the stack, wait for it, so that none of them calls these.
type ForwarderConfig struct {
	// Destinations are the addresses that the Forwarder takes packets for; nil means every address.
	Destinations []netip.Prefix

	// Takes reports an address of Destinations that the Forwarder takes packets for; nil means that
	// it takes all of them. It is asked about each packet, by the goroutine that delivers it, so it
	// must not wait and not call the stack.
	Takes func(netip.Addr) bool

	// InFlight is how many handshakes the stack may have in progress, and how many of Connect,
	// of UDP and of Echo may run, each counted by itself: what comes beyond that is dropped
	// and counted, and the peer sends it again. 0 means 1,024, and the most is 4,096.
	InFlight int

	// DelayAck is how long the acknowledgement of a segment may wait for data to leave with, or for
	// another segment (RFC 9293 §3.8.6.3: less than 500 ms); 0 is what the profile of the stack
	// has.
	DelayAck time.Duration

	// Connect decides about each connection before its SYN is answered, so that the peer sees what
	// becomes of the way on: with a nil error the handshake goes on, and AcceptValue returns the
	// value with the connection. An error is told to the peer as RefusalOf says it: by a RST, by an
	// ICMP error, or by nothing. While Connect runs, the SYN's retransmissions ask nobody. The
	// context ends when the peer has given up: when it has sent a RST, or the next retransmission
	// of its SYN is overdue. A value that is an io.Closer is closed where no call of AcceptValue
	// returns it. Nil means that every connection is taken.
	Connect func(ctx context.Context, source, destination netip.AddrPort) (any, error)

	// UDP begins a session with its first datagram: it returns where the datagrams go, to which each
	// is written, in order and one at a time, but that a DatagramsWriter gets those that wait at
	// once; what comes while UDP runs waits. Close is called at the end of the session. What comes
	// back is written to the session. An error of UDP ends the session, and one of Write is told to
	// the source only, but that net.ErrClosed ends the session; both are told as RefusalOf says it:
	// by an ICMP error, or by nothing. Nil means that UDP isn't taken.
	UDP func(ctx context.Context, s *UDPSession) (io.WriteCloser, error)

	// UDPSessions is how many sessions there may be; 0 means 4,096. Where there is no room, the
	// session that has been silent for the longest of those that nothing came back for makes room;
	// where there is none, the datagram is dropped and counted.
	UDPSessions int

	// UDPIdle is how long a session lasts after its last datagram of either direction; 0 means
	// 2 minutes, the least that RFC 4787 (REQ-5) permits. While nothing has come back it is 30 s at
	// most, and to port 53 10 s at most, once something has.
	UDPIdle time.Duration

	// Echo is given each ICMP echo request, which it may answer, then or later. The request is the
	// function's. Nil means that echo requests aren't taken.
	Echo func(ctx context.Context, r *EchoRequest)

	// Go starts the goroutines of the Forwarder, for a scheduler with a virtual clock that has to
	// know them; nil means a go statement. Close doesn't wait for goroutines of Go.
	Go func(func())
}

// Bounds of a Forwarder: the handshakes in progress, and the connections that wait for
// Accept.
const (
	forwarderInFlight    = 1024
	maxForwarderInFlight = 4096
	forwarderBacklog     = 1024
)

// A Forwarder stands in for other hosts: it takes the connections, datagrams and echo requests that
// a device brings for addresses that aren't the stack's. It is what proxies, gateways and tunnels
// are made of. Of TCP it is a net.Listener: the LocalAddr of a connection is what its peer asked
// for, any address and any port. Options are those of Config.Defaults. Datagrams and echo requests
// have functions in ForwarderConfig. It is safe for concurrent use.
//
// A connection is established before Accept returns it. Packets of TCP that belong
// to no connection and aren't a SYN are dropped. What the Forwarder doesn't take is forwarded with
// Config.Forwarding, and else dropped.
type Forwarder struct {
	stack    *Stack
	cfg      ForwarderConfig // with its zero fields filled in
	listener *transport.Listener
	sockets  *socket.Anywhere
	ctx      *wait.Context  // ends with the Forwarder
	work     sync.WaitGroup // the goroutines that no Go has started

	connects connects
	arrivals arrivals
	sessions sessions
	echoes   echoHandlers
	pieces   reassembly
	closing  sync.Once
}

var _ net.Listener = (*Forwarder)(nil)

// NewForwarder makes the Forwarder of the stack, which may have one. Errors name the
// field of cfg that is wrong.
func (s *Stack) NewForwarder(cfg ForwarderConfig) (*Forwarder, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("stack: NewForwarder: %w", err)
	}
	if s.down.Load() {
		return nil, fmt.Errorf("stack: NewForwarder: %w", wsa.WSAENETDOWN)
	}
	f := &Forwarder{stack: s, cfg: cfg, ctx: s.newContext(context.Background())}
	f.connects.init(f)
	f.sessions.init(f)
	var errno wsa.Errno
	if f.sockets, errno = socket.NewAnywhere(s.host(), s.cfg.Owner); errno != 0 {
		return nil, fmt.Errorf("stack: NewForwarder: %w", errno)
	}
	if !s.anywhere.CompareAndSwap(nil, f) {
		return nil, errors.New("stack: NewForwarder: the stack has a Forwarder already")
	}
	listener, err := s.tcp.Listen(transport.ListenConfig{
		Takes: f.stands, Make: f.settings, Ask: f.ask, Arrived: f.arrived, Lost: f.lost,
	})
	if err != nil {
		s.anywhere.CompareAndSwap(f, nil)
		return nil, fmt.Errorf("stack: NewForwarder: %w", wsa.WSAENETDOWN)
	}
	f.listener = listener
	return f, nil
}

// settings are what a connection is made with.
func (f *Forwarder) settings(id transport.ID) transport.Settings {
	s := f.sockets.Settings(id)
	if f.cfg.DelayAck > 0 {
		s.DelayAck = f.cfg.DelayAck
	}
	return s
}

// complete says what is wrong, and fills in what is zero.
func (c *ForwarderConfig) complete() error {
	for _, p := range c.Destinations {
		if !p.IsValid() {
			return errors.New("config.Destinations: not a valid prefix")
		}
	}
	switch {
	case c.InFlight < 0:
		return fmt.Errorf("config.InFlight: %d is negative", c.InFlight)
	case c.UDPSessions < 0:
		return fmt.Errorf("config.UDPSessions: %d is negative", c.UDPSessions)
	case c.DelayAck < 0 || c.DelayAck >= 500*time.Millisecond:
		return fmt.Errorf("config.DelayAck: %v is none that RFC 9293 permits", c.DelayAck)
	case c.UDPIdle < 0:
		return fmt.Errorf("config.UDPIdle: %v is negative", c.UDPIdle)
	}
	c.Destinations = slices.Clone(c.Destinations)
	if c.InFlight == 0 {
		c.InFlight = forwarderInFlight
	}
	c.InFlight = min(c.InFlight, maxForwarderInFlight)
	if c.UDPSessions == 0 {
		c.UDPSessions = udpSessions
	}
	if c.UDPIdle == 0 {
		c.UDPIdle = udpIdle
	}
	return nil
}

// Accept waits for the next connection, an *endpoint.Conn. After Close it fails
// with net.ErrClosed.
func (f *Forwarder) Accept() (net.Conn, error) {
	c, _, err := f.AcceptValue()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptValue is Accept with the type of the connection and the value that
// ForwarderConfig.Connect has returned for it. The value is the caller's; without Connect it is
// nil.
func (f *Forwarder) AcceptValue() (*endpoint.Conn, any, error) {
	for {
		a, err := f.arrivals.next(f.stack)
		if err != nil {
			return nil, nil, &net.OpError{Op: "accept", Net: "tcp", Addr: f.Addr(), Err: err}
		}
		sock, errno := f.sockets.Accept(a.conn)
		if errno == 0 {
			return endpoint.NewConn(sock, "tcp"), a.value, nil
		}
		discard(a.value) // the peer has reset the connection
	}
}

// Addr implements net.Listener: the unspecified address, port 0.
func (f *Forwarder) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv6unspecified} }

// Close ends the Forwarder: connections that wait for Accept are reset, those that were accepted
// live on; sessions end, and Connect, UDP and Echo are waited for, so that none of these may call
// Close. It is idempotent.
func (f *Forwarder) Close() error {
	f.closing.Do(func() {
		f.stack.anywhere.CompareAndSwap(f, nil)
		f.ctx.End(net.ErrClosed)
		values := f.connects.close()
		if f.listener != nil {
			f.listener.Close()
		}
		for _, a := range f.arrivals.close() {
			a.conn.Abort()
			values = append(values, a.value)
		}
		f.echoes.close()
		f.sessions.close()
		for _, v := range values {
			discard(v)
		}
	})
	f.work.Wait()
	return nil
}

// start runs a function on a goroutine of its own, which Close waits for.
func (f *Forwarder) start(run func()) {
	switch {
	case f.cfg.Go != nil:
		f.cfg.Go(run)
	case !outside.Bubbled():
		f.work.Go(run) // ends when run returns
	default:
		f.stack.outside.Do(func() { f.work.Go(run) })
	}
}

// newContext makes a context that ends with its parent, or by its End. It may be waited for in a
// bubble of testing/synctest and outside.
func (s *Stack) newContext(parent context.Context) *wait.Context {
	var done chan struct{}
	s.outside.Do(func() { done = make(chan struct{}) })
	return wait.NewContext(parent, time.Time{}, done)
}

// takes reports a destination that the Forwarder is for.
func (f *Forwarder) takes(a netip.Addr) bool {
	return (f.cfg.Destinations == nil || slices.ContainsFunc(f.cfg.Destinations, func(p netip.Prefix) bool { return p.Contains(a) })) &&
		(f.cfg.Takes == nil || f.cfg.Takes(a))
}

// discard closes a value that nobody gets.
func discard(value any) {
	if c, ok := value.(io.Closer); ok {
		_ = c.Close()
	}
}

// now is the time of the stack's clock since any time.
func (f *Forwarder) now() time.Duration { return transport.Instant(f.stack.clock.NowMonotonic()) }

// A forwarderTimer is the one timer of what becomes due in an agenda. Its owner's lock guards it.
type forwarderTimer struct {
	timer tcpip.Timer
	armed time.Duration // when it fires; 0: it isn't set
}

// set has the timer fire at a time at the latest. It isn't moved back: its function looks again.
func (t *forwarderTimer) set(s *Stack, now, at time.Duration, fire func()) {
	if t.armed != 0 && t.armed <= at {
		return
	}
	t.armed = at
	if t.timer == nil {
		t.timer = s.clock.AfterFunc(max(at-now, 0), fire)
		return
	}
	t.timer.Reset(max(at-now, 0))
}

// stop ends the timer.
func (t *forwarderTimer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}
