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

// ImpairConfig is the configuration of [Impair]. The zero ImpairConfig is a link without
// impairments, in real time, with random numbers that are different each time.
type ImpairConfig struct {
	// Out is the impairment of packets that are sent.
	Out Impairment

	// In is the impairment of packets that are received.
	In Impairment

	// Offload lets the stack send TCP segments of up to 64 KiB without checksums, which the device
	// cuts up before anything else happens to them. That saves the stack work for each packet. The
	// packets that are impaired, and those that the inner device gets, are the same.
	Offload bool

	// Whole lets packets pass whole, with all the offloads of the inner device, in a direction that
	// has no impairment: the device then costs next to nothing. While a direction has one, packets
	// with metadata are cut up before anything else happens to them, as with Offload. Observe is
	// called with whole packets where they pass whole, and ImpairStats counts those that a wire
	// would carry.
	Whole bool

	// Clock is the source of time; nil stands for the real clock.
	Clock tcpip.Clock

	// Rand is the source of random numbers; nil stands for a source that is seeded at random. With
	// the same seed, the same packets at the same times have the same fate. The device serialises
	// its calls of Rand, and nobody else may call it.
	Rand rand.Source

	// Observe is called with the fate of every packet before the packet travels on; nil stands for
	// no function. Observe borrows the packet, and may set its Tag. It runs where
	// [Impairment.Filter] runs, and the rules for Filter apply to it. Calls for the two directions
	// may overlap.
	//
	// Of a packet that waits in a queue with a discipline it isn't known yet whether the packet is
	// dropped or marked there. Observe is called when the packet comes, without these bits, and
	// once more at the time at which the queue drops or marks the packet, with QueueDropped or
	// Marked alone. The calls are in the order of these times.
	Observe func(d Direction, p *Packet, fate Fate)
}

// A Direction is the direction in which a packet passes a device, as the stack sees it.
type Direction uint8

// The directions.
const (
	Out Direction = iota // Out is the direction of packets that the stack sends.
	In                   // In is the direction of packets that the stack receives.
)

// String returns "out" or "in".
func (d Direction) String() string {
	if d == In {
		return "in"
	}
	return "out"
}

// An Impaired is a device behind a bad link. An Impaired wraps another device and owns it: Close
// closes that device.
//
//	Send ──▶ Out ──▶ Device.Send
//	receive ◀── In ◀── Device
//
// Each direction holds at most QueuePackets packets and QueueBytes bytes that are on their way, and
// drops packets beyond that. The methods are safe for concurrent use.
//
// The packets that a wire would carry are impaired one by one. An Impaired therefore gives plain
// packets only, and takes plain packets only unless ImpairConfig.Offload is set. Packets with
// offload metadata that the inner device receives are cut up (see [Segments]). With
// ImpairConfig.Whole all of that holds only for as long as there is an impairment.
type Impaired struct {
	inner            Device
	offload          Offload
	whole            bool // ImpairConfig.Whole
	out, in          *path
	door             outside.Door // of the real clock, for senders in a bubble of testing/synctest
	real             bool         // whether the clock is the real one
	opening, closing sync.Once
	failed           atomic.Pointer[error] // the first error of inner.Send
}

var (
	_ Device  = (*Impaired)(nil)
	_ Dropper = (*Impaired)(nil)
	_ Pender  = (*Impaired)(nil)
	_ Named   = (*Impaired)(nil)

	_ Offloader = (*Impaired)(nil)
	_ Parallel  = (*Impaired)(nil)
)

// A reporter is a device that wants to know what an Impaired around it does to packets, in both
// directions. The Impaired calls reports once, before Start. The function that reports returns
// follows the rules for ImpairConfig.Observe, and is called before Observe. The Impaired calls
// reported after one or more calls of that function.
type reporter interface {
	reports() func(Direction, *Packet, Fate)
	reported()
}

// Impair returns a device that wraps d and impairs its packets. The error names the field of cfg
// that isn't possible; the caller then still owns d.
func Impair(d Device, cfg ImpairConfig) (*Impaired, error) {
	i := &Impaired{inner: d, whole: cfg.Whole}
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
	if r, ok := d.(reporter); ok {
		i.out.observed, i.in.observed = r.reported, r.reported
	}
	return i, nil
}

// observers returns a function that calls the function of the device, if it is a reporter, and then
// observe.
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

// SetOut replaces the impairment of packets that are sent from now on. Packets on their way aren't
// affected, except those in a queue that has a discipline, a limit in packets or a RateTrace: they
// keep their order, and leave at the new rate and under the new discipline, as does the rest of the
// packet that is being sent; their delay is the one that holds when they leave. (In a queue that
// has only Rate and Queue, it is settled when a packet comes when it leaves.) A smaller queue drops
// nothing that waits. A RateTrace that is set again goes on. The error names the field of m that
// isn't possible; nothing is changed then.
func (i *Impaired) SetOut(m Impairment) error { return i.out.set(m) }

// SetIn replaces the impairment of packets that are received from now on, as SetOut does.
func (i *Impaired) SetIn(m Impairment) error { return i.in.set(m) }

// Impairments returns the present impairments.
func (i *Impaired) Impairments() (out, in Impairment) {
	out, in = i.out.get(), i.in.get()
	out.LossPackets, in.LossPackets = slices.Clone(out.LossPackets), slices.Clone(in.LossPackets)
	return out, in
}

// ImpairStats holds the counters of one direction. A packet may count as several of Duplicated,
// Corrupted, Reordered and Marked; one that counts as QueueDropped may count as one of these, too.
type ImpairStats struct {
	Packets     uint64 // packets that came to the link
	Bytes       uint64 // bytes in these packets
	Partitioned uint64 // packets that Partition has dropped
	Filtered    uint64 // packets that Filter has dropped
	TooBig      uint64 // packets that MTU has dropped
	Lost        uint64 // packets that Loss, LossPackets or Burst has dropped
	QueueFull   uint64 // packets that were dropped because too many were waiting
	Duplicated  uint64 // packets that arrive twice
	Corrupted   uint64 // packets of which one bit was flipped
	Reordered   uint64 // packets that were delayed by ReorderDelay

	QueueDropped uint64 // packets that the discipline of the queue has dropped
	Marked       uint64 // packets that the discipline of the queue has marked
}

// Stats returns the counters of both directions.
func (i *Impaired) Stats() (out, in ImpairStats) { return i.out.counters(), i.in.counters() }

// InFlight returns the number of packets that are on their way, those in queues included, in both
// directions. Pending doesn't count these packets, which arrive when the clock has advanced.
func (i *Impaired) InFlight() int { return i.out.inFlight() + i.in.inFlight() }

// MTU implements Device.
func (i *Impaired) MTU() int { return i.inner.MTU() }

// Offload implements Device. It is that of the inner device where ImpairConfig.Whole is set, and
// otherwise the zero Offload unless ImpairConfig.Offload is set.
func (i *Impaired) Offload() Offload {
	if i.whole {
		return i.inner.Offload()
	}
	return i.offload
}

// EnableOffload implements Offloader. It has an effect only where ImpairConfig.Whole is set.
func (i *Impaired) EnableOffload() {
	if o, ok := i.inner.(Offloader); ok && i.whole {
		o.EnableOffload()
	}
}

// EnableParallel implements Parallel. The inner device is asked, if it is a Parallel. While there is
// an impairment of the packets that are received, one goroutine at a time calls receive all the
// same.
func (i *Impaired) EnableParallel() int { return enableParallel(i.inner) }

// Patience implements Patient: it is that of the inner device.
func (i *Impaired) Patience() int { return patienceOf(i.inner) }

// Start implements Device.
func (i *Impaired) Start(receive func([]Packet)) error {
	if !i.in.setDeliver(receive) {
		return ErrStarted
	}
	if i.real {
		i.opening.Do(i.door.Open) // ends with Close
	}
	err := i.inner.Start(func(packets []Packet) {
		if !i.whole || !i.in.pass(packets) {
			i.in.submit(plain(packets), false)
		}
	})
	if err != nil {
		i.in.setDeliver(nil)
	}
	return err
}

// Send implements Device. An error of the inner device is returned by the next Send after the inner
// device has failed, and may be due to earlier packets. Packets with metadata that Offload doesn't
// allow are cut up as Segments does.
func (i *Impaired) Send(packets []Packet) error {
	whole := slices.ContainsFunc(packets, func(p Packet) bool { return p.GSO != GSO{} })
	if (!whole || i.whole) && i.out.bypass(packets) {
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

// Close implements Device. Packets on their way are dropped.
func (i *Impaired) Close() error {
	i.out.close()
	err := i.inner.Close() // no receive begins from here on
	i.in.close()
	i.closing.Do(i.door.Close)
	return err
}

// Drops implements Dropper. The number is that of the inner device plus all packets that the
// impairments have dropped.
func (i *Impaired) Drops() uint64 {
	out, in := i.Stats()
	n := out.Dropped() + in.Dropped()
	if d, ok := i.inner.(Dropper); ok {
		n += d.Drops()
	}
	return n
}

// Pending implements Pender. The number is that of the inner device, or 0 when that isn't a Pender;
// see InFlight.
func (i *Impaired) Pending() int {
	if d, ok := i.inner.(Pender); ok {
		return d.Pending()
	}
	return 0
}

// Name implements Named. The name is empty when the inner device isn't a Named.
func (i *Impaired) Name() string {
	if d, ok := i.inner.(Named); ok {
		return d.Name()
	}
	return ""
}

// checkImpairment returns the error of m.validate with the prefix of this package.
func checkImpairment(m *Impairment) error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("tun: %w", err)
	}
	return nil
}
