package wsa_test

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// fromHex reads golden bytes; spaces and line ends separate fields.
func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

func zeros(n int) string { return strings.Repeat("00", n) }

// parsed adapts a parser to the table of TestLayouts.
func parsed[T any](parse func([]byte) (T, wsa.Errno)) func([]byte) (any, wsa.Errno) {
	return func(b []byte) (any, wsa.Errno) {
		v, errno := parse(b)
		return v, errno
	}
}

type appender interface{ Append([]byte) []byte }

var (
	v4   = netip.MustParseAddrPort("192.0.2.1:8080")
	v6   = netip.MustParseAddrPort("[2001:db8::1]:443")
	v6z  = netip.MustParseAddrPort("[fe80::2%7]:53")
	in6  = [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1}
	ff02 = [16]byte{0xff, 0x02, 15: 1}
)

const (
	v4Hex  = "0200 1f90 c0000201 0000000000000000"
	v6Hex  = "1700 01bb 00000000 20010db8000000000000000000000001 00000000"
	v6zHex = "1700 0035 00000000 fe800000000000000000000000000002 07000000"
)

// Every fixed layout, byte by byte: what Append writes, what the parser reads
// back, and that one byte less is WSAEFAULT.
func TestLayouts(t *testing.T) {
	tests := []struct {
		name   string
		value  appender
		golden string
		size   int
		parse  func([]byte) (any, wsa.Errno)
	}{
		{"linger", wsa.Linger{OnOff: 1, Linger: 0x0203}, "0100 0302", 4, parsed(wsa.ParseLinger)},
		{"linger on is any non-zero", wsa.Linger{OnOff: 0xFFFE, Linger: 65535}, "feff ffff", 4, parsed(wsa.ParseLinger)},
		{
			"tcp_keepalive", wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 7200000, KeepAliveInterval: 1000},
			"01000000 00dd6d00 e8030000", 12, parsed(wsa.ParseTCPKeepalive),
		},
		{
			"TCP_INITIAL_RTO_PARAMETERS", wsa.TCPInitialRTOParameters{Rtt: 0x0BB8, MaxSynRetransmissions: 0xFE},
			"b80b fe 00", 4, parsed(wsa.ParseTCPInitialRTOParameters),
		},
		{"WSA_COMPATIBILITY_MODE", wsa.CompatibilityMode{BehaviorID: 1, TargetOsVersion: 0x600}, "01000000 00060000", 8, parsed(wsa.ParseCompatibilityMode)},
		{
			"ICMP_ERROR_INFO IPv4",
			wsa.ICMPErrorInfo{Source: netip.AddrPortFrom(v4.Addr(), 0), Protocol: 1, Type: 3, Code: 13},
			"0200 0000 c0000201" + zeros(20) + "01000000 03 0d 0000", 36, parsed(wsa.ParseICMPErrorInfo),
		},
		{
			"ICMP_ERROR_INFO IPv6",
			wsa.ICMPErrorInfo{Source: v6, Protocol: 58, Type: 1, Code: 4},
			v6Hex + "3a000000 01 04 0000", 36, parsed(wsa.ParseICMPErrorInfo),
		},
		{"ICMP_ERROR_INFO without a source", wsa.ICMPErrorInfo{Protocol: 1}, zeros(28) + "01000000 00 00 0000", 36, parsed(wsa.ParseICMPErrorInfo)},
		{"sockaddr_in", wsa.SockaddrIn{Port: 8080, Addr: [4]byte{192, 0, 2, 1}}, v4Hex, 16, parsed(wsa.ParseSockaddrIn)},
		{
			"sockaddr_in6", wsa.SockaddrIn6{Port: 443, FlowInfo: 0x04030201, Addr: in6, ScopeID: 0x0102},
			"1700 01bb 01020304 20010db8000000000000000000000001 02010000", 28, parsed(wsa.ParseSockaddrIn6),
		},
		{"ip_mreq", wsa.IPMreq{Multiaddr: [4]byte{224, 0, 0, 251}, Interface: [4]byte{0, 0, 0, 7}}, "e00000fb 00000007", 8, parsed(wsa.ParseIPMreq)},
		{
			"ip_mreq_source: source before interface",
			wsa.IPMreqSource{Multiaddr: [4]byte{232, 1, 2, 3}, Sourceaddr: [4]byte{192, 0, 2, 9}, Interface: [4]byte{10, 0, 0, 1}},
			"e8010203 c0000209 0a000001", 12, parsed(wsa.ParseIPMreqSource),
		},
		{"ipv6_mreq", wsa.IPv6Mreq{Multiaddr: ff02, Interface: 0x0102}, "ff020000000000000000000000000001 02010000", 20, parsed(wsa.ParseIPv6Mreq)},
		{"group_req IPv4", wsa.GroupReq{Interface: 3, Group: v4}, "03000000 00000000" + v4Hex + zeros(112), 136, parsed(wsa.ParseGroupReq)},
		{"group_req IPv6", wsa.GroupReq{Interface: 3, Group: v6z}, "03000000 00000000" + v6zHex + zeros(100), 136, parsed(wsa.ParseGroupReq)},
		{
			"group_source_req", wsa.GroupSourceReq{Interface: 3, Group: v6, Source: v6z},
			"03000000 00000000" + v6Hex + zeros(100) + v6zHex + zeros(100), 264, parsed(wsa.ParseGroupSourceReq),
		},
		{"in_pktinfo", wsa.InPktinfo{Addr: [4]byte{192, 0, 2, 1}, Ifindex: 0x0102}, "c0000201 02010000", 8, parsed(wsa.ParseInPktinfo)},
		{"in6_pktinfo", wsa.In6Pktinfo{Addr: in6, Ifindex: 9}, "20010db8000000000000000000000001 09000000", 20, parsed(wsa.ParseIn6Pktinfo)},
		{
			"in_pktinfo_ex", wsa.InPktinfoEx{InPktinfo: wsa.InPktinfo{Addr: [4]byte{192, 0, 2, 1}, Ifindex: 2}, ScopeID: 1},
			"c0000201 02000000 01000000", 12, parsed(wsa.ParseInPktinfoEx),
		},
		{
			"in6_pktinfo_ex", wsa.In6PktinfoEx{In6Pktinfo: wsa.In6Pktinfo{Addr: in6, Ifindex: 9}, ScopeID: 1},
			"20010db8000000000000000000000001 09000000 01000000", 24, parsed(wsa.ParseIn6PktinfoEx),
		},
		{"in_recverr", wsa.InRecverr{Protocol: 1, Info: 1400, Type: 3, Code: 4}, "01000000 78050000 03 04 0000", 12, parsed(wsa.ParseInRecverr)},
		{
			"CSADDR_INFO IPv4", wsa.CSAddrInfo{Local: v4, Remote: netip.MustParseAddrPort("192.0.2.2:80"), SocketType: 1, Protocol: 6},
			"2800000000000000 10000000 00000000" + "3800000000000000 10000000 00000000" + "01000000 06000000" +
				v4Hex + "0200 0050 c0000202 0000000000000000", 72, parsed(wsa.ParseCSAddrInfo),
		},
		{
			"CSADDR_INFO IPv6", wsa.CSAddrInfo{Local: v6z, Remote: v6, SocketType: 2, Protocol: 17},
			"2800000000000000 1c000000 00000000" + "4400000000000000 1c000000 00000000" + "02000000 11000000" + v6zHex + v6Hex,
			96, parsed(wsa.ParseCSAddrInfo),
		},
		{
			"CSADDR_INFO bound, not connected", wsa.CSAddrInfo{Local: v4, SocketType: 1, Protocol: 6},
			"2800000000000000 10000000 00000000" + zeros(16) + "01000000 06000000" + v4Hex, 56, parsed(wsa.ParseCSAddrInfo),
		},
		{
			"CSADDR_INFO unbound", wsa.CSAddrInfo{SocketType: 3, Protocol: 255},
			zeros(32) + "03000000 ff000000", 40, parsed(wsa.ParseCSAddrInfo),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := fromHex(t, test.golden)
			require.Len(t, want, test.size, "golden bytes")
			require.Equal(t, want, test.value.Append(nil))
			require.Equal(t, append([]byte{0xEE}, want...), test.value.Append([]byte{0xEE}), "Append keeps what is there")

			got, errno := test.parse(append(want, 0xEE)) // a longer buffer is legal
			require.Equal(t, wsa.NO_ERROR, errno)
			require.Equal(t, any(test.value), got)

			for n := range want {
				_, errno := test.parse(want[:n:n])
				assert.Equal(t, wsa.WSAEFAULT, errno, "parse of %d of %d bytes", n, len(want))
			}
		})
	}
}

func TestCSAddrInfoLen(t *testing.T) {
	assert.Equal(t, 72, wsa.CSAddrInfoLen(wsa.AF_INET))
	assert.Equal(t, 96, wsa.CSAddrInfoLen(wsa.AF_INET6))
}

// Offsets count from the start of the structure, not of the slice it lies in.
func TestCSAddrInfo_OffsetsFromStructure(t *testing.T) {
	info := wsa.CSAddrInfo{Local: v4, Remote: v4, SocketType: 1, Protocol: 6}
	b := info.Append(make([]byte, 13))
	got, errno := wsa.ParseCSAddrInfo(b[13:])
	require.Equal(t, wsa.NO_ERROR, errno)
	assert.Equal(t, info, got)
}

func TestParseCSAddrInfo_HostilePointers(t *testing.T) {
	good := wsa.CSAddrInfo{Local: v4, Remote: v4, SocketType: 1, Protocol: 6}.Append(nil)
	tests := []struct {
		name   string
		field  int // of the SOCKET_ADDRESS
		golden string
		want   wsa.Errno
	}{
		{"pointer into the structure", 0, "0800000000000000 10000000", wsa.WSAEFAULT},
		{"pointer past the end", 0, "4900000000000000 10000000", wsa.WSAEFAULT},
		{"pointer that wraps", 16, "ffffffffffffffff 10000000", wsa.WSAEFAULT},
		{"length past the end", 16, "3800000000000000 11000000", wsa.WSAEFAULT},
		{"negative length", 16, "3800000000000000 ffffffff", wsa.WSAEFAULT},
		{"NULL with a length", 0, "0000000000000000 10000000", wsa.WSAEFAULT},
		{"length 0 with a pointer", 0, "2800000000000000 00000000", wsa.WSAEFAULT},
		{"unknown family", 0, "2a00000000000000 10000000", wsa.WSAEAFNOSUPPORT},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := append([]byte(nil), good...)
			copy(b[test.field:], fromHex(t, test.golden))
			got, errno := wsa.ParseCSAddrInfo(b)
			assert.Equal(t, test.want, errno)
			assert.Zero(t, got)
		})
	}
}

func TestGroupReq_OtherFamilies(t *testing.T) {
	b := wsa.GroupReq{Interface: 1, Group: v4}.Append(nil)
	b[8] = wsa.AF_IPX
	_, errno := wsa.ParseGroupReq(b)
	assert.Equal(t, wsa.WSAEINVAL, errno)

	b = wsa.GroupSourceReq{Interface: 1, Group: v4}.Append(nil) // the zero source is family AF_UNSPEC
	require.Len(t, b, 264)
	_, errno = wsa.ParseGroupSourceReq(b)
	assert.Equal(t, wsa.WSAEINVAL, errno)
	b[8] = wsa.AF_IPX
	_, errno = wsa.ParseGroupSourceReq(b)
	assert.Equal(t, wsa.WSAEINVAL, errno)
}
