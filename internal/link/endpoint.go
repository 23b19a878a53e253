// Package link connects a tun.Device to a gVisor network stack.
package link

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/wsstack/wsstack/tun"
)

// gsoMaxSize is the size of the largest packet the stack may build for a
// device that segments. netstack subtracts the largest headers and one byte,
// so packets stay below 65,536 bytes.
const gsoMaxSize = 1 << 16

// Options of an Endpoint. The zero value is usable.
type Options struct {
	// Parts is how many goroutines may deliver at once: the ingress queue has so
	// many parts, each with its share of the bounds. 0: one.
	Parts int

	// Notify is called when a part of the ingress queue goes from empty to non-empty:
	// somebody should call Deliver until it returns less than its max. It runs
	// on the device's reader goroutine, or, on a loopback, on the sender's with
	// a netstack endpoint locked, so it must only signal. May be nil.
	Notify func(part int)

	// Admit is asked about each packet before netstack gets it, and may change it;
	// one that it refuses is dropped and counted. It runs inside Deliver. May be
	// nil.
	Admit func(*tun.Packet) bool

	// Forward is asked about each packet before Admit: one that it takes, and
	// owns, was for somebody else. Packets may have segmentation metadata. It
	// runs inside Deliver. May be nil.
	Forward func(*tun.Packet) bool

	// Loopback: the stack treats the interface as a loopback interface, which
	// allows addresses such as 127.0.0.1 on it.
	Loopback bool
}

// An Endpoint is a gVisor link endpoint over a tun.Device, or over itself
// (NewLoopback).
//
//	netstack ── WritePackets ──────────────────────────▶ Device.Send
//	netstack ◀── Deliver (pump) ── part of the queue ◀── receive ── Device (its reader)
//
// Egress runs on the sender's goroutine. Ingress is always queued and delivered
// by the goroutine that calls Deliver: delivering on the sender's deadlocks,
// because netstack holds the lock of the sending endpoint and the answer to a
// packet may take it again. The queue holds tun.QueuePackets packets and
// tun.QueueBytes bytes, all parts together; beyond its share of either bound a part
// drops packets and counts them. Which part has a packet is decided by its
// connection (partOf).
//
// The Endpoint starts no goroutine and doesn't own the device. Its owner
// attaches it (Stack.CreateNIC), then calls Start, and closes the device before
// it destroys the netstack stack: netstack calls Attach(nil), Close and Wait
// with its own mutex held, which a device's reader may be waiting for.
//
// Methods are safe for concurrent use, except that one goroutine at a time
// calls Deliver for a part.
type Endpoint struct {
	dev      tun.Device // nil: a loopback
	offload  tun.Offload
	loopback bool
	notify   func(part int)
	admit    func(*tun.Packet) bool // nil: everything
	forward  func(*tun.Packet) bool // nil: takes none
	mtu      atomic.Uint32
	parts    []part
	invalid  atomic.Uint64         // packets that Deliver refused
	sendErr  atomic.Pointer[error] // the first error of Device.Send

	mu         sync.RWMutex // guards the fields below; held for loads and stores only
	dispatcher stack.NetworkDispatcher
	linkAddr   tcpip.LinkAddress
}

var (
	_ stack.LinkEndpoint = (*Endpoint)(nil)
	_ stack.GSOEndpoint  = (*Endpoint)(nil)
)

// New makes an Endpoint over dev, with the MTU that dev has now. It asks the
// device for its offloads (tun.Offloader).
func New(dev tun.Device, opts Options) *Endpoint {
	e := newEndpoint(opts)
	if o, ok := dev.(tun.Offloader); ok {
		o.EnableOffload()
	}
	e.dev, e.offload = dev, dev.Offload()
	e.mtu.Store(uint32(dev.MTU()))
	return e
}

func newEndpoint(opts Options) *Endpoint {
	if opts.Notify == nil {
		opts.Notify = func(int) {}
	}
	return &Endpoint{
		loopback: opts.Loopback,
		notify:   opts.Notify,
		admit:    opts.Admit,
		forward:  opts.Forward,
		parts:    newParts(max(opts.Parts, 1)),
	}
}

// Start begins reception from the device. It is called once, after the
// Endpoint was attached; packets that arrive at a detached endpoint are
// dropped. The errors are those of Device.Start. A loopback needs no Start.
func (e *Endpoint) Start() error {
	if e.dev == nil {
		return nil
	}
	return e.dev.Start(e.receive)
}

// Capabilities implements stack.LinkEndpoint.
//
// Transmit checksum offload is never claimed: segments without GSO metadata,
// UDP and ICMP would leave without a checksum. netstack fills it in, except for
// TCP segments with GSO metadata, which a device with segmentation offload
// takes. Receive checksum offload is claimed by a loopback; of a device it is a
// property of each packet (Verified).
func (e *Endpoint) Capabilities() stack.LinkEndpointCapabilities {
	var caps stack.LinkEndpointCapabilities
	if e.loopback {
		caps |= stack.CapabilityLoopback
	}
	if e.dev == nil {
		caps |= stack.CapabilityRXChecksumOffload
	}
	return caps
}

// A Trusting endpoint is for a netstack whose filter doesn't ask Verified: where the
// device may leave checksums to us, it claims receive offload for all packets.
type Trusting struct{ *Endpoint }

// Capabilities implements stack.LinkEndpoint.
func (t Trusting) Capabilities() stack.LinkEndpointCapabilities {
	caps := t.Endpoint.Capabilities()
	if t.offload.Checksum {
		caps |= stack.CapabilityRXChecksumOffload
	}
	return caps
}

// GSOMaxSize implements stack.GSOEndpoint. Unit: bytes, headers included.
func (e *Endpoint) GSOMaxSize() uint32 {
	if e.SupportedGSO() == stack.GSONotSupported {
		return 0
	}
	return gsoMaxSize
}

// SupportedGSO implements stack.GSOEndpoint. netstack knows no difference
// between the IP versions and always leaves the checksum of a GSO segment to
// the device, so the device needs all three offloads.
func (e *Endpoint) SupportedGSO() stack.SupportedGSO {
	if e.offload.TSO4 && e.offload.TSO6 && e.offload.Checksum {
		return stack.HostGSOSupported
	}
	return stack.GSONotSupported
}

// MTU implements stack.LinkEndpoint. Unit: bytes.
func (e *Endpoint) MTU() uint32 { return e.mtu.Load() }

// SetMTU implements stack.LinkEndpoint. It doesn't change the device: a value
// above the device's MTU makes it drop packets.
func (e *Endpoint) SetMTU(mtu uint32) { e.mtu.Store(mtu) }

// MaxHeaderLength implements stack.LinkEndpoint: there is no link header.
func (e *Endpoint) MaxHeaderLength() uint16 { return 0 }

// LinkAddress implements stack.LinkEndpoint: empty unless set.
func (e *Endpoint) LinkAddress() tcpip.LinkAddress {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.linkAddr
}

// SetLinkAddress implements stack.LinkEndpoint. The address is only stored.
func (e *Endpoint) SetLinkAddress(addr tcpip.LinkAddress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.linkAddr = addr
}

// Attach implements stack.LinkEndpoint. It waits for nothing, also when
// detaching: a Deliver under way may hand over one more packet, which netstack
// ignores.
func (e *Endpoint) Attach(dispatcher stack.NetworkDispatcher) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dispatcher = dispatcher
}

// IsAttached implements stack.LinkEndpoint.
func (e *Endpoint) IsAttached() bool { return e.attached() != nil }

func (e *Endpoint) attached() stack.NetworkDispatcher {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.dispatcher
}

// Close implements stack.LinkEndpoint. It releases what is queued and drops
// what comes later. It neither blocks nor closes the device.
func (e *Endpoint) Close() {
	for i := range e.parts {
		e.parts[i].queue.Close()
	}
}

// Wait implements stack.LinkEndpoint. There is no goroutine to wait for.
func (e *Endpoint) Wait() {}

// ARPHardwareType implements stack.LinkEndpoint.
func (e *Endpoint) ARPHardwareType() header.ARPHardwareType {
	if e.loopback {
		return header.ARPHardwareLoopback
	}
	return header.ARPHardwareNone
}

// AddHeader implements stack.LinkEndpoint: there is no link header.
func (e *Endpoint) AddHeader(*stack.PacketBuffer) {}

// ParseHeader implements stack.LinkEndpoint: there is no link header.
func (e *Endpoint) ParseHeader(*stack.PacketBuffer) bool { return true }

// SetOnCloseAction implements stack.LinkEndpoint. The owner closes the device,
// so there is no action.
func (e *Endpoint) SetOnCloseAction(func()) {}
