package wsa

import (
	"encoding/binary"
	"net/netip"
)

// The sizes of the multicast requests, in bytes.
const (
	SizeofIPMreq         = 8
	SizeofIPMreqSource   = 12
	SizeofIPv6Mreq       = 20
	SizeofGroupReq       = 136
	SizeofGroupSourceReq = 264
)

// IPMreq is struct ip_mreq, 8 bytes: group at 0, interface at 4, both in
// network order.
type IPMreq struct {
	Multiaddr [4]byte // the address of the group
	Interface [4]byte // the address of the interface, or 0.x.y.z for the interface index x.y.z
}

// Append appends the structure to b.
func (m IPMreq) Append(b []byte) []byte {
	b = append(b, m.Multiaddr[:]...)
	return append(b, m.Interface[:]...)
}

// ParseIPMreq reads a struct ip_mreq; it fails with WSAEFAULT when b is short.
func ParseIPMreq(b []byte) (IPMreq, Errno) {
	if len(b) < SizeofIPMreq {
		return IPMreq{}, WSAEFAULT
	}
	return IPMreq{Multiaddr: [4]byte(b[0:4]), Interface: [4]byte(b[4:8])}, NO_ERROR
}

// IPMreqSource is struct ip_mreq_source, 12 bytes: group at 0, source at 4,
// interface at 8. POSIX has interface and source the other way round.
type IPMreqSource struct {
	Multiaddr  [4]byte // the address of the group
	Sourceaddr [4]byte // the address of the source
	Interface  [4]byte // the address of the interface, or 0.x.y.z for the interface index x.y.z
}

// Append appends the structure to b.
func (m IPMreqSource) Append(b []byte) []byte {
	b = append(b, m.Multiaddr[:]...)
	b = append(b, m.Sourceaddr[:]...)
	return append(b, m.Interface[:]...)
}

// ParseIPMreqSource reads a struct ip_mreq_source; it fails with WSAEFAULT when
// b is short.
func ParseIPMreqSource(b []byte) (IPMreqSource, Errno) {
	if len(b) < SizeofIPMreqSource {
		return IPMreqSource{}, WSAEFAULT
	}
	return IPMreqSource{
		Multiaddr:  [4]byte(b[0:4]),
		Sourceaddr: [4]byte(b[4:8]),
		Interface:  [4]byte(b[8:12]),
	}, NO_ERROR
}

// IPv6Mreq is struct ipv6_mreq, 20 bytes: group at 0, interface index at 16.
type IPv6Mreq struct {
	Multiaddr [16]byte // the address of the group
	Interface uint32   // the index of the interface; 0 is the default interface
}

// Append appends the structure to b.
func (m IPv6Mreq) Append(b []byte) []byte {
	b = append(b, m.Multiaddr[:]...)
	return binary.LittleEndian.AppendUint32(b, m.Interface)
}

// ParseIPv6Mreq reads a struct ipv6_mreq; it fails with WSAEFAULT when b is
// short.
func ParseIPv6Mreq(b []byte) (IPv6Mreq, Errno) {
	if len(b) < SizeofIPv6Mreq {
		return IPv6Mreq{}, WSAEFAULT
	}
	return IPv6Mreq{Multiaddr: [16]byte(b[0:16]), Interface: binary.LittleEndian.Uint32(b[16:])}, NO_ERROR
}

// GroupReq is struct group_req (RFC 3678 §5.1), 136 bytes: interface index at
// 0, four bytes of padding, SOCKADDR_STORAGE of the group at 8.
type GroupReq struct {
	Interface uint32         // the index of the interface; 0 is the default interface
	Group     netip.AddrPort // the address of the group; the port is ignored
}

// Append appends the structure to b.
func (g GroupReq) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, g.Interface)
	b = append(b, 0, 0, 0, 0)
	return AppendSockaddrStorage(b, g.Group)
}

// ParseGroupReq reads a struct group_req. It fails with WSAEFAULT when b is
// short and with WSAEINVAL when the group is neither IPv4 nor IPv6.
func ParseGroupReq(b []byte) (GroupReq, Errno) {
	if len(b) < SizeofGroupReq {
		return GroupReq{}, WSAEFAULT
	}
	group, errno := ParseSockaddr(b[8:SizeofGroupReq])
	if errno != NO_ERROR {
		return GroupReq{}, WSAEINVAL
	}
	return GroupReq{Interface: binary.LittleEndian.Uint32(b), Group: group}, NO_ERROR
}

// GroupSourceReq is struct group_source_req (RFC 3678 §5.1), 264 bytes:
// interface index at 0, four bytes of padding, SOCKADDR_STORAGE of the group at
// 8 and of the source at 136.
type GroupSourceReq struct {
	Interface uint32         // the index of the interface; 0 is the default interface
	Group     netip.AddrPort // the address of the group; the port is ignored
	Source    netip.AddrPort // the address of the source; the port is ignored
}

// Append appends the structure to b.
func (g GroupSourceReq) Append(b []byte) []byte {
	b = GroupReq{g.Interface, g.Group}.Append(b)
	return AppendSockaddrStorage(b, g.Source)
}

// ParseGroupSourceReq reads a struct group_source_req. It fails with WSAEFAULT
// when b is short and with WSAEINVAL when an address is neither IPv4 nor IPv6.
// ParseGroupSourceReq doesn't check that the two addresses are of one family.
func ParseGroupSourceReq(b []byte) (GroupSourceReq, Errno) {
	if len(b) < SizeofGroupSourceReq {
		return GroupSourceReq{}, WSAEFAULT
	}
	g, errno := ParseGroupReq(b)
	if errno != NO_ERROR {
		return GroupSourceReq{}, errno
	}
	source, errno := ParseSockaddr(b[SizeofGroupReq:SizeofGroupSourceReq])
	if errno != NO_ERROR {
		return GroupSourceReq{}, WSAEINVAL
	}
	return GroupSourceReq{Interface: g.Interface, Group: g.Group, Source: source}, NO_ERROR
}
