package tun

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
)

// A Func is a device whose other end is a Go function, for tests and bridges that look at each
// packet and answer it.
type Func struct {
	mtu       int
	out       func(packet []byte)
	in        *inlet
	sendDrops atomic.Uint64
	closed    atomic.Bool
}

// NewFunc returns a device that calls out with every packet that is sent. The packet is in one
// slice, which out owns. A nil out discards the packets. An mtu that isn't 68 to 65535 bytes is a
// mistake in the program, and NewFunc panics.
//
// out runs at the moment of sending, on the goroutine of the sender, which may hold the lock of a
// netstack endpoint: out may call Inject, but never a socket, the Stack, or Close. Several
// goroutines send, so calls of out may overlap, and a call may still be running when Close returns.
func NewFunc(mtu int, out func(packet []byte)) *Func {
	checkMTU("NewFunc", mtu)
	if out == nil {
		out = func([]byte) {}
	}
	return &Func{mtu: mtu, out: out, in: newInlet()}
}

// Inject makes the device receive a copy of packet. Inject returns at once, and another goroutine
// delivers the copy. Packets are delivered in the order of the calls. The content isn't checked,
// and packet may be larger than the MTU, so a program can show malformed packets to a stack.
// Packets of more than 65,575 bytes (the largest IPv6 packet), packets beyond the QueuePackets
// packets or QueueBytes bytes that may wait, and packets after Close are dropped and counted.
// Inject is safe for concurrent use.
func (f *Func) Inject(packet []byte) {
	if len(packet) > maxPacket {
		f.in.queue.Drop(1)
		return
	}
	f.in.queue.Put([]Packet{{Data: buffer.MakeWithData(packet)}})
}

// MTU implements Device.
func (f *Func) MTU() int { return f.mtu }

// Offload implements Device. A Func carries plain packets only.
func (f *Func) Offload() Offload { return Offload{} }

// Start implements Device. A second call fails with ErrStarted, and a call after Close with
// ErrClosed.
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

// Close implements Device. Neither out nor receive may call Close.
func (f *Func) Close() error {
	f.closed.Store(true)
	f.in.stop()
	return nil
}

// Drops implements Dropper. Both the packets that Send refused and those that Inject couldn't queue
// are counted.
func (f *Func) Drops() uint64 { return f.sendDrops.Load() + f.in.queue.Dropped() }

// Pending implements Pender.
func (f *Func) Pending() int { return f.in.queue.Pending() }
