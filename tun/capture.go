package tun

import "sync/atomic"

// A Captured is a device that writes its packets to a capture file. A Captured wraps another device
// and owns it: Close closes that device, and flushes the file.
//
// Packets that the inner device counts as Drops are in the file all the same, because they were
// sent. An [Impaired] that wraps the Captured tells the Captured what becomes of packets, so the
// packets that the Impaired drops are in the file as well, once, with the reason as a comment. (A
// received packet that the queue of the Impaired drops or marks is there twice: when it came, and
// with the comment, when that happened.) The usual order shows what was on the wire:
//
//	dev, _ = tun.Capture(dev, file, "tun0")
//	dev, _ = tun.Impair(dev, tun.ImpairConfig{…})
//
// Segments with offload metadata are written whole, up to 64 KiB long and with unfinished
// checksums, as tcpdump shows them on a host. After [CaptureFile.CutSegments] they are written as
// the packets that a wire would carry. The device carries them whole in both cases. (An Impaired
// cuts them up, so a Captured inside an Impaired writes packets.)
//
// An error of writing the file doesn't disturb the packets. Err and Close return the error.
type Captured struct {
	inner  Device
	file   *CaptureFile
	number int // of the interface in the file
	closed atomic.Bool

	// impaired reports whether an Impaired wraps this device, so that writeFate writes the packets
	// that are received. It is set before Start.
	impaired atomic.Bool
}

var (
	_ Device  = (*Captured)(nil)
	_ Dropper = (*Captured)(nil)
	_ Pender  = (*Captured)(nil)
	_ Named   = (*Captured)(nil)

	_ Offloader = (*Captured)(nil)
	_ reporter  = (*Captured)(nil)
)

// Capture returns a device that wraps d and writes its packets to the file, as an interface with
// this name. The error is that of writing the file; the caller then still owns d.
func Capture(d Device, file *CaptureFile, name string) (*Captured, error) {
	number, err := file.Interface(name)
	if err != nil {
		return nil, err
	}
	return &Captured{inner: d, file: file, number: number}, nil
}

// MTU implements Device.
func (c *Captured) MTU() int { return c.inner.MTU() }

// Offload implements Device.
func (c *Captured) Offload() Offload { return c.inner.Offload() }

// EnableOffload implements Offloader. The inner device is asked, if it is an Offloader.
func (c *Captured) EnableOffload() {
	if o, ok := c.inner.(Offloader); ok {
		o.EnableOffload()
	}
}

// Start implements Device.
func (c *Captured) Start(receive func([]Packet)) error {
	if c.impaired.Load() {
		return c.inner.Start(receive)
	}
	return c.inner.Start(func(packets []Packet) {
		for i := range packets {
			c.file.Write(c.number, In, &packets[i], "")
		}
		receive(packets)
	})
}

// Send implements Device. The packets are written to the file before the inner device gets them, so
// that the file never has an answer before its question.
func (c *Captured) Send(packets []Packet) error {
	if c.closed.Load() {
		return ErrClosed
	}
	for i := range packets {
		c.file.Write(c.number, Out, &packets[i], "")
	}
	return c.inner.Send(packets)
}

// Observe is a function for [ImpairConfig.Observe] where another device stands between the Impaired
// and the Captured. Observe writes the packets that the Impaired has dropped instead of sending
// them, with the reason as a comment. Received packets are in the file already, and aren't written
// again. Where the Impaired wraps the Captured itself, Observe does nothing.
func (c *Captured) Observe(d Direction, p *Packet, fate Fate) {
	if d == Out && !c.impaired.Load() {
		c.writeFate(d, p, fate)
	}
}

// reports implements reporter.
func (c *Captured) reports() func(Direction, *Packet, Fate) {
	c.impaired.Store(true)
	return c.writeFate
}

// writeFate writes each packet that Send doesn't see: all packets that are received, and the
// packets that were dropped instead of being sent. Of a packet that is received, it writes what the
// queue does to the packet later.
func (c *Captured) writeFate(d Direction, p *Packet, fate Fate) {
	comment := ""
	switch {
	case c.closed.Load():
		return
	case fate.Dropped():
		comment = "dropped: " + fate.String()
	case d == Out:
		return
	case fate&Marked != 0:
		comment = fate.String()
	}
	c.file.Write(c.number, d, p, comment)
}

// Err returns the first error of writing the file, or nil.
func (c *Captured) Err() error {
	c.file.mu.Lock()
	defer c.file.mu.Unlock()
	return c.file.err
}

// Close implements Device. Close returns the error of closing the inner device or, if there is
// none, that of writing the file.
func (c *Captured) Close() error {
	err := c.inner.Close()
	c.closed.Store(true)
	if flushed := c.file.Flush(); err == nil {
		err = flushed
	}
	return err
}

// Drops implements Dropper. The number is that of the inner device, or 0 when that isn't a Dropper.
func (c *Captured) Drops() uint64 {
	if d, ok := c.inner.(Dropper); ok {
		return d.Drops()
	}
	return 0
}

// Pending implements Pender. The number is that of the inner device, or 0 when that isn't a Pender.
func (c *Captured) Pending() int {
	if d, ok := c.inner.(Pender); ok {
		return d.Pending()
	}
	return 0
}

// Name implements Named. The name is empty when the inner device isn't a Named.
func (c *Captured) Name() string {
	if d, ok := c.inner.(Named); ok {
		return d.Name()
	}
	return ""
}
