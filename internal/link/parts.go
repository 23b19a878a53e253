package link

import (
	"hash/maphash"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// A part is the share of the ingress that one goroutine delivers.
type part struct {
	queue *tun.Queue               // the packets that were received and aren't delivered yet
	batch [deliverBatch]tun.Packet // the packets that a Deliver under way has in hand
}

// newParts makes n parts, among which the bounds of the queue are divided.
func newParts(n int) []part {
	parts := make([]part, n)
	for i := range parts {
		parts[i].queue = tun.NewQueue(tun.QueuePackets/n, tun.QueueBytes/int64(n))
	}
	return parts
}

// seed makes the parts of connections unforeseeable: whoever could choose them would bring all
// packets of its connections, and those of others, into one part.
var seed = maphash.MakeSeed()

// partOf is the part, of n parts, that gets a packet. The addresses and ports of a TCP segment
// decide, so that the segments of a connection stay in order, and the sender of every other packet
// does, so that what it sends stays in order, in fragments or not, to whatever address. The two
// directions of a connection need not have the same part.
func partOf(p *tun.Packet, n int) int {
	if n == 1 {
		return 0
	}
	var b [header.IPv4MaximumHeaderSize + ports]byte
	size, _ := p.Data.ReadAt(b[:], 0)
	return int(maphash.Bytes(seed, flow(b[:size])) % uint64(n))
}

// ports is the length of the ports of a segment, which its header begins with.
const ports = 4

// flow is what the packets of a connection, or of a sender, have in common. b is the beginning of a
// packet; flow may change it, and returns a slice of it.
func flow(b []byte) []byte {
	protocol, ok := protocolOf(b)
	switch {
	case ok && protocol == header.IPv4ProtocolNumber && len(b) >= header.IPv4MinimumSize:
		const end = header.IPv4MinimumSize
		h := header.IPv4(b)
		options := int(h.HeaderLength())
		if h.Protocol() != uint8(header.TCPProtocolNumber) || isFragment(b) || options < end || options+ports > len(b) {
			return h.SourceAddressSlice()
		}
		copy(b[end:], b[options:options+ports]) // to where they are without options
		return b[end-2*header.IPv4AddressSize : end+ports]
	case ok && protocol == header.IPv6ProtocolNumber && len(b) >= header.IPv6MinimumSize:
		const end = header.IPv6MinimumSize
		h := header.IPv6(b)
		if h.NextHeader() != uint8(header.TCPProtocolNumber) || len(b) < end+ports {
			return h.SourceAddressSlice()
		}
		return b[end-2*header.IPv6AddressSize : end+ports]
	}
	return nil // netstack refuses it
}
