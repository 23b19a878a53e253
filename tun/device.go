// Package tun provides packet devices, the links to which a network stack of package stack is
// attached. A [Device] carries whole IP packets and knows nothing about sockets.
//
// [Open] opens a TUN interface of the operating system, [Pipe] makes an in-memory link between two
// stacks of one process, and [NewFunc] turns a Go function into a device. [Impair] and [Capture]
// wrap a device: the first makes a bad link of it, the second writes its packets to a file.
package tun

import "gvisor.dev/gvisor/pkg/buffer"

// A Device sends and receives IP packets. Implementations are safe for
// concurrent use.
type Device interface {
	// MTU returns the size of the largest IP packet that the device carries, in bytes. Packets that
	// the device cuts up itself may be larger; see Offload.
	MTU() int

	// Offload returns the kinds of packets that the device takes and gives besides plain ones.
	Offload() Offload

	// Start begins reception. Start is called once. The device calls receive from one goroutine at
	// a time and never from inside Send. receive owns the packets, but not the slice that holds
	// them.
	Start(receive func([]Packet)) error

	// Send transmits packets. Any goroutine may call Send, also one that holds the lock of a
	// netstack endpoint, so Send never calls back and never waits for the receiver. Send borrows
	// the packets until it returns: a device that keeps data longer clones the buffers.
	//
	// A device that has no room for a packet drops the packet, as a wire would, and returns nil. An
	// error means that the device has failed.
	Send([]Packet) error

	// Close stops the goroutine that receives, waits for its end, and releases the device. Once
	// Close has returned, the device no longer calls receive. Close is idempotent.
	Close() error
}

// A Dropper is a device that counts the packets it couldn't carry. The devices of this package are
// Droppers.
type Dropper interface {
	// Drops returns the number of packets that were dropped since the device was made, because the
	// device refused them, a queue was full, or the other end was closed.
	Drops() uint64
}

// A Pender is a device that can tell whether packets are on their way to its receive function. The
// in-memory devices are Penders. A device of the operating system can't know.
type Pender interface {
	// Pending returns the number of packets that the device has accepted for delivery on this side
	// and for which receive hasn't returned yet.
	Pending() int
}

// An Offloader is a device that carries plain packets until its receiver asks for more. The ends of
// a [Pipe] are Offloaders, so that a program that looks at their packets sees what a wire would
// carry. A device that wraps an Offloader without being one itself keeps the packets plain.
type Offloader interface {
	// EnableOffload makes the device take and give all kinds of packets that it can carry, until it
	// is closed; Offload then says which kinds those are. A receiver that can deal with them calls
	// EnableOffload before Start.
	EnableOffload()
}

// A Parallel is a device that can call receive from several goroutines at once, and calls receive
// from one at a time until its receiver asks for more. A TUN interface of Linux is a Parallel, which
// has a queue for each goroutine. A device that wraps a Parallel without being one itself keeps to
// one goroutine at a time.
type Parallel interface {
	// EnableParallel makes the device call receive from several goroutines at once, if it can, and
	// returns from how many. The packets of a connection are in order all the same: they come by one
	// goroutine, or by another one later. A receiver that several goroutines may call at once calls
	// EnableParallel before Start.
	EnableParallel() int
}

// A Patient is a device on whose goroutine a receiver may work, and not only queue what has come: it
// calls receive with no lock held that Send or Close takes, and loses nothing while receive runs.
// The devices of the operating system and the ends of a [Pipe] are Patients, and so are the devices
// of this package that wrap one. A stack answers the packets of a Patient on that goroutine where
// that spares waking up another one.
type Patient interface {
	// Patience returns how many bytes of packets receive should at most work on before it returns,
	// so that what the device has next isn't kept waiting. 0: receive should only queue them.
	Patience() int
}

// patienceOf is the Patience of a device, 0 of one that isn't a Patient.
func patienceOf(d Device) int {
	if p, ok := d.(Patient); ok {
		return p.Patience()
	}
	return 0
}

// enableParallel is EnableParallel of a device, which has one goroutine where it isn't a Parallel.
func enableParallel(d Device) int {
	if p, ok := d.(Parallel); ok {
		return p.EnableParallel()
	}
	return 1
}

// A Named is a device that is an interface of the operating system.
type Named interface {
	// Name returns the name that the interface had when it was opened, which [Configure] takes.
	Name() string
}

// Offload says which packets a device takes and gives besides plain ones. The zero Offload is that
// of a device of plain packets only: each of them is whole, no larger than the MTU, and has all its
// checksums.
type Offload struct {
	// Checksum reports whether the device takes packets with GSO.NeedsCsum set, and may pass such
	// packets to receive.
	Checksum bool

	// TSO4 reports whether the device takes and gives TCP segments over IPv4 that are larger than
	// the MTU and have GSO metadata.
	TSO4 bool

	// TSO6 is TSO4 for TCP segments over IPv6.
	TSO6 bool

	// USO is TSO4 for UDP datagrams over IPv4 and IPv6.
	USO bool
}

// A Packet is one IP packet with its offload metadata.
type Packet struct {
	Data buffer.Buffer // the bytes of the packet, beginning with the IP header
	GSO  GSO           // the offload metadata

	// Mark is a note of a device for the devices behind it, which no wire carries. The devices of
	// this package hand it on, and so does a router. Other packets of stacks have a Mark of 0.
	Mark uint32

	// Tag is a number by which an observer knows the packet again (see ImpairConfig.Observe). It
	// isn't sent. An Impaired and the ends of a Pipe carry Tag along, for copies and for what is cut
	// from the packet as well. To other devices Tag means nothing.
	Tag uint64
}

// A GSOType says into what a packet is to be cut up.
type GSOType uint8

// The types of segmentation.
const (
	GSONone  GSOType = iota // The packet is a plain one and isn't cut up.
	GSOTCPv4                // The packet is a TCP segment over IPv4, to be cut into segments.
	GSOTCPv6                // The packet is a TCP segment over IPv6, to be cut into segments.
	GSOUDP                  // The packet is a UDP datagram, to be cut into datagrams.
)

// GSO is the segmentation and checksum metadata of a packet. The zero GSO is that of a plain packet
// with complete checksums.
type GSO struct {
	// Type says into what the packet is to be cut up.
	Type GSOType

	// NeedsCsum reports whether the checksum field of the transport header holds no more than the
	// sum of the pseudo-header. Such a packet was never on a wire, where it could have been
	// damaged, so a receiver takes the packet as verified.
	NeedsCsum bool

	// CsumStart is the offset of the transport header in the packet, in bytes; used with NeedsCsum.
	CsumStart uint16

	// CsumOffset is the offset of the checksum field in the transport header, in bytes; used with
	// NeedsCsum.
	CsumOffset uint16

	// MSS is the number of payload bytes in each of the packets that are cut from this one, but for
	// the last one, which may be shorter. MSS is 0 when Type is GSONone.
	MSS uint16

	// HdrLen is the length of the IP header and the transport header together, in bytes. HdrLen is
	// 0 when Type is GSONone.
	HdrLen uint16
}
