package link

import (
	"hash/maphash"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/tun"
)

// A part is the share of the ingress that one goroutine delivers.
type part struct {
	queue *tun.Queue
	batch [deliverBatch]tun.Packet // of Deliver
}

// newParts divides the bounds of the queue among so many parts.
func newParts(n int) []part {
	parts := make([]part, n)
	for i := range parts {
		parts[i].queue = tun.NewQueue(tun.QueuePackets/n, tun.QueueBytes/int64(n))
	}
	return parts
}

// seed makes the parts of connections unforeseeable: who could choose them would
// have all of its packets, and those of others, in one.
var seed = maphash.MakeSeed()

// partOf is the part of n that gets a packet: by the addresses and ports of a TCP
// segment, so that those of a connection stay in order, and by the sender of
// everything else, so that what it sends does, in fragments or not, to whatever
// address. Both directions of a connection need not have the same part.
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

// flow is what the packets of a connection, or of a sender, have in common: a slice of
// b, which may change. b is the beginning of a packet.
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
