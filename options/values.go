package options

import "github.com/wsstack/wsstack/wsa"

// DefaultBufferCap is the largest SO_SNDBUF or SO_RCVBUF that a socket provides, in bytes, unless
// [Values.BufferCap] is another number (BF-3).
const DefaultBufferCap = 4 << 20

// Buffer is the value of a buffer size option, SO_SNDBUF or SO_RCVBUF.
type Buffer struct {
	// Bytes is the size in bytes that getsockopt reports.
	Bytes int32

	// Set reports whether the application has set the option. The buffer is then limited to Bytes
	// and no longer grows by itself (BF-11, BF-21).
	Set bool
}

// Values holds the stored options of one socket. Values is a plain struct: a copy is a snapshot,
// == compares two of them, and an accepted socket starts with the result of [Inherit]. The zero
// Values isn't a set of defaults; [Defaults] returns those. Multicast groups aren't part of Values,
// because a copy would have to join them: the socket keeps them in a [Memberships].
//
// The options SO_REUSEADDR, SO_EXCLUSIVEADDRUSE and SO_PORT_SCALABILITY count only at the moment of
// bind. Later changes are stored and have no effect on any socket (S-SET), so the owner of the
// ports keeps a copy of the three values from the time of the bind.
type Values struct {
	Debug             bool // SO_DEBUG
	ReuseAddr         bool // SO_REUSEADDR
	ExclusiveAddrUse  bool // SO_EXCLUSIVEADDRUSE
	DontRoute         bool // SO_DONTROUTE, stored without effect: the route table is always used
	Broadcast         bool // SO_BROADCAST
	OOBInline         bool // SO_OOBINLINE
	ConditionalAccept bool // SO_CONDITIONAL_ACCEPT
	PauseAccept       bool // SO_PAUSE_ACCEPT
	PortScalability   bool // SO_PORT_SCALABILITY
	RandomizePort     bool // SO_RANDOMIZE_PORT
	ReuseUnicastPort  bool // SO_REUSE_UNICASTPORT
	NoDelay           bool // TCP_NODELAY
	V6Only            bool // IPV6_V6ONLY, without effect on an AF_INET socket

	CompartmentID      uint32 // SO_COMPARTMENT_ID, always 1
	ReuseMulticastPort uint32 // SO_REUSE_MULTICASTPORT, 0 or 1; 1: the socket receives no unicast
	OpenType           uint32 // SO_OPENTYPE, stored without effect

	KeepAlive KeepAlive // the keep-alive record: SO_KEEPALIVE and the options of the probes
	Linger    Linger    // the linger record: SO_LINGER and SO_DONTLINGER

	SendBuffer Buffer // SO_SNDBUF
	RecvBuffer Buffer // SO_RCVBUF
	BufferCap  int32  // the upper limit of SendBuffer and of RecvBuffer, in bytes

	SendTimeout uint32 // SO_SNDTIMEO in milliseconds; 0: no time-out
	RecvTimeout uint32 // SO_RCVTIMEO in milliseconds; 0: no time-out

	TCP  TCPValues // further options of the level IPPROTO_TCP
	UDP  UDPValues // the options of the level IPPROTO_UDP
	IPv4 IPValues  // the options of the level IPPROTO_IP, for the IPv4 traffic of a socket
	IPv6 IPValues  // the options of the level IPPROTO_IPV6

	// CompatibleRecvBuffer reports whether SIO_SET_COMPATIBILITY_MODE has selected the behaviour
	// WsaBehaviorReceiveBuffering. The value is stored without effect.
	CompatibleRecvBuffer bool

	// FastLoopback is the value of SIO_LOOPBACK_FAST_PATH, stored without effect.
	FastLoopback bool

	GroupID       uint32 // SO_GROUP_ID; 0: the socket is in no group
	GroupPriority uint32 // SO_GROUP_PRIORITY; 0 is the highest priority

	// StickyError is the value of SO_ERROR in the profiles Windows and Legacy, where a get keeps
	// the code and a set may store one (C-02, C-02b). The owner of the socket clears StickyError
	// when a connect succeeds.
	StickyError wsa.Errno
}

// Defaults returns the values of a new socket for a profile, a family (wsa.AF_INET or
// wsa.AF_INET6) and a kind (exactly one bit).
func Defaults(p Profile, _ int32, k Kind) Values {
	// No option has a default that depends on the family.
	return initialValues[p.known()][bit(k == Stream)]
}

// Inherit returns the values of a socket that was accepted from a listener with the values v.
// All values are copied (IN-2) but for the options that belong to the listener alone (IN-3).
func Inherit(v Values) Values {
	for _, o := range tables[Documented].options {
		if o.listenerOnly {
			o.reset(&v, Stream)
		}
	}
	return v
}

// initialValues holds the values of new sockets by profile: [0] those of datagram and raw sockets,
// [1] those of streams.
var initialValues [profileCount][2]Values

// buildDefaults returns the values of a new socket of kind k: the default of every row, and the few
// values that have no row.
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
