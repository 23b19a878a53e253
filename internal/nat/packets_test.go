package nat_test

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// These functions make packets and judge them without the help of the package.

const (
	protocolICMP = 1
	protocolTCP  = 6
	protocolUDP  = 17

	fin = 1
	syn = 2
	rst = 4
	ack = 16
)

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// wrap makes a packet of IPv4 with a header checksum.
func wrap(from, to netip.Addr, protocol byte, transport []byte) []byte {
	b := make([]byte, 20, 20+len(transport))
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(transport)))
	copy(b[12:], from.AsSlice())
	copy(b[16:], to.AsSlice())
	b = append(b, transport...)
	mend(b)
	return b
}

// mend computes the checksums of a packet that isn't a fragment; a zero of UDP stays.
func mend(b []byte) {
	n := int(b[0]&15) * 4
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^checksum.Checksum(b[:n], 0))
	if at, ok := map[byte]int{protocolICMP: 2, protocolTCP: 16, protocolUDP: 6}[b[9]]; ok {
		field := b[n+at : n+at+2]
		field[0], field[1] = 0, 0
		sum := ^checksum.Checksum(b[n:], pseudo(b))
		if sum == 0 && b[9] == protocolUDP {
			sum = 0xffff
		}
		binary.BigEndian.PutUint16(field, sum)
	}
}

// pseudo is the sum of the pseudo-header.
func pseudo(b []byte) uint16 {
	if b[9] == protocolICMP {
		return 0
	}
	n := int(b[0]&15) * 4
	size := int(binary.BigEndian.Uint16(b[2:])) - n
	return checksum.Checksum([]byte{0, b[9], byte(size >> 8), byte(size)}, checksum.Checksum(b[12:20], 0))
}

func udp(from, to netip.AddrPort, data ...byte) []byte {
	u := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(u, from.Port())
	binary.BigEndian.PutUint16(u[2:], to.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(8+len(data)))
	return wrap(from.Addr(), to.Addr(), protocolUDP, append(u, data...))
}

func tcp(from, to netip.AddrPort, flags byte, data ...byte) []byte {
	s := make([]byte, 20, 20+len(data))
	binary.BigEndian.PutUint16(s, from.Port())
	binary.BigEndian.PutUint16(s[2:], to.Port())
	s[12], s[13] = 5<<4, flags
	return wrap(from.Addr(), to.Addr(), protocolTCP, append(s, data...))
}

// echo is an echo request (type 8) or reply (type 0).
func echo(typ byte, from, to netip.Addr, id uint16, data ...byte) []byte {
	e := make([]byte, 8, 8+len(data))
	e[0] = typ
	binary.BigEndian.PutUint16(e[4:], id)
	return wrap(from, to, protocolICMP, append(e, data...))
}

// icmpError is an ICMP error that quotes so many bytes of a packet, all with 0, as a host on the way
// would see the packet.
func icmpError(from, to netip.Addr, typ, code byte, about []byte, size int) []byte {
	about = slices.Clone(about)
	if size > 0 {
		about = about[:size]
	}
	e := append(make([]byte, 8, 8+len(about)), about...)
	e[0], e[1] = typ, code
	return wrap(from, to, protocolICMP, e)
}

// An end is who a packet is from and to, and what it quotes.
func ends(b []byte) (from, to netip.AddrPort) {
	n := int(b[0]&15) * 4
	at := [2]int{n, n + 2}
	if b[9] == protocolICMP {
		at = [2]int{n + 4, n + 4}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:])), binary.BigEndian.Uint16(b[at[0]:])),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:])), binary.BigEndian.Uint16(b[at[1]:]))
}

// right reports whether all the checksums are right that a packet shows: the header's, that of the
// transport where the packet is whole, and those of a quoted header.
func right(b []byte) bool {
	if len(b) < 20 || b[0]>>4 != 4 {
		return true
	}
	n, size := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if n < 20 || size < n || len(b) < size {
		return true
	}
	b = b[:size]
	if checksum.Checksum(b[:n], 0) != 0xffff {
		return false
	}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 { // a fragment
		return true
	}
	return rightTransport(b, n)
}

func rightTransport(b []byte, n int) bool {
	t := b[n:]
	switch b[9] {
	case protocolUDP:
		return len(t) < 8 || t[6] == 0 && t[7] == 0 || checksum.Checksum(t, pseudo(b)) == 0xffff
	case protocolTCP:
		return len(t) < 20 || checksum.Checksum(t, pseudo(b)) == 0xffff
	case protocolICMP:
		if len(t) < 8 {
			return true
		}
		return checksum.Checksum(t, 0) == 0xffff && (t[0] != 3 && t[0] != 11 && t[0] != 12 || right(t[8:]))
	}
	return true
}
