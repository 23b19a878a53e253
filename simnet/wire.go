package simnet

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/tun"
)

// A Wire is a link to one node whose other end the test plays by hand: it sees every packet and
// answers, or not. Peer plays a TCP conversation. The Link is nil until there is one.
//
// A Wire belongs to one goroutine: the one that runs the network, or one of Go.
// Receive and Expect run the network, or wait in it, until a packet comes.
type Wire struct {
	*Link
	n         *Network
	name      string
	addresses []netip.Addr
	end       *linkEnd
	device    *tun.Impaired

	mu       sync.Mutex // a leaf, but for the waiter's; guards inbox and wait
	inbox    []Packet
	wait     endpoint.Waiter // of a Receive in progress; nil: there is none
	lastPort uint16          // the port that the last Connect was given
}

// A Packet is what a Wire has received.
type Packet struct {
	At   time.Duration // when the packet arrived, as the time since New
	Data []byte        // the whole packet
}

// defaultLimit is how long Receive and Expect wait unless told otherwise.
const defaultLimit = time.Minute

// Wire makes a hand-played peer of a node, with addresses such as "10.0.0.9". The link has no
// impairments at first. With nil for the node there is no link yet: Network.Link makes one, with
// options, and with the Addresses that a router needs for it. Beside a Switch what a Wire sends
// needs no route: what no neighbour has goes to the router that was linked first.
func (n *Network) Wire(node Node, name string, addresses ...string) *Wire {
	if n.tb != nil {
		n.tb.Helper()
	}
	w, err := n.newWire(node, name, addresses)
	n.must(err)
	return w
}

func (n *Network) newWire(node Node, name string, addresses []string) (*Wire, error) {
	if err := n.checkBubble("Wire"); err != nil {
		return nil, err
	}
	w := &Wire{n: n, name: name, lastPort: 40000}
	for _, s := range addresses {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("simnet: wire %s: address %q: want one such as 10.0.0.9", name, s)
		}
		w.addresses = append(w.addresses, a)
	}
	err := n.claim("wire", name)
	if err != nil {
		return nil, err
	}
	if w.end, err = n.newLinkEnd(name, w, anyMTU); err != nil {
		n.release(name)
		return nil, err
	}
	w.device = w.end.impaired
	if err := w.device.Start(w.receive); err != nil {
		n.release(name)
		return nil, err
	}
	if node != nil && node != Node((*Host)(nil)) {
		_, err = n.newLink(node, w, nil)
	}
	if err != nil {
		n.release(name)
		w.end.closeFar()
		return nil, errors.Join(err, w.device.Close())
	}
	n.mu.Lock()
	n.wires = append(n.wires, w)
	n.mu.Unlock()
	return w, nil
}

// Name is the name that Network.Wire was called with.
func (w *Wire) Name() string { return w.name }

func (w *Wire) network() *Network { return w.n }

func (w *Wire) nextEnd(c *linkConfig, i int) (*linkEnd, error) {
	if w.Link != nil {
		return nil, fmt.Errorf("simnet: wire %s has its link already", w.name)
	}
	return w.end, c.noInterface(i, "wire")
}

// receive is the end of the link.
func (w *Wire) receive(packets []tun.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range packets {
		w.inbox = append(w.inbox, Packet{At: w.n.Now(), Data: packets[i].Data.Flatten()})
		packets[i].Data.Release()
	}
	if len(w.inbox) > tun.QueuePackets {
		w.inbox = w.inbox[len(w.inbox)-tun.QueuePackets:] // the oldest go
	}
	if w.wait != nil {
		w.wait.Signal()
	}
}

// Inject sends a packet to the host as it is.
func (w *Wire) Inject(packet []byte) {
	w.n.wireUse()
	p := []tun.Packet{{Data: buffer.MakeWithData(packet)}}
	w.device.Send(p) // it fails only after Close
	p[0].Data.Release()
}

// wireUse is called first by the calls of a Wire: it panics where the network is closed.
func (n *Network) wireUse() {
	if n.isClosed() {
		panic("simnet: the network is closed")
	}
}

// take removes the first packet that wanted accepts.
func (w *Wire) take(wanted func(*Packet) bool) (Packet, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.inbox {
		if p := w.inbox[i]; wanted(&p) {
			w.inbox = append(w.inbox[:i], w.inbox[i+1:]...)
			return p, true
		}
	}
	return Packet{}, false
}

// errNothing says that no packet came in time. The network may be idle then:
// for a Wire silence is an answer.
var errNothing = errors.New("nothing arrived")

// errClosed says that Close has ended the wait, in real time.
var errClosed = errors.New("the network was closed")

// await waits for a packet that is wanted, until a time since New.
func (w *Wire) await(wanted func(*Packet) bool, until time.Duration) (p Packet, err error) {
	ok := false
	try := func() bool {
		if !ok {
			p, ok = w.take(wanted)
		}
		return ok
	}
	n := w.n
	if !n.real && !(n.running() && inTask()) {
		if err := n.runUntil(try, max(0, until-n.now()), false, "a packet arrived"); err != nil {
			var hang *HangError
			if n.now() < until && !errors.As(err, &hang) {
				return p, err
			}
			return p, errNothing
		}
		return p, nil
	}
	waiter := n.newSocketWaiter()
	w.setWaiter(waiter)
	defer w.setWaiter(nil)
	timer := n.wall.AfterFunc(max(0, until-n.now()), waiter.Signal)
	defer timer.Stop()
	for !try() {
		switch {
		case n.now() >= until:
			return p, errNothing
		case n.real && n.isClosed() && inTask():
			runtime.Goexit()
		case n.real && n.isClosed():
			return p, errClosed
		}
		waiter.Wait("a packet on wire " + w.name)
	}
	return p, nil
}

// wake makes a Receive in progress look again.
func (w *Wire) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wait != nil {
		w.wait.Signal()
	}
}

// setWaiter sets the waiter of a Receive in progress; nil: there is none any more.
func (w *Wire) setWaiter(wait endpoint.Waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait = wait
}

// Receive returns the next packet of any kind. It fails when none comes within
// the limit.
func (w *Wire) Receive(limit time.Duration) (Packet, error) {
	if w.n.tb != nil {
		w.n.tb.Helper()
	}
	p, err := w.await(func(*Packet) bool { return true }, w.n.now()+limit)
	if err != nil {
		err = fmt.Errorf("simnet: wire %s: no packet within %v: %w\n%s", w.name, limit, err, w.n.report())
	}
	return p, w.n.fail(err)
}

// ExpectSilence lets a span of time pass, and fails when a packet arrives
// meanwhile, or is waiting to be received.
func (w *Wire) ExpectSilence(d time.Duration) error {
	if w.n.tb != nil {
		w.n.tb.Helper()
	}
	p, err := w.await(func(*Packet) bool { return true }, w.n.now()+d)
	switch {
	case err == nil:
		var t trace.Tracer
		err = fmt.Errorf("simnet: wire %s: want silence for %v, got a packet:\n  %s\n%s", w.name, d,
			t.Line(p.At, "", "", p.Data), w.n.report())
	case errors.Is(err, errNothing):
		err = nil
	}
	return w.n.fail(err)
}

// Take takes the oldest packet that has arrived, without waiting and without running the network. It
// reports whether there was one.
func (w *Wire) Take() (p Packet, ok bool) {
	return w.take(func(*Packet) bool { return true })
}

// Discard forgets the packets that have arrived, and returns how many there were.
func (w *Wire) Discard() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.inbox)
	w.inbox = nil
	return n
}

// address is the address that the Wire has of a family, if it has one.
func (w *Wire) address(v4 bool) (netip.Addr, bool) {
	for _, a := range w.addresses {
		if a.Is4() == v4 {
			return a, true
		}
	}
	return netip.Addr{}, false
}
