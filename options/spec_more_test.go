package options

import (
	"math"
	"math/bits"
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// portSpecs are the rows of tier B of SOL_SOCKET.
var portSpecs = []spec{
	{"SO_PAUSE_ACCEPT", sol, 0x3003, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"SO_COMPARTMENT_ID", sol, 0x3004, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, Fresh, le(1), nil, more{model: same}},
	{"SO_RANDOMIZE_PORT", sol, 0x3005, "B", gs, Stream | Datagram, anyFamily, anyFamily, 4, 4, Fresh, zero, nil, more{}},
	{"SO_REUSE_UNICASTPORT", sol, 0x3007, "B", gs, Stream, anyFamily, anyFamily, 4, 4, Fresh, zero, nil, more{}},
	{"SO_REUSE_MULTICASTPORT", sol, 0x3008, "B", gs, Datagram, anyFamily, anyFamily, 4, 4, Fresh, zero, nil, more{model: same}},
	{"SO_TIMESTAMP", sol, 0x300A, "B", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_TIMESTAMP_ID", sol, 0x300B, "B", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"SO_OPENTYPE", sol, 0x7008, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"SO_UPDATE_ACCEPT_CONTEXT", sol, 0x700B, "B", setAccess, Stream, 0, anyFamily, bits.UintSize / 8, bits.UintSize / 8, AnyState, nil,
		make([]byte, 8), more{setErr: wsa.WSAENOTCONN}},
	{"SO_UPDATE_CONNECT_CONTEXT", sol, 0x7010, "B", setAccess, Stream, 0, anyFamily, 0, 0, AnyState, nil, nil, more{setErr: wsa.WSAENOTCONN, nullable: true}},
}

const beforeConnect = Fresh | Bound | Listening

// tcpSpecs are the rows of tier B of IPPROTO_TCP without the keep-alive ones.
var tcpSpecs = []spec{
	{"TCP_EXPEDITED_1122", tcp, 2, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{oneWay: true}},
	{"TCP_MAXRT", tcp, 5, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"TCP_STDURG", tcp, 6, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"TCP_NOURG", tcp, 7, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"TCP_ATMARK", tcp, 8, "B", getAccess, Stream, anyFamily, 0, 4, 4, AnyState, le(1), nil, more{}},
	{"TCP_NOSYNRETRIES", tcp, 9, "B", gs, Stream, anyFamily, anyFamily, 4, 4, beforeConnect, zero, nil, more{}},
	{"TCP_TIMESTAMPS", tcp, 10, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"TCP_OFFLOAD_PREFERENCE", tcp, 11, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"TCP_CONGESTION_ALGORITHM", tcp, 12, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"TCP_DELAY_FIN_ACK", tcp, 13, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"TCP_MAXRTMS", tcp, 14, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"TCP_FASTOPEN", tcp, 15, "B", gs, Stream, anyFamily, anyFamily, 4, 4, Fresh | Bound, zero, nil, more{}},
	{"TCP_FAIL_CONNECT_ON_ICMP_ERROR", tcp, 18, "B", gs, Stream, anyFamily, anyFamily, 4, 4, beforeConnect, zero, nil, more{}},
	{"TCP_ICMP_ERROR_INFO", tcp, 19, "B", getAccess, Stream, anyFamily, 0, 36, 36, AnyState, nil, nil, more{getErr: wsa.WSAEINVAL}},
	{"TCP_BSDURGENT", tcp, 0x7000, "B", gs, Stream, anyFamily, anyFamily, 4, 4, AnyState, le(1), nil, more{oneWay: true}},
}

const (
	ip   = wsa.IPPROTO_IP
	ipv6 = wsa.IPPROTO_IPV6
	udp  = wsa.IPPROTO_UDP

	dgrams = Datagram | Raw
)

var (
	group4 = netip.MustParseAddr("239.1.2.3")
	group6 = netip.MustParseAddr("ff05::123")
	peer4  = netip.MustParseAddr("10.0.0.2")
	peer6  = netip.MustParseAddr("fd00::2")

	mreq4       = wsa.IPMreq{Multiaddr: group4.As4()}.Append(nil)
	mreqSource4 = wsa.IPMreqSource{Multiaddr: group4.As4(), Sourceaddr: peer4.As4()}.Append(nil)
	mreq6       = wsa.IPv6Mreq{Multiaddr: group6.As16()}.Append(nil)
)

// extension is a header of options that holds a PadN, and as a routing header one of type 1.
var extension = []byte{0, 0, 1, 4, 0, 0, 0, 0}

func groupOf(g netip.Addr) []byte {
	return wsa.GroupReq{Group: netip.AddrPortFrom(g, 0)}.Append(nil)
}

func groupSourceOf(g, source netip.Addr) []byte {
	return wsa.GroupSourceReq{Group: netip.AddrPortFrom(g, 0), Source: netip.AddrPortFrom(source, 0)}.Append(nil)
}

// The answers of a socket that is in no group (W-MC).
var (
	notJoined = more{setErr: wsa.WSAEADDRNOTAVAIL, t39: true}
	noBlock   = more{setErr: wsa.WSAEINVAL, t39: true}
	t39       = more{t39: true}
)

func ofNetwork(n uint32) uint32 { return bits.ReverseBytes32(n) }

func defaulted(n uint32) uint32 {
	if n == math.MaxUint32 {
		return 128
	}
	return n
}

// ip4Specs is the level IPPROTO_IP.
var ip4Specs = []spec{
	{"IP_OPTIONS", ip, 1, "B", gs, AnyKind, anyFamily, anyFamily, 0, 0, AnyState, []byte{}, nil, more{whole: true}},
	{"IP_HDRINCL", ip, 2, "B", gs, Raw, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"IP_TOS", ip, 3, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{setMin: 1, model: same}},
	{"IP_TTL", ip, 4, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, le(128), nil, more{setMin: 1, model: same}},
	{"IP_MULTICAST_IF", ip, 9, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, []byte{0, 0, 0, 2}, more{model: ofNetwork, t39: true}},
	{"IP_MULTICAST_TTL", ip, 10, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, le(1), nil, more{setMin: 1, model: same, t39: true}},
	{"IP_MULTICAST_LOOP", ip, 11, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, le(1), nil, t39},
	{"IP_ADD_MEMBERSHIP", ip, 12, "B", setAccess, dgrams, 0, anyFamily, 8, 8, AnyState, nil, mreq4, t39},
	{"IP_DROP_MEMBERSHIP", ip, 13, "B", setAccess, dgrams, 0, anyFamily, 8, 8, AnyState, nil, mreq4, notJoined},
	{"IP_DONTFRAGMENT", ip, 14, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, nil, nil, more{}},
	{"IP_ADD_SOURCE_MEMBERSHIP", ip, 15, "B", setAccess, dgrams, 0, anyFamily, 12, 12, AnyState, nil, mreqSource4, t39},
	{"IP_DROP_SOURCE_MEMBERSHIP", ip, 16, "B", setAccess, dgrams, 0, anyFamily, 12, 12, AnyState, nil, mreqSource4, notJoined},
	{"IP_BLOCK_SOURCE", ip, 17, "B", setAccess, dgrams, 0, anyFamily, 12, 12, AnyState, nil, mreqSource4, noBlock},
	{"IP_UNBLOCK_SOURCE", ip, 18, "B", setAccess, dgrams, 0, anyFamily, 12, 12, AnyState, nil, mreqSource4, noBlock},
	{"IP_PKTINFO", ip, 19, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState &^ Connecting, zero, nil, t39},
	{"IP_RECVTTL", ip, 21, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_RECEIVE_BROADCAST", ip, 22, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, le(1), nil, t39},
	{"IP_PROTECTION_LEVEL", ip, 23, "B", gs, Stream | Datagram, anyFamily, anyFamily, 4, 4, Fresh, le(math.MaxUint32), le(20), more{model: same}},
	{"IP_RECVIF", ip, 24, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_RECVDSTADDR", ip, 25, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_IFLIST", ip, 28, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{}},
	{"IP_ADD_IFLIST", ip, 29, "B", setAccess, dgrams, 0, anyFamily, 4, 4, AnyState, nil, nil, more{setErr: wsa.WSAEINVAL}},
	{"IP_DEL_IFLIST", ip, 30, "B", setAccess, dgrams, 0, anyFamily, 4, 4, AnyState, nil, nil, more{setErr: wsa.WSAEINVAL}},
	{"IP_UNICAST_IF", ip, 31, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, zero, []byte{0, 0, 0, 2}, more{model: ofNetwork}},
	{"IP_RTHDR", ip, 32, "B", gs, AnyKind, anyFamily, anyFamily, 0, 0, AnyState, []byte{}, nil, more{}},
	{"IP_GET_IFLIST", ip, 33, "B", getAccess, AnyKind, anyFamily, 0, 0, 0, AnyState, nil, nil, more{getErr: wsa.WSAEINVAL}},
	{"IP_RECVRTHDR", ip, 38, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_TCLASS", ip, 39, "B", noAccess, AnyKind, 0, 0, 0, 0, 0, nil, nil, more{}},
	{"IP_RECVTOS", ip, 40, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"MCAST_JOIN_GROUP", ip, 41, "B", setAccess, dgrams, 0, anyFamily, 136, 136, AnyState, nil, groupOf(group4), t39},
	{"MCAST_LEAVE_GROUP", ip, 42, "B", setAccess, dgrams, 0, anyFamily, 136, 136, AnyState, nil, groupOf(group4), notJoined},
	{"MCAST_BLOCK_SOURCE", ip, 43, "B", setAccess, dgrams, 0, anyFamily, 264, 264, AnyState, nil, groupSourceOf(group4, peer4), noBlock},
	{"MCAST_UNBLOCK_SOURCE", ip, 44, "B", setAccess, dgrams, 0, anyFamily, 264, 264, AnyState, nil, groupSourceOf(group4, peer4), noBlock},
	{"MCAST_JOIN_SOURCE_GROUP", ip, 45, "B", setAccess, dgrams, 0, anyFamily, 264, 264, AnyState, nil, groupSourceOf(group4, peer4), t39},
	{"MCAST_LEAVE_SOURCE_GROUP", ip, 46, "B", setAccess, dgrams, 0, anyFamily, 264, 264, AnyState, nil, groupSourceOf(group4, peer4), notJoined},
	{"IP_ORIGINAL_ARRIVAL_IF", ip, 47, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_RECVECN", ip, 50, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_PKTINFO_EX", ip, 51, "B", gs, dgrams, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_WFP_REDIRECT_RECORDS", ip, 60, "C", noAccess, dgrams, anyFamily, anyFamily, 0, 0, 0, nil, nil, t39},
	{"IP_WFP_REDIRECT_CONTEXT", ip, 70, "C", noAccess, dgrams, anyFamily, anyFamily, 0, 0, 0, nil, nil, t39},
	{"IP_MTU_DISCOVER", ip, 71, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"IP_MTU", ip, 73, "B", getAccess, Stream | Datagram, anyFamily, 0, 4, 4, AnyState, nil, nil, more{}},
	{"IP_NRT_INTERFACE", ip, 74, "B", gs, Stream | Datagram, anyFamily, anyFamily, 4, 4, beforeConnect, zero, nil, more{model: same}},
	{"IP_RECVERR", ip, 75, "B", gs, Datagram, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, t39},
	{"IP_USER_MTU", ip, 76, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, AnyState, le(math.MaxUint32), nil, more{model: same}},
}

// ip6Specs is the level IPPROTO_IPV6.
var ip6Specs = []spec{
	{"IPV6_HOPOPTS", ipv6, 1, "B", gs, AnyKind, inet6, inet6, 0, 0, AnyState, []byte{}, extension, more{whole: true, exact: true}},
	{"IPV6_HDRINCL", ipv6, 2, "B", gs, Raw, inet6, inet6, 4, 4, AnyState, zero, nil, more{}},
	{"IPV6_UNICAST_HOPS", ipv6, 4, "B", gs, AnyKind, inet6, inet6, 4, 4, AnyState, le(128), nil, more{setMin: 1, model: defaulted}},
	{"IPV6_MULTICAST_IF", ipv6, 9, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, le(2), more{model: same, t39: true}},
	{"IPV6_MULTICAST_HOPS", ipv6, 10, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, le(1), nil, more{setMin: 1, model: same, t39: true}},
	{"IPV6_MULTICAST_LOOP", ipv6, 11, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, le(1), nil, t39},
	{"IPV6_ADD_MEMBERSHIP", ipv6, 12, "B", setAccess, dgrams, 0, inet6, 20, 20, AnyState, nil, mreq6, t39},
	{"IPV6_DROP_MEMBERSHIP", ipv6, 13, "B", setAccess, dgrams, 0, inet6, 20, 20, AnyState, nil, mreq6, notJoined},
	{"IPV6_DONTFRAG", ipv6, 14, "B", gs, AnyKind, inet6, inet6, 4, 4, AnyState, zero, nil, more{}},
	{"IPV6_PKTINFO", ipv6, 19, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState &^ Connecting, zero, nil, t39},
	{"IPV6_HOPLIMIT", ipv6, 21, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_PROTECTION_LEVEL", ipv6, 23, "B", gs, AnyKind, inet6, inet6, 4, 4, Fresh, le(math.MaxUint32), le(30), more{model: same}},
	{"IPV6_RECVIF", ipv6, 24, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_RECVDSTADDR", ipv6, 25, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_CHECKSUM", ipv6, 26, "B", gs, Raw, inet6, inet6, 4, 4, AnyState, le(math.MaxUint32), le(2), more{model: same, t39: true}},
	{"IPV6_V6ONLY", ipv6, 27, "B", gs, AnyKind, anyFamily, anyFamily, 4, 4, Fresh, le(1), nil, more{}},
	{"IPV6_IFLIST", ipv6, 28, "B", gs, AnyKind, inet6, inet6, 4, 4, AnyState, zero, nil, more{}},
	{"IPV6_ADD_IFLIST", ipv6, 29, "B", setAccess, dgrams, 0, inet6, 4, 4, AnyState, nil, nil, more{setErr: wsa.WSAEINVAL}},
	{"IPV6_DEL_IFLIST", ipv6, 30, "B", setAccess, dgrams, 0, inet6, 4, 4, AnyState, nil, nil, more{setErr: wsa.WSAEINVAL}},
	{"IPV6_UNICAST_IF", ipv6, 31, "B", gs, AnyKind, inet6, inet6, 4, 4, AnyState, zero, le(2), more{model: same}},
	{"IPV6_RTHDR", ipv6, 32, "B", gs, AnyKind, inet6, inet6, 0, 0, AnyState, []byte{}, extension, more{whole: true, exact: true}},
	{"IPV6_GET_IFLIST", ipv6, 33, "B", getAccess, AnyKind, inet6, 0, 0, 0, AnyState, nil, nil, more{getErr: wsa.WSAEINVAL}},
	{"IPV6_RECVRTHDR", ipv6, 38, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_TCLASS", ipv6, 39, "B", gs, AnyKind, inet6, inet6, 4, 4, AnyState, zero, nil, more{model: same}},
	{"IPV6_RECVTCLASS", ipv6, 40, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"MCAST_JOIN_GROUP", ipv6, 41, "B", setAccess, dgrams, 0, inet6, 136, 136, AnyState, nil, groupOf(group6), t39},
	{"MCAST_LEAVE_GROUP", ipv6, 42, "B", setAccess, dgrams, 0, inet6, 136, 136, AnyState, nil, groupOf(group6), notJoined},
	{"MCAST_BLOCK_SOURCE", ipv6, 43, "B", setAccess, dgrams, 0, inet6, 264, 264, AnyState, nil, groupSourceOf(group6, peer6), noBlock},
	{"MCAST_UNBLOCK_SOURCE", ipv6, 44, "B", setAccess, dgrams, 0, inet6, 264, 264, AnyState, nil, groupSourceOf(group6, peer6), noBlock},
	{"MCAST_JOIN_SOURCE_GROUP", ipv6, 45, "B", setAccess, dgrams, 0, inet6, 264, 264, AnyState, nil, groupSourceOf(group6, peer6), t39},
	{"MCAST_LEAVE_SOURCE_GROUP", ipv6, 46, "B", setAccess, dgrams, 0, inet6, 264, 264, AnyState, nil, groupSourceOf(group6, peer6), notJoined},
	{"IP_ORIGINAL_ARRIVAL_IF", ipv6, 47, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_RECVECN", ipv6, 50, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_PKTINFO_EX", ipv6, 51, "B", gs, dgrams, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_DSTOPTS", ipv6, 59, "B", gs, AnyKind, inet6, inet6, 0, 0, AnyState, []byte{}, extension, more{whole: true, exact: true}},
	{"IPV6_WFP_REDIRECT_RECORDS", ipv6, 60, "C", noAccess, dgrams, inet6, inet6, 0, 0, 0, nil, nil, t39},
	{"IPV6_WFP_REDIRECT_CONTEXT", ipv6, 70, "C", noAccess, dgrams, inet6, inet6, 0, 0, 0, nil, nil, t39},
	{"IPV6_MTU_DISCOVER", ipv6, 71, "B", gs, AnyKind, inet6, inet6, 4, 4, AnyState, zero, nil, more{model: same}},
	{"IPV6_MTU", ipv6, 72, "B", getAccess, Stream | Datagram, inet6, 0, 4, 4, AnyState, nil, nil, more{}},
	{"IPV6_NRT_INTERFACE", ipv6, 74, "B", gs, Stream | Datagram, inet6, inet6, 4, 4, AnyState, zero, nil, more{model: same}},
	{"IPV6_RECVERR", ipv6, 75, "B", gs, Datagram, inet6, inet6, 4, 4, AnyState, zero, nil, t39},
	{"IPV6_USER_MTU", ipv6, 76, "B", gs, AnyKind, inet6, inet6, 4, 4, AnyState, le(math.MaxUint32), nil, more{model: same}},
}

// udpSpecs is the level IPPROTO_UDP.
var udpSpecs = []spec{
	{"UDP_NOCHECKSUM", udp, 1, "B", gs, Datagram, inet4, inet4, 4, 4, AnyState, zero, nil, more{}},
	{"UDP_SEND_MSG_SIZE", udp, 2, "B", gs, Datagram, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"UDP_RECV_MAX_COALESCED_SIZE", udp, 3, "B", gs, Datagram, anyFamily, anyFamily, 4, 4, AnyState, zero, nil, more{model: same}},
	{"UDP_CHECKSUM_COVERAGE", udp, 20, "B", gs, Datagram, anyFamily, anyFamily, 4, 4, AnyState, le(1), nil, more{}},
}
