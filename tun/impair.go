package tun

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/outside"
)

// ImpairConfig configures Impair. The zero value is a decorator without effect
// in real time, whose chances are different each time.
type ImpairConfig struct {
	Out Impairment // of what is sent
	In  Impairment // of what is received

	// Offload: the stack may send TCP segments of up to 64 KiB without
	// checksums, and they are cut up here, before anything happens to them.
	// It spares the stack work for each packet; what is impaired, and what the
	// device gets, is the same.
	Offload bool

	// Clock is the source of time; nil: the real one.
	Clock tcpip.Clock

	// Rand is the source of chance; nil: one seeded by the runtime. The same
	// seed and the same packets at the same times meet the same fate. It is
	// used by this device alone, which serialises its calls.
	Rand rand.Source

	// Observe is told the fate of every packet, before it travels on; nil:
	// nobody. It borrows the packet, runs where Filter runs, and has the
	// same duties. Calls for different directions may overlap.
	Observe func(d Direction, p *Packet, fate Fate)
}

// A Direction is that of a packet at a device.
type Direction uint8

// The directions, as the stack sees them.
const (
	Out Direction = iota
	In
)

// String returns "out" or "in".
func (d Direction) String() string {
	if d == In {
		return "in"
	}
	return "out"
}

// An Impaired is a device behind a bad link. It is a decorator: it owns the
// device it wraps, and Close closes it.
//
//	Send ──▶ Out ──▶ Device.Send
//	receive ◀── In ◀── Device
//
// Each direction holds at most QueuePackets packets and QueueBytes bytes that
// are on their way; beyond, packets are dropped. Methods are safe for
// concurrent use.
//
// It impairs the packets that a wire would carry, one by one, so plain packets
// are all it gives, and all it takes but for ImpairConfig.Offload. What stands
// for several, from a device with offloads, is cut up (Segments) on the way in.
type Impaired struct {
	inner            Device
	offload          Offload
	out, in          *path
	door             outside.Door // of the real clock: senders may be in a bubble of testing/synctest
	real             bool         // it is the clock
	opening, closing sync.Once
	failed           atomic.Pointer[error] // the first error of the device's Send
}

var (
	_ Device  = (*Impaired)(nil)
	_ Dropper = (*Impaired)(nil)
	_ Pender  = (*Impaired)(nil)
	_ Named   = (*Impaired)(nil)
)

// A reporter is a device that wants to know what an Impaired directly above
// makes of packets, in both directions. It is asked once, before Start, for a
// function with the duties of ImpairConfig.Observe, which is called first.
type reporter interface {
	reports() func(Direction, *Packet, Fate)
}

// Impair wraps a device. The errors name the field that is impossible; after
// one, the device is still the caller's.
func Impair(d Device, cfg ImpairConfig) (*Impaired, error) {
	i := &Impaired{inner: d}
	if cfg.Clock == nil {
		cfg.Clock, i.real = outside.NewClock(&i.door), true
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.NewPCG(rand.Uint64(), rand.Uint64())
	}
	// Each direction has its own numbers, so that the traffic of one doesn't
	// change the fate of the other's.
	fork := func() *rand.Rand { return rand.New(rand.NewPCG(cfg.Rand.Uint64(), cfg.Rand.Uint64())) }
	if cfg.Offload {
		i.offload = Offload{Checksum: true, TSO4: true, TSO6: true}
	}
	i.out = newPath(Out, &cfg, fork(), func(packets []Packet) {
		if err := d.Send(packets); err != nil {
			i.failed.CompareAndSwap(nil, &err)
		}
		for k := range packets {
			packets[k].Data.Release()
		}
	})
	i.in = newPath(In, &cfg, fork(), nil)
	if err := i.SetOut(cfg.Out); err != nil {
		return nil, err
	}
	if err := i.SetIn(cfg.In); err != nil {
		return nil, err
	}
	observe := observers(d, cfg.Observe) // nothing fails any more
	i.out.observe, i.in.observe = observe, observe
	return i, nil
}

// observers joins what the device has to be told with the caller's observer.
func observers(d Device, observe func(Direction, *Packet, Fate)) func(Direction, *Packet, Fate) {
	r, ok := d.(reporter)
	if !ok {
		return observe
	}
	report := r.reports()
	if observe == nil {
		return report
	}
	return func(d Direction, p *Packet, fate Fate) {
		report(d, p, fate)
		observe(d, p, fate)
	}
}

// SetOut changes what happens to packets sent from now on. Those on their way
// are not affected. An error names the field that is impossible, and changes
// nothing.
func (i *Impaired) SetOut(m Impairment) error { return i.out.set(m) }

// SetIn is SetOut for the packets received.
func (i *Impaired) SetIn(m Impairment) error { return i.in.set(m) }

// Impairments returns the present impairments.
func (i *Impaired) Impairments() (out, in Impairment) { return i.out.get(), i.in.get() }

// ImpairStats counts the packets of one direction.
type ImpairStats struct {
	Packets     uint64 // that came in
	Bytes       uint64
	Partitioned uint64
	Filtered    uint64
	TooBig      uint64
	Lost        uint64
	QueueFull   uint64
	Duplicated  uint64
	Corrupted   uint64
	Reordered   uint64
}

// Dropped is the number of packets that didn't arrive.
func (s ImpairStats) Dropped() uint64 {
	return s.Partitioned + s.Filtered + s.TooBig + s.Lost + s.QueueFull
}

// Stats returns the counters.
func (i *Impaired) Stats() (out, in ImpairStats) { return i.out.counters(), i.in.counters() }

// InFlight is the number of packets that the impairments hold back, in both
// directions. They aren't Pending: only the clock can bring them.
func (i *Impaired) InFlight() int { return i.out.inFlight() + i.in.inFlight() }

// MTU implements Device.
func (i *Impaired) MTU() int { return i.inner.MTU() }

// Offload implements Device: plain packets, but for ImpairConfig.Offload.
func (i *Impaired) Offload() Offload { return i.offload }

// Start implements Device.
func (i *Impaired) Start(receive func([]Packet)) error {
	if !i.in.setDeliver(receive) {
		return ErrStarted
	}
	if i.real {
		i.opening.Do(i.door.Open) // ends with Close
	}
	err := i.inner.Start(func(packets []Packet) { i.in.submit(plain(packets), false) })
	if err != nil {
		i.in.setDeliver(nil)
	}
	return err
}

// Send implements Device. A failure of the device shows when it does: packets
// that were on their way may have been the cause. Packets with metadata that
// Offload doesn't tell of meet what Segments does with them.
func (i *Impaired) Send(packets []Packet) error {
	whole := slices.ContainsFunc(packets, func(p Packet) bool { return p.GSO != GSO{} })
	if !whole && i.out.bypass(packets) {
		return i.inner.Send(packets)
	}
	if i.out.isClosed() {
		return ErrClosed
	}
	if whole {
		i.out.submit(plainClones(packets), false)
	} else {
		i.out.submit(packets, true)
	}
	if err := i.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Close implements Device. Packets on their way are gone.
func (i *Impaired) Close() error {
	i.out.close()
	err := i.inner.Close() // no receive begins from here on
	i.in.close()
	i.closing.Do(i.door.Close)
	return err
}

// Drops implements Dropper: those of the device and the packets dropped here,
// whatever the reason.
func (i *Impaired) Drops() uint64 {
	out, in := i.Stats()
	n := out.Dropped() + in.Dropped()
	if d, ok := i.inner.(Dropper); ok {
		n += d.Drops()
	}
	return n
}

// Pending implements Pender: that of the device. See InFlight.
func (i *Impaired) Pending() int {
	if d, ok := i.inner.(Pender); ok {
		return d.Pending()
	}
	return 0
}

// Name implements Named; it is empty where the device has no name.
func (i *Impaired) Name() string {
	if d, ok := i.inner.(Named); ok {
		return d.Name()
	}
	return ""
}

// checkImpairment prefixes an error as this package's errors are.
func checkImpairment(m *Impairment) error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("tun: %w", err)
	}
	return nil
}
