package machines

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// talkPort is the TCP port of the hub in the control tunnel.
const talkPort = 7773

// The times of the talk. A machine from which nothing has come for probeAfter is probed every
// second, and has vanished after lostAfter.
const (
	probeAfter = 2 * time.Second
	lostAfter  = 10 * time.Second
	dialWithin = 4 * time.Second // for SYNs at 0, 1 and 3 s
	dialPause  = 200 * time.Millisecond
	farewell   = 10 * time.Second // until the others have heard of the end
)

// maxUnsent is how many lines may wait for a machine that doesn't read.
const maxUnsent = 1024

// A Config is what a Session is made of.
type Config struct {
	Machines []string       // the names of all machines, the hub first
	Self     int            // the number of this one
	Hosts    map[string]int // the numbers of the machines of all hosts
	Digest   string         // of the network file
	Device   tun.Device     // the control tunnel, which belongs to the Session

	// Ready is told of each host of another machine that is ready, and Note of what people should
	// hear. Calls don't overlap.
	Ready func(host string)
	Note  func(text string)
}

// A Session is the part of one machine in the talk. Its methods are safe for concurrent use.
type Session struct {
	cfg      Config
	stack    *stack.Stack
	listener net.Listener // of the hub

	events chan func(*talk)
	ctx    context.Context // done when the talk is over
	cancel context.CancelFunc
	runs   sync.WaitGroup

	begun  chan struct{}
	ended  chan struct{}
	ending Ending        // when ended is closed
	gone   chan struct{} // closed when the others have heard of the end

	closeOnce sync.Once
	closeErr  error
}

// Open makes the stack of the control tunnel. Nothing is said to other machines before Begin.
func Open(cfg Config) (*Session, error) {
	self := Address(cfg.Self)
	s := &Session{
		cfg: cfg, events: make(chan func(*talk)),
		begun: make(chan struct{}), ended: make(chan struct{}), gone: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	s.stack, err = stack.New(stack.Config{
		Device: cfg.Device, Addresses: []netip.Prefix{netip.PrefixFrom(self, 64)},
		Defaults: []options.Assignment{
			options.SO_KEEPALIVE.With(true), options.TCP_KEEPIDLE.With(probeAfter), options.TCP_KEEPINTVL.With(time.Second),
			options.TCP_KEEPCNT.With(int((lostAfter - probeAfter) / time.Second)), options.TCP_MAXRT.With(lostAfter),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("machines: %w", err)
	}
	if cfg.Self == hub {
		if s.listener, err = s.stack.Listen("tcp", netip.AddrPortFrom(self, talkPort).String()); err != nil {
			_ = s.stack.Close() // what counts is the failure before
			return nil, fmt.Errorf("machines: %w", err)
		}
	}
	return s, nil
}

// Begin says that this machine is ready to begin. It is called once, before the methods below.
func (s *Session) Begin() {
	s.runs.Go(s.talk) // these end with ctx
	if s.cfg.Self == hub {
		s.runs.Go(s.accept)
	} else {
		s.runs.Go(s.dial)
	}
}

// Begun is closed when all machines are ready to begin.
func (s *Session) Begun() <-chan struct{} { return s.begun }

// Ready says that a host of this machine is ready.
func (s *Session) Ready(host string) { s.tell(func(t *talk) { t.state.hostReady(host) }) }

// Ended is closed when the network has ended, on whichever machine.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Ending is how the network has ended, when Ended is closed.
func (s *Session) Ending() Ending { return s.ending }

// End asks for the end of the network, and returns how it has ended, which may have been another
// wish. Where the hub doesn't answer for farewell, or until ctx is done, it is this one.
func (s *Session) End(ctx context.Context, wish Ending) Ending {
	if s.tell(func(t *talk) { t.state.want(wish) }) && within(ctx, farewell, s.ended) {
		return s.ending
	}
	return wish
}

// Leave gives the other machines time to hear of the end: farewell, or until ctx is done.
func (s *Session) Leave(ctx context.Context) {
	if s.tell(func(t *talk) { t.leaving = true }) {
		within(ctx, farewell, s.gone)
	}
}

// Close ends the talk at once, and closes the tunnel. It is idempotent.
func (s *Session) Close() error {
	s.closeOnce.Do(func() {
		s.cancel()
		if s.listener != nil {
			_ = s.listener.Close()
		}
		s.runs.Wait()
		s.closeErr = s.stack.Close()
	})
	return s.closeErr
}

// within waits until a channel is closed, and reports whether that has happened in time, before ctx
// is done.
func within(ctx context.Context, d time.Duration, c <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// tell has the goroutine of the talk do something. It reports false when the talk is over.
func (s *Session) tell(f func(*talk)) bool {
	select {
	case s.events <- f:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// accept takes the connections of the others at the hub. The tunnel has proved who they are.
func (s *Session) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // the listener is closed
		}
		from, at := hub, c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		for i := range s.cfg.Machines {
			if Address(i) == at {
				from = i
			}
		}
		if from == hub || !s.tell(func(t *talk) { t.join(from, c) }) {
			_ = c.Close()
		}
	}
}

// dial connects to the hub, again and again until the network has ended.
func (s *Session) dial() {
	for s.ctx.Err() == nil {
		s.dialOnce()
		select {
		case <-s.ctx.Done():
		case <-s.ended:
			return
		case <-time.After(dialPause):
		}
	}
}

// dialOnce connects to the hub, and returns when the connection is lost, or there is none.
func (s *Session) dialOnce() {
	ctx, cancel := context.WithTimeout(s.ctx, dialWithin)
	defer cancel()
	c, err := s.stack.DialContext(ctx, "tcp", netip.AddrPortFrom(Address(hub), talkPort).String())
	if err != nil {
		return
	}
	joined := make(chan *connection, 1)
	if !s.tell(func(t *talk) { joined <- t.join(hub, c) }) {
		_ = c.Close()
		return
	}
	<-(<-joined).lost
}
