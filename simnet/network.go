// Package simnet is a network in a test: several wsstack stacks, joined by
// links with seeded faults, on a clock that runs as fast as the machine can.
//
//	n := simnet.New(t, simnet.Seed(1))
//	a := n.Host("a", "10.0.0.1/24")
//	b := n.Host("b", "10.0.0.2/24")
//	n.Link(a, b, simnet.Delay(50*time.Millisecond), simnet.Loss(0.1))
//	n.Background("server", func() { … b.Listen, Accept, Read … })
//	n.Do("client", func() { … a.Dial, Write, Read … })
//	fmt.Print(n.TraceText())
//
// # Time
//
// Time is virtual: it starts on 2000-01-01 and moves only when nothing is left
// to do at the present instant. Ordinary blocking code runs in it on goroutines
// started with Go. The network does one thing at a time: one goroutine runs
// until it waits, or one packet is delivered, or one timer fires. So the same
// seed gives the same packets at the same times, byte for byte, on every
// machine and in every run.
//
// The price is that the network must know who waits. While it is in virtual
// time, sockets are used on goroutines of Go and in timers' functions; between
// two calls that run the network (Run, Do, Advance, …) also on the goroutine
// that makes those calls, as long as nothing blocks. A blocking call elsewhere
// panics and says so. net/http servers and other code with goroutines of its
// own need RealTime. Deadlines of connections are times of Clock:
// c.SetReadDeadline(n.Clock().Now().Add(time.Second)).
//
// When nothing can happen any more while goroutines wait, the call that runs
// the network fails at once, and says who waits for what.
//
// # Failing
//
// With a testing.T, whatever goes wrong ends the test: errors needn't be
// looked at. Without, calls that return an error return it, and those that
// don't panic.
package simnet

import (
	"errors"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/tun"
)

// TB is what New needs of a testing.T or testing.B.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// A Network is a set of hosts and links with one clock. One goroutine at a
// time runs it; the other methods are safe for concurrent use.
type Network struct {
	tb       TB
	seed     uint64
	real     bool
	offload  bool
	runLimit time.Duration

	clock *clock // nil in real time
	wall  tcpip.Clock
	begun tcpip.MonotonicTime // in real time
	group sync.WaitGroup      // in real time: the goroutines of Go
	steps steps
	trace recorder

	mu       sync.Mutex // a leaf, but for the clock's; guards the fields below
	turns    turnQueue
	current  *task
	driving  bool
	closed   bool
	watchdog watchdog
	tasks    []*task // not done, oldest first
	hosts    []*Host
	links    []*Link
	wires    []*Wire

	closeOnce sync.Once
	closeErr  error
}

// An Option configures a Network.
type Option func(*Network)

// Seed chooses the network's chances: sequence numbers, ports, losses. The
// default is 1. Networks with the same seed and the same program behave the
// same.
func Seed(seed uint64) Option { return func(n *Network) { n.seed = seed } }

// RealTime runs the network on the real clock, with ordinary goroutines: for
// code that starts goroutines of its own. Nothing is deterministic then.
func RealTime() Option { return func(n *Network) { n.real = true } }

// Offload lets the hosts give their interfaces TCP segments of up to 64 KiB,
// which are cut up before anything else happens to them. The trace shows the
// packets on the wire: it should be the same as without.
func Offload() Option { return func(n *Network) { n.offload = true } }

// RunLimit bounds the time that Run and Do let pass; the default is 24 hours.
func RunLimit(d time.Duration) Option { return func(n *Network) { n.runLimit = d } }

// TraceLimit is the number of packets that Trace remembers; the default is
// 65536, zero records none. The digest covers all packets in any case.
func TraceLimit(packets int) Option { return func(n *Network) { n.trace.limit = packets } }

// New makes a network. With a tb, the network is closed at the end of the test
// and failures end it; nil is for programs that aren't tests.
func New(tb TB, opts ...Option) *Network {
	n := &Network{tb: tb, seed: 1, runLimit: 24 * time.Hour}
	n.trace.limit = 1 << 16
	for _, o := range opts {
		o(n)
	}
	if n.real {
		n.wall = tcpip.NewStdClock()
		n.begun = n.wall.NowMonotonic()
	} else {
		n.clock = &clock{}
		n.wall = clockView{n.clock, owner{all: true}}
	}
	if tb != nil {
		tb.Cleanup(func() {
			if err := n.Close(); err != nil {
				tb.Fatalf("%v", err)
			}
		})
	}
	return n
}

// fail is the end of a call that went wrong: see the package comment.
func (n *Network) fail(err error) error {
	if err != nil && n.tb != nil {
		n.tb.Helper()
		n.tb.Fatalf("%v", err)
	}
	return err
}

// must is fail for calls that return no error.
func (n *Network) must(err error) {
	if n.fail(err) != nil {
		panic(err)
	}
}

// Clock is the clock of the network. A function of its AfterFunc runs on the
// goroutine that runs the network: it may use sockets, but must not wait.
func (n *Network) Clock() tcpip.Clock { return n.wall }

// Now is the time since New, in whole microseconds.
func (n *Network) Now() time.Duration { return n.now().Truncate(time.Microsecond) }

// Timers is the number of timers that have yet to fire, for tests that look for
// leaks; 0 in real time.
func (n *Network) Timers() int {
	if n.real {
		return 0
	}
	return n.clock.running()
}

func (n *Network) now() time.Duration {
	if n.real {
		return n.wall.NowMonotonic().Sub(n.begun)
	}
	return n.clock.read()
}

// Time is the wall time of the network: what deadlines are made of.
func (n *Network) Time() time.Time { return n.wall.Now() }

// Close ends the goroutines of Go, wherever they wait, and closes the hosts. In
// real time, it closes the hosts and waits for the goroutines. It is idempotent
// and safe for concurrent use, but not for goroutines of Go.
func (n *Network) Close() error {
	n.closeOnce.Do(func() {
		n.mu.Lock()
		n.closed = true
		tasks, hosts, wires := n.tasks, n.hosts, n.wires
		n.mu.Unlock()
		if !n.real {
			for _, t := range append([]*task{}, tasks...) {
				t.stop()
				t.finish() // one that never began
			}
		}
		var errs []error
		for _, h := range hosts {
			errs = append(errs, h.Stack.Close())
		}
		for _, w := range wires {
			errs = append(errs, w.device.Close())
			w.port.closeFar()
		}
		for _, h := range hosts {
			h.closePorts()
		}
		n.group.Wait()
		errs = append(errs, n.trace.flush())
		n.closeErr = errors.Join(errs...)
	})
	return n.closeErr
}

func (n *Network) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// impaired wraps a port: the device that a stack or a wire gets.
func (n *Network) impaired(p *port) (*tun.Impaired, error) {
	clock := n.wall
	if !n.real {
		clock = clockView{n.clock, owner{}} // its timers only queue packets
	}
	return tun.Impair(p.device(), tun.ImpairConfig{
		Clock:   clock,
		Rand:    n.source("link " + p.name),
		Offload: n.offload,
		Observe: func(d tun.Direction, packet *tun.Packet, fate tun.Fate) {
			if d == tun.Out {
				p.observe(packet, fate)
			}
		},
	})
}
