package wsa

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// The sizes of the socket address structures, in bytes.
const (
	SizeofSockaddrIn      = 16
	SizeofSockaddrIn6     = 28
	SizeofSockaddrStorage = 128
	SizeofSockaddrInet    = 28 // SOCKADDR_INET, the union of the two
)

// SockaddrIn is SOCKADDR_IN, 16 bytes: family at 0 (little-endian), port at 2
// and address at 4 (network order), eight zero bytes at 8.
type SockaddrIn struct {
	Port uint16  // the port
	Addr [4]byte // the address
}

// Append appends the structure to b.
func (s SockaddrIn) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, AF_INET)
	b = binary.BigEndian.AppendUint16(b, s.Port)
	b = append(b, s.Addr[:]...)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
}

// AddrPort returns the address and port of s.
func (s SockaddrIn) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), s.Port)
}

// ParseSockaddrIn reads a SOCKADDR_IN. It fails with WSAEFAULT when b is short
// and with WSAEAFNOSUPPORT when the family is not AF_INET. sin_zero is ignored.
func ParseSockaddrIn(b []byte) (SockaddrIn, Errno) {
	if len(b) < SizeofSockaddrIn {
		return SockaddrIn{}, WSAEFAULT
	}
	if binary.LittleEndian.Uint16(b) != AF_INET {
		return SockaddrIn{}, WSAEAFNOSUPPORT
	}
	return SockaddrIn{Port: binary.BigEndian.Uint16(b[2:]), Addr: [4]byte(b[4:8])}, NO_ERROR
}

// SockaddrIn6 is SOCKADDR_IN6, 28 bytes: family at 0 (little-endian), port at 2
// (network order), flow information at 4, address at 8, scope id at 24
// (little-endian).
type SockaddrIn6 struct {
	Port     uint16   // the port
	FlowInfo uint32   // the flow information, as the 4 bytes of the structure read little-endian
	Addr     [16]byte // the address
	ScopeID  uint32   // the index of an interface; 0 stands for none
}

// Append appends the structure to b.
func (s SockaddrIn6) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, AF_INET6)
	b = binary.BigEndian.AppendUint16(b, s.Port)
	b = binary.LittleEndian.AppendUint32(b, s.FlowInfo)
	b = append(b, s.Addr[:]...)
	return binary.LittleEndian.AppendUint32(b, s.ScopeID)
}

// AddrPort returns the address and port of s; a scope id becomes a numeric
// zone. IPv4-mapped addresses stay IPv6.
func (s SockaddrIn6) AddrPort() netip.AddrPort {
	addr := netip.AddrFrom16(s.Addr)
	if s.ScopeID != 0 {
		addr = addr.WithZone(strconv.FormatUint(uint64(s.ScopeID), 10))
	}
	return netip.AddrPortFrom(addr, s.Port)
}

// ParseSockaddrIn6 reads a SOCKADDR_IN6. It fails with WSAEFAULT when b is
// short and with WSAEAFNOSUPPORT when the family is not AF_INET6.
func ParseSockaddrIn6(b []byte) (SockaddrIn6, Errno) {
	if len(b) < SizeofSockaddrIn6 {
		return SockaddrIn6{}, WSAEFAULT
	}
	if binary.LittleEndian.Uint16(b) != AF_INET6 {
		return SockaddrIn6{}, WSAEAFNOSUPPORT
	}
	return SockaddrIn6{
		Port:     binary.BigEndian.Uint16(b[2:]),
		FlowInfo: binary.LittleEndian.Uint32(b[4:]),
		Addr:     [16]byte(b[8:24]),
		ScopeID:  binary.LittleEndian.Uint32(b[24:]),
	}, NO_ERROR
}

// Family returns the address family of addr: AF_INET, AF_INET6 (IPv4-mapped
// addresses included), or AF_UNSPEC for the zero address.
func Family(addr netip.Addr) int32 {
	switch {
	case addr.Is4():
		return AF_INET
	case addr.IsValid():
		return AF_INET6
	}
	return AF_UNSPEC
}

// SockaddrLen returns the size of a socket address of the family, in bytes, and
// 0 for a family that is neither AF_INET nor AF_INET6.
func SockaddrLen(family int32) int {
	switch family {
	case AF_INET:
		return SizeofSockaddrIn
	case AF_INET6:
		return SizeofSockaddrIn6
	}
	return 0
}

// ScopeID returns the scope id for the zone of an address: the number, when the zone is a number of
// 32 bits, else 0. The caller resolves zones that are names of interfaces.
func ScopeID(addr netip.Addr) uint32 {
	id, err := strconv.ParseUint(addr.Zone(), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(id)
}

// AppendSockaddr appends ap as SOCKADDR_IN (16 bytes) or SOCKADDR_IN6 (28
// bytes, no flow information) and nothing for the zero address, which is NULL.
func AppendSockaddr(b []byte, ap netip.AddrPort) []byte {
	addr := ap.Addr()
	switch Family(addr) {
	case AF_INET:
		return SockaddrIn{Port: ap.Port(), Addr: addr.As4()}.Append(b)
	case AF_INET6:
		return SockaddrIn6{Port: ap.Port(), Addr: addr.As16(), ScopeID: ScopeID(addr)}.Append(b)
	}
	return b
}

// ParseSockaddr reads a socket address of either family; bytes after it are
// ignored. It fails with WSAEFAULT when b is shorter than its family needs and
// with WSAEAFNOSUPPORT for other families.
func ParseSockaddr(b []byte) (netip.AddrPort, Errno) {
	if len(b) < 2 {
		return netip.AddrPort{}, WSAEFAULT
	}
	switch binary.LittleEndian.Uint16(b) {
	case AF_INET:
		s, errno := ParseSockaddrIn(b)
		if errno != NO_ERROR {
			return netip.AddrPort{}, errno
		}
		return s.AddrPort(), NO_ERROR
	case AF_INET6:
		s, errno := ParseSockaddrIn6(b)
		if errno != NO_ERROR {
			return netip.AddrPort{}, errno
		}
		return s.AddrPort(), NO_ERROR
	}
	return netip.AddrPort{}, WSAEAFNOSUPPORT
}

// AppendSockaddrStorage appends ap as SOCKADDR_STORAGE, 128 bytes: the socket
// address, then zeros. The zero address is 128 zeros, family AF_UNSPEC.
func AppendSockaddrStorage(b []byte, ap netip.AddrPort) []byte {
	end := len(b) + SizeofSockaddrStorage
	return appendZeros(AppendSockaddr(b, ap), end)
}

// appendZeros appends zeros until b is end bytes long.
func appendZeros(b []byte, end int) []byte {
	for len(b) < end {
		b = append(b, 0)
	}
	return b
}
