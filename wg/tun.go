package wg

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	wgtun "golang.zx2c4.com/wireguard/tun"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// MaxMTU is the largest MTU of a tunnel, in bytes: what the largest UDP datagram over IPv4 holds.
const MaxMTU = inet.MaxMTU - header.IPv4MinimumSize - header.UDPMinimumSize - device.MessageTransportSize

// A TUN joins a stack to a device of golang.zx2c4.com/wireguard, the engine of a tunnel: it has a
// face for each, and what one writes, the other reads.
//
//	stack ── Send ──▶ queue ──▶ cut into segments ──▶ Read ── engine
//	stack ◀── receive ◀──── put together again ◀──── Write ── engine
//
// TCP segments of up to 64 KiB pass the face of the stack whole and without checksums. On the way
// out they wait in a queue of [tun.QueuePackets] packets and [tun.QueueBytes] bytes, share their
// data with the sender, and are cut up into the buffers of the engine. On the way in, those that
// come in one Write and follow each other are put together, and the stack gets them on the
// goroutine of the engine. What the stack can't take yet, before Start, is dropped.
//
// The engine has a buffer of 64 KiB for each packet that it works on, and no bound for their
// number. [TUN.Bind] makes one. Without it, all that the TUN does is to give the engine few packets
// at a time.
//
// Both sides run in real time. The faces are safe for concurrent use, and are closed in any order.
type TUN struct {
	mtu    int
	events chan wgtun.Event
	queue  *tun.Queue    // from the stack to the engine
	done   chan struct{} // closed by close
	drops  atomic.Uint64 // packets that were too large, or came in while nobody received

	// What a Bind of this package knows; nil without one. They are set before the engine is made.
	out, in *flight                                       // the buffers that the engine has in use
	look    func(packet []byte, size int) (answer []byte) // see Read

	reading sync.Mutex // held by Read; guards the fields below
	cutter  tun.Cutter // what the engine reads
	popped  [popSize]tun.Packet
	waiting []tun.Packet // of popped, what comes next

	delivering sync.Mutex // guards the fields below, and is held while receive runs
	receive    func([]tun.Packet)
	closed     bool
}

// popSize is the number of packets that Read takes from the queue at once.
const popSize = 16

// NewTUN returns a TUN whose packets have mtu bytes at most, 68 to MaxMTU. Another mtu is a mistake
// in the program, and NewTUN panics.
func NewTUN(mtu int) *TUN {
	t := newTUN(mtu)
	t.events <- wgtun.EventUp
	return t
}

// newTUN is NewTUN for an engine that goes up when it is told to.
func newTUN(mtu int) *TUN {
	if mtu < inet.MinMTU4 || mtu > MaxMTU {
		panic(fmt.Sprintf("wg: NewTUN: mtu is %d, must be %d to %d", mtu, inet.MinMTU4, MaxMTU))
	}
	return &TUN{
		mtu:    mtu,
		events: make(chan wgtun.Event, 1),
		queue:  tun.NewQueue(0, 0),
		done:   make(chan struct{}),
	}
}

// Stack is the face for a stack. Closing it closes the other face, too.
func (t *TUN) Stack() tun.Device { return (*stackFace)(t) }

// Tunnel is the face for a device of golang.zx2c4.com/wireguard, which it tells to go up at once.
// Closing it closes the other face, too.
func (t *TUN) Tunnel() wgtun.Device { return (*tunnelFace)(t) }

// close ends Read, and waits for Read and for a delivery.
func (t *TUN) close() {
	t.delivering.Lock()
	if !t.closed {
		t.closed, t.receive = true, nil
		close(t.done)
		close(t.events)
	}
	t.delivering.Unlock()
	t.queue.Close()
	t.reading.Lock()
	defer t.reading.Unlock()
	t.cutter.Reset(tun.Packet{})
	for i := range t.waiting {
		t.waiting[i].Data.Release()
	}
	t.waiting = nil
}

// deliver gives packets to the stack, and reports whether the TUN is open.
func (t *TUN) deliver(packets []tun.Packet) (open bool) {
	t.delivering.Lock()
	defer t.delivering.Unlock()
	if t.receive != nil {
		t.receive(packets)
		return true
	}
	t.drops.Add(uint64(len(packets)))
	for i := range packets {
		packets[i].Data.Release()
	}
	return !t.closed
}

// stackFace is the tun.Device of a TUN.
type stackFace TUN

var _ tun.Dropper = (*stackFace)(nil)

// MTU implements tun.Device.
func (f *stackFace) MTU() int { return f.mtu }

// Offload implements tun.Device. Datagrams are cut up on the way out, but not put together on the
// way in: a stack needs them one by one.
func (f *stackFace) Offload() tun.Offload {
	return tun.Offload{Checksum: true, TSO4: true, TSO6: true, USO: true}
}

// Start implements tun.Device. A second call fails with tun.ErrStarted, and a call after Close with
// tun.ErrClosed.
func (f *stackFace) Start(receive func([]tun.Packet)) error {
	f.delivering.Lock()
	defer f.delivering.Unlock()
	switch {
	case f.closed:
		return tun.ErrClosed
	case f.receive != nil:
		return tun.ErrStarted
	}
	f.receive = receive
	return nil
}

// Send implements tun.Device. Read finds out about segments that are larger than the MTU.
func (f *stackFace) Send(packets []tun.Packet) error {
	select {
	case <-f.done:
		return tun.ErrClosed
	default:
	}
	f.queue.PutCarried(packets, f.Offload(), f.mtu)
	return nil
}

// Close implements tun.Device.
func (f *stackFace) Close() error {
	(*TUN)(f).close()
	return nil
}

// Drops implements tun.Dropper. Packets of both directions are counted: those that were too large,
// or too many for the queue, and those that came before Start. What the engine drops isn't.
func (f *stackFace) Drops() uint64 { return f.queue.Dropped() + f.drops.Load() }

// tunnelFace is the device of a TUN for the engine.
type tunnelFace TUN

// File returns nil: there is no file.
func (f *tunnelFace) File() *os.File { return nil }

// Name returns the name of the project, as there is no interface.
func (f *tunnelFace) Name() (string, error) { return "wsstack", nil }

// MTU returns the MTU, and never fails.
func (f *tunnelFace) MTU() (int, error) { return f.mtu, nil }

// smallBatch is the number of packets in a Read where no Bind tells when they leave the engine. The
// queues of the engine count batches, not packets: with smaller batches the peak of its memory is
// two thirds of that with full ones, for little more work.
const smallBatch = 16

// Read gives the engine packets of the stack: it waits for one, and takes as many as there are and
// fit into bufs, but for smallBatch. Once the TUN is closed, Read fails with os.ErrClosed.
//
// Where the Bind has something to say about the sizes of packets, look gets the first segment of
// each packet before the engine does. If it returns an answer, the stack gets that, and the packet
// is dropped.
func (f *tunnelFace) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	bufs = bufs[:f.room(len(bufs))]
	for n < len(bufs) {
		first := f.cutter.Size() == 0
		if first && !f.next(n == 0) {
			break
		}
		size := f.cutter.Size()
		if size > f.mtu || size > len(bufs[n])-offset {
			f.drops.Add(1)
			f.cutter.Reset(tun.Packet{})
			continue
		}
		b := bufs[n][offset:][:size]
		f.cutter.Next(b)
		if first && f.look != nil {
			if answer := f.look(b, size); answer != nil {
				f.cutter.Reset(tun.Packet{})
				(*TUN)(f).deliver([]tun.Packet{{Data: buffer.MakeWithData(answer)}})
				continue
			}
		}
		sizes[n] = size
		n++
	}
	if n == 0 {
		return 0, os.ErrClosed
	}
	if f.out != nil {
		f.out.enter(bufs[:n])
	}
	return n, nil
}

// room waits until the engine may have more packets, and returns how many of n it may get at once;
// 0: the TUN is closed. Where packets are stuck in the engine, it is one, at any time: the engine
// keeps a number of batches for each peer that doesn't answer, whatever their size, and of batches
// of one its own queues have a bound.
func (f *tunnelFace) room(n int) int {
	switch {
	case f.out == nil:
		return min(n, smallBatch)
	case f.out.stalled():
		return min(n, 1)
	case !f.out.wait(f.done):
		return 0
	}
	return n
}

// next gives the cutter the next packet that has segments, and reports whether there is one. With
// wait it waits for one, and reports false once the TUN is closed.
func (f *tunnelFace) next(wait bool) bool {
	for f.cutter.Size() == 0 {
		if len(f.waiting) == 0 && !f.pop(wait) {
			return false
		}
		f.cutter.Reset(f.waiting[0])
		f.waiting[0] = tun.Packet{}
		f.waiting = f.waiting[1:]
		if f.cutter.Size() == 0 {
			f.drops.Add(1)
		}
	}
	return true
}

// pop takes packets from the queue.
func (f *tunnelFace) pop(wait bool) bool {
	var n int
	if wait {
		n, _ = f.queue.Wait(f.popped[:]) // 0 from a queue that is closed
	} else {
		n = f.queue.Pop(f.popped[:])
	}
	f.queue.Done(n)
	f.waiting = f.popped[:n]
	return n > 0
}

// An arrival is what a Write needs besides its packets.
type arrival struct {
	merger  tun.Merger
	list    [][]byte
	packets []tun.Packet
}

var arrivals = sync.Pool{New: func() any { return new(arrival) }}

// Write gives packets of the engine to the stack. Once the TUN is closed, Write fails with
// os.ErrClosed.
func (f *tunnelFace) Write(bufs [][]byte, offset int) (int, error) {
	a := arrivals.Get().(*arrival)
	for _, b := range bufs {
		a.list = append(a.list, b[offset:])
	}
	a.packets = a.merger.Merge(a.packets, a.list)
	open := (*TUN)(f).deliver(a.packets)
	clear(a.list)
	clear(a.packets)
	a.list, a.packets = a.list[:0], a.packets[:0]
	arrivals.Put(a)
	if f.in != nil {
		f.in.leave(bufs)
	}
	if !open {
		return 0, os.ErrClosed
	}
	return len(bufs), nil
}

// BatchSize is the number of packets in a Read or Write at most.
func (f *tunnelFace) BatchSize() int { return conn.IdealBatchSize }

// Events returns the channel with the one event that there is: the device is up.
func (f *tunnelFace) Events() <-chan wgtun.Event { return f.events }

// Close closes both faces. It never fails.
func (f *tunnelFace) Close() error {
	(*TUN)(f).close()
	return nil
}
