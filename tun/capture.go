package tun

import "sync/atomic"

// A Captured is a device whose packets are written to a file. It is a
// decorator: it owns the device it wraps, and Close closes it and flushes the
// file.
//
// Packets that the device itself counts as Drops are in the file all the same:
// they were sent. An Impaired directly above tells the Captured of itself what
// becomes of packets; those that it drops stand in the file, too, once, with the
// reason as comment. So the usual order is
//
//	dev, _ = tun.Capture(dev, file, "tun0")
//	dev, _ = tun.Impair(dev, tun.ImpairConfig{…})
//
// which shows what was on the wire. Segments with offload metadata are written
// as they are, up to 64 KiB long and with unfinished checksums, as tcpdump
// shows them on a host; after CaptureFile.CutSegments, as the packets that they
// stand for. The device carries them whole either way. (An Impaired cuts them
// up, so below one they are written as packets.)
//
// A failure to write doesn't disturb the packets. Err and Close report it.
type Captured struct {
	inner  Device
	file   *CaptureFile
	number int
	closed atomic.Bool

	// impaired: an Impaired is directly above, and report writes what is
	// received. Set before Start.
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

// Capture wraps a device. name is that of the interface in the file. An error
// is one of writing the file; the device is then still the caller's.
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

// EnableOffload implements Offloader: it asks the device, if that is one.
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

// Send implements Device. The packets are in the file before the device has
// them, so that an answer never precedes its question.
func (c *Captured) Send(packets []Packet) error {
	if c.closed.Load() {
		return ErrClosed
	}
	for i := range packets {
		c.file.Write(c.number, Out, &packets[i], "")
	}
	return c.inner.Send(packets)
}

// Observe is for the ImpairConfig.Observe of an Impaired that has another
// decorator between itself and the Captured: it writes the packets that were not
// sent, with the reason as comment. Packets that were received stand in the file
// already, and aren't written again. Below an Impaired that is directly above,
// Observe has nothing left to do.
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

// writeFate writes each packet that Send doesn't see: all that are received, and
// of the others those that were dropped.
func (c *Captured) writeFate(d Direction, p *Packet, fate Fate) {
	comment := ""
	switch {
	case c.closed.Load():
		return
	case fate.Dropped():
		comment = "dropped: " + fate.String()
	case d == Out:
		return
	}
	c.file.Write(c.number, d, p, comment)
}

// Err is the first error of writing the file.
func (c *Captured) Err() error {
	c.file.mu.Lock()
	defer c.file.mu.Unlock()
	return c.file.err
}

// Close implements Device. It returns the error of the device, else that of
// the file.
func (c *Captured) Close() error {
	err := c.inner.Close()
	c.closed.Store(true)
	if flushed := c.file.Flush(); err == nil {
		err = flushed
	}
	return err
}

// Drops implements Dropper: that of the device.
func (c *Captured) Drops() uint64 {
	if d, ok := c.inner.(Dropper); ok {
		return d.Drops()
	}
	return 0
}

// Pending implements Pender: that of the device.
func (c *Captured) Pending() int {
	if d, ok := c.inner.(Pender); ok {
		return d.Pending()
	}
	return 0
}

// Name implements Named; it is empty where the device has no name.
func (c *Captured) Name() string {
	if d, ok := c.inner.(Named); ok {
		return d.Name()
	}
	return ""
}
