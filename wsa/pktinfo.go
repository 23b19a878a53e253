package wsa

import "encoding/binary"

// The sizes of the values of control messages, in bytes.
const (
	SizeofInPktinfo    = 8
	SizeofIn6Pktinfo   = 20
	SizeofInPktinfoEx  = 12
	SizeofIn6PktinfoEx = 24
	SizeofInRecverr    = 12
)

// InPktinfo is struct in_pktinfo, the control message of IP_PKTINFO, 8 bytes:
// address at 0 in network order, interface index at 4.
type InPktinfo struct {
	Addr    [4]byte // the destination of a received datagram, or the source of a sent one
	Ifindex uint32  // the index of the interface
}

// Append appends the structure to b.
func (p InPktinfo) Append(b []byte) []byte {
	b = append(b, p.Addr[:]...)
	return binary.LittleEndian.AppendUint32(b, p.Ifindex)
}

// ParseInPktinfo reads a struct in_pktinfo; it fails with WSAEFAULT when b is
// short.
func ParseInPktinfo(b []byte) (InPktinfo, Errno) {
	if len(b) < SizeofInPktinfo {
		return InPktinfo{}, WSAEFAULT
	}
	return InPktinfo{Addr: [4]byte(b[0:4]), Ifindex: binary.LittleEndian.Uint32(b[4:])}, NO_ERROR
}

// In6Pktinfo is struct in6_pktinfo, the control message of IPV6_PKTINFO, 20
// bytes: address at 0, interface index at 16.
type In6Pktinfo struct {
	Addr    [16]byte // received: the destination; sent: the source
	Ifindex uint32
}

// Append appends the structure to b.
func (p In6Pktinfo) Append(b []byte) []byte {
	b = append(b, p.Addr[:]...)
	return binary.LittleEndian.AppendUint32(b, p.Ifindex)
}

// ParseIn6Pktinfo reads a struct in6_pktinfo; it fails with WSAEFAULT when b is
// short.
func ParseIn6Pktinfo(b []byte) (In6Pktinfo, Errno) {
	if len(b) < SizeofIn6Pktinfo {
		return In6Pktinfo{}, WSAEFAULT
	}
	return In6Pktinfo{Addr: [16]byte(b[0:16]), Ifindex: binary.LittleEndian.Uint32(b[16:])}, NO_ERROR
}

// InPktinfoEx is struct in_pktinfo_ex, the control message of IP_PKTINFO_EX, 12
// bytes: in_pktinfo at 0, compartment at 8.
type InPktinfoEx struct {
	InPktinfo
	ScopeID uint32 // the number of the compartment
}

// Append appends the structure to b.
func (p InPktinfoEx) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(p.InPktinfo.Append(b), p.ScopeID)
}

// ParseInPktinfoEx reads a struct in_pktinfo_ex; it fails with WSAEFAULT when b
// is short.
func ParseInPktinfoEx(b []byte) (InPktinfoEx, Errno) {
	if len(b) < SizeofInPktinfoEx {
		return InPktinfoEx{}, WSAEFAULT
	}
	p, _ := ParseInPktinfo(b)
	return InPktinfoEx{p, binary.LittleEndian.Uint32(b[SizeofInPktinfo:])}, NO_ERROR
}

// In6PktinfoEx is struct in6_pktinfo_ex, the control message of
// IPV6_PKTINFO_EX, 24 bytes: in6_pktinfo at 0, compartment at 20.
type In6PktinfoEx struct {
	In6Pktinfo
	ScopeID uint32 // the number of the compartment
}

// Append appends the structure to b.
func (p In6PktinfoEx) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(p.In6Pktinfo.Append(b), p.ScopeID)
}

// ParseIn6PktinfoEx reads a struct in6_pktinfo_ex; it fails with WSAEFAULT when
// b is short.
func ParseIn6PktinfoEx(b []byte) (In6PktinfoEx, Errno) {
	if len(b) < SizeofIn6PktinfoEx {
		return In6PktinfoEx{}, WSAEFAULT
	}
	p, _ := ParseIn6Pktinfo(b)
	return In6PktinfoEx{p, binary.LittleEndian.Uint32(b[SizeofIn6Pktinfo:])}, NO_ERROR
}

// InRecverr is struct in_recverr, the control message of IP_RECVERR and
// IPV6_RECVERR, 12 bytes: protocol at 0, info at 4, type at 8, code at 9, two
// bytes of padding.
type InRecverr struct {
	Protocol int32  // IPPROTO_ICMP or IPPROTO_ICMPV6
	Info     uint32 // the MTU of the next hop in a message that says "too big", else 0
	Type     uint8  // the type of the ICMP message
	Code     uint8  // the code of the ICMP message
}

// Append appends the structure to b.
func (e InRecverr) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Protocol))
	b = binary.LittleEndian.AppendUint32(b, e.Info)
	return append(b, e.Type, e.Code, 0, 0)
}

// ParseInRecverr reads a struct in_recverr; it fails with WSAEFAULT when b is
// short.
func ParseInRecverr(b []byte) (InRecverr, Errno) {
	if len(b) < SizeofInRecverr {
		return InRecverr{}, WSAEFAULT
	}
	return InRecverr{
		Protocol: int32(binary.LittleEndian.Uint32(b)),
		Info:     binary.LittleEndian.Uint32(b[4:]),
		Type:     b[8],
		Code:     b[9],
	}, NO_ERROR
}
