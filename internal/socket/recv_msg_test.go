package socket_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/wsa"
)

// reports are the options that ask for control messages, with what comes.
var reports = []struct {
	name       string
	opt4, opt6 int32
	typ4, typ6 int32
	v4, v6     []byte
}{
	{"packet information", wsa.IP_PKTINFO, wsa.IPV6_PKTINFO, wsa.IP_PKTINFO, wsa.IPV6_PKTINFO,
		append([]byte{10, 0, 0, 2}, u32(2)...), append(netip.MustParseAddr("fd00::2").AsSlice(), u32(2)...)},
	{"with compartment", wsa.IP_PKTINFO_EX, wsa.IPV6_PKTINFO_EX, wsa.IP_PKTINFO_EX, wsa.IPV6_PKTINFO_EX,
		append([]byte{10, 0, 0, 2}, append(u32(2), u32(1)...)...), append(netip.MustParseAddr("fd00::2").AsSlice(), append(u32(2), u32(1)...)...)},
	{"hop limit", wsa.IP_RECVTTL, wsa.IPV6_HOPLIMIT, wsa.IP_TTL, wsa.IPV6_HOPLIMIT, u32(77), u32(77)},
	{"traffic class", wsa.IP_RECVTOS, wsa.IPV6_RECVTCLASS, wsa.IP_TOS, wsa.IPV6_TCLASS, u32(0xBA), u32(0xBA)},
	{"congestion", wsa.IP_RECVECN, wsa.IPV6_RECVECN, wsa.IP_RECVECN, wsa.IPV6_RECVECN, u32(2), u32(2)},
	{"interface", wsa.IP_RECVIF, wsa.IPV6_RECVIF, wsa.IP_RECVIF, wsa.IPV6_RECVIF, u32(2), u32(2)},
	{"destination", wsa.IP_RECVDSTADDR, wsa.IPV6_RECVDSTADDR, wsa.IP_RECVDSTADDR, wsa.IPV6_RECVDSTADDR,
		[]byte{10, 0, 0, 2}, netip.MustParseAddr("fd00::2").AsSlice()},
	{"original interface", wsa.IP_ORIGINAL_ARRIVAL_IF, wsa.IP_ORIGINAL_ARRIVAL_IF, wsa.IP_ORIGINAL_ARRIVAL_IF, wsa.IP_ORIGINAL_ARRIVAL_IF, u32(2), u32(2)},
}

// Every option alone, then all of them at once.
func TestRecvMsg_Control(t *testing.T) {
	for i, f := range mcastFamilies {
		t.Run(f.name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			from := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
			set(t, from, f.level, wireFamilies[i].ttl, 77)
			set(t, from, f.level, wireFamilies[i].class, 0xBA)
			s := member(t, b, f.family, f.none)
			control := make([]byte, 500)
			recv := func(want int) []wsa.Cmsg {
				t.Helper()
				sendText(t, from, f.receiver, "text")
				buf := make([]byte, 10)
				m, err := s.RecvMsg(buf, control, 0)
				require.Zero(t, err)
				require.Equal(t, "text", string(buf[:m.N]))
				require.Equal(t, f.sender, m.From.Addr())
				require.Zero(t, m.Flags)
				all, err := wsa.ParseCmsgs(control[:m.Control])
				require.Zero(t, err)
				require.Len(t, all, want)
				return all
			}
			recv(0)
			for _, r := range reports {
				opt, typ, data := r.opt4, r.typ4, r.v4
				if f.family == wsa.AF_INET6 {
					opt, typ, data = r.opt6, r.typ6, r.v6
				}
				set(t, s, f.level, opt, 1)
				c := recv(1)[0]
				assert.Equal(t, f.level, c.Level, r.name)
				assert.Equal(t, typ, c.Type, r.name)
				assert.Equal(t, data, c.Data, r.name)
				set(t, s, f.level, opt, 0)
			}
			for _, r := range reports {
				opt := r.opt4
				if f.family == wsa.AF_INET6 {
					opt = r.opt6
				}
				set(t, s, f.level, opt, 1)
			}
			recv(len(reports))
		})
	}
}

// MS-2 for RecvMsg, and control messages without room.
func TestRecvMsg_Truncation(t *testing.T) {
	a, b := sockettest.Pair(t)
	f := mcastFamilies[0]
	from := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
	s := member(t, b, f.family, f.none)
	set(t, s, f.level, wsa.IP_PKTINFO, 1)
	sendText(t, from, f.receiver, "too long")
	buf, control := make([]byte, 3), make([]byte, wsa.CmsgSpace(8))
	m, err := s.RecvMsg(buf, control, 0)
	assert.Equal(t, wsa.WSAEMSGSIZE, err)
	assert.Equal(t, "too", string(buf[:m.N]))
	assert.EqualValues(t, wsa.MSG_TRUNC, m.Flags)
	assert.Equal(t, len(control), m.Control)

	sendText(t, from, f.receiver, "abc")
	m, err = s.RecvMsg(buf, control[:len(control)-1], 0)
	assert.Equal(t, wsa.WSAEMSGSIZE, err)
	assert.Equal(t, "abc", string(buf[:m.N]))
	assert.EqualValues(t, wsa.MSG_CTRUNC, m.Flags)
	assert.Zero(t, m.Control)

	set(t, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
	require.Zero(t, s.SetSockOpt(f.level, wsa.MCAST_JOIN_GROUP, groupReq(f.group)))
	set(t, from, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
	for to, want := range map[netip.Addr]int32{f.group: wsa.MSG_MCAST, netip.MustParseAddr("10.0.0.255"): wsa.MSG_BCAST} {
		sendText(t, from, to, "abc")
		m, err = s.RecvMsg(buf, control, 0)
		require.Zero(t, err)
		assert.Equal(t, want, m.Flags)
	}
	s.SetNonblocking(true)
	_, err = s.RecvMsg(buf, nil, 0)
	assert.Equal(t, wsa.WSAEWOULDBLOCK, err)
	stream := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_STREAM)
	_, err = stream.RecvMsg(buf, nil, 0)
	assert.Equal(t, wsa.WSAEOPNOTSUPP, err)
	_, err = stream.SendMsg(buf, nil, 0, netip.AddrPort{})
	assert.Equal(t, wsa.WSAEOPNOTSUPP, err)
}

// Control messages override the options for one datagram.
func TestSendMsg_Control(t *testing.T) {
	st, wire := tapped(t)
	types := map[string][3]int32{ // TTL, class, ECN
		"IPv4": {wsa.IP_TTL, wsa.IP_TOS, wsa.IP_ECN}, "IPv6": {wsa.IPV6_HOPLIMIT, wsa.IPV6_TCLASS, wsa.IPV6_ECN},
	}
	for _, f := range wireFamilies {
		t.Run(f.name, func(t *testing.T) {
			s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
			set(t, s, f.level, f.class, 0x20)
			ttl, class, ecn := types[f.name][0], types[f.name][1], types[f.name][2]
			for _, tc := range []struct {
				control    []byte
				ttl, class int
			}{
				{nil, 128, 0x20},
				{wsa.AppendCmsg(nil, f.level, ttl, u32(5)), 5, 0x20},
				{wsa.AppendCmsg(nil, f.level, class, u32(0x40)), 128, 0x40},
				{wsa.AppendCmsg(nil, f.level, ecn, u32(1)), 128, 0x21},
				{wsa.AppendCmsg(wsa.AppendCmsg(nil, f.level, class, u32(0x40)), f.level, ecn, u32(2)), 128, 0x42},
				{nil, 128, 0x20},
			} {
				n, err := s.SendMsg([]byte("x"), tc.control, 0, f.peer)
				require.Zero(t, err)
				assert.Equal(t, 1, n)
				p := wire.one(t)
				assert.Equal(t, tc.ttl, p.ttl())
				assert.Equal(t, tc.class, p.class())
			}
			bad := wsa.AppendCmsg(nil, f.level, ttl, u32(5))
			binary.LittleEndian.PutUint64(bad, 1000)
			for _, control := range [][]byte{
				wsa.AppendCmsg(nil, f.level, ecn, u32(3)), // congestion experienced
				wsa.AppendCmsg(nil, f.level, ttl, u32(256)),
				wsa.AppendCmsg(nil, f.level, ttl, []byte{1}),
				wsa.AppendCmsg(nil, f.level, 99, u32(1)),
				wsa.AppendCmsg(nil, 99, ttl, u32(1)),
				bad, {1, 2, 3},
			} {
				_, err := s.SendMsg([]byte("x"), control, 0, f.peer)
				assert.Equal(t, wsa.WSAEINVAL, err)
			}
			assert.Empty(t, wire.take())
			_, err := s.SendMsg([]byte("x"), nil, 0, netip.AddrPort{})
			assert.Equal(t, wsa.WSAEDESTADDRREQ, err)
		})
	}
}

// PKTINFO of a sent datagram: the interface, and the source.
func TestSendMsg_PacketInfo(t *testing.T) {
	st, wire := tapped(t)
	f := wireFamilies[1]
	s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
	info := wsa.In6Pktinfo{Addr: netip.MustParseAddr("fd00::1").As16(), Ifindex: 2}.Append(nil)
	_, err := s.SendMsg([]byte("x"), wsa.AppendCmsg(nil, f.level, wsa.IPV6_PKTINFO, info), 0, f.peer)
	require.Zero(t, err)
	wire.one(t)
	f = wireFamilies[0]
	s = sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
	info = wsa.InPktinfo{Ifindex: 2}.Append(nil)
	_, err = s.SendMsg([]byte("x"), wsa.AppendCmsg(nil, f.level, wsa.IP_PKTINFO, info), 0, f.peer)
	require.Zero(t, err)
	wire.one(t)
	foreign := map[string][]byte{
		"IPv4": wsa.InPktinfo{Addr: [4]byte{10, 0, 0, 9}}.Append(nil),
		"IPv6": wsa.In6Pktinfo{Addr: netip.MustParseAddr("fd00::9").As16()}.Append(nil),
	}
	for _, f := range wireFamilies {
		s := sockettest.NewSocket(t, st, f.family, wsa.SOCK_DGRAM)
		_, err = s.SendMsg([]byte("x"), wsa.AppendCmsg(nil, f.level, wsa.IP_PKTINFO, foreign[f.name]), 0, f.peer)
		assert.Equal(t, wsa.WSAEADDRNOTAVAIL, err, f.name)
		assert.Empty(t, wire.take())
	}
}
