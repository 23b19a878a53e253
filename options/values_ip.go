package options

import (
	"slices"
	"time"
)

// IPValues are the options of one of the levels IPPROTO_IP and IPPROTO_IPV6.
// Those that only one level has are unused in the other.
type IPValues struct {
	HeaderIncluded   bool
	TOS              uint8 // the traffic class at IPPROTO_IPV6
	TTL              uint8 // of unicast; the hop limit at IPPROTO_IPV6
	MulticastTTL     uint8
	MulticastLoop    bool   // this socket receives what this host sends to its groups
	MulticastIf      uint32 // index of the interface for multicast; 0: by the route table
	UnicastIf        uint32 // the same for unicast
	DontFragment     bool
	MTUDiscover      uint32 // IP_PMTUDISC_…; 0: not set
	UserMTU          uint32 // upper bound of the MTU, bytes
	NRTInterface     uint32 // stored only
	ReceiveBroadcast bool   // IPPROTO_IP only
	ProtectionLevel  int32  // PROTECTION_LEVEL_…; -1: unspecified
	Checksum         int32  // IPPROTO_IPV6 only: offset, or -1
	Interfaces       InterfaceList
	Report           Report
}

// PMTUD_STATE, the values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER.
const (
	MTUDiscoverNotSet uint32 = iota
	MTUDiscoverDo
	MTUDiscoverDont
	MTUDiscoverProbe
)

// Report says which control messages a receive adds to a datagram.
type Report struct {
	PacketInfo        bool // IP_PKTINFO: destination and interface
	PacketInfoEx      bool // IP_PKTINFO_EX: the same with the compartment
	HopLimit          bool // IP_RECVTTL, IPV6_HOPLIMIT
	TrafficClass      bool // IP_RECVTOS, IPV6_RECVTCLASS
	ECN               bool
	Interface         bool // IP_RECVIF
	Destination       bool // IP_RECVDSTADDR
	OriginalInterface bool // IP_ORIGINAL_ARRIVAL_IF
	RoutingHeader     bool
	Errors            bool // IP_RECVERR
}

// maxInterfaces bounds IP_IFLIST, so that Values stays a plain struct.
const maxInterfaces = 16

// InterfaceList is IP_IFLIST with the list it governs: datagrams are received
// from its interfaces only, once it is on.
type InterfaceList struct {
	On    bool
	n     uint8
	index [maxInterfaces]uint32
}

// All returns the interfaces in the order they were added.
func (l *InterfaceList) All() []uint32 { return l.index[:l.n] }

// Admits reports whether a datagram from this interface is received.
func (l *InterfaceList) Admits(index uint32) bool {
	return !l.On || slices.Contains(l.All(), index)
}

// add reports false when the list is full. An interface is in it once.
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

// remove reports false when the interface isn't in the list. The places behind
// the end are zero, so that == compares the lists.
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

// TakesBroadcast reports whether a datagram socket receives what is sent to a
// broadcast address (BC-5).
func (v *Values) TakesBroadcast(p Profile) bool {
	return v.IPv4.ReceiveBroadcast && (v.Broadcast || profileColumns[p.known()].broadcastAlways)
}

// DoesFragment reports whether datagrams may be fragmented on their way, and
// segments have no DF bit. IP_MTU_DISCOVER, once set, outranks IP_DONTFRAGMENT.
func (v *IPValues) DoesFragment() bool {
	switch v.MTUDiscover {
	case MTUDiscoverDo, MTUDiscoverProbe:
		return false
	case MTUDiscoverDont:
		return true
	}
	return !v.DontFragment
}

// UDPValues are the options of IPPROTO_UDP, with the control codes of datagram
// sockets.
type UDPValues struct {
	NoChecksum  bool   // UDP_NOCHECKSUM, and not UDP_CHECKSUM_COVERAGE
	SendSize    uint32 // UDP_SEND_MSG_SIZE, bytes; 0: off
	CoalesceMax uint32 // UDP_RECV_MAX_COALESCED_SIZE, bytes; 0: off
	ConnReset   bool   // SIO_UDP_CONNRESET
	NetReset    bool   // SIO_UDP_NETRESET
}

// TCPValues are the options of IPPROTO_TCP that have no older place in Values,
// with the control codes of streams.
type TCPValues struct {
	Urgent            Urgent
	NoUrgent          bool // TCP_NOURG
	NoSynRetries      bool
	Timestamps        bool
	DelayFinAck       bool
	FastOpen          bool
	FailOnICMP        bool // TCP_FAIL_CONNECT_ON_ICMP_ERROR
	OffloadPreference uint32
	Congestion        Congestion

	// MaxRetransmit is TCP_MAXRT and TCP_MAXRTMS: how long unacknowledged data
	// and the SYN are retransmitted. 0: the limits of the system; negative: for
	// ever.
	MaxRetransmit time.Duration

	InitialRTT            uint16 // SIO_TCP_INITIAL_RTO, ms; 0: default
	MaxSynRetransmissions uint8  // SIO_TCP_INITIAL_RTO; 0: default, 0xFE: none
	AckFrequency          uint8  // SIO_TCP_SET_ACK_FREQUENCY; 0: default
	InitialWindow         uint32 // SIO_TCP_SET_ICW; 0: default
}

// Urgent says where the urgent pointer of a socket points, one store for
// TCP_EXPEDITED_1122, TCP_BSDURGENT and TCP_STDURG.
//
//	TCP_EXPEDITED_1122 TRUE, TCP_BSDURGENT FALSE   at the urgent byte (RFC 1122), for good
//	TCP_STDURG                                     the same, until it is turned off again
type Urgent struct {
	AtByte bool // not behind it, as BSD does
	Fixed  bool // turned on by an option that works one way only (OB-18)
}

// Congestion is a value of TCP_CONGESTION_ALGORITHM. Microsoft publishes no
// values; these are ours (C-38).
type Congestion uint32

// The congestion control algorithms.
const (
	CongestionDefault Congestion = iota // Cubic
	CongestionReno
	CongestionCubic

	congestionCount
)
