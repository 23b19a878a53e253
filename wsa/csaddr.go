package wsa

import (
	"encoding/binary"
	"net/netip"
)

// SizeofCSAddrInfo is the size of CSADDR_INFO on 64-bit Windows, in bytes,
// without the socket addresses it points to.
const SizeofCSAddrInfo = 40

// CSAddrInfo is CSADDR_INFO, the value of SO_BSP_STATE (page "SO_BSP_STATE socket option").
//
// The bytes are the structure of 64-bit Windows followed by the socket
// addresses it points to, local before remote, in the same buffer:
//
//	 0  LocalAddr.lpSockaddr        u64
//	 8  LocalAddr.iSockaddrLength   i32, 4 bytes of padding
//	16  RemoteAddr.lpSockaddr       u64
//	24  RemoteAddr.iSockaddrLength  i32, 4 bytes of padding
//	32  iSocketType                 i32
//	36  iProtocol                   i32
//	40  socket addresses
//
// Where Windows has a pointer, lpSockaddr is the offset of the socket address from the start of the
// structure, because a Go buffer can't hold pointers. An absent address is {NULL, 0} in both cases:
// no address has the offset 0.
type CSAddrInfo struct {
	Local      netip.AddrPort // the local address; zero when the socket isn't bound
	Remote     netip.AddrPort // the address of the peer; zero when the socket isn't connected
	SocketType int32          // the type of the socket, such as SOCK_STREAM
	Protocol   int32          // the protocol of the socket, such as IPPROTO_TCP
}

// CSAddrInfoLen returns the length that the buffer for a socket of this address
// family needs, in bytes, bound and connected or not: 72 for AF_INET, 96 for
// AF_INET6.
func CSAddrInfoLen(family int32) int { return SizeofCSAddrInfo + 2*SockaddrLen(family) }

// Append appends the structure and the addresses it has to b: at most
// CSAddrInfoLen bytes.
func (c CSAddrInfo) Append(b []byte) []byte {
	start := len(b)
	b = appendZeros(b, start+SizeofCSAddrInfo)
	binary.LittleEndian.PutUint32(b[start+32:], uint32(c.SocketType))
	binary.LittleEndian.PutUint32(b[start+36:], uint32(c.Protocol))
	b = appendSocketAddress(b, start, 0, c.Local)
	return appendSocketAddress(b, start, 16, c.Remote)
}

// appendSocketAddress appends ap to b and fills the SOCKET_ADDRESS at field of
// the structure at start.
func appendSocketAddress(b []byte, start, field int, ap netip.AddrPort) []byte {
	at := len(b)
	b = AppendSockaddr(b, ap)
	if n := len(b) - at; n > 0 {
		binary.LittleEndian.PutUint64(b[start+field:], uint64(at-start))
		binary.LittleEndian.PutUint32(b[start+field+8:], uint32(n))
	}
	return b
}

// ParseCSAddrInfo reads what Append wrote. It fails with WSAEFAULT when b is
// short or an offset or length leads out of it, and with WSAEAFNOSUPPORT when
// an address is neither IPv4 nor IPv6.
func ParseCSAddrInfo(b []byte) (CSAddrInfo, Errno) {
	if len(b) < SizeofCSAddrInfo {
		return CSAddrInfo{}, WSAEFAULT
	}
	local, errno := parseSocketAddress(b, 0, SizeofCSAddrInfo)
	if errno != NO_ERROR {
		return CSAddrInfo{}, errno
	}
	remote, errno := parseSocketAddress(b, 16, SizeofCSAddrInfo)
	if errno != NO_ERROR {
		return CSAddrInfo{}, errno
	}
	return CSAddrInfo{
		Local:      local,
		Remote:     remote,
		SocketType: int32(binary.LittleEndian.Uint32(b[32:])),
		Protocol:   int32(binary.LittleEndian.Uint32(b[36:])),
	}, NO_ERROR
}

// parseSocketAddress follows the SOCKET_ADDRESS at field to an address at or
// behind least.
func parseSocketAddress(b []byte, field, least int) (netip.AddrPort, Errno) {
	off := binary.LittleEndian.Uint64(b[field:])
	n := uint64(binary.LittleEndian.Uint32(b[field+8:]))
	if off == 0 && n == 0 {
		return netip.AddrPort{}, NO_ERROR
	}
	end := uint64(len(b))
	if off < uint64(least) || off > end || n > end-off {
		return netip.AddrPort{}, WSAEFAULT
	}
	return ParseSockaddr(b[off : off+n])
}
