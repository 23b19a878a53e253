package stack_test

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/simnet"
)

// simnetAddresses are those of the gateway on a further link.
func simnetAddresses(g *gateway) []simnet.LinkOption {
	return []simnet.LinkOption{simnet.Addresses(g.gateway, "10.9.0.1/16")}
}

// split is a packet's addresses, its protocol, and what it carries.
func split(b []byte) (source, destination netip.Addr, protocol uint8, payload []byte) {
	if b[0]>>4 == 4 {
		h := header.IPv4(b)
		return netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), h.Protocol(), b[h.HeaderLength():h.TotalLength()]
	}
	return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[6], b[40:]
}

// again is a packet of which something has changed, with checksums that are right.
func again(b []byte) []byte {
	source, destination, protocol, payload := split(b)
	payload = slices.Clone(payload)
	return simnet.EncodeIP(source, destination, protocol, payload)
}

// grown is a packet with more payload.
func grown(b []byte, size int) []byte {
	source, destination, protocol, payload := split(b)
	return simnet.EncodeIP(source, destination, protocol, append(slices.Clone(payload), make([]byte, size-len(b))...))
}

// sound reports that the checksums of a packet are right.
func sound(b []byte) bool {
	source, destination, protocol, payload := split(b)
	if b[0]>>4 == 4 && !header.IPv4(b).IsChecksumValid() {
		return false
	}
	sum := uint16(0)
	if protocol != 1 {
		sum = header.PseudoHeaderChecksum(tcpip.TransportProtocolNumber(protocol), tcpip.AddrFromSlice(source.AsSlice()),
			tcpip.AddrFromSlice(destination.AsSlice()), uint16(len(payload)))
	}
	return checksum.Checksum(payload, sum) == 0xffff
}

// cut4 cuts a packet of IPv4 into fragments of so many bytes of payload.
func cut4(b []byte, size int) (out [][]byte) {
	for at := 20; at < len(b); at += size {
		f := append(slices.Clone(b[:20]), b[at:min(at+size, len(b))]...)
		more := uint16(0)
		if at+size < len(b) {
			more = 0x2000
		}
		h := header.IPv4(f)
		h.SetTotalLength(uint16(len(f)))
		binary.BigEndian.PutUint16(f[6:], uint16(at-20)/8|more)
		h.SetChecksum(0)
		h.SetChecksum(^h.CalculateChecksum())
		out = append(out, f)
	}
	return out
}

// cut6 is cut4 for IPv6.
func cut6(b []byte, size int, id uint32) (out [][]byte) {
	for at := 40; at < len(b); at += size {
		f := append(slices.Clone(b[:40]), b[6], 0, 0, 0, 0, 0, 0, 0)
		f = append(f, b[at:min(at+size, len(b))]...)
		more := uint16(0)
		if at+size < len(b) {
			more = 1
		}
		f[6] = 44
		binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40))
		binary.BigEndian.PutUint16(f[42:], uint16(at-40)|more)
		binary.BigEndian.PutUint32(f[44:], id)
		out = append(out, f)
	}
	return out
}
