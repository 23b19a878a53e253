package simnet

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/trace"
)

// encodeTCP makes an IP packet of a segment with absolute numbers. The checksums are right.
func encodeTCP(source, dest netip.AddrPort, s trace.Segment, payload []byte) []byte {
	options := s.Options.Append(nil)
	t := make([]byte, 20, 20+len(options)+len(payload))
	binary.BigEndian.PutUint16(t, source.Port())
	binary.BigEndian.PutUint16(t[2:], dest.Port())
	binary.BigEndian.PutUint32(t[4:], s.Seq)
	binary.BigEndian.PutUint32(t[8:], s.Ack)
	t[12] = byte((20 + len(options)) / 4 << 4)
	t[13] = byte(s.Flags)
	binary.BigEndian.PutUint16(t[14:], s.Window)
	binary.BigEndian.PutUint16(t[18:], s.Urgent)
	t = append(append(t, options...), payload...)
	return EncodeIP(source.Addr(), dest.Addr(), 6, t)
}

// checksumOffset is where a transport protocol has its checksum, by protocol number.
var checksumOffset = map[uint8]int{6: 16, 17: 6, 58: 2}

// EncodeIP makes an IP packet of a transport header and the data behind it, for Wire.Inject. It
// fills in the checksum of TCP, UDP and ICMP.
func EncodeIP(source, dest netip.Addr, protocol uint8, transport []byte) []byte {
	src, dst := source.AsSlice(), dest.AsSlice()
	if offset, ok := checksumOffset[protocol]; ok && len(transport) >= offset+2 {
		transport[offset], transport[offset+1] = 0, 0
		var pseudo []byte
		pseudo = append(append(pseudo, src...), dst...)
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(transport)))
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(protocol))
		inet.PutChecksum(transport[offset:], checksum.Checksum(transport, checksum.Checksum(pseudo, 0)), protocol == 17)
	} else if protocol == 1 && len(transport) >= 4 {
		transport[2], transport[3] = 0, 0
		inet.PutChecksum(transport[2:], checksum.Checksum(transport, 0), false)
	}
	if source.Is4() {
		h := make([]byte, 20, 20+len(transport))
		h[0], h[8], h[9] = 0x45, 64, protocol
		h[6] = 0x40 // DF
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(transport)))
		copy(h[12:], src)
		copy(h[16:], dst)
		inet.PutChecksum(h[10:], checksum.Checksum(h, 0), false)
		return append(h, transport...)
	}
	h := make([]byte, 40, 40+len(transport))
	h[0], h[6], h[7] = 0x60, protocol, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(transport)))
	copy(h[8:], src)
	copy(h[24:], dst)
	return append(h, transport...)
}

// EncodeUDP makes an IP packet with a UDP datagram, for Wire.Inject.
func EncodeUDP(source, dest netip.AddrPort, payload []byte) []byte {
	u := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(u, source.Port())
	binary.BigEndian.PutUint16(u[2:], dest.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(8+len(payload)))
	return EncodeIP(source.Addr(), dest.Addr(), 17, append(u, payload...))
}
