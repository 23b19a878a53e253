package inet

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// PutChecksum writes the checksum of a packet whose 16-bit words, those of its pseudo-header
// included, have this sum: the complement. UDP says with a zero that there is no checksum (RFC
// 768), so that one which comes out as zero is written in its other form there.
func PutChecksum(field []byte, sum uint16, udp bool) {
	sum = ^sum
	if udp && sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(field, sum)
}

// PatchChecksum makes the checksum in field right again after whole words of the packet have
// changed from before to after (RFC 1624 §3, equation 3).
func PatchChecksum(field, before, after []byte) {
	sum := ^binary.BigEndian.Uint16(field)
	sum = checksum.Combine(sum, ^checksum.Checksum(before, 0))
	PutChecksum(field, checksum.Combine(sum, checksum.Checksum(after, 0)), false)
}

// SumsUp reports whether the checksum in b is right, a header of IPv4 or a message of ICMP for
// instance, which has no pseudo-header.
func SumsUp(b []byte) bool { return checksum.Checksum(b, 0) == 0xffff }
