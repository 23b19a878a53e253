package tun

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
)

// A Func is a device whose other end is a Go function: tests and bridges that
// look at each packet, and answer it, use one.
type Func struct {
	mtu       int
	out       func(packet []byte)
	in        *inlet
	sendDrops atomic.Uint64
	closed    atomic.Bool
}

// NewFunc returns a device that calls out with every packet sent, flattened
// into one slice, which out owns from then on. A nil out discards. An mtu that
// isn't 68 to 65535 is a mistake in the program and panics.
//
// out runs at the moment of sending, on the sender's goroutine, which may hold
// the lock of a netstack endpoint: out may call Inject, but never a socket, the
// Stack, or Close. Several goroutines send, so calls of out may overlap, and one
// may still be running when Close returns.
func NewFunc(mtu int, out func(packet []byte)) *Func {
	checkMTU("NewFunc", mtu)
	if out == nil {
		out = func([]byte) {}
	}
	return &Func{mtu: mtu, out: out, in: newInlet()}
}

// Inject makes the device receive a copy of packet. It returns at once; the
// device's reader delivers it, after an out that called Inject has gone on.
// Packets are delivered in the order of the calls. The content isn't checked,
// and packet may be larger than the MTU: this is how a stack meets malformed
// packets. Packets above 65,575 bytes (the largest IPv6 packet), beyond
// QueuePackets packets or QueueBytes bytes waiting, or after Close, are dropped
// and counted. Inject is safe for concurrent use.
func (f *Func) Inject(packet []byte) {
	if len(packet) > maxPacket {
		f.in.queue.Drop(1)
		return
	}
	f.in.queue.Put([]Packet{{Data: buffer.MakeWithData(packet)}})
}

// MTU implements Device.
func (f *Func) MTU() int { return f.mtu }

// Offload implements Device: a Func carries plain packets.
func (f *Func) Offload() Offload { return Offload{} }

// Start implements Device. A second call fails with ErrStarted, one after
// Close with ErrClosed.
func (f *Func) Start(receive func([]Packet)) error { return f.in.start(receive) }

// Send implements Device. Packets that are larger than the MTU or have offload
// metadata are dropped and counted. No lock is held while out runs.
func (f *Func) Send(packets []Packet) error {
	if f.closed.Load() {
		return ErrClosed
	}
	for i := range packets {
		p := &packets[i]
		if !f.Offload().carries(p, f.mtu) {
			f.sendDrops.Add(1)
			continue
		}
		packet := make([]byte, p.Data.Size())
		flatten(packet, &p.Data)
		f.out(packet)
	}
	return nil
}

// Close implements Device. It must not be called from out or from receive.
func (f *Func) Close() error {
	f.closed.Store(true)
	f.in.stop()
	return nil
}

// Drops implements Dropper: packets that Send refused and Inject couldn't
// queue, together.
func (f *Func) Drops() uint64 { return f.sendDrops.Load() + f.in.queue.Dropped() }

// Pending implements Pender.
func (f *Func) Pending() int { return f.in.queue.Pending() }
