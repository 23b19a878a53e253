package tun

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Captured is a device that writes its packets to capture files. A Captured wraps another device
// and owns it: Close closes that device, and flushes the files.
//
// Each file has the packets of a call of Send, or of the receive function, before the next device
// gets them: a process that is killed has written all that has passed.
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
// with impairments cuts them up, so a Captured inside of one writes packets.)
//
// An error of writing a file doesn't disturb the packets. Err, Detach and Close return the error.
type Captured struct {
	inner  Device
	name   string
	closed atomic.Bool
	active atomic.Bool // there are outputs

	// impaired reports whether an Impaired wraps this device, so that writeFate writes the packets
	// that are received. It is set before Start.
	impaired atomic.Bool

	mu      sync.RWMutex // held for reading while outputs are written to
	outputs []output
}

// An output is a file that gets the packets, as an interface with this number.
type output struct {
	file   *CaptureFile
	number int
}

var (
	_ Device  = (*Captured)(nil)
	_ Dropper = (*Captured)(nil)
	_ Pender  = (*Captured)(nil)
	_ Named   = (*Captured)(nil)

	_ Offloader = (*Captured)(nil)
	_ Parallel  = (*Captured)(nil)
	_ reporter  = (*Captured)(nil)
)

// Capture returns a device that wraps d and writes its packets to the file, as an interface with
// this name. A nil file stands for none: the device then costs nothing until Attach gives it one.
// The error is that of writing the file; the caller then still owns d.
func Capture(d Device, file *CaptureFile, name string) (*Captured, error) {
	c := &Captured{inner: d, name: name}
	if file == nil {
		return c, nil
	}
	if err := c.Attach(file); err != nil {
		return nil, err
	}
	return c, nil
}

// Attach has the packets from now on written to one more file, as an interface with the name of the
// device. The error is that of writing the file, or ErrClosed.
func (c *Captured) Attach(file *CaptureFile) error {
	number, err := file.Interface(c.name)
	if err == nil {
		err = file.Flush() // who reads it meanwhile sees that it has begun
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return ErrClosed
	}
	c.outputs = append(slices.Clip(c.outputs), output{file, number})
	c.active.Store(true)
	return nil
}

// Detach ends what Attach or Capture has begun. Once it has returned, nothing is written to the
// file any more. It returns the first error of the file, and nil for a file that isn't attached.
func (c *Captured) Detach(file *CaptureFile) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.outputs)
	c.outputs = slices.DeleteFunc(c.outputs, func(o output) bool { return o.file == file })
	c.active.Store(len(c.outputs) > 0)
	if len(c.outputs) == before {
		return nil
	}
	return file.Flush()
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

// EnableParallel implements Parallel. The inner device is asked, if it is a Parallel.
func (c *Captured) EnableParallel() int { return enableParallel(c.inner) }

// Patience implements Patient: it is that of the inner device.
func (c *Captured) Patience() int { return patienceOf(c.inner) }

// Start implements Device.
func (c *Captured) Start(receive func([]Packet)) error {
	if c.impaired.Load() {
		return c.inner.Start(receive)
	}
	return c.inner.Start(func(packets []Packet) {
		c.write(In, packets, "")
		c.reported()
		receive(packets)
	})
}

// Send implements Device. The packets are written to the files before the inner device gets them,
// so that a file never has an answer before its question.
func (c *Captured) Send(packets []Packet) error {
	if c.closed.Load() {
		return ErrClosed
	}
	c.write(Out, packets, "")
	c.reported()
	return c.inner.Send(packets)
}

// write writes packets to all files.
func (c *Captured) write(d Direction, packets []Packet, comment string) {
	if !c.active.Load() {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, o := range c.outputs {
		for i := range packets {
			o.file.Write(o.number, d, &packets[i], comment)
		}
	}
}

// reported implements reporter: the files get what was written.
func (c *Captured) reported() {
	if !c.active.Load() {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, o := range c.outputs {
		_ = o.file.Flush() // the file keeps the error
	}
}

// Observe is a function for [ImpairConfig.Observe] where another device stands between the Impaired
// and the Captured. Observe writes the packets that the Impaired has dropped instead of sending
// them, with the reason as a comment. Received packets are in the file already, and aren't written
// again. Where the Impaired wraps the Captured itself, Observe does nothing.
func (c *Captured) Observe(d Direction, p *Packet, fate Fate) {
	if d == Out && !c.impaired.Load() {
		c.writeFate(d, p, fate)
		c.reported()
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
	case !c.active.Load() || c.closed.Load():
		return
	case fate.Dropped():
		comment = "dropped: " + fate.String()
	case d == Out:
		return
	case fate&Marked != 0:
		comment = fate.String()
	}
	one := [1]Packet{*p}
	c.write(d, one[:], comment)
}

// Err returns the first error of writing a file that is attached, or nil.
func (c *Captured) Err() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, o := range c.outputs {
		if err := o.file.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Device. Close returns the error of closing the inner device or, if there is
// none, that of writing a file that is attached.
func (c *Captured) Close() error {
	err := c.inner.Close()
	c.closed.Store(true)
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, o := range c.outputs {
		if flushed := o.file.Flush(); err == nil {
			err = flushed
		}
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
