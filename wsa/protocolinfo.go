package wsa

import (
	"encoding/binary"
	"unicode/utf16"
)

// The sizes of WSAPROTOCOL_INFOA and WSAPROTOCOL_INFOW, in bytes. Both begin with
// the same 116 bytes; szProtocol follows, 256 characters with the final NUL.
const (
	SizeofProtocolInfoA = protocolInfoHead + szProtocol
	SizeofProtocolInfoW = protocolInfoHead + 2*szProtocol

	protocolInfoHead = 116
	szProtocol       = 256
	maxProtocolChain = 7
)

// GUID is the identity of a provider. The 16 bytes are the four parts in order; the first three of
// them are little-endian.
type GUID struct {
	Data1 uint32
	Data2 uint16
	Data3 uint16
	Data4 [8]byte
}

// Append appends the structure to b.
func (g GUID) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, g.Data1)
	b = binary.LittleEndian.AppendUint16(b, g.Data2)
	b = binary.LittleEndian.AppendUint16(b, g.Data3)
	return append(b, g.Data4[:]...)
}

// ProtocolInfo is WSAPROTOCOL_INFO, a catalogue entry: the value of
// SO_PROTOCOL_INFOA and SO_PROTOCOL_INFOW (winsock2.h).
type ProtocolInfo struct {
	ServiceFlags1  uint32 // a set of the XP1 constants
	ServiceFlags2  uint32 // reserved
	ServiceFlags3  uint32 // reserved
	ServiceFlags4  uint32 // reserved
	ProviderFlags  uint32 // a set of the PFL constants
	ProviderID     GUID   // the identity of the provider
	CatalogEntryID uint32 // the number of the entry
	ChainLen       int32  // 0: a layered provider, 1: a base provider, more: a chain

	// ChainEntries are the numbers of the entries of a chain.
	ChainEntries [maxProtocolChain]uint32

	Version           int32  // the version of the protocol
	AddressFamily     int32  // AF_INET or AF_INET6
	MaxSockAddr       int32  // the largest size of a socket address in bytes
	MinSockAddr       int32  // the smallest size of a socket address in bytes
	SocketType        int32  // the type of the sockets, such as SOCK_STREAM
	Protocol          int32  // the first protocol of the entry, such as IPPROTO_TCP
	ProtocolMaxOffset int32  // the last protocol of the entry is Protocol plus this
	NetworkByteOrder  int32  // BIGENDIAN or LITTLEENDIAN
	SecurityScheme    int32  // SECURITY_PROTOCOL_NONE
	MessageSize       uint32 // bytes; 0: no messages, 1: the MTU, 0xFFFFFFFF: no limit
	ProviderReserved  uint32 // reserved
	ProtocolName      string // szProtocol, the name of the entry
}

// appendHead appends the 116 bytes that both forms share.
func (p ProtocolInfo) appendHead(b []byte) []byte {
	le := binary.LittleEndian
	for _, flags := range [...]uint32{p.ServiceFlags1, p.ServiceFlags2, p.ServiceFlags3, p.ServiceFlags4, p.ProviderFlags} {
		b = le.AppendUint32(b, flags)
	}
	b = p.ProviderID.Append(b)
	b = le.AppendUint32(b, p.CatalogEntryID)
	b = le.AppendUint32(b, uint32(p.ChainLen))
	for _, entry := range p.ChainEntries {
		b = le.AppendUint32(b, entry)
	}
	for _, field := range [...]int32{
		p.Version, p.AddressFamily, p.MaxSockAddr, p.MinSockAddr, p.SocketType, p.Protocol,
		p.ProtocolMaxOffset, p.NetworkByteOrder, p.SecurityScheme,
	} {
		b = le.AppendUint32(b, uint32(field))
	}
	b = le.AppendUint32(b, p.MessageSize)
	return le.AppendUint32(b, p.ProviderReserved)
}

// AppendA appends WSAPROTOCOL_INFOA, 372 bytes. The name is cut after 255
// bytes; a character outside ASCII, which has no byte in an unknown code page,
// becomes a question mark.
func (p ProtocolInfo) AppendA(b []byte) []byte {
	end := len(b) + SizeofProtocolInfoA
	b = p.appendHead(b)
	for _, r := range p.ProtocolName {
		if len(b) == end-1 {
			break
		}
		if r > 0x7F {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return appendZeros(b, end)
}

// AppendW appends WSAPROTOCOL_INFOW, 628 bytes, with the name in UTF-16. The
// name is cut after 255 units, never inside a surrogate pair.
func (p ProtocolInfo) AppendW(b []byte) []byte {
	end := len(b) + SizeofProtocolInfoW
	b = p.appendHead(b)
	for _, r := range p.ProtocolName {
		if len(b)+2*utf16.RuneLen(r) > end-2 {
			break
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			b = binary.LittleEndian.AppendUint16(b, unit)
		}
	}
	return appendZeros(b, end)
}

// ParseProtocolInfoA reads a WSAPROTOCOL_INFOA; it fails with WSAEFAULT when b
// is short. A name without a NUL is taken whole.
func ParseProtocolInfoA(b []byte) (ProtocolInfo, Errno) {
	if len(b) < SizeofProtocolInfoA {
		return ProtocolInfo{}, WSAEFAULT
	}
	p := parseProtocolInfoHead(b)
	name := b[protocolInfoHead:SizeofProtocolInfoA]
	for i, c := range name {
		if c == 0 {
			name = name[:i]
			break
		}
	}
	p.ProtocolName = string(name)
	return p, NO_ERROR
}

// ParseProtocolInfoW reads a WSAPROTOCOL_INFOW; it fails with WSAEFAULT when b
// is short. A name without a NUL is taken whole; an unpaired surrogate becomes
// U+FFFD.
func ParseProtocolInfoW(b []byte) (ProtocolInfo, Errno) {
	if len(b) < SizeofProtocolInfoW {
		return ProtocolInfo{}, WSAEFAULT
	}
	p := parseProtocolInfoHead(b)
	var name []uint16
	for at := protocolInfoHead; at < SizeofProtocolInfoW; at += 2 {
		unit := binary.LittleEndian.Uint16(b[at:])
		if unit == 0 {
			break
		}
		name = append(name, unit)
	}
	p.ProtocolName = string(utf16.Decode(name))
	return p, NO_ERROR
}

// parseProtocolInfoHead reads the 116 bytes that both forms share.
// Precondition: b has them.
func parseProtocolInfoHead(b []byte) ProtocolInfo {
	u := func(off int) uint32 { return binary.LittleEndian.Uint32(b[off:]) }
	i := func(off int) int32 { return int32(u(off)) }
	p := ProtocolInfo{
		ServiceFlags1: u(0), ServiceFlags2: u(4), ServiceFlags3: u(8), ServiceFlags4: u(12),
		ProviderFlags: u(16),
		ProviderID: GUID{
			Data1: u(20),
			Data2: binary.LittleEndian.Uint16(b[24:]),
			Data3: binary.LittleEndian.Uint16(b[26:]),
			Data4: [8]byte(b[28:36]),
		},
		CatalogEntryID: u(36),
		ChainLen:       i(40),
		Version:        i(72), AddressFamily: i(76), MaxSockAddr: i(80), MinSockAddr: i(84),
		SocketType: i(88), Protocol: i(92), ProtocolMaxOffset: i(96),
		NetworkByteOrder: i(100), SecurityScheme: i(104),
		MessageSize: u(108), ProviderReserved: u(112),
	}
	for n := range p.ChainEntries {
		p.ChainEntries[n] = u(44 + 4*n)
	}
	return p
}
