package tun

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// OpenWater makes a TUN interface of the operating system, through
// github.com/songgao/water, and returns it as a device of plain packets. An
// empty name leaves the choice to the system; so does a %d in it, for the
// number. The device is Named, and a Dropper. The interface is down and has no
// address until Configure; it disappears with Close.
//
// An interface that exists is never taken over, whoever made it. The error is
// an *OpenError. On systems other than Linux the name must be empty.
//
// The interface belongs to the network namespace of the calling thread.
// Packets that the system refuses (no memory, interface down, malformed) are
// dropped and counted; Send fails once the interface is gone.
func OpenWater(name string) (Device, error) {
	if err := checkName(name); err != nil {
		return nil, &OpenError{Name: name, Err: err}
	}
	port, actual, err := openPort(name)
	if err != nil {
		return nil, err
	}
	return &waterDevice{name: actual, port: port}, nil
}

// Open makes a TUN interface with the best driver that works here, which at
// present is OpenWater, with its names and errors.
func Open(name string) (Device, error) { return OpenWater(name) }

// waterDevice is a TUN interface. What differs between systems is in port:
//
//	func openPort(name string) (p *port, actual string, err error) // *OpenError
//	func (*port) read(batch []Packet) (int, error) // waits for one packet, takes what else is there
//	func (*port) write(*Packet) error              // never waits
//	func (*port) mtu() int
//	func (*port) close() error                     // ends a read that waits
//	func packetError(error) bool                   // did write fail because of this packet only
type waterDevice struct {
	name string
	port *port

	drops  atomic.Uint64
	failed atomic.Pointer[error] // why the reader ended, unless by Close

	mu      sync.Mutex // guards started and closed; not held while receive runs
	started bool
	closed  bool
	reader  sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

// Name implements Named.
func (d *waterDevice) Name() string { return d.name }

// MTU implements Device. It asks the system each time; where that fails, it is
// the last known value.
func (d *waterDevice) MTU() int { return d.port.mtu() }

// Offload implements Device: plain packets.
func (d *waterDevice) Offload() Offload { return Offload{} }

// Start implements Device. A second call fails with ErrStarted, one after
// Close with ErrClosed.
func (d *waterDevice) Start(receive func([]Packet)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return ErrClosed
	case d.started:
		return ErrStarted
	}
	d.started = true
	d.reader.Go(func() { d.run(receive) }) // ends when Close closes the port
	return nil
}

func (d *waterDevice) run(receive func([]Packet)) {
	var batch [batchSize]Packet
	for {
		n, err := d.port.read(batch[:])
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
func (d *waterDevice) Send(packets []Packet) error {
	if d.isClosed() {
		return ErrClosed
	}
	if err := d.failed.Load(); err != nil {
		return *err
	}
	for i := range packets {
		p := &packets[i]
		if !d.Offload().carries(p, maxMTU) {
			d.drops.Add(1)
			continue
		}
		err := d.port.write(p)
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

func (d *waterDevice) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// Close implements Device. It must not be called from receive.
func (d *waterDevice) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.closeOnce.Do(func() {
		if err := d.port.close(); err != nil {
			d.closeErr = fmt.Errorf("tun: close %s: %w", d.name, err)
		}
	})
	d.reader.Wait()
	return d.closeErr
}

// Drops implements Dropper: packets that Send couldn't hand to the system.
func (d *waterDevice) Drops() uint64 { return d.drops.Load() }
