package tun

import (
	"fmt"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/inet"
)

// Pipe returns the two ends of an in-memory link that carries packets of up to mtu bytes, 68 to
// 65535. Another mtu is a mistake in the program, and Pipe panics. Packets that are sent on one end
// are received on the other, in order and by reference: their data isn't copied, so no receiver may
// write to it.
//
// Both ends are Offloaders. A stack calls EnableOffload of its end. Between two such ends, TCP
// segments of up to 64 KiB travel whole and without checksums. An end on which EnableOffload wasn't
// called carries plain packets: it takes no others, and packets from the other end are cut up and
// get their checksums before they are received (see [Segments]).
//
// Each end has a queue of QueuePackets packets and QueueBytes bytes, which also holds what arrives
// before Start. Packets beyond either bound, and packets that the link can't carry (too large, or
// with metadata that isn't enabled), are dropped and counted in the Drops of the sending end. Once
// one end is closed, all packets that the other end sends are counted as drops, and so are those
// that the closed end hadn't delivered.
//
// Both ends are a [Dropper] and a [Pender]. The ends are closed separately, in any order. Send
// after Close of the same end returns ErrClosed.
func Pipe(mtu int) (a, b Device) {
	checkMTU("Pipe", mtu)
	toA, toB := newInlet(), newInlet()
	return &pipeEnd{mtu: mtu, in: toA, out: toB.queue}, &pipeEnd{mtu: mtu, in: toB, out: toA.queue}
}

// checkMTU panics when mtu is out of range: neither Pipe nor NewFunc returns an error, and both are
// called with a number that the program has chosen.
func checkMTU(caller string, mtu int) {
	if mtu < inet.MinMTU4 || mtu > inet.MaxMTU {
		panic(fmt.Sprintf("tun: %s: mtu is %d, must be %d to %d", caller, mtu, inet.MinMTU4, inet.MaxMTU))
	}
}

type pipeEnd struct {
	mtu       int
	in        *inlet
	out       *Queue // the queue of the other end's inlet
	offloaded atomic.Bool
	closed    atomic.Bool
}

var _ Offloader = (*pipeEnd)(nil)

// MTU implements Device.
func (p *pipeEnd) MTU() int { return p.mtu }

// Offload implements Device. The end carries plain packets only until EnableOffload is called.
func (p *pipeEnd) Offload() Offload {
	if p.offloaded.Load() {
		return Offload{Checksum: true, TSO4: true, TSO6: true}
	}
	return Offload{}
}

// EnableOffload implements Offloader.
func (p *pipeEnd) EnableOffload() { p.offloaded.Store(true) }

// Start implements Device. A second call fails with ErrStarted, and a call after Close with
// ErrClosed.
func (p *pipeEnd) Start(receive func([]Packet)) error {
	return p.in.start(func(packets []Packet) {
		if !p.offloaded.Load() {
			packets = plain(packets)
		}
		receive(packets)
	})
}

// Send implements Device.
func (p *pipeEnd) Send(packets []Packet) error {
	if p.closed.Load() {
		return ErrClosed
	}
	p.out.PutCarried(packets, p.Offload(), p.mtu)
	return nil
}

// Close implements Device.
func (p *pipeEnd) Close() error {
	p.closed.Store(true)
	p.in.stop()
	return nil
}

// Patience implements Patient. Receiving copies nothing, so nothing is won by another goroutine.
func (p *pipeEnd) Patience() int { return QueueBytes }

// Drops implements Dropper.
func (p *pipeEnd) Drops() uint64 { return p.out.Dropped() }

// Pending implements Pender.
func (p *pipeEnd) Pending() int { return p.in.queue.Pending() }
