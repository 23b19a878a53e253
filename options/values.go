package options

import "github.com/wsstack/wsstack/wsa"

// DefaultBufferCap is the largest SO_SNDBUF or SO_RCVBUF a socket provides
// (BF-3) unless its Values say otherwise.
const DefaultBufferCap = 4 << 20

// Buffer is a buffer size option: SO_SNDBUF or SO_RCVBUF.
type Buffer struct {
	Bytes int32 // what getsockopt reports
	Set   bool  // set by the application: Bytes is the quota, growth has stopped (BF-11, BF-21)
}

// Values holds the stored options of one socket. It is a plain struct: a copy
// is a snapshot, == compares, and an accepted socket starts from [Inherit].
// The zero Values is not a set of defaults; see [Defaults]. Multicast groups
// are not in it, because a copy would join them: the socket keeps a
// [Memberships].
//
// ReuseAddr, ExclusiveAddrUse and PortScalability count at the moment of bind
// only. They may change later without effect on any socket (S-SET), so whoever
// enforces them keeps a copy from the time of the bind.
type Values struct {
	Debug             bool
	ReuseAddr         bool
	ExclusiveAddrUse  bool
	DontRoute         bool // stored only: the route table is always used
	Broadcast         bool
	OOBInline         bool
	ConditionalAccept bool
	PauseAccept       bool
	PortScalability   bool
	RandomizePort     bool
	ReuseUnicastPort  bool
	NoDelay           bool
	V6Only            bool // of an AF_INET6 socket; stored only on AF_INET

	CompartmentID      uint32
	ReuseMulticastPort uint32 // 1: no unicast is received
	OpenType           uint32

	KeepAlive KeepAlive
	Linger    Linger

	SendBuffer Buffer
	RecvBuffer Buffer
	BufferCap  int32 // upper limit of both, in bytes

	SendTimeout uint32 // milliseconds; 0: none
	RecvTimeout uint32 // milliseconds; 0: none

	TCP  TCPValues
	UDP  UDPValues
	IPv4 IPValues // IPPROTO_IP; on an AF_INET6 socket, for its IPv4 traffic
	IPv6 IPValues // IPPROTO_IPV6

	// CompatibleRecvBuffer is WsaBehaviorReceiveBuffering, and FastLoopback
	// SIO_LOOPBACK_FAST_PATH: two control codes, stored.
	CompatibleRecvBuffer bool
	FastLoopback         bool

	GroupID       uint32 // 0: not in a group
	GroupPriority uint32 // 0 is the highest

	// StickyError is the SO_ERROR of the measured profiles, where reading
	// keeps the code and setsockopt may store one (C-02, C-02b). A successful
	// connect clears it, which is the endpoint's to do.
	StickyError wsa.Errno
}

// Defaults returns the values of a new socket of a profile, a family
// (wsa.AF_INET or wsa.AF_INET6) and a kind (exactly one bit).
func Defaults(p Profile, _ int32, k Kind) Values {
	// No option has a default that depends on the family.
	return initialValues[p.known()][bit(k == Stream)]
}

// Inherit returns the values of a socket accepted from a listener with the
// values v: everything is copied (IN-2) except what the rows mark as the
// listener's own (IN-3).
func Inherit(v Values) Values {
	for _, o := range tables[Documented].options {
		if o.listenerOnly {
			o.reset(&v, Stream)
		}
	}
	return v
}

// initialValues holds the initial values by profile, of other sockets and of streams.
var initialValues [profileCount][2]Values

// buildDefaults stores the default of every row, on top of the values that no
// row of their own has.
func buildDefaults(p Profile, k Kind) Values {
	v := Values{BufferCap: DefaultBufferCap, Linger: Linger{Fallback: defaultLinger}}
	for _, o := range tables[p].options {
		o.reset(&v, k)
	}
	for _, c := range controls {
		c.reset(&v)
	}
	return v
}
