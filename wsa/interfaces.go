package wsa

import (
	"encoding/binary"
	"net/netip"
)

// The flags of InterfaceInfo (ws2ipdef.h).
const (
	IFF_UP           = 0x01
	IFF_BROADCAST    = 0x02
	IFF_LOOPBACK     = 0x04
	IFF_POINTTOPOINT = 0x08
	IFF_MULTICAST    = 0x10
)

const sizeofSockaddrGen = 24 // sockaddr_gen: a union that has no scope id

// SizeofInterfaceInfo is the size of INTERFACE_INFO, in bytes.
const SizeofInterfaceInfo = 4 + 3*sizeofSockaddrGen

// InterfaceInfo is INTERFACE_INFO, an element of the output of
// SIO_GET_INTERFACE_LIST, 76 bytes: flags at 0, then address, broadcast address
// and netmask as sockaddr_gen of 24 bytes each.
type InterfaceInfo struct {
	Flags     uint32     // a set of the IFF constants
	Address   netip.Addr // the address of the interface
	Broadcast netip.Addr // the broadcast address; not valid when there is none
	Netmask   netip.Addr // the mask of the prefix, in the form of an address
}

// Append appends the structure to b.
func (i InterfaceInfo) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, i.Flags)
	for _, a := range [...]netip.Addr{i.Address, i.Broadcast, i.Netmask} {
		var gen [SizeofSockaddrIn6]byte
		AppendSockaddr(gen[:0], netip.AddrPortFrom(a.WithZone(""), 0))
		b = append(b, gen[:sizeofSockaddrGen]...)
	}
	return b
}

// ParseInterfaceInfo reads an INTERFACE_INFO. It fails with WSAEFAULT when b is
// short; an address of another family is the zero address.
func ParseInterfaceInfo(b []byte) (InterfaceInfo, Errno) {
	if len(b) < SizeofInterfaceInfo {
		return InterfaceInfo{}, WSAEFAULT
	}
	i := InterfaceInfo{Flags: binary.LittleEndian.Uint32(b)}
	for k, a := range [...]*netip.Addr{&i.Address, &i.Broadcast, &i.Netmask} {
		at := 4 + k*sizeofSockaddrGen
		gen := append(b[at:at+sizeofSockaddrGen:at+sizeofSockaddrGen], 0, 0, 0, 0) // room for a scope id
		ap, _ := ParseSockaddr(gen)
		*a = ap.Addr()
	}
	return i, NO_ERROR
}

// SOCKET_ADDRESS_LIST of 64-bit Windows: iAddressCount at 0, from 8 on one
// SOCKET_ADDRESS of 16 bytes for each address, then what they point to. As in
// [CSAddrInfo], a pointer is an offset from the start.
const (
	addressListHeader   = 8
	sizeofSocketAddress = 16
)

// AddressListLen is the size of a SOCKET_ADDRESS_LIST of n addresses of a
// family, in bytes.
func AddressListLen(family int32, n int) int {
	return addressListHeader + n*(sizeofSocketAddress+SockaddrLen(family))
}

// AppendAddressList appends a SOCKET_ADDRESS_LIST, the output of
// SIO_ADDRESS_LIST_QUERY, to b.
func AppendAddressList(b []byte, addrs []netip.AddrPort) []byte {
	start := len(b)
	b = appendZeros(b, start+addressListHeader+len(addrs)*sizeofSocketAddress)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(addrs)))
	for i, a := range addrs {
		b = appendSocketAddress(b, start, addressListHeader+i*sizeofSocketAddress, a)
	}
	return b
}

// ParseAddressList reads what AppendAddressList wrote. It fails with WSAEFAULT
// when b is short or an offset or length leads out of it.
func ParseAddressList(b []byte) ([]netip.AddrPort, Errno) {
	if len(b) < addressListHeader {
		return nil, WSAEFAULT
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	if n < 0 || n > (len(b)-addressListHeader)/sizeofSocketAddress {
		return nil, WSAEFAULT
	}
	addrs := make([]netip.AddrPort, n)
	for i := range addrs {
		var err Errno
		field := addressListHeader + i*sizeofSocketAddress
		if addrs[i], err = parseSocketAddress(b, field, addressListHeader+n*sizeofSocketAddress); err != 0 {
			return nil, err
		}
	}
	return addrs, NO_ERROR
}
