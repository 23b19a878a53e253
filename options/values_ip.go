package options

import (
	"slices"
	"time"
)

// IPValues holds the options of one of the two levels IPPROTO_IP and IPPROTO_IPV6. The fields of
// options that exist at one level only are unused at the other. A comment that names an option of
// IPPROTO_IP means the option with the same number at IPPROTO_IPV6 as well, unless it says
// otherwise.
type IPValues struct {
	HeaderIncluded   bool   // IP_HDRINCL
	TOS              uint8  // IP_TOS; IPV6_TCLASS at IPPROTO_IPV6
	TTL              uint8  // IP_TTL, of unicast; IPV6_UNICAST_HOPS at IPPROTO_IPV6
	MulticastTTL     uint8  // IP_MULTICAST_TTL; IPV6_MULTICAST_HOPS at IPPROTO_IPV6
	MulticastLoop    bool   // IP_MULTICAST_LOOP: multicast of this host is received, too
	MulticastIf      uint32 // IP_MULTICAST_IF, an index; 0: the route table decides
	UnicastIf        uint32 // IP_UNICAST_IF, an index; 0: the route table decides
	DontFragment     bool   // IP_DONTFRAGMENT
	MTUDiscover      uint32 // IP_MTU_DISCOVER, one of the MTUDiscover constants
	UserMTU          uint32 // IP_USER_MTU, an upper bound of the MTU in bytes
	NRTInterface     uint32 // IP_NRT_INTERFACE, stored without effect
	ReceiveBroadcast bool   // IP_RECEIVE_BROADCAST; unused at IPPROTO_IPV6
	ProtectionLevel  int32  // IP_PROTECTION_LEVEL: 10, 20 or 30; -1: not set
	Checksum         int32  // IPV6_CHECKSUM, an even offset in bytes, or -1; unused at IPPROTO_IP

	// The bytes of headers that are added to what is sent; "": none. They are strings so that ==
	// compares two Values.
	Options       string // IP_OPTIONS, a multiple of 4 bytes; IPV6_HOPOPTS, the header, at IPPROTO_IPV6
	DestOptions   string // IPV6_DSTOPTS, the header; unused at IPPROTO_IP
	RoutingHeader string // IPV6_RTHDR, the header; unused at IPPROTO_IP

	Interfaces InterfaceList // IP_IFLIST with its list
	Report     Report        // the options that ask for control messages
}

// The values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER (PMTUD_STATE in the SDK).
const (
	MTUDiscoverNotSet uint32 = iota // the option isn't set; a set of this value fails
	MTUDiscoverDo                   // the path MTU is discovered: packets have the DF bit
	MTUDiscoverDont                 // the path MTU isn't discovered: packets may be fragmented
	MTUDiscoverProbe                // packets have the DF bit, and may exceed the path MTU
)

// Report says which control messages a receive adds to a datagram.
type Report struct {
	PacketInfo        bool // IP_PKTINFO: the destination and the interface
	PacketInfoEx      bool // IP_PKTINFO_EX: the destination, the interface and the compartment
	HopLimit          bool // IP_RECVTTL; IPV6_HOPLIMIT at IPPROTO_IPV6
	TrafficClass      bool // IP_RECVTOS; IPV6_RECVTCLASS at IPPROTO_IPV6
	ECN               bool // IP_RECVECN
	Interface         bool // IP_RECVIF
	Destination       bool // IP_RECVDSTADDR
	OriginalInterface bool // IP_ORIGINAL_ARRIVAL_IF
	RoutingHeader     bool // IP_RECVRTHDR
	Errors            bool // IP_RECVERR
}

// maxInterfaces is the largest number of interfaces in an InterfaceList. The list is an array, so
// that Values stays a plain struct.
const maxInterfaces = 16

// InterfaceList is the value of IP_IFLIST together with the list of interfaces that the option
// governs: while On, the socket receives datagrams from the interfaces of the list only.
type InterfaceList struct {
	// On is the value of IP_IFLIST.
	On    bool
	n     uint8
	index [maxInterfaces]uint32
}

// All returns the indexes of the interfaces in the order in which they were added. The slice is
// part of the list and must not be changed.
func (l *InterfaceList) All() []uint32 { return l.index[:l.n] }

// Admits reports whether the socket receives datagrams from the interface with this index.
func (l *InterfaceList) Admits(index uint32) bool {
	return !l.On || slices.Contains(l.All(), index)
}

// add puts an interface into the list, where each is once, and reports false when the list is full.
func (l *InterfaceList) add(index uint32) bool {
	switch {
	case slices.Contains(l.All(), index):
		return true
	case l.n == maxInterfaces:
		return false
	}
	l.index[l.n] = index
	l.n++
	return true
}

// remove takes an interface off the list, and reports false when the list doesn't have it. The
// places behind the end stay 0, so that == compares two lists.
func (l *InterfaceList) remove(index uint32) bool {
	i := slices.Index(l.All(), index)
	if i < 0 {
		return false
	}
	copy(l.index[i:], l.index[i+1:l.n])
	l.n--
	l.index[l.n] = 0
	return true
}

// TakesBroadcast reports whether a datagram socket with these values receives datagrams that are
// sent to a broadcast address (BC-5).
func (v *Values) TakesBroadcast(p Profile) bool {
	return v.IPv4.ReceiveBroadcast && (v.Broadcast || profileColumns[p.known()].broadcastAlways)
}

// DoesFragment reports whether packets of the socket leave without the DF bit, so that they may be
// fragmented on their way. IP_MTU_DISCOVER, once it is set, outranks IP_DONTFRAGMENT.
func (v *IPValues) DoesFragment() bool {
	switch v.MTUDiscover {
	case MTUDiscoverDo, MTUDiscoverProbe:
		return false
	case MTUDiscoverDont:
		return true
	}
	return !v.DontFragment
}

// UDPValues holds the options of IPPROTO_UDP and the control codes of datagram sockets.
type UDPValues struct {
	NoChecksum  bool   // UDP_NOCHECKSUM, which is the opposite of UDP_CHECKSUM_COVERAGE
	SendSize    uint32 // UDP_SEND_MSG_SIZE in bytes; 0: off
	CoalesceMax uint32 // UDP_RECV_MAX_COALESCED_SIZE in bytes; 0: off
	ConnReset   bool   // SIO_UDP_CONNRESET
	NetReset    bool   // SIO_UDP_NETRESET
}

// TCPValues holds the options of IPPROTO_TCP but for TCP_NODELAY and keep-alive, which are fields
// of [Values], and the control codes of streams.
type TCPValues struct {
	Urgent            Urgent     // TCP_EXPEDITED_1122, TCP_BSDURGENT and TCP_STDURG
	NoUrgent          bool       // TCP_NOURG
	NoSynRetries      bool       // TCP_NOSYNRETRIES
	Timestamps        bool       // TCP_TIMESTAMPS
	DelayFinAck       bool       // TCP_DELAY_FIN_ACK, stored without effect
	FastOpen          bool       // TCP_FASTOPEN, stored without effect
	FailOnICMP        bool       // TCP_FAIL_CONNECT_ON_ICMP_ERROR
	OffloadPreference uint32     // TCP_OFFLOAD_PREFERENCE, 0 to 2, stored without effect
	Congestion        Congestion // TCP_CONGESTION_ALGORITHM

	// MaxRetransmit is the value of TCP_MAXRT and of TCP_MAXRTMS: the time for which unacknowledged
	// data, or a SYN, is retransmitted. 0 stands for the limits of the system, a negative value for
	// no limit.
	MaxRetransmit time.Duration

	InitialRTT            uint16 // Rtt of SIO_TCP_INITIAL_RTO in milliseconds; 0: the default
	MaxSynRetransmissions uint8  // the field of SIO_TCP_INITIAL_RTO; 0: the default, 0xFE: none
	AckFrequency          uint8  // SIO_TCP_SET_ACK_FREQUENCY in segments; 0 until set
	InitialWindow         uint32 // SIO_TCP_SET_ICW, stored without effect
}

// Urgent says where the urgent pointer of a socket points. Three options share it:
//
//	TCP_EXPEDITED_1122 TRUE or TCP_BSDURGENT FALSE   the pointer is that of RFC 1122, for good
//	TCP_STDURG TRUE                                  the same, until TCP_STDURG is FALSE again
type Urgent struct {
	// AtByte reports whether the pointer points to the urgent byte, as RFC 1122 has it. A pointer
	// of BSD points behind the byte.
	AtByte bool

	// Fixed reports whether AtByte was turned on by an option that can't turn it off (OB-18).
	Fixed bool
}

// Congestion is a value of TCP_CONGESTION_ALGORITHM. Microsoft publishes no values for the option:
// the numbers are those of this project (C-38).
type Congestion uint32

// The congestion control algorithms.
const (
	CongestionDefault Congestion = iota // the default of the stack, which is CUBIC
	CongestionReno                      // NewReno (RFC 6582)
	CongestionCubic                     // CUBIC (RFC 9438)

	congestionCount
)
