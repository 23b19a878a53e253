package tun

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/parts"
)

// osDevice is a TUN interface of the operating system. It has a queue, which is a port, for each of
// its readers. A packet that is sent leaves by the queue of its connection (package parts), so that
// the answers come by the same one: the kernel learns from a packet which queue its connection has,
// and chooses by a hash of its own for those of which it knows nothing.
//
// The differences between systems are in port, which has these functions:
//
//	func openPort(name string, address netip.Prefix) (p *port, actual string, err error) // *OpenError
//	func (*port) offload() Offload
//	func (*port) read(batch []Packet) (int, error) // waits for one packet, takes what else is there
//	func (*port) write(*Packet) error              // never waits
//	func (*port) mtu() int                         // of the first
//	func (*port) stop() error                      // ends a read that waits, and later ones
//	func (*port) close() error                     // after the last read
//	func packetError(error) bool                   // did write fail because of this packet only
type osDevice struct {
	name     string
	queues   []*port // one at least
	parallel atomic.Bool

	drops  atomic.Uint64
	failed atomic.Pointer[error] // why a reader ended, unless by Close

	mu      sync.Mutex // guards started and closed; not held while receive runs
	started bool
	closed  bool
	readers sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

// Name implements Named.
func (d *osDevice) Name() string { return d.name }

// MTU implements Device. MTU asks the system each time, and returns the last known value when the
// system doesn't answer.
func (d *osDevice) MTU() int { return d.queues[0].mtu() }

// Offload implements Device. A device that OpenWater has made carries plain packets only.
func (d *osDevice) Offload() Offload { return d.queues[0].offload() }

// EnableParallel implements Parallel. There is one goroutine for each queue.
func (d *osDevice) EnableParallel() int {
	d.parallel.Store(true)
	return len(d.queues)
}

// Start implements Device. A second call fails with ErrStarted, and a call after Close with
// ErrClosed.
func (d *osDevice) Start(receive func([]Packet)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return ErrClosed
	case d.started:
		return ErrStarted
	}
	d.started = true
	if len(d.queues) > 1 && !d.parallel.Load() {
		receive = oneAtATime(receive)
	}
	for _, q := range d.queues {
		d.readers.Go(func() { d.run(q, receive) }) // ends when Close stops the port
	}
	return nil
}

// oneAtATime lets one goroutine at a time call receive.
func oneAtATime(receive func([]Packet)) func([]Packet) {
	var mu sync.Mutex
	return func(packets []Packet) {
		mu.Lock()
		defer mu.Unlock()
		receive(packets)
	}
}

func (d *osDevice) run(queue *port, receive func([]Packet)) {
	var batch [batchSize]Packet
	for {
		n, err := queue.read(batch[:])
		if n > 0 {
			receive(batch[:n])
			clear(batch[:n])
		}
		if err != nil {
			err = fmt.Errorf("tun: read from %s: %w", d.name, err)
			d.failed.Store(&err) // seen by Send, unless this is the doing of Close
			return
		}
	}
}

// Send implements Device.
func (d *osDevice) Send(packets []Packet) error {
	if d.isClosed() {
		return ErrClosed
	}
	if err := d.failed.Load(); err != nil {
		return *err
	}
	offload := d.Offload()
	for i := range packets {
		p := &packets[i]
		if !offload.carries(p, inet.MaxMTU) {
			d.drops.Add(1)
			continue
		}
		err := d.queues[parts.Outgoing(&p.Data, len(d.queues))].write(p)
		switch {
		case err == nil:
		case packetError(err):
			d.drops.Add(1)
		case d.isClosed():
			return ErrClosed
		default:
			return fmt.Errorf("tun: write to %s: %w", d.name, err)
		}
	}
	return nil
}

func (d *osDevice) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// Close implements Device. receive must not call Close. The readers are stopped before the
// descriptors are closed: a reader would otherwise take data of a later file that gets the same
// number.
func (d *osDevice) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.closeOnce.Do(func() {
		var errs []error
		for _, q := range d.queues {
			errs = append(errs, q.stop())
		}
		d.readers.Wait()
		for _, q := range d.queues {
			errs = append(errs, q.close())
		}
		if err := errors.Join(errs...); err != nil {
			d.closeErr = fmt.Errorf("tun: close %s: %w", d.name, err)
		}
	})
	return d.closeErr
}

// patience is the Patience of a device of the system: what a few small packets have. Reading copies,
// and larger packets are read faster while another goroutine works on those before.
const patience = 16 << 10

// Patience implements Patient.
func (d *osDevice) Patience() int { return patience }

// Drops implements Dropper. The packets that the system didn't take from Send are counted.
func (d *osDevice) Drops() uint64 { return d.drops.Load() }
