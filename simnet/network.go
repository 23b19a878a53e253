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
// # Which mode
//
// A network is in one of three modes, and everything in this package works in all of them.
//
//   - Deterministic, the default: virtual time, and one thing at a time. The same seed gives the
//     same packets at the same times, byte for byte, on every machine and in every run. All code
//     that waits has to run on goroutines of Go. It is the mode for tests of protocols, for golden
//     traces, and for a fault that has to come back.
//   - In a bubble of testing/synctest, where New finds itself called in one: virtual time, and
//     ordinary goroutines. Unmodified programs run in it, net/http for instance, with their own
//     goroutines, timers, deadlines and contexts. The same program has the same outcome in each
//     run, and takes the same time as far as no lottery decides about packets; but goroutines that
//     are ready at the same instant run in any order, so that bytes, and what Loss and its kin hit,
//     may differ. It is the mode for tests of programs. Bubble insists on it.
//   - RealTime: the real clock, and ordinary goroutines, for what can't be in a bubble.
//
// # Deterministic
//
// Time starts on 2000-01-01 and moves only when nothing is left to do at the present instant.
// Ordinary blocking code runs in it on goroutines started with Go. The network does one thing at a
// time: one goroutine runs until it waits, or one packet is delivered, or one timer fires.
//
// The price is that the network must know who waits. While it is in virtual time, sockets are used
// on goroutines of Go and in timers' functions; between two calls that run the network (Run, Do,
// Advance, …) also on the goroutine that makes those calls, as long as nothing blocks. A blocking
// call elsewhere panics and says so. Deadlines of connections are times of Clock:
// c.SetReadDeadline(n.Clock().Now().Add(time.Second)).
//
// When nothing can happen any more while goroutines wait, the call that runs the network fails at
// once, and says who waits for what.
//
// # In a bubble
//
//	synctest.Test(t, func(t *testing.T) {
//		n := simnet.New(t, simnet.Bubble())
//		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
//		n.Link(a, b, simnet.Delay(50*time.Millisecond), simnet.Loss(0.1))
//		l, _ := b.Listen("tcp", ":80")
//		go http.Serve(l, handler)
//		transport := &http.Transport{DialContext: a.DialContext}
//		client := http.Client{Transport: transport, Timeout: time.Minute}
//		…
//	})
//
// The clock of the network is that of the bubble, which time.Now reads: it starts on 2000-01-01 and
// moves when all goroutines of the bubble wait durably. Go starts an ordinary goroutine, Sleep and
// Advance are time.Sleep, and Run and Do wait for goroutines of Go as they do in every mode.
// Advance, Idle and RunUntil let everything settle with synctest.Wait, which serves one goroutine
// of a bubble at a time. A bubble can't tell when nothing can happen any more: Run and its kin fail
// after the RunLimit then, with a report of who waits for what, and where nobody runs the network,
// package synctest reports a deadlock.
//
// Time stands still while there is something to do. A link that has neither Delay nor Rate carries
// any amount in no time, and a program that sends over it until a time has come sends forever; the
// process ends after a million packets at one time, and says so.
//
// The network, its hosts and all that use them are made in the bubble, and end in it: New gets the
// t that synctest.Test gives its function. Whoever uses a network of a bubble outside of it, or one
// that was made outside in a bubble, gets a panic that says so. At the end of the test Close makes
// calls on sockets fail; goroutines of the program that wait for something else have to end by
// themselves.
//
// # Size
//
// A host takes some 200 KiB, most of it netstack's tables, and a connection some 6 KiB at each end.
// An hour of keep-alive probes, every 15 s, of 1,000 connections of 100 hosts takes 4 s of a
// processor of 2025, in a bubble 6 s.
//
// # Failing
//
// With a testing.T, whatever goes wrong ends the test: errors needn't be
// looked at. Without, calls that return an error return it, and those that
// don't panic.
package simnet

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/fifo"
	"github.com/wsstack/wsstack/internal/outside"
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
	tb       TB            // whose failure a failure is; nil: errors are returned
	seed     uint64        // see Seed
	real     bool          // see RealTime; set in a bubble, too
	insists  bool          // see Bubble
	offload  bool          // see Offload
	runLimit time.Duration // see RunLimit

	clock   *clock              // virtual time; nil in real time
	wall    tcpip.Clock         // what Clock returns
	begun   tcpip.MonotonicTime // when New was called, in real time
	bubble  outside.Bubble      // the bubble that New was called in; 0: none
	blocked blockedCalls        // in real time
	bells   bells               // in real time
	instant instant             // in a bubble
	closing chan struct{}       // closed when Close begins, in real time
	steps   steps
	trace   recorder
	records records
	keep    *keeper // see KeepOnFailure; nil: nothing is kept

	topology topology

	mu       sync.Mutex // a leaf, but for the clock's; guards the fields below
	turns    fifo.Queue[turn]
	current  *task         // the goroutine that runs; nil: none does
	driving  bool          // a call runs the network
	closed   bool          // Close was called
	settling chan struct{} // closed when the bubble has settled; nil: nobody waits for that
	watchdog watchdog
	tasks    []*task // those that aren't done, oldest first
	hosts    []*Host
	links    []*Link
	wires    []*Wire
	ports    []*linkEnd // the ends of switches and middleboxes

	closeOnce sync.Once
	closeErr  error
}

// An Option configures a Network.
type Option func(*Network)

// Seed sets what the network's random numbers come from: sequence numbers, ports, losses. The
// default is 1. Networks with the same seed and the same program behave in the same way.
func Seed(seed uint64) Option { return func(n *Network) { n.seed = seed } }

// RealTime runs the network on the real clock, with ordinary goroutines. Nothing is deterministic
// then. In a bubble of testing/synctest the real clock is the bubble's.
func RealTime() Option { return func(n *Network) { n.real = true } }

// Offload lets the hosts give their interfaces TCP segments of up to 64 KiB, which are cut up
// before anything else happens to them. The trace shows the packets on the wire, which are the same
// as without Offload but for the identifications of IPv4.
func Offload() Option { return func(n *Network) { n.offload = true } }

// RunLimit bounds the time that Run and Do let pass. The default is 24 hours.
func RunLimit(d time.Duration) Option { return func(n *Network) { n.runLimit = d } }

// TraceLimit is how many packets Trace remembers. The default is 65536; with zero Trace remembers
// none. The digest covers all packets in any case.
func TraceLimit(packets int) Option { return func(n *Network) { n.trace.limit = packets } }

// New makes a network, in a bubble of testing/synctest one on the time of the bubble. With a tb, the
// end of the test closes the network, and a failure ends the test; programs that aren't tests have
// nil for it.
func New(tb TB, opts ...Option) *Network {
	n := &Network{tb: tb, seed: 1, runLimit: 24 * time.Hour}
	n.trace.limit = 1 << 16
	for _, o := range opts {
		o(n)
	}
	n.must(n.chooseMode())
	n.setClock()
	if n.keep != nil {
		n.must(n.keep.begin(n))
	}
	if tb != nil {
		tb.Cleanup(func() {
			err := n.Close()
			n.keep.end(n, err != nil)
			if err != nil {
				tb.Fatalf("%v", err)
			}
		})
	}
	return n
}

// setClock gives a new network its clock.
func (n *Network) setClock() {
	if !n.real {
		n.clock = &clock{}
		n.wall = clockView{n.clock, owner{all: true}}
		return
	}
	n.closing = make(chan struct{})
	n.wall = &realClock{bubbled: n.bubble != 0, begun: time.Now(), bells: &n.bells}
	n.begun = n.wall.NowMonotonic()
	if n.bubble == 0 {
		return
	}
	bubbles.add(n)
	if n.tb == nil {
		go n.isOpenUntilClose() // ends when Close begins
	}
}

// fail ends the test where err isn't nil and there is a test, and returns err.
func (n *Network) fail(err error) error {
	if err != nil && n.tb != nil {
		n.tb.Helper()
		n.tb.Fatalf("%v", err)
	}
	return err
}

// must is fail for calls that return no error: without a test it panics.
func (n *Network) must(err error) {
	if n.fail(err) != nil {
		panic(err)
	}
}

// Clock is the clock of the network. A function that was given to AfterFunc runs on the goroutine
// that runs the network: the function may use sockets, but must not wait.
func (n *Network) Clock() tcpip.Clock { return n.wall }

// Now is the time since New, in whole microseconds.
func (n *Network) Now() time.Duration { return n.now().Truncate(time.Microsecond) }

// Timers is how many timers have yet to fire, for tests that look for leaks. In real time it is 0.
// In a bubble it counts those of the hosts and links, and those of Clock.
func (n *Network) Timers() int {
	switch {
	case n.bubble != 0:
		return int(n.wall.(*realClock).timers.Load())
	case n.real:
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

// Time is the wall time of the network, which deadlines are made of.
func (n *Network) Time() time.Time { return n.wall.Now() }

// Close ends the goroutines of Go, wherever they wait, and closes the hosts. In real time and in a
// bubble it closes the hosts, so that calls on sockets fail, ends the goroutines of Go that wait for
// something else of the network, and waits for all of them; in a bubble it fails where one hasn't
// returned by the RunLimit. Close is idempotent and safe for concurrent use; goroutines of Go don't
// call it.
func (n *Network) Close() error {
	if err := n.checkBubble("Close"); err != nil {
		return err
	}
	n.closeOnce.Do(func() {
		n.mu.Lock()
		n.closed = true
		tasks, hosts, wires := n.tasks, n.hosts, n.wires
		n.mu.Unlock()
		if n.real {
			close(n.closing)
			n.bells.ring()
		} else {
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
			w.wake()
			errs = append(errs, w.device.Close())
			w.end.closeFar()
		}
		errs = append(errs, n.closePorts())
		for _, h := range hosts {
			errs = append(errs, h.closeEnds())
		}
		errs = append(errs, n.joinTasks(), n.trace.flush())
		bubbles.remove(n)
		n.closeErr = errors.Join(errs...)
	})
	return n.closeErr
}

// joinTasks waits for the goroutines of Go in real time.
func (n *Network) joinTasks() error {
	limit := n.runLimit
	if n.bubble == 0 {
		limit = 1<<63 - 1
	}
	none := func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.tasks) == 0
	}
	if !n.real || n.await(none, limit, false) {
		return nil
	}
	return fmt.Errorf("simnet: the network is closed, but %v later goroutines of it haven't returned; end them before the bubble ends\n%s", limit, n.report())
}

func (n *Network) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// impaired wraps an end of a link: it makes the device that a stack or a Wire gets.
func (n *Network) impaired(e *linkEnd) (*tun.Impaired, error) {
	clock := n.wall
	if !n.real {
		clock = clockView{n.clock, owner{}} // its timers only queue packets
	}
	return tun.Impair(e.device(), tun.ImpairConfig{
		Clock:   clock,
		Rand:    n.source("link " + e.name),
		Offload: n.offload,
		Observe: func(d tun.Direction, packet *tun.Packet, fate tun.Fate) {
			if d == tun.Out {
				e.observe(packet, fate)
			} else {
				n.records.arrived(packet.Tag, n)
			}
		},
	})
}
