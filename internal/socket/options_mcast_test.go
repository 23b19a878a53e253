package socket_test

import (
	"net/netip"
	"testing"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/internal/translate"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// mcastFamilies are a group with a sender and a receiver of pair.
var mcastFamilies = []struct {
	name                   string
	family, level, loop    int32
	group                  netip.Addr
	sender, receiver, none netip.Addr
}{
	{
		"IPv4", wsa.AF_INET, wsa.IPPROTO_IP, wsa.IP_MULTICAST_LOOP, netip.MustParseAddr("239.1.2.3"),
		netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.IPv4Unspecified(),
	},
	{
		"IPv6", wsa.AF_INET6, wsa.IPPROTO_IPV6, wsa.IPV6_MULTICAST_LOOP, netip.MustParseAddr("ff05::123"),
		netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2"), netip.IPv6Unspecified(),
	},
}

const mcastPort = 7000

// member is a datagram socket on mcastPort that others may share.
func member(t *testing.T, st *stack.Stack, family int32, addr netip.Addr) *socket.Socket {
	t.Helper()
	s := sockettest.NewSocket(t, st, family, wsa.SOCK_DGRAM)
	set(t, s, wsa.SOL_SOCKET, wsa.SO_REUSEADDR, 1)
	set(t, s, wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, uint32(sockettest.Patience.Milliseconds()))
	require.Zero(t, s.Bind(netip.AddrPortFrom(addr, mcastPort)))
	return s
}

// groupReq is the value of MCAST_JOIN_GROUP and MCAST_LEAVE_GROUP.
func groupReq(group netip.Addr) []byte {
	return wsa.GroupReq{Group: netip.AddrPortFrom(group, 0)}.Append(nil)
}

func sourceReq(group, source netip.Addr) []byte {
	return wsa.GroupSourceReq{Group: netip.AddrPortFrom(group, 0), Source: netip.AddrPortFrom(source, 0)}.Append(nil)
}

// sendText sends a datagram to the multicast port of an address.
func sendText(t *testing.T, s *socket.Socket, to netip.Addr, text string) {
	t.Helper()
	_, err := s.SendTo([]byte(text), 0, netip.AddrPortFrom(to, mcastPort))
	require.Zero(t, err)
}

// expect receives exactly these datagrams next.
func expect(t *testing.T, s *socket.Socket, texts ...string) {
	t.Helper()
	for _, want := range texts {
		buf := make([]byte, 100)
		n, err := s.Recv(buf, 0)
		require.Zero(t, err, "waiting for %q", want)
		require.Equal(t, want, string(buf[:n]))
	}
}

// drain reads what is queued, and returns how many datagrams it was.
func drain(s *socket.Socket) (n int) {
	s.SetNonblocking(true)
	defer s.SetNonblocking(false)
	for {
		if _, err := s.Recv(make([]byte, 100), 0); err != 0 {
			return n
		}
		n++
	}
}

// Datagrams to a group reach its members only. A unicast datagram behind them
// shows what was left out.
func TestMulticastMembers(t *testing.T) {
	for _, f := range mcastFamilies {
		t.Run(f.name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			from := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
			in := member(t, b, f.family, f.none)

			sendText(t, from, f.group, "before")
			sendText(t, from, f.receiver, "mark 1")
			expect(t, in, "mark 1")

			require.Zero(t, in.SetSockOpt(f.level, wsa.MCAST_JOIN_GROUP, groupReq(f.group)))
			sendText(t, from, f.group, "joined")
			expect(t, in, "joined")

			require.Zero(t, in.SetSockOpt(f.level, wsa.MCAST_BLOCK_SOURCE, sourceReq(f.group, f.sender)))
			sendText(t, from, f.group, "blocked")
			sendText(t, from, f.receiver, "mark 2")
			expect(t, in, "mark 2")
			require.Zero(t, in.SetSockOpt(f.level, wsa.MCAST_UNBLOCK_SOURCE, sourceReq(f.group, f.sender)))
			sendText(t, from, f.group, "unblocked")
			expect(t, in, "unblocked")

			require.Zero(t, in.SetSockOpt(f.level, wsa.MCAST_LEAVE_GROUP, groupReq(f.group)))
			sendText(t, from, f.group, "left")
			sendText(t, from, f.receiver, "mark 3")
			expect(t, in, "mark 3")

			require.Zero(t, in.SetSockOpt(f.level, wsa.MCAST_JOIN_SOURCE_GROUP, sourceReq(f.group, f.receiver)))
			sendText(t, from, f.group, "not the source")
			sendText(t, from, f.receiver, "mark 4")
			expect(t, in, "mark 4")
			require.Zero(t, in.SetSockOpt(f.level, wsa.MCAST_JOIN_SOURCE_GROUP, sourceReq(f.group, f.sender)))
			sendText(t, from, f.group, "the source")
			expect(t, in, "the source")
		})
	}
}

// RU-9: all members on a port receive a copy; the others on it don't.
func TestMulticastCopies(t *testing.T) {
	for _, f := range mcastFamilies {
		t.Run(f.name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			from := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
			first, second := member(t, b, f.family, f.none), member(t, b, f.family, f.none)
			stranger := member(t, b, f.family, f.none)
			for _, s := range []*socket.Socket{first, second} {
				require.Zero(t, s.SetSockOpt(f.level, wsa.MCAST_JOIN_GROUP, groupReq(f.group)))
			}
			sendText(t, from, f.group, "copy")
			expect(t, first, "copy")
			expect(t, second, "copy")
			b.Settle()
			assert.Zero(t, stranger.Ready()&socket.ReadyRead, "what isn't for a socket doesn't make it readable")
			sendText(t, from, f.group, "another")
			expect(t, first, "another")
			b.Settle()
			n, err := stranger.Readable()
			assert.Zero(t, err)
			assert.Zero(t, n)
			stranger.SetNonblocking(true)
			_, err = stranger.Recv(make([]byte, 10), 0)
			assert.Equal(t, wsa.WSAEWOULDBLOCK, err)
		})
	}
}

// A member on the sender's host receives a copy, unless it has turned
// IP_MULTICAST_LOOP off; what the sender has set makes no difference.
func TestMulticastLoop(t *testing.T) {
	for _, f := range mcastFamilies {
		t.Run(f.name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			from := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
			set(t, from, f.level, f.loop, 0)
			local, remote := member(t, a, f.family, f.none), member(t, b, f.family, f.none)
			for _, s := range []*socket.Socket{local, remote} {
				require.Zero(t, s.SetSockOpt(f.level, wsa.MCAST_JOIN_GROUP, groupReq(f.group)))
			}
			sendText(t, from, f.group, "one")
			expect(t, local, "one")
			expect(t, remote, "one")
			set(t, local, f.level, f.loop, 0)
			set(t, remote, f.level, f.loop, 0)
			sendText(t, from, f.group, "two")
			expect(t, remote, "two")
			sendText(t, from, f.sender, "mark")
			expect(t, local, "mark")
		})
	}
}

// Groups may be joined before bind, on an AF_INET6 socket IPv4 ones as well,
// and closing the socket leaves them.
func TestMulticastBeforeBindAndDualStack(t *testing.T) {
	a, b := sockettest.Pair(t)
	from := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
	s := sockettest.NewSocket(t, b, wsa.AF_INET6, wsa.SOCK_DGRAM)
	set(t, s, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0)
	group := mcastFamilies[0].group
	require.Zero(t, s.SetSockOpt(wsa.IPPROTO_IP, wsa.IP_ADD_MEMBERSHIP, wsa.IPMreq{Multiaddr: group.As4(), Interface: [4]byte{10, 0, 0, 2}}.Append(nil)))
	require.Zero(t, s.Bind(netip.AddrPortFrom(netip.IPv6Unspecified(), mcastPort)))
	sendText(t, from, group, "mapped")
	buf := make([]byte, 10)
	n, sender, err := s.RecvFrom(buf, 0)
	require.Zero(t, err)
	assert.Equal(t, "mapped", string(buf[:n]))
	assert.True(t, sender.Addr().Is4In6())
	in, _ := b.Netstack().IsInGroup(2, translate.Address(group))
	assert.True(t, in)
	require.Zero(t, s.Close())
	in, _ = b.Netstack().IsInGroup(2, translate.Address(group))
	assert.False(t, in)
}

func TestMulticastBadInterface(t *testing.T) {
	a, _ := sockettest.Pair(t)
	s := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
	for _, iface := range [][4]byte{{10, 0, 0, 99}, {0, 0, 0, 9}} {
		req := wsa.IPMreq{Multiaddr: mcastFamilies[0].group.As4(), Interface: iface}.Append(nil)
		assert.Equal(t, wsa.WSAEADDRNOTAVAIL, s.SetSockOpt(wsa.IPPROTO_IP, wsa.IP_ADD_MEMBERSHIP, req))
	}
}

// SO_REUSE_MULTICASTPORT: no unicast is received.
func TestReuseMulticastPort(t *testing.T) {
	a, b := sockettest.Pair(t)
	f := mcastFamilies[0]
	from := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
	s := sockettest.NewSocket(t, b, f.family, wsa.SOCK_DGRAM)
	set(t, s, wsa.SOL_SOCKET, wsa.SO_REUSE_MULTICASTPORT, 1)
	require.Zero(t, s.Bind(netip.AddrPortFrom(f.none, mcastPort)))
	require.Zero(t, s.SetSockOpt(f.level, wsa.MCAST_JOIN_GROUP, groupReq(f.group)))
	sendText(t, from, f.receiver, "unicast")
	sendText(t, from, f.group, "multicast")
	expect(t, s, "multicast")
}

// IP_IFLIST: once on, datagrams come from listed interfaces only; the list
// starts empty.
func TestInterfaceListFilters(t *testing.T) {
	for _, f := range mcastFamilies {
		t.Run(f.name, func(t *testing.T) {
			a, b := sockettest.Pair(t)
			from := sockettest.NewSocket(t, a, f.family, wsa.SOCK_DGRAM)
			s := member(t, b, f.family, f.none)
			set(t, s, f.level, wsa.IP_IFLIST, 1)
			sendText(t, from, f.receiver, "empty list")
			self := sockettest.NewSocket(t, b, f.family, wsa.SOCK_DGRAM)
			set(t, s, f.level, wsa.IP_ADD_IFLIST, 1)
			sendText(t, self, f.receiver, "over the loopback")
			expect(t, s, "over the loopback")
			b.Settle()
			require.Zero(t, drain(s))
			set(t, s, f.level, wsa.IP_ADD_IFLIST, 2)
			sendText(t, from, f.receiver, "over the device")
			expect(t, s, "over the device")
		})
	}
}

// BC-5: broadcast is received with SO_BROADCAST and IP_RECEIVE_BROADCAST only.
func TestBroadcastReceipt(t *testing.T) {
	a, b := sockettest.Pair(t)
	from := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
	set(t, from, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
	s := member(t, b, wsa.AF_INET, netip.IPv4Unspecified())
	f := mcastFamilies[0]
	for _, to := range []netip.Addr{netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("10.0.0.255")} {
		set(t, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
		sendText(t, from, to, "off")
		sendText(t, from, f.receiver, "mark 1")
		expect(t, s, "mark 1")
		set(t, s, wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1)
		sendText(t, from, to, "on")
		expect(t, s, "on")
		set(t, s, wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 0)
		sendText(t, from, to, "not received")
		sendText(t, from, f.receiver, "mark 2")
		expect(t, s, "mark 2")
		set(t, s, wsa.IPPROTO_IP, wsa.IP_RECEIVE_BROADCAST, 1)
	}
}

// IPV6_V6ONLY: FALSE takes IPv4 as mapped addresses; it can't change after bind.
func TestV6Only(t *testing.T) {
	a, b := sockettest.Pair(t)
	from := sockettest.NewSocket(t, a, wsa.AF_INET, wsa.SOCK_DGRAM)
	from6 := sockettest.NewSocket(t, a, wsa.AF_INET6, wsa.SOCK_DGRAM)
	v4, v6 := mcastFamilies[0].receiver, mcastFamilies[1].receiver

	only := member(t, b, wsa.AF_INET6, netip.IPv6Unspecified())
	sendText(t, from, v4, "IPv4")
	sendText(t, from6, v6, "IPv6")
	expect(t, only, "IPv6")
	assert.Equal(t, wsa.WSAEINVAL, only.SetSockOpt(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, u32(0)))
	buf := make([]byte, 4)
	_, err := only.GetSockOpt(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, buf)
	require.Zero(t, err)
	assert.Equal(t, u32(1), buf)
	require.Zero(t, only.Close())

	dual := sockettest.NewSocket(t, b, wsa.AF_INET6, wsa.SOCK_DGRAM)
	set(t, dual, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 0)
	require.Zero(t, dual.Bind(netip.AddrPortFrom(netip.IPv6Unspecified(), mcastPort)))
	sendText(t, from, v4, "IPv4")
	expect(t, dual, "IPv4")

	plain := sockettest.NewSocket(t, b, wsa.AF_INET, wsa.SOCK_DGRAM)
	set(t, plain, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 1) // C-79: accepted
	require.Zero(t, plain.Bind(netip.MustParseAddrPort("0.0.0.0:0")))
	assert.Equal(t, wsa.WSAEINVAL, plain.SetSockOpt(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, u32(1)))
	assert.Equal(t, wsa.WSAENOPROTOOPT, plain.SetSockOpt(wsa.IPPROTO_IPV6, wsa.IPV6_UNICAST_HOPS, u32(1)))
}
