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

// gsoMaxSize is the size, in bytes, of the largest packet that netstack may build for a device that
// segments. netstack subtracts the largest headers and one byte, so that packets stay below 65,536
// bytes.
const gsoMaxSize = 1 << 16

// Options are what an Endpoint is made with. The zero Options are usable.
type Options struct {
	// Parts is how many goroutines may deliver at once: the ingress queue has so many parts, each
	// with its share of the bounds. 0 stands for one.
	Parts int

	// Notify is called when a part of the ingress queue goes from empty to non-empty: somebody
	// should call Deliver until it returns less than its max. Notify runs on the device's reader
	// goroutine or, on a loopback, on the sender's with a netstack endpoint locked, so that it must
	// only signal. It may be nil.
	Notify func(part int)

	// Arrived is called instead of Notify where the goroutine of a device that is patient has queued
	// what has come: Arrived may call Deliver itself. alone reports that no other part waits for the
	// goroutine: a packet has come by itself, or the device has a goroutine for each part. It may be
	// nil: then Notify is called.
	Arrived func(part int, alone bool)

	// Admit is asked about each packet before netstack gets the packet, and may change it. A packet
	// that Admit refuses is dropped and counted. Admit runs inside Deliver. It may be nil.
	Admit func(*tun.Packet) bool

	// Forward is asked about each packet before Admit. A packet that Forward takes, and owns then,
	// was for somebody else. Packets may have segmentation metadata. Forward runs inside Deliver.
	// It may be nil.
	Forward func(*tun.Packet) bool

	// Self is the loopback that gets the packets of this interface to itself; nil: all packets go
	// to the device. It is attached and closed with the Endpoint, whose netstack gets the packets.
	Self *Endpoint

	// Own is asked about each packet of IPv6 that is about to leave, with its addresses, and
	// reports one that is for Self. It runs with a netstack endpoint locked. It must be set where
	// Self is.
	Own func(source, destination [16]byte) bool

	// Loopback says that the stack treats the interface as a loopback interface, which allows
	// addresses such as 127.0.0.1 on it.
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
// drops packets and counts them. The connection of a packet decides which part it is in
// (partOf).
//
// The Endpoint starts no goroutine and doesn't own the device. The owner of the Endpoint
// attaches it (Stack.CreateNIC), then calls Start, and closes the device before destroying
// the netstack: netstack calls Attach(nil), Close and Wait with a mutex of its own held, which
// a device's reader may be waiting for.
//
// Methods are safe for concurrent use, except that one goroutine at a time
// calls Deliver for a part.
type Endpoint struct {
	dev      tun.Device     // nil: the Endpoint is a loopback
	offload  tun.Offload    // what the device does for the stack
	loopback bool           // Options.Loopback
	notify   func(part int) // Options.Notify, never nil
	arrived  func(part int, alone bool)
	parallel bool                   // the device has a goroutine for each part
	patience int                    // of the device, in bytes; 0: what it brings is only queued
	admit    func(*tun.Packet) bool // Options.Admit; nil: every packet is admitted
	forward  func(*tun.Packet) bool // Options.Forward; nil: no packet is for somebody else
	self     *Endpoint              // Options.Self
	own      func(source, destination [16]byte) bool
	mtu      atomic.Uint32         // in bytes
	parts    []part                // the ingress queue
	invalid  atomic.Uint64         // how many packets Deliver has refused
	sendErr  atomic.Pointer[error] // the first error of Device.Send; nil: there was none
	in, out  traffic               // what the device has brought, and what it got

	mu         sync.RWMutex            // guards the fields below; held for loads and stores only
	dispatcher stack.NetworkDispatcher // who gets the packets; nil: the Endpoint is detached
	linkAddr   tcpip.LinkAddress       // empty unless set
}

var (
	_ stack.LinkEndpoint = (*Endpoint)(nil)
	_ stack.GSOEndpoint  = (*Endpoint)(nil)
)

// New makes an Endpoint over dev, with the MTU that dev has now. New asks the device to do what it
// can for the stack (tun.Offloader), and to bring packets by several goroutines at once where several
// deliver them (tun.Parallel).
func New(dev tun.Device, opts Options) *Endpoint {
	e := newEndpoint(opts)
	if o, ok := dev.(tun.Offloader); ok {
		o.EnableOffload()
	}
	if p, ok := dev.(tun.Parallel); ok && len(e.parts) > 1 {
		e.parallel = p.EnableParallel() >= len(e.parts)
	}
	e.dev, e.offload = dev, dev.Offload()
	e.mtu.Store(uint32(dev.MTU()))
	if p, ok := dev.(tun.Patient); ok && e.arrived != nil {
		e.patience = p.Patience()
	}
	if e.self != nil {
		e.self.offload = e.offload
	}
	return e
}

func newEndpoint(opts Options) *Endpoint {
	if opts.Notify == nil {
		opts.Notify = func(int) {}
	}
	return &Endpoint{
		loopback: opts.Loopback,
		notify:   opts.Notify,
		arrived:  opts.Arrived,
		admit:    opts.Admit,
		forward:  opts.Forward,
		self:     opts.Self,
		own:      opts.Own,
		parts:    newParts(max(opts.Parts, 1)),
	}
}

// Start begins reception from the device. Start is called once, after the Endpoint was attached,
// because a detached Endpoint drops the packets that arrive. The errors are those of Device.Start.
// A loopback needs no Start.
func (e *Endpoint) Start() error {
	if e.dev == nil {
		return nil
	}
	return e.dev.Start(e.fromDevice)
}

// Capabilities implements stack.LinkEndpoint.
//
// Transmit checksum offload is never claimed: segments without GSO metadata,
// UDP and ICMP would leave without a checksum. netstack fills it in, except for
// TCP segments with GSO metadata, which a device with segmentation offload
// takes. A loopback claims receive checksum offload; over a device each packet says for itself
// whether its checksum was verified (Verified).
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

// A Trusting is an Endpoint for a netstack whose filter doesn't ask Verified: where the device may
// leave checksums to us, it claims receive offload for all packets.
type Trusting struct{ *Endpoint }

// Capabilities implements stack.LinkEndpoint.
func (t Trusting) Capabilities() stack.LinkEndpointCapabilities {
	caps := t.Endpoint.Capabilities()
	if t.offload.Checksum {
		caps |= stack.CapabilityRXChecksumOffload
	}
	return caps
}

// GSOMaxSize implements stack.GSOEndpoint. The size is in bytes, headers included.
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

// MTU implements stack.LinkEndpoint. The MTU is in bytes.
func (e *Endpoint) MTU() uint32 { return e.mtu.Load() }

// SetMTU implements stack.LinkEndpoint. The device stays as it is, and drops packets that are
// larger than its own MTU.
func (e *Endpoint) SetMTU(mtu uint32) { e.mtu.Store(mtu) }

// MaxHeaderLength implements stack.LinkEndpoint: there is no link header.
func (e *Endpoint) MaxHeaderLength() uint16 { return 0 }

// LinkAddress implements stack.LinkEndpoint. The address is empty unless SetLinkAddress has set
// one.
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

// Attach implements stack.LinkEndpoint. Attach waits for nothing, even where it detaches: a Deliver
// under way may hand over one more packet, which netstack ignores.
func (e *Endpoint) Attach(dispatcher stack.NetworkDispatcher) {
	if e.self != nil {
		e.self.Attach(dispatcher)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dispatcher = dispatcher
}

// IsAttached implements stack.LinkEndpoint.
func (e *Endpoint) IsAttached() bool { return e.attached() != nil }

// attached is the dispatcher; nil: the Endpoint is detached.
func (e *Endpoint) attached() stack.NetworkDispatcher {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.dispatcher
}

// Close implements stack.LinkEndpoint. The packets that are queued are released, and those that
// come later are dropped. Close neither blocks nor closes the device.
func (e *Endpoint) Close() {
	if e.self != nil {
		e.self.Close()
	}
	for i := range e.parts {
		e.parts[i].queue.Close()
	}
}

// Wait implements stack.LinkEndpoint: there is no goroutine to wait for.
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

// SetOnCloseAction implements stack.LinkEndpoint. There is no action, because the owner closes the
// device.
func (e *Endpoint) SetOnCloseAction(func()) {}
