package options

import (
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// The options of SOL_SOCKET, by their names in the SDK. OPTIONS.md says what each of them means.
// Buffers and sizes are in bytes.
var (
	SO_DEBUG               = sockOption(wsa.SO_DEBUG, asBool)
	SO_ACCEPTCONN          = sockOption(wsa.SO_ACCEPTCONN, asBool)
	SO_REUSEADDR           = sockOption(wsa.SO_REUSEADDR, asBool)
	SO_KEEPALIVE           = sockOption(wsa.SO_KEEPALIVE, asBool)
	SO_DONTROUTE           = sockOption(wsa.SO_DONTROUTE, asBool)
	SO_BROADCAST           = sockOption(wsa.SO_BROADCAST, asBool)
	SO_LINGER              = sockOption(wsa.SO_LINGER, asStruct(wsa.SizeofLinger, wsa.ParseLinger))
	SO_OOBINLINE           = sockOption(wsa.SO_OOBINLINE, asBool)
	SO_DONTLINGER          = sockOption(wsa.SO_DONTLINGER, asBool)
	SO_EXCLUSIVEADDRUSE    = sockOption(wsa.SO_EXCLUSIVEADDRUSE, asBool)
	SO_SNDBUF              = sockOption(wsa.SO_SNDBUF, asInt)
	SO_RCVBUF              = sockOption(wsa.SO_RCVBUF, asInt)
	SO_SNDTIMEO            = sockOption(wsa.SO_SNDTIMEO, asDuration(time.Millisecond))
	SO_RCVTIMEO            = sockOption(wsa.SO_RCVTIMEO, asDuration(time.Millisecond))
	SO_ERROR               = sockOption(wsa.SO_ERROR, asError)
	SO_TYPE                = sockOption(wsa.SO_TYPE, asInt)
	SO_GROUP_ID            = sockOption(wsa.SO_GROUP_ID, asUint32)
	SO_GROUP_PRIORITY      = sockOption(wsa.SO_GROUP_PRIORITY, asInt)
	SO_MAX_MSG_SIZE        = sockOption(wsa.SO_MAX_MSG_SIZE, asUint32)
	SO_CONDITIONAL_ACCEPT  = sockOption(wsa.SO_CONDITIONAL_ACCEPT, asBool)
	SO_PAUSE_ACCEPT        = sockOption(wsa.SO_PAUSE_ACCEPT, asBool)
	SO_COMPARTMENT_ID      = sockOption(wsa.SO_COMPARTMENT_ID, asUint32)
	SO_RANDOMIZE_PORT      = sockOption(wsa.SO_RANDOMIZE_PORT, asBool)
	SO_PORT_SCALABILITY    = sockOption(wsa.SO_PORT_SCALABILITY, asBool)
	SO_REUSE_UNICASTPORT   = sockOption(wsa.SO_REUSE_UNICASTPORT, asBool)
	SO_REUSE_MULTICASTPORT = sockOption(wsa.SO_REUSE_MULTICASTPORT, asInt)
	SO_CONNECT_TIME        = sockOption(wsa.SO_CONNECT_TIME, asDuration(time.Second))
)

// The options of IPPROTO_TCP, by their names in the SDK.
var (
	TCP_NODELAY                    = tcpOption(wsa.TCP_NODELAY, asBool)
	TCP_EXPEDITED_1122             = tcpOption(wsa.TCP_EXPEDITED_1122, asBool)
	TCP_KEEPIDLE                   = tcpOption(wsa.TCP_KEEPIDLE, asDuration(time.Second))
	TCP_MAXSEG                     = tcpOption(wsa.TCP_MAXSEG, asInt)
	TCP_MAXRT                      = tcpOption(wsa.TCP_MAXRT, asDuration(time.Second))
	TCP_STDURG                     = tcpOption(wsa.TCP_STDURG, asBool)
	TCP_NOURG                      = tcpOption(wsa.TCP_NOURG, asBool)
	TCP_ATMARK                     = tcpOption(wsa.TCP_ATMARK, asBool)
	TCP_NOSYNRETRIES               = tcpOption(wsa.TCP_NOSYNRETRIES, asBool)
	TCP_TIMESTAMPS                 = tcpOption(wsa.TCP_TIMESTAMPS, asBool)
	TCP_OFFLOAD_PREFERENCE         = tcpOption(wsa.TCP_OFFLOAD_PREFERENCE, asInt)
	TCP_CONGESTION_ALGORITHM       = tcpOption(wsa.TCP_CONGESTION_ALGORITHM, asCongestion)
	TCP_DELAY_FIN_ACK              = tcpOption(wsa.TCP_DELAY_FIN_ACK, asBool)
	TCP_MAXRTMS                    = tcpOption(wsa.TCP_MAXRTMS, asDuration(time.Millisecond))
	TCP_FASTOPEN                   = tcpOption(wsa.TCP_FASTOPEN, asBool)
	TCP_KEEPCNT                    = tcpOption(wsa.TCP_KEEPCNT, asInt)
	TCP_KEEPINTVL                  = tcpOption(wsa.TCP_KEEPINTVL, asDuration(time.Second))
	TCP_FAIL_CONNECT_ON_ICMP_ERROR = tcpOption(wsa.TCP_FAIL_CONNECT_ON_ICMP_ERROR, asBool)
	TCP_BSDURGENT                  = tcpOption(wsa.TCP_BSDURGENT, asBool)
)

// The options of IPPROTO_IP, by their names in the SDK. The indexes of interfaces are in host order
// in both directions.
var (
	IP_TOS                    = ipOption(wsa.IP_TOS, asInt)
	IP_TTL                    = ipOption(wsa.IP_TTL, asInt)
	IP_MULTICAST_IF           = ipOption(wsa.IP_MULTICAST_IF, asIndex)
	IP_MULTICAST_TTL          = ipOption(wsa.IP_MULTICAST_TTL, asInt)
	IP_MULTICAST_LOOP         = ipOption(wsa.IP_MULTICAST_LOOP, asBool)
	IP_ADD_MEMBERSHIP         = ipOption(wsa.IP_ADD_MEMBERSHIP, asMreq)
	IP_DROP_MEMBERSHIP        = ipOption(wsa.IP_DROP_MEMBERSHIP, asMreq)
	IP_ADD_SOURCE_MEMBERSHIP  = ipOption(wsa.IP_ADD_SOURCE_MEMBERSHIP, asMreqSource)
	IP_DROP_SOURCE_MEMBERSHIP = ipOption(wsa.IP_DROP_SOURCE_MEMBERSHIP, asMreqSource)
	IP_BLOCK_SOURCE           = ipOption(wsa.IP_BLOCK_SOURCE, asMreqSource)
	IP_UNBLOCK_SOURCE         = ipOption(wsa.IP_UNBLOCK_SOURCE, asMreqSource)
	IP_DONTFRAGMENT           = ipOption(wsa.IP_DONTFRAGMENT, asBool)
	IP_RECEIVE_BROADCAST      = ipOption(wsa.IP_RECEIVE_BROADCAST, asBool)
	IP_UNICAST_IF             = ipOption(wsa.IP_UNICAST_IF, asIndex)
	IP_MTU_DISCOVER           = ipOption(wsa.IP_MTU_DISCOVER, asUint32)
	IP_MTU                    = ipOption(wsa.IP_MTU, asUint32)
	IP_USER_MTU               = ipOption(wsa.IP_USER_MTU, asUint32)
)

// The options of IPPROTO_IPV6, by their names in the SDK.
var (
	IPV6_UNICAST_HOPS    = ipv6Option(wsa.IPV6_UNICAST_HOPS, asInt)
	IPV6_MULTICAST_IF    = ipv6Option(wsa.IPV6_MULTICAST_IF, asUint32)
	IPV6_MULTICAST_HOPS  = ipv6Option(wsa.IPV6_MULTICAST_HOPS, asInt)
	IPV6_MULTICAST_LOOP  = ipv6Option(wsa.IPV6_MULTICAST_LOOP, asBool)
	IPV6_ADD_MEMBERSHIP  = ipv6Option(wsa.IPV6_ADD_MEMBERSHIP, asMreq6)
	IPV6_DROP_MEMBERSHIP = ipv6Option(wsa.IPV6_DROP_MEMBERSHIP, asMreq6)
	IPV6_DONTFRAG        = ipv6Option(wsa.IPV6_DONTFRAG, asBool)
	IPV6_V6ONLY          = ipv6Option(wsa.IPV6_V6ONLY, asBool)
	IPV6_UNICAST_IF      = ipv6Option(wsa.IPV6_UNICAST_IF, asUint32)
	IPV6_TCLASS          = ipv6Option(wsa.IPV6_TCLASS, asInt)
	IPV6_MTU_DISCOVER    = ipv6Option(wsa.IPV6_MTU_DISCOVER, asUint32)
	IPV6_MTU             = ipv6Option(wsa.IPV6_MTU, asUint32)
	IPV6_USER_MTU        = ipv6Option(wsa.IPV6_USER_MTU, asUint32)
)

// The options of IPPROTO_UDP, by their names in the SDK. Sizes are in bytes.
var (
	UDP_NOCHECKSUM              = udpOption(wsa.UDP_NOCHECKSUM, asBool)
	UDP_SEND_MSG_SIZE           = udpOption(wsa.UDP_SEND_MSG_SIZE, asInt)
	UDP_RECV_MAX_COALESCED_SIZE = udpOption(wsa.UDP_RECV_MAX_COALESCED_SIZE, asUint32)
	UDP_CHECKSUM_COVERAGE       = udpOption(wsa.UDP_CHECKSUM_COVERAGE, asBool)
)

// The following are the structures of the multicast options.
var (
	asMreq       = asStruct(wsa.SizeofIPMreq, wsa.ParseIPMreq)
	asMreqSource = asStruct(wsa.SizeofIPMreqSource, wsa.ParseIPMreqSource)
	asMreq6      = asStruct(wsa.SizeofIPv6Mreq, wsa.ParseIPv6Mreq)
)

var asCongestion = typed[Congestion]{
	size:   4,
	append: func(b []byte, val Congestion) ([]byte, wsa.Errno) { return asUint32.append(b, uint32(val)) },
	parse:  func(b []byte) (Congestion, wsa.Errno) { return Congestion(lowBytes(b)), 0 },
}
