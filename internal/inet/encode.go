package inet

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// The numbers of the protocols whose checksums Encode fills in.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// checksumOffset is where a protocol above IP has its checksum, by protocol number.
var checksumOffset = map[uint8]int{protoICMP: 2, protoTCP: 16, protoUDP: 6, protoICMPv6: 2}

// A Header is the IP header of a packet without options.
type Header struct {
	Source, Dest netip.Addr
	Protocol     uint8
	TrafficClass uint8  // of IPv4, the type of service
	TTL          uint8  // of IPv6, the hop limit
	FlowLabel    uint32 // of IPv6
}

// Encode makes an IP packet that routers must not cut up, with the header of a transport protocol
// and the data behind it. It fills in the checksum of TCP, UDP and ICMP in transport, too.
func (h Header) Encode(transport []byte) []byte {
	h.putChecksum(transport)
	if h.Source.Is4() {
		return append(h.encode4(len(transport)), transport...)
	}
	return append(h.encode6(len(transport)), transport...)
}

// ChecksumOffset is where a protocol above IP has its checksum; ok is false where that isn't known.
func ChecksumOffset(protocol uint8) (offset int, ok bool) {
	offset, ok = checksumOffset[protocol]
	return offset, ok
}

// putChecksum fills in the checksum of the transport protocol, where there is room for one.
func (h Header) putChecksum(transport []byte) {
	if offset, ok := checksumOffset[h.Protocol]; ok && len(transport) >= offset+2 {
		transport[offset], transport[offset+1] = 0, 0
		PutChecksum(transport[offset:], h.sum(transport), h.Protocol == protoUDP)
	}
}

// sum is the sum of the words of transport and of its pseudo-header.
func (h Header) sum(transport []byte) uint16 {
	var pseudo []byte
	if h.Protocol != protoICMP {
		pseudo = append(h.Source.AsSlice(), h.Dest.AsSlice()...)
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(transport)))
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(h.Protocol))
	}
	return checksum.Checksum(transport, checksum.Checksum(pseudo, 0))
}

// ChecksumFits reports whether the checksum in transport is right. A protocol without one that is
// known fits, and so does a datagram of UDP over IPv4 that says that it has none (RFC 768).
func (h Header) ChecksumFits(transport []byte) bool {
	offset, ok := checksumOffset[h.Protocol]
	if !ok || len(transport) < offset+2 {
		return true
	}
	none := h.Protocol == protoUDP && h.Source.Is4() && transport[offset] == 0 && transport[offset+1] == 0
	return none || h.sum(transport) == 0xffff
}

// encode4 is the header of IPv4 for so many bytes of transport.
func (h Header) encode4(size int) []byte {
	b := make([]byte, 20, 20+size)
	b[0], b[1], b[8], b[9] = 0x45, h.TrafficClass, h.TTL, h.Protocol
	b[6] = 0x40 // don't fragment
	binary.BigEndian.PutUint16(b[2:], uint16(20+size))
	copy(b[12:], h.Source.AsSlice())
	copy(b[16:], h.Dest.AsSlice())
	PutChecksum(b[10:], checksum.Checksum(b, 0), false)
	return b
}

// encode6 is the header of IPv6 for so many bytes of transport.
func (h Header) encode6(size int) []byte {
	b := make([]byte, 40, 40+size)
	binary.BigEndian.PutUint32(b, 6<<28|uint32(h.TrafficClass)<<20|h.FlowLabel&0xfffff)
	b[6], b[7] = h.Protocol, h.TTL
	binary.BigEndian.PutUint16(b[4:], uint16(size))
	copy(b[8:], h.Source.AsSlice())
	copy(b[24:], h.Dest.AsSlice())
	return b
}
