package options

import (
	"slices"

	"github.com/wsstack/wsstack/wsa"
)

// spec is an option as its pages describe it, copied by hand: the tests compare
// the table with this, not with itself.
type spec struct {
	symbol       string
	level, name  int32
	tier         string
	access       access
	kinds        Kind
	getOn, setOn families
	size, size6  int
	setIn        State
	def          []byte // what a fresh IPv4 socket of any of its kinds reports; nil: it depends
	accepts      []byte // a value that set takes; nil: le(1)

	more
}

// more holds what few options have.
type more struct {
	setMin   int                   // bytes that set needs, where that is less than get does
	setErr   wsa.Errno             // what a new socket answers to a set of accepts
	getErr   wsa.Errno             // what it answers to a get
	model    func(n uint32) uint32 // what set n reads back as; nil: a Boolean
	oneWay   bool                  // once changed, it stays
	nullable bool                  // a NULL optval is accepted
	whole    bool                  // every byte counts
	exact    bool                  // set takes as many bytes as accepts has, or none
	t39      bool                  // WSAEINVAL on other kinds in the measured profiles (C-39)
}

const sol, tcp = wsa.SOL_SOCKET, wsa.IPPROTO_TCP

var (
	zero = le(0)
	gs   = getAndSet
)

// specs is the documented profile.
var specs = slices.Concat(tierA, portSpecs, tcpSpecs, ip4Specs, ip6Specs, udpSpecs)

var tierA = []spec{
	{"SO_DEBUG", sol, 0x0001, "A", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"SO_ACCEPTCONN", sol, 0x0002, "A", getAccess, Stream, anyFamily, 0, 4, 4, AnyState, zero, nil, more{}},
	{"SO_REUSEADDR", sol, 0x0004, "A", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"SO_KEEPALIVE", sol, 0x0008, "A", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState &^ Connecting, zero, nil, more{}},
	{"SO_DONTROUTE", sol, 0x0010, "A", gs, AnyKind, anyFamily, inet4, 4, 4, AnyState, zero, nil, more{}},
	{"SO_BROADCAST", sol, 0x0020, "A", gs, Datagram | Raw, inet4, inet4, 4, 4, AnyState, zero, nil, more{}},
	{"SO_USELOOPBACK", sol, 0x0040, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_LINGER", sol, 0x0080, "A", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: lingered}},
	{"SO_OOBINLINE", sol, 0x0100, "A", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"SO_DONTLINGER", sol, -129, "A", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, le(1), nil, more{}},
	{"SO_EXCLUSIVEADDRUSE", sol, -5, "A", gs, AnyKind, anyFamily, anyFamily, 4, 4, Fresh, zero, nil, more{}},

	{"SO_SNDBUF", sol, 0x1001, "A", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, le(65536), nil, more{model: capped}},
	{"SO_RCVBUF", sol, 0x1002, "A", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, le(65536), nil, more{model: capped}},
	{"SO_SNDLOWAT", sol, 0x1003, "A", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_RCVLOWAT", sol, 0x1004, "A", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_SNDTIMEO", sol, 0x1005, "A", setAccess, AnyKind, 0, anyFamily, 4, 4, AnyState, nil, nil, more{}},
	{"SO_RCVTIMEO", sol, 0x1006, "A", setAccess, AnyKind, 0, anyFamily, 4, 4, AnyState, nil, nil, more{}},
	{"SO_ERROR", sol, 0x1007, "A", getAccess, AnyKind, anyFamily, 0, 4, 4, AnyState, zero, nil, more{}},
	{"SO_TYPE", sol, 0x1008, "A", getAccess, AnyKind, anyFamily, 0, 4, 4, AnyState, nil, nil, more{}},
	{"SO_BSP_STATE", sol, 0x1009, "A", getAccess, AnyKind, anyFamily, 0, 72, 96, AnyState, nil, nil, more{}},

	{"SO_GROUP_ID", sol, 0x2001, "A", getAccess, AnyKind, anyFamily, 0, 4, 4, AnyState, zero, nil, more{}},
	{"SO_GROUP_PRIORITY", sol, 0x2002, "A", gs, 0, anyFamily, anyFamily, 4, 4, AnyState, nil, nil, more{}}, // no socket is in a group
	{"SO_MAX_MSG_SIZE", sol, 0x2003, "A", getAccess, AnyKind, anyFamily, 0, 4, 4, AnyState, nil, nil, more{}},
	{"SO_PROTOCOL_INFOA", sol, 0x2004, "A", getAccess, AnyKind, anyFamily, 0, 372, 372, AnyState, nil, nil, more{}},
	{"SO_PROTOCOL_INFOW", sol, 0x2005, "A", getAccess, AnyKind, anyFamily, 0, 628, 628, AnyState, nil, nil, more{}},

	{"PVD_CONFIG", sol, 0x3001, "A", gs, AnyKind, anyFamily, anyFamily, 44, 44, AnyState, nil, defaultConfig(), more{}},
	{"SO_CONDITIONAL_ACCEPT", sol, 0x3002, "A", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState &^ Listening, zero, nil, more{}},
	{"SO_PORT_SCALABILITY", sol, 0x3006, "A", gs, Stream | Datagram, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"SO_ORIGINAL_DST", sol, 0x300F, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_RECEIVED_HOPLIMIT", sol, 0x3010, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_RECEIVED_PROCESSOR", sol, 0x3011, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},

	{"SO_CONNDATA", sol, 0x7000, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_CONNOPT", sol, 0x7001, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_DISCDATA", sol, 0x7002, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_DISCOPT", sol, 0x7003, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_CONNDATALEN", sol, 0x7004, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_CONNOPTLEN", sol, 0x7005, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_DISCDATALEN", sol, 0x7006, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_DISCOPTLEN", sol, 0x7007, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_MAXDG", sol, 0x7009, "B", getAccess, AnyKind, anyFamily, 0, 4, 4, AnyState, nil, nil, more{}},
	{"SO_MAXPATHDG", sol, 0x700A, "B", getAccess, AnyKind, anyFamily, 0, 4, 4, AnyState, nil, nil, more{}},
	{"SO_CONNECT_TIME", sol, 0x700C, "A", getAccess, Stream, anyFamily, 0, 4, 4, AnyState, nil, nil, more{}},
	{"SO_MAX_RDMA_SIZE", sol, 0x700D, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_RDMA_THRESHOLD_SIZE", sol, 0x700E, "C", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},

	{"TCP_NODELAY", tcp, 1, "A", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"TCP_KEEPIDLE", tcp, 3, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, le(7200), nil, more{model: clampedSeconds}},
	{"TCP_MAXSEG", tcp, 4, "A", getAccess, Stream, anyFamily, 0, 4, 4, AnyState, le(536), nil, more{}},
	{"TCP_KEEPCNT", tcp, 16, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, le(10), nil, more{model: same}},
	{"TCP_KEEPINTVL", tcp, 17, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, le(1), nil, more{model: clampedSeconds}},
}

// defaultConfig is the PVD_CONFIG object of a fresh socket, word by word.
func defaultConfig() []byte {
	var b []byte
	for _, n := range []uint32{1, 44, 0, 0, 7200000, 1000, 10, 60, 4 << 20, 65536, 65536} {
		b = append(b, le(n)...)
	}
	return b
}

// allKinds and allFamilies are what the tests go through.
var (
	allKinds    = []Kind{Stream, Datagram, Raw}
	allFamilies = []int32{wsa.AF_INET, wsa.AF_INET6}
	allStates   = []State{Fresh, Bound, Listening, Connecting, Connected, Dead}
)

// setNeed is the optval length that set needs.
func (s spec) setNeed(family int32) int {
	if s.setMin != 0 {
		return s.setMin
	}
	return s.need(family)
}

// The models of integer options.
func same(n uint32) uint32           { return n }
func capped(n uint32) uint32         { return min(n, DefaultBufferCap) }
func clampedSeconds(n uint32) uint32 { return min(n, 2147483) }

func lingered(n uint32) uint32 {
	if n&0xFFFF == 0 {
		return 0
	}
	return n&0xFFFF0000 | 1
}

// need is the optval length that get needs on a family.
func (s spec) need(family int32) int {
	if family == wsa.AF_INET6 {
		return s.size6
	}
	return s.size
}

// has says whether a socket has the option in a direction.
func (s spec) has(kind Kind, family int32, a access) bool {
	on := s.getOn
	if a == setAccess {
		on = s.setOn
	}
	return s.access&a != 0 && s.kinds&kind != 0 && on&familyBit(family) != 0
}

// clears says whether a short buffer for get is zeroed (observed: WL-2).
func (s spec) clears(p Profile) bool {
	if s.level != sol {
		return false
	}
	return s.name == wsa.SO_LINGER || p != Documented && (s.name == wsa.SO_SNDBUF || s.name == wsa.SO_RCVBUF)
}

func (s spec) value() []byte {
	if s.accepts != nil {
		return s.accepts
	}
	return le(1)
}
