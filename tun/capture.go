package tun

import "sync/atomic"

// A Captured is a device whose packets are written to a file. It is a
// decorator: it owns the device it wraps, and Close closes it and flushes the
// file.
//
// Packets that the device itself counts as Drops are in the file all the same:
// they were sent. An Impaired above it tells which ones it dropped, when its
// Observe is set to Captured.Observe; they then stand in the file with the
// reason as comment. So the usual order is
//
//	dev, _ = tun.Capture(dev, file, "tun0")
//	dev, _ = tun.Impair(dev, tun.ImpairConfig{Observe: captured.Observe, …})
//
// which shows what was on the wire. Segments with offload metadata are written
// as they are, up to 64 KiB long and with unfinished checksums, as tcpdump
// shows them on a host; after CaptureFile.CutSegments, as the packets that they
// stand for. The device carries them whole either way.
//
// A failure to write doesn't disturb the packets. Err and Close report it.
type Captured struct {
	inner  Device
	file   *CaptureFile
	number int
	closed atomic.Bool
}

var (
	_ Device  = (*Captured)(nil)
	_ Dropper = (*Captured)(nil)
	_ Pender  = (*Captured)(nil)
	_ Named   = (*Captured)(nil)

	_ Offloader = (*Captured)(nil)
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

// Observe is for ImpairConfig.Observe: it writes the packets that were dropped,
// with the reason as comment.
func (c *Captured) Observe(d Direction, p *Packet, fate Fate) {
	if fate.Dropped() && !c.closed.Load() {
		c.file.Write(c.number, d, p, "dropped: "+fate.String())
	}
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
