// Package parts divides the packets of a stack among goroutines, as receive-side scaling does it:
// all packets of a connection are in one part.
package parts

import (
	"hash/maphash"
	"runtime"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// maxParts bounds the parts of a stack. The reader of a device, a goroutine as well, feeds some
// five of them with small packets (docs/stack.md, "The pump").
const maxParts = 8

// Count is how many parts the work of a stack has on this machine, by GOMAXPROCS: one for two
// processors, as who uses the sockets needs some, too.
func Count() int { return max(1, min(runtime.GOMAXPROCS(0)/2, maxParts)) }

// seed makes the parts of connections unforeseeable: whoever could choose them would bring all
// packets of its connections, and those of others, into one part.
var seed = maphash.MakeSeed()

// Incoming is the part, of n parts, that has a packet which a device brings. The addresses and ports
// of a TCP segment decide, so that the segments of a connection stay in order, and the sender does of
// every other packet, so that what it sends stays in order, in fragments or not, to whatever address.
// The packet may be malformed.
func Incoming(packet *buffer.Buffer, n int) int { return of(packet, false, n) }

// Outgoing is the part, of n parts, that has the answer to a packet: see Incoming. Fragments of
// segments, and segments behind extension headers of IPv6, have a part by the receiver's address.
func Outgoing(packet *buffer.Buffer, n int) int { return of(packet, true, n) }

func of(packet *buffer.Buffer, out bool, n int) int {
	if n == 1 {
		return 0
	}
	var b [header.IPv4MaximumHeaderSize + ports]byte
	size, _ := packet.ReadAt(b[:], 0)
	return hash(flow(b[:size], out), n)
}

// Connection is the part, of n parts, that has the packets of a TCP connection.
func Connection(local tcpip.Address, localPort uint16, remote tcpip.Address, remotePort uint16, n int) int {
	if n == 1 {
		return 0
	}
	var room [2*header.IPv6AddressSize + ports]byte
	b := append(append(room[:0], remote.AsSlice()...), local.AsSlice()...)
	b = append(b, byte(remotePort>>8), byte(remotePort), byte(localPort>>8), byte(localPort))
	return hash(b, n)
}

func hash(flow []byte, n int) int { return int(maphash.Bytes(seed, flow) % uint64(n)) }

// ports is the length of the ports of a segment, which its header begins with.
const ports = 4

// flow is what the packets of a connection, or with another host, have in common: the addresses and
// ports as a packet to this host has them, or the address of the other host. b is the beginning of a
// packet; flow may change it, and returns a slice of it.
func flow(b []byte, out bool) []byte {
	switch version := header.IPVersion(b); {
	case version == header.IPv4Version && len(b) >= header.IPv4MinimumSize:
		const end = header.IPv4MinimumSize
		h := header.IPv4(b)
		options := int(h.HeaderLength())
		if h.Protocol() != uint8(header.TCPProtocolNumber) || h.More() || h.FragmentOffset() != 0 || options < end || options+ports > len(b) {
			return far(h.SourceAddressSlice(), h.DestinationAddressSlice(), out)
		}
		copy(b[end:], b[options:options+ports]) // to where they are without options
		return toUs(b[end-2*header.IPv4AddressSize:end+ports], header.IPv4AddressSize, out)
	case version == header.IPv6Version && len(b) >= header.IPv6MinimumSize:
		const end = header.IPv6MinimumSize
		h := header.IPv6(b)
		if h.NextHeader() != uint8(header.TCPProtocolNumber) || len(b) < end+ports {
			return far(h.SourceAddressSlice(), h.DestinationAddressSlice(), out)
		}
		return toUs(b[end-2*header.IPv6AddressSize:end+ports], header.IPv6AddressSize, out)
	}
	return nil // netstack refuses it
}

// far is the address of the other host.
func far(source, destination []byte, out bool) []byte {
	if out {
		return destination
	}
	return source
}

// toUs turns two addresses of this size and two ports round where the packet is on its way out.
func toUs(tuple []byte, address int, out bool) []byte {
	if !out {
		return tuple
	}
	swap(tuple[:address], tuple[address:2*address])
	swap(tuple[2*address:2*address+ports/2], tuple[2*address+ports/2:])
	return tuple
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}
