// Package tun provides packet devices: the links a wsstack network stack can
// be attached to. A Device moves whole IP packets; it knows nothing of sockets.
//
// Open opens a TUN interface of the operating system, Pipe makes an in-memory
// link between two stacks of one process, and NewFunc turns a Go function into a
// device.
package tun

import "gvisor.dev/gvisor/pkg/buffer"

// A Device sends and receives IP packets. Implementations are safe for
// concurrent use.
type Device interface {
	// MTU is the size in bytes of the largest IP packet the device carries,
	// segmentation offload aside.
	MTU() int

	// Offload reports what the device takes and gives besides plain packets.
	Offload() Offload

	// Start begins reception. It is called once. receive is called by one
	// goroutine at a time and never from inside Send; it takes ownership of
	// the packets, but not of the slice that holds them.
	Start(receive func([]Packet)) error

	// Send transmits packets. Any goroutine may call it, also one that holds
	// the lock of a netstack endpoint, so Send never calls back and never
	// waits for the receiver. It borrows the packets until it returns; a
	// device that keeps data longer clones the buffers.
	//
	// A device that can't take a packet now (a full queue) drops it, as a
	// wire would, and returns nil; an error means that the device failed.
	Send([]Packet) error

	// Close stops and joins the reader, then releases the device. Once it
	// has returned, receive isn't called any more. It is idempotent.
	Close() error
}

// A Dropper is a device that counts the packets it couldn't carry. Pipe, Func
// and the devices of the operating system are Droppers.
type Dropper interface {
	// Drops is the number of packets dropped since the device was made,
	// because they were refused, a queue was full, or the other end was gone.
	Drops() uint64
}

// A Pender is a device that can tell whether packets are on their way to
// receive. In-memory devices are Penders; a device of the operating system
// can't know.
type Pender interface {
	// Pending is the number of packets that the device has accepted for
	// delivery on this side and for which receive hasn't returned yet.
	Pending() int
}

// An Offloader is a device that carries plain packets until it is asked for
// more: a Pipe, so that whoever looks at its packets sees what a wire would
// carry. A decorator that isn't an Offloader itself hides it, and so keeps the
// packets plain.
type Offloader interface {
	// EnableOffload makes the device take and give whatever it can, for good;
	// Offload then says what that is. It is called before Start, by a
	// receiver that can deal with it.
	EnableOffload()
}

// A Named device is an interface of the operating system.
type Named interface {
	// Name is the name the interface had when it was opened, as in
	// Configure.
	Name() string
}

// Offload says what a device does to packets on behalf of the stack. The zero
// value is a device of plain packets: every packet is whole, no larger than
// the MTU, and has all its checksums.
type Offload struct {
	// Checksum: the device takes packets with GSO.NeedsCsum set, and may hand
	// such packets to receive.
	Checksum bool

	// TSO4 and TSO6: the device takes and gives TCP segments larger than the
	// MTU, with GSO set.
	TSO4, TSO6 bool

	// USO: the same for UDP datagrams.
	USO bool
}

// A Packet is one IP packet, header first, with its offload metadata.
type Packet struct {
	Data buffer.Buffer
	GSO  GSO
}

// GSOType names the protocol of a packet that stands for several.
type GSOType uint8

// The types of segmentation.
const (
	GSONone  GSOType = iota // a plain packet
	GSOTCPv4                // a TCP segment over IPv4, to be cut into segments
	GSOTCPv6                // the same over IPv6
	GSOUDP                  // a UDP datagram, to be cut into datagrams
)

// GSO is the segmentation and checksum metadata of a packet. The zero value
// says: plain packet, complete checksums.
type GSO struct {
	Type GSOType

	// NeedsCsum: the transport checksum field holds the sum of the
	// pseudo-header only, and the packet was never on a wire where it could
	// have been damaged. A receiver treats it as verified.
	NeedsCsum bool

	// CsumStart is the offset of the transport header in the packet,
	// CsumOffset the offset of the checksum field in that header.
	CsumStart, CsumOffset uint16

	// MSS is the number of payload bytes in each packet cut from this one;
	// zero where Type is GSONone.
	MSS uint16

	// HdrLen is the length of the IP and transport headers together; zero
	// where Type is GSONone.
	HdrLen uint16
}
