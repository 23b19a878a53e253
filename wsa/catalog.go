package wsa

// The providers of the catalogue have GUIDs of this project, because those of Windows name the
// providers of Microsoft.
var (
	// ProviderIPv4 is the provider of AF_INET, and ProviderIPv6 that of AF_INET6.
	ProviderIPv4 = GUID{0x5d1c6d4e, 0x3b7a, 0x4f0e, [8]byte{0x9b, 0x52, 0x77, 0x73, 0x73, 0x74, 0x6b, 0x04}}
	ProviderIPv6 = GUID{0x5d1c6d4e, 0x3b7a, 0x4f0e, [8]byte{0x9b, 0x52, 0x77, 0x73, 0x73, 0x74, 0x6b, 0x06}}
)

const (
	streamServices   = XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_GRACEFUL_CLOSE | XP1_EXPEDITED_DATA | XP1_IFS_HANDLES
	datagramServices = XP1_CONNECTIONLESS | XP1_MESSAGE_ORIENTED | XP1_SUPPORT_BROADCAST | XP1_SUPPORT_MULTIPOINT | XP1_IFS_HANDLES
)

// Catalog returns the entries that WSAEnumProtocols would list, in the order of
// their ids 1001 to 1006. All fields but the GUIDs and the names are those of
// Windows (the raw IPv6 entry is assumed to follow the raw IPv4 one).
func Catalog() []ProtocolInfo {
	stream := ProtocolInfo{
		ServiceFlags1: streamServices,
		ProviderFlags: PFL_MATCHES_PROTOCOL_ZERO,
		SocketType:    SOCK_STREAM,
		Protocol:      IPPROTO_TCP,
	}
	datagram := ProtocolInfo{
		ServiceFlags1: datagramServices,
		ProviderFlags: PFL_MATCHES_PROTOCOL_ZERO,
		SocketType:    SOCK_DGRAM,
		Protocol:      IPPROTO_UDP,
		MessageSize:   0xFFBB,
	}
	raw := ProtocolInfo{
		ServiceFlags1:     datagramServices,
		ProviderFlags:     PFL_MATCHES_PROTOCOL_ZERO | PFL_HIDDEN,
		SocketType:        SOCK_RAW,
		Protocol:          IPPROTO_IP,
		ProtocolMaxOffset: IPPROTO_RAW,
		MessageSize:       0x8000,
	}
	return []ProtocolInfo{
		stream.ipv4(1001, "wsstack [TCP/IP]"),
		datagram.ipv4(1002, "wsstack [UDP/IP]"),
		raw.ipv4(1003, "wsstack [RAW/IP]"),
		stream.ipv6(1004, "wsstack [TCP/IPv6]"),
		datagram.ipv6(1005, "wsstack [UDP/IPv6]"),
		raw.ipv6(1006, "wsstack [RAW/IPv6]"),
	}
}

// CatalogEntry returns the catalogue entry for sockets of an address family and a type. The result
// is false when there is none.
func CatalogEntry(family, socketType int32) (ProtocolInfo, bool) {
	for _, p := range Catalog() {
		if p.AddressFamily == family && p.SocketType == socketType {
			return p, true
		}
	}
	return ProtocolInfo{}, false
}

// DefaultSocketType returns the type of a socket for which a program gives the type 0: the type of
// the first entry in the catalogue, without the hidden ones, that has this family and protocol
// (page of WSASocket). A protocol of 0 stands for every protocol. The result is false when there is
// no such entry.
func DefaultSocketType(family, protocol int32) (socketType int32, ok bool) {
	for _, p := range Catalog() {
		if p.AddressFamily == family && p.ProviderFlags&PFL_HIDDEN == 0 && (protocol == 0 || p.Protocol == protocol) {
			return p.SocketType, true
		}
	}
	return 0, false
}

func (p ProtocolInfo) ipv4(id uint32, name string) ProtocolInfo {
	p.ProviderID, p.AddressFamily = ProviderIPv4, AF_INET
	p.MaxSockAddr, p.MinSockAddr = SizeofSockaddrIn, SizeofSockaddrIn
	return p.entry(id, name)
}

func (p ProtocolInfo) ipv6(id uint32, name string) ProtocolInfo {
	p.ProviderID, p.AddressFamily = ProviderIPv6, AF_INET6
	p.MaxSockAddr, p.MinSockAddr = SizeofSockaddrIn6, SizeofSockaddrIn6
	return p.entry(id, name)
}

// entry fills what every entry has: one base provider, Winsock version 2.
func (p ProtocolInfo) entry(id uint32, name string) ProtocolInfo {
	p.CatalogEntryID, p.ProtocolName = id, name
	p.ChainLen, p.Version = 1, 2
	return p
}
