package wsa_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// levelNumbers is the list of levels, numbers as literals. Two levels
// share 255.
var levelNumbers = []struct {
	got, want int32
	symbol    string
}{
	{wsa.SOL_SOCKET, 0xFFFF, "SOL_SOCKET"},
	{wsa.SOL_IP, 0xFFFB, "SOL_IP"},
	{wsa.SOL_IPV6, 0xFFFA, "SOL_IPV6"},
	{wsa.IPPROTO_IP, 0, "IPPROTO_IP"},
	{wsa.IPPROTO_ICMP, 1, "IPPROTO_ICMP"},
	{wsa.IPPROTO_TCP, 6, "IPPROTO_TCP"},
	{wsa.IPPROTO_UDP, 17, "IPPROTO_UDP"},
	{wsa.IPPROTO_IPV6, 41, "IPPROTO_IPV6"},
	{wsa.IPPROTO_ICMPV6, 58, "IPPROTO_ICMPV6"},
	{wsa.IPPROTO_RM, 113, "IPPROTO_RM"},
	{wsa.SOL_IRLMP, 255, "SOL_IRLMP"},
	{wsa.NSPROTO_IPX, 1000, "NSPROTO_IPX"},
	{wsa.NSPROTO_SPX, 1256, "NSPROTO_SPX"},
	{wsa.NSPROTO_SPXII, 1257, "NSPROTO_SPXII"},
	{wsa.SOL_APPLETALK, 16000, "SOL_APPLETALK"},
}

// plainNumbers are the remaining constants (SDK headers).
var plainNumbers = []struct {
	got, want int64
	symbol    string
}{
	{wsa.SOCKET_ERROR, -1, "SOCKET_ERROR"},
	{wsa.SOMAXCONN, 0x7FFFFFFF, "SOMAXCONN"},
	{wsa.WINSOCK_VERSION, 0x0202, "WINSOCK_VERSION"},
	{wsa.DynamicPortFirst, 49152, "DynamicPortFirst"},
	{wsa.DynamicPortLast, 65535, "DynamicPortLast"},

	{wsa.AF_UNSPEC, 0, "AF_UNSPEC"},
	{wsa.AF_INET, 2, "AF_INET"},
	{wsa.AF_IPX, 6, "AF_IPX"},
	{wsa.AF_APPLETALK, 16, "AF_APPLETALK"},
	{wsa.AF_ATM, 22, "AF_ATM"},
	{wsa.AF_INET6, 23, "AF_INET6"},
	{wsa.AF_IRDA, 26, "AF_IRDA"},

	{wsa.SOCK_STREAM, 1, "SOCK_STREAM"},
	{wsa.SOCK_DGRAM, 2, "SOCK_DGRAM"},
	{wsa.SOCK_RAW, 3, "SOCK_RAW"},
	{wsa.SOCK_RDM, 4, "SOCK_RDM"},
	{wsa.SOCK_SEQPACKET, 5, "SOCK_SEQPACKET"},

	{wsa.IPPROTO_IGMP, 2, "IPPROTO_IGMP"},
	{wsa.IPPROTO_PGM, 113, "IPPROTO_PGM"},
	{wsa.IPPROTO_RAW, 255, "IPPROTO_RAW"},

	{wsa.WSA_FLAG_OVERLAPPED, 0x01, "WSA_FLAG_OVERLAPPED"},
	{wsa.WSA_FLAG_MULTIPOINT_C_ROOT, 0x02, "WSA_FLAG_MULTIPOINT_C_ROOT"},
	{wsa.WSA_FLAG_MULTIPOINT_C_LEAF, 0x04, "WSA_FLAG_MULTIPOINT_C_LEAF"},
	{wsa.WSA_FLAG_MULTIPOINT_D_ROOT, 0x08, "WSA_FLAG_MULTIPOINT_D_ROOT"},
	{wsa.WSA_FLAG_MULTIPOINT_D_LEAF, 0x10, "WSA_FLAG_MULTIPOINT_D_LEAF"},
	{wsa.WSA_FLAG_ACCESS_SYSTEM_SECURITY, 0x40, "WSA_FLAG_ACCESS_SYSTEM_SECURITY"},
	{wsa.WSA_FLAG_NO_HANDLE_INHERIT, 0x80, "WSA_FLAG_NO_HANDLE_INHERIT"},
	{wsa.WSA_FLAG_REGISTERED_IO, 0x100, "WSA_FLAG_REGISTERED_IO"},

	{wsa.SG_UNCONSTRAINED_GROUP, 1, "SG_UNCONSTRAINED_GROUP"},
	{wsa.SG_CONSTRAINED_GROUP, 2, "SG_CONSTRAINED_GROUP"},

	{wsa.MSG_OOB, 1, "MSG_OOB"},
	{wsa.MSG_PEEK, 2, "MSG_PEEK"},
	{wsa.MSG_DONTROUTE, 4, "MSG_DONTROUTE"},
	{wsa.MSG_WAITALL, 8, "MSG_WAITALL"},
	{wsa.MSG_PUSH_IMMEDIATE, 0x20, "MSG_PUSH_IMMEDIATE"},
	{wsa.MSG_PARTIAL, 0x8000, "MSG_PARTIAL"},
	{wsa.MSG_TRUNC, 0x100, "MSG_TRUNC"},
	{wsa.MSG_CTRUNC, 0x200, "MSG_CTRUNC"},
	{wsa.MSG_BCAST, 0x400, "MSG_BCAST"},
	{wsa.MSG_MCAST, 0x800, "MSG_MCAST"},
	{wsa.MSG_ERRQUEUE, 0x1000, "MSG_ERRQUEUE"},

	{wsa.SD_RECEIVE, 0, "SD_RECEIVE"},
	{wsa.SD_SEND, 1, "SD_SEND"},
	{wsa.SD_BOTH, 2, "SD_BOTH"},

	{wsa.TF_DISCONNECT, 1, "TF_DISCONNECT"},
	{wsa.TF_REUSE_SOCKET, 2, "TF_REUSE_SOCKET"},
	{wsa.TF_WRITE_BEHIND, 4, "TF_WRITE_BEHIND"},
	{wsa.TF_USE_DEFAULT_WORKER, 0, "TF_USE_DEFAULT_WORKER"},
	{wsa.TF_USE_SYSTEM_THREAD, 0x10, "TF_USE_SYSTEM_THREAD"},
	{wsa.TF_USE_KERNEL_APC, 0x20, "TF_USE_KERNEL_APC"},
	{wsa.TP_DISCONNECT, 1, "TP_DISCONNECT"},
	{wsa.TP_REUSE_SOCKET, 2, "TP_REUSE_SOCKET"},
	{wsa.TP_USE_DEFAULT_WORKER, 0, "TP_USE_DEFAULT_WORKER"},
	{wsa.TP_USE_SYSTEM_THREAD, 0x10, "TP_USE_SYSTEM_THREAD"},
	{wsa.TP_USE_KERNEL_APC, 0x20, "TP_USE_KERNEL_APC"},
	{wsa.TP_ELEMENT_MEMORY, 1, "TP_ELEMENT_MEMORY"},
	{wsa.TP_ELEMENT_FILE, 2, "TP_ELEMENT_FILE"},
	{wsa.TP_ELEMENT_EOP, 4, "TP_ELEMENT_EOP"},

	{wsa.CF_ACCEPT, 0, "CF_ACCEPT"},
	{wsa.CF_REJECT, 1, "CF_REJECT"},
	{wsa.CF_DEFER, 2, "CF_DEFER"},

	{wsa.FD_READ, 1, "FD_READ"},
	{wsa.FD_WRITE, 2, "FD_WRITE"},
	{wsa.FD_OOB, 4, "FD_OOB"},
	{wsa.FD_ACCEPT, 8, "FD_ACCEPT"},
	{wsa.FD_CONNECT, 0x10, "FD_CONNECT"},
	{wsa.FD_CLOSE, 0x20, "FD_CLOSE"},
	{wsa.FD_QOS, 0x40, "FD_QOS"},
	{wsa.FD_GROUP_QOS, 0x80, "FD_GROUP_QOS"},
	{wsa.FD_ROUTING_INTERFACE_CHANGE, 0x100, "FD_ROUTING_INTERFACE_CHANGE"},
	{wsa.FD_ADDRESS_LIST_CHANGE, 0x200, "FD_ADDRESS_LIST_CHANGE"},
	{wsa.FD_MAX_EVENTS, 10, "FD_MAX_EVENTS"},
	{wsa.FD_ALL_EVENTS, 0x3FF, "FD_ALL_EVENTS"},
	{wsa.POLLERR, 1, "POLLERR"},
	{wsa.POLLHUP, 2, "POLLHUP"},
	{wsa.POLLNVAL, 4, "POLLNVAL"},
	{wsa.POLLWRNORM, 0x10, "POLLWRNORM"},
	{wsa.POLLWRBAND, 0x20, "POLLWRBAND"},
	{wsa.POLLRDNORM, 0x100, "POLLRDNORM"},
	{wsa.POLLRDBAND, 0x200, "POLLRDBAND"},
	{wsa.POLLPRI, 0x400, "POLLPRI"},
	{wsa.POLLIN, 0x300, "POLLIN"},
	{wsa.POLLOUT, 0x10, "POLLOUT"},
	{wsa.FD_READ_BIT, 0, "FD_READ_BIT"},
	{wsa.FD_WRITE_BIT, 1, "FD_WRITE_BIT"},
	{wsa.FD_OOB_BIT, 2, "FD_OOB_BIT"},
	{wsa.FD_ACCEPT_BIT, 3, "FD_ACCEPT_BIT"},
	{wsa.FD_CONNECT_BIT, 4, "FD_CONNECT_BIT"},
	{wsa.FD_CLOSE_BIT, 5, "FD_CLOSE_BIT"},
	{wsa.FD_QOS_BIT, 6, "FD_QOS_BIT"},
	{wsa.FD_GROUP_QOS_BIT, 7, "FD_GROUP_QOS_BIT"},
	{wsa.FD_ROUTING_INTERFACE_CHANGE_BIT, 8, "FD_ROUTING_INTERFACE_CHANGE_BIT"},
	{wsa.FD_ADDRESS_LIST_CHANGE_BIT, 9, "FD_ADDRESS_LIST_CHANGE_BIT"},

	{wsa.PMTUD_NOT_SET, 0, "PMTUD_NOT_SET"},
	{wsa.PMTUD_DO, 1, "PMTUD_DO"},
	{wsa.PMTUD_DONT, 2, "PMTUD_DONT"},
	{wsa.PMTUD_PROBE, 3, "PMTUD_PROBE"},
	{wsa.IP_PMTUDISC_NOT_SET, 0, "IP_PMTUDISC_NOT_SET"},
	{wsa.IP_PMTUDISC_DO, 1, "IP_PMTUDISC_DO"},
	{wsa.IP_PMTUDISC_DONT, 2, "IP_PMTUDISC_DONT"},
	{wsa.IP_PMTUDISC_PROBE, 3, "IP_PMTUDISC_PROBE"},
	{wsa.IP_UNSPECIFIED_USER_MTU, 0xFFFFFFFF, "IP_UNSPECIFIED_USER_MTU"},

	{wsa.PROTECTION_LEVEL_UNRESTRICTED, 10, "PROTECTION_LEVEL_UNRESTRICTED"},
	{wsa.PROTECTION_LEVEL_EDGERESTRICTED, 20, "PROTECTION_LEVEL_EDGERESTRICTED"},
	{wsa.PROTECTION_LEVEL_RESTRICTED, 30, "PROTECTION_LEVEL_RESTRICTED"},
	{wsa.PROTECTION_LEVEL_DEFAULT, -1, "PROTECTION_LEVEL_DEFAULT"},

	{wsa.SO_SYNCHRONOUS_ALERT, 0x10, "SO_SYNCHRONOUS_ALERT"},
	{wsa.SO_SYNCHRONOUS_NONALERT, 0x20, "SO_SYNCHRONOUS_NONALERT"},
	{wsa.TCP_OFFLOAD_NO_PREFERENCE, 0, "TCP_OFFLOAD_NO_PREFERENCE"},
	{wsa.TCP_OFFLOAD_NOT_PREFERRED, 1, "TCP_OFFLOAD_NOT_PREFERRED"},
	{wsa.TCP_OFFLOAD_PREFERRED, 2, "TCP_OFFLOAD_PREFERRED"},
	{wsa.UDP_COALESCED_INFO, 3, "UDP_COALESCED_INFO"},

	{wsa.TCP_INITIAL_RTO_DEFAULT_RTT, 0, "TCP_INITIAL_RTO_DEFAULT_RTT"},
	{wsa.TCP_INITIAL_RTO_UNSPECIFIED_RTT, 0xFFFF, "TCP_INITIAL_RTO_UNSPECIFIED_RTT"},
	{wsa.TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS, 0, "TCP_INITIAL_RTO_DEFAULT_MAX_SYN_RETRANSMISSIONS"},
	{wsa.TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS, 0xFF, "TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS"},
	{wsa.TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS, 0xFE, "TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS"},
	{wsa.WsaBehaviorAll, 0, "WsaBehaviorAll"},
	{wsa.WsaBehaviorReceiveBuffering, 1, "WsaBehaviorReceiveBuffering"},
	{wsa.WsaBehaviorAutoTuning, 2, "WsaBehaviorAutoTuning"},

	{wsa.XP1_CONNECTIONLESS, 0x1, "XP1_CONNECTIONLESS"},
	{wsa.XP1_GUARANTEED_DELIVERY, 0x2, "XP1_GUARANTEED_DELIVERY"},
	{wsa.XP1_GUARANTEED_ORDER, 0x4, "XP1_GUARANTEED_ORDER"},
	{wsa.XP1_MESSAGE_ORIENTED, 0x8, "XP1_MESSAGE_ORIENTED"},
	{wsa.XP1_PSEUDO_STREAM, 0x10, "XP1_PSEUDO_STREAM"},
	{wsa.XP1_GRACEFUL_CLOSE, 0x20, "XP1_GRACEFUL_CLOSE"},
	{wsa.XP1_EXPEDITED_DATA, 0x40, "XP1_EXPEDITED_DATA"},
	{wsa.XP1_CONNECT_DATA, 0x80, "XP1_CONNECT_DATA"},
	{wsa.XP1_DISCONNECT_DATA, 0x100, "XP1_DISCONNECT_DATA"},
	{wsa.XP1_SUPPORT_BROADCAST, 0x200, "XP1_SUPPORT_BROADCAST"},
	{wsa.XP1_SUPPORT_MULTIPOINT, 0x400, "XP1_SUPPORT_MULTIPOINT"},
	{wsa.XP1_MULTIPOINT_CONTROL_PLANE, 0x800, "XP1_MULTIPOINT_CONTROL_PLANE"},
	{wsa.XP1_MULTIPOINT_DATA_PLANE, 0x1000, "XP1_MULTIPOINT_DATA_PLANE"},
	{wsa.XP1_QOS_SUPPORTED, 0x2000, "XP1_QOS_SUPPORTED"},
	{wsa.XP1_INTERRUPT, 0x4000, "XP1_INTERRUPT"},
	{wsa.XP1_UNI_SEND, 0x8000, "XP1_UNI_SEND"},
	{wsa.XP1_UNI_RECV, 0x10000, "XP1_UNI_RECV"},
	{wsa.XP1_IFS_HANDLES, 0x20000, "XP1_IFS_HANDLES"},
	{wsa.XP1_PARTIAL_MESSAGE, 0x40000, "XP1_PARTIAL_MESSAGE"},
	{wsa.XP1_SAN_SUPPORT_SDP, 0x80000, "XP1_SAN_SUPPORT_SDP"},
	{wsa.PFL_MULTIPLE_PROTO_ENTRIES, 1, "PFL_MULTIPLE_PROTO_ENTRIES"},
	{wsa.PFL_RECOMMENDED_PROTO_ENTRY, 2, "PFL_RECOMMENDED_PROTO_ENTRY"},
	{wsa.PFL_HIDDEN, 4, "PFL_HIDDEN"},
	{wsa.PFL_MATCHES_PROTOCOL_ZERO, 8, "PFL_MATCHES_PROTOCOL_ZERO"},
	{wsa.BIGENDIAN, 0, "BIGENDIAN"},
	{wsa.LITTLEENDIAN, 1, "LITTLEENDIAN"},
	{wsa.SECURITY_PROTOCOL_NONE, 0, "SECURITY_PROTOCOL_NONE"},

	{wsa.TCPSTATE_CLOSED, 0, "TCPSTATE_CLOSED"},
	{wsa.TCPSTATE_LISTEN, 1, "TCPSTATE_LISTEN"},
	{wsa.TCPSTATE_SYN_SENT, 2, "TCPSTATE_SYN_SENT"},
	{wsa.TCPSTATE_SYN_RCVD, 3, "TCPSTATE_SYN_RCVD"},
	{wsa.TCPSTATE_ESTABLISHED, 4, "TCPSTATE_ESTABLISHED"},
	{wsa.TCPSTATE_FIN_WAIT_1, 5, "TCPSTATE_FIN_WAIT_1"},
	{wsa.TCPSTATE_FIN_WAIT_2, 6, "TCPSTATE_FIN_WAIT_2"},
	{wsa.TCPSTATE_CLOSE_WAIT, 7, "TCPSTATE_CLOSE_WAIT"},
	{wsa.TCPSTATE_CLOSING, 8, "TCPSTATE_CLOSING"},
	{wsa.TCPSTATE_LAST_ACK, 9, "TCPSTATE_LAST_ACK"},
	{wsa.TCPSTATE_TIME_WAIT, 10, "TCPSTATE_TIME_WAIT"},

	{wsa.SizeofSockaddrIn, 16, "SizeofSockaddrIn"},
	{wsa.SizeofSockaddrIn6, 28, "SizeofSockaddrIn6"},
	{wsa.SizeofSockaddrStorage, 128, "SizeofSockaddrStorage"},
	{wsa.SizeofSockaddrInet, 28, "SizeofSockaddrInet"},
	{wsa.SizeofLinger, 4, "SizeofLinger"},
	{wsa.SizeofTCPKeepalive, 12, "SizeofTCPKeepalive"},
	{wsa.SizeofTCPInitialRTOParameters, 4, "SizeofTCPInitialRTOParameters"},
	{wsa.SizeofICMPErrorInfo, 36, "SizeofICMPErrorInfo"},
	{wsa.SizeofCompatibilityMode, 8, "SizeofCompatibilityMode"},
	{wsa.SizeofInterfaceInfo, 76, "SizeofInterfaceInfo"},
	{wsa.IFF_UP, 1, "IFF_UP"},
	{wsa.IFF_BROADCAST, 2, "IFF_BROADCAST"},
	{wsa.IFF_LOOPBACK, 4, "IFF_LOOPBACK"},
	{wsa.IFF_POINTTOPOINT, 8, "IFF_POINTTOPOINT"},
	{wsa.IFF_MULTICAST, 16, "IFF_MULTICAST"},
	{wsa.SizeofIPMreq, 8, "SizeofIPMreq"},
	{wsa.SizeofIPMreqSource, 12, "SizeofIPMreqSource"},
	{wsa.SizeofIPv6Mreq, 20, "SizeofIPv6Mreq"},
	{wsa.SizeofGroupReq, 136, "SizeofGroupReq"},
	{wsa.SizeofGroupSourceReq, 264, "SizeofGroupSourceReq"},
	{wsa.SizeofInPktinfo, 8, "SizeofInPktinfo"},
	{wsa.SizeofIn6Pktinfo, 20, "SizeofIn6Pktinfo"},
	{wsa.SizeofInPktinfoEx, 12, "SizeofInPktinfoEx"},
	{wsa.SizeofIn6PktinfoEx, 24, "SizeofIn6PktinfoEx"},
	{wsa.SizeofInRecverr, 12, "SizeofInRecverr"},
	{wsa.SizeofWSACMSGHDR, 16, "SizeofWSACMSGHDR"},
	{wsa.SizeofCSAddrInfo, 40, "SizeofCSAddrInfo"},
	{wsa.SizeofProtocolInfoA, 372, "SizeofProtocolInfoA"},
	{wsa.SizeofProtocolInfoW, 628, "SizeofProtocolInfoW"},
	{wsa.SizeofTCPInfoV0, 88, "SizeofTCPInfoV0"},
	{wsa.SizeofTCPInfoV1, 136, "SizeofTCPInfoV1"},
	{wsa.SizeofTCPInfoV2, 152, "SizeofTCPInfoV2"},
}

func TestLevels(t *testing.T) {
	for _, l := range levelNumbers {
		assert.Equal(t, l.want, l.got, "%s", l.symbol)
		assert.Equal(t, l.symbol, wsa.LevelName(l.want), "LevelName(%d)", l.want)
	}
	for _, level := range []int32{-1, 0x8000, 0x800, 0x1234FFFF, math.MinInt32 | 0xFFFF} {
		assert.Empty(t, wsa.LevelName(level), "LevelName(%#x): all 32 bits are significant", level)
	}
}

func TestOptionNumbersAndNames(t *testing.T) {
	names := make(map[[2]int32]string)
	for _, o := range optionNumbers {
		assert.Equal(t, o.want, o.got, "%s", o.symbol)
		if o.alias {
			continue
		}
		names[[2]int32{o.level, o.want}] = o.symbol
		assert.Equal(t, o.symbol, wsa.OptionName(o.level, o.want), "OptionName(%d, %d)", o.level, o.want)
	}
	// Nothing else has a name, at any level that exists.
	for _, l := range levelNumbers {
		for name := int32(-256); name < 0x10000; name++ {
			if names[[2]int32{l.got, name}] == "" && wsa.OptionName(l.got, name) != "" {
				t.Errorf("OptionName(%s, %d) = %q, want none", l.symbol, name, wsa.OptionName(l.got, name))
			}
		}
	}
	assert.Empty(t, wsa.OptionName(0x8000, wsa.SO_DEBUG))
}

func TestNegativeOptions_AreInt32(t *testing.T) {
	assert.Equal(t, uint32(0xFFFFFF7F), uint32(toInt32(wsa.SO_DONTLINGER)))
	assert.Equal(t, uint32(0xFFFFFFFB), uint32(toInt32(wsa.SO_EXCLUSIVEADDRUSE)))
}

func toInt32(n int32) int32 { return n }

func TestControlCodes(t *testing.T) {
	seen := make(map[uint32]string)
	for _, c := range controlCodes {
		assert.Equal(t, c.want, c.got, "%s", c.symbol)
		assert.Empty(t, seen[c.want], "%s has the number of another code", c.symbol)
		seen[c.want] = c.symbol
	}
}

func TestPlainConstants(t *testing.T) {
	for _, c := range plainNumbers {
		assert.Equal(t, c.want, c.got, "%s", c.symbol)
	}
	assert.Equal(t, ^uintptr(0), uintptr(wsa.INVALID_SOCKET))
}

// The tables above pin every constant of the package: a new one that nobody
// pinned fails here.
func TestEveryConstantIsPinned(t *testing.T) {
	pinned := map[string]bool{"INVALID_SOCKET": true}
	for _, e := range errnoNumbers {
		pinned[e.symbol] = true
	}
	for _, o := range optionNumbers {
		pinned[o.symbol] = true
	}
	for _, l := range levelNumbers {
		pinned[l.symbol] = true
	}
	for _, c := range controlCodes {
		pinned[c.symbol] = true
	}
	for _, c := range plainNumbers {
		pinned[c.symbol] = true
	}
	for _, name := range exportedConstants(t) {
		assert.True(t, pinned[name], "no test pins the number of %s", name)
	}
}

// exportedConstants reads the sources of the package.
func exportedConstants(t *testing.T) (names []string) {
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		require.NoError(t, err)
		for _, decl := range f.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, spec := range gen.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if name.IsExported() {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	require.Greater(t, len(names), 400)
	return names
}
