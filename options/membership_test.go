package options

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

var other4 = netip.MustParseAddr("10.0.0.3")

func request(op MembershipOp, source netip.Addr) MembershipRequest {
	return MembershipRequest{Op: op, Group: group4, Source: source}
}

// The rows of the table of W-MC, with the calls that lead to the earlier one.
func TestMemberships_Conflicts(t *testing.T) {
	join, leave := request(JoinGroup, netip.Addr{}), request(LeaveGroup, netip.Addr{})
	joinSource, leaveSource := request(JoinSource, peer4), request(LeaveSource, peer4)
	block, unblock := request(Block, peer4), request(Unblock, peer4)
	for _, tc := range []struct {
		name    string
		earlier []MembershipRequest
		later   MembershipRequest
		want    wsa.Errno
	}{
		{"add, add", []MembershipRequest{join}, join, wsa.WSAEADDRNOTAVAIL},
		{"add, add source", []MembershipRequest{join}, joinSource, wsa.WSAEADDRNOTAVAIL},
		{"add, drop source", []MembershipRequest{join}, leaveSource, wsa.WSAEINVAL},
		{"add, unblock", []MembershipRequest{join}, unblock, wsa.WSAEINVAL},
		{"drop, drop", []MembershipRequest{join, leave}, leave, wsa.WSAEINVAL},
		{"drop, drop source", []MembershipRequest{join, leave}, leaveSource, wsa.WSAEINVAL},
		{"drop, block", []MembershipRequest{join, leave}, block, wsa.WSAEINVAL},
		{"drop, unblock", []MembershipRequest{join, leave}, unblock, wsa.WSAEINVAL},
		{"add source, add", []MembershipRequest{joinSource}, join, wsa.WSAEADDRNOTAVAIL},
		{"add source, add source", []MembershipRequest{joinSource}, joinSource, wsa.WSAEADDRNOTAVAIL},
		{"add source, unblock", []MembershipRequest{joinSource}, unblock, wsa.WSAEINVAL},
		{"drop source, unblock", []MembershipRequest{joinSource, leaveSource}, unblock, wsa.WSAEINVAL},
		{"drop source, drop source", []MembershipRequest{joinSource, leaveSource}, leaveSource, wsa.WSAEADDRNOTAVAIL},
		{"block, block", []MembershipRequest{join, block}, block, wsa.WSAEADDRNOTAVAIL},
		{"block, add source", []MembershipRequest{join, block}, joinSource, wsa.WSAEINVAL},
		{"block, add", []MembershipRequest{join, block}, join, wsa.WSAEINVAL},
		{"unblock, unblock", []MembershipRequest{join, block, unblock}, unblock, wsa.WSAEADDRNOTAVAIL},

		// Not conflicts.
		{"never joined, drop", nil, leave, wsa.WSAEADDRNOTAVAIL},
		{"never joined, drop source", nil, leaveSource, wsa.WSAEADDRNOTAVAIL},
		{"never joined, block", nil, block, wsa.WSAEINVAL},
		{"add source, block", []MembershipRequest{joinSource}, block, wsa.WSAEINVAL},
		{"add source, another source", []MembershipRequest{joinSource}, request(JoinSource, other4), 0},
		{"add source, drop another", []MembershipRequest{joinSource}, request(LeaveSource, other4), wsa.WSAEADDRNOTAVAIL},
		{"add source, drop", []MembershipRequest{joinSource}, leave, 0},
		{"one of two sources dropped twice", []MembershipRequest{joinSource, request(JoinSource, other4), leaveSource}, leaveSource, wsa.WSAEADDRNOTAVAIL},
		{"block, another", []MembershipRequest{join, block}, request(Block, other4), 0},
		{"unblock, block", []MembershipRequest{join, block, unblock}, block, 0},
		{"drop, add", []MembershipRequest{join, leave}, join, 0},
		{"drop, add source", []MembershipRequest{join, leave}, joinSource, 0},
		{"drop source, add", []MembershipRequest{joinSource, leaveSource}, join, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var m Memberships
			for _, r := range tc.earlier {
				_, _, err := m.Apply(r, 2)
				require.Zero(t, err)
			}
			before := m.Clone()
			_, _, err := m.Check(tc.later, 2)
			assert.Equal(t, tc.want, err)
			assert.Equal(t, before, m, "Check changes nothing")
			_, _, err = m.Apply(tc.later, 2)
			assert.Equal(t, tc.want, err)
			if err != 0 {
				assert.Equal(t, before, m, "a failed request changes nothing")
			}
		})
	}
}

// The same group on another interface is independent, and so is another group.
func TestMemberships_OtherInterface(t *testing.T) {
	var m Memberships
	for _, r := range []struct {
		group netip.Addr
		index uint32
	}{{group4, 2}, {group4, 3}, {netip.MustParseAddr("239.9.9.9"), 2}} {
		joined, _, err := m.Apply(MembershipRequest{Op: JoinGroup, Group: r.group}, r.index)
		require.Zero(t, err)
		assert.True(t, joined)
	}
	_, dropped, err := m.Apply(request(LeaveGroup, netip.Addr{}), 2)
	require.Zero(t, err)
	assert.True(t, dropped)
	assert.False(t, m.Admits(2, group4, peer4))
	assert.True(t, m.Admits(3, group4, peer4))
	n := 0
	m.Joined(func(uint32, netip.Addr) { n++ })
	assert.Equal(t, 2, n)
}

// Only the first and the last step of a membership concern the network.
func TestMemberships_Transitions(t *testing.T) {
	var m Memberships
	for _, step := range []struct {
		r               MembershipRequest
		joined, dropped bool
		admits          []netip.Addr
	}{
		{request(JoinSource, peer4), true, false, []netip.Addr{peer4}},
		{request(JoinSource, other4), false, false, []netip.Addr{peer4, other4}},
		{request(LeaveSource, peer4), false, false, []netip.Addr{other4}},
		{request(LeaveSource, other4), false, true, nil},
		{request(JoinGroup, netip.Addr{}), true, false, []netip.Addr{peer4, other4}},
		{request(Block, peer4), false, false, []netip.Addr{other4}},
		{request(Unblock, peer4), false, false, []netip.Addr{peer4, other4}},
		{request(Block, other4), false, false, []netip.Addr{peer4}},
		{request(LeaveGroup, netip.Addr{}), false, true, nil},
	} {
		joined, dropped, err := m.Apply(step.r, 2)
		require.Zero(t, err)
		assert.Equal(t, step.joined, joined)
		assert.Equal(t, step.dropped, dropped)
		for _, a := range []netip.Addr{peer4, other4} {
			want := false
			for _, b := range step.admits {
				want = want || a == b
			}
			assert.Equal(t, want, m.Admits(2, group4, a), "%+v: %v", step.r, a)
		}
	}
}

// What is remembered of groups that were left is bounded.
func TestMemberships_Forgets(t *testing.T) {
	var m Memberships
	for i := range 100 {
		g := netip.AddrFrom4([4]byte{239, 0, 0, byte(i)})
		_, _, err := m.Apply(MembershipRequest{Op: JoinGroup, Group: g}, 2)
		require.Zero(t, err)
		_, _, err = m.Apply(MembershipRequest{Op: LeaveGroup, Group: g}, 2)
		require.Zero(t, err)
	}
	assert.Len(t, m.list, maxLeft)
	_, _, err := m.Apply(MembershipRequest{Op: JoinGroup, Group: group4}, 2)
	require.Zero(t, err)
	for i := range 100 {
		source := netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})
		_, _, err := m.Apply(request(Block, source), 2)
		require.Zero(t, err)
		_, _, err = m.Apply(request(Unblock, source), 2)
		require.Zero(t, err)
	}
	assert.LessOrEqual(t, len(m.list[len(m.list)-1].unblocked), maxLeft)
}

// The structures reach the socket, and bad ones don't.
func TestMembershipOptions(t *testing.T) {
	ep := newFake(Datagram)
	ep.family, ep.keepGroups = wsa.AF_INET6, true
	v := ep.values()
	at2 := wsa.IPMreq{Multiaddr: group4.As4(), Interface: [4]byte{0, 0, 0, 2}}.Append(nil)
	require.Zero(t, Set(v, ep, ip, wsa.IP_ADD_MEMBERSHIP, at2))
	assert.True(t, ep.groups.Admits(2, group4, peer4))
	in6 := wsa.GroupSourceReq{Interface: 1, Group: netip.AddrPortFrom(group6, 9), Source: netip.AddrPortFrom(peer6, 9)}.Append(nil)
	require.Zero(t, Set(v, ep, ipv6, wsa.MCAST_JOIN_SOURCE_GROUP, in6))
	assert.True(t, ep.groups.Admits(1, group6, peer6))
	assert.False(t, ep.groups.Admits(1, group6, netip.MustParseAddr("fd00::3")))

	for _, bad := range []struct {
		name   string
		level  int32
		opt    int32
		optval []byte
	}{
		{"not multicast", ip, wsa.IP_ADD_MEMBERSHIP, wsa.IPMreq{Multiaddr: peer4.As4()}.Append(nil)},
		{"not multicast, IPv6", ipv6, wsa.IPV6_ADD_MEMBERSHIP, wsa.IPv6Mreq{Multiaddr: peer6.As16()}.Append(nil)},
		{"IPv6 group at IPPROTO_IP", ip, wsa.MCAST_JOIN_GROUP, groupOf(group6)},
		{"IPv4 group at IPPROTO_IPV6", ipv6, wsa.MCAST_JOIN_GROUP, groupOf(group4)},
		{"mapped group", ipv6, wsa.IPV6_ADD_MEMBERSHIP, wsa.IPv6Mreq{Multiaddr: netip.AddrFrom16(group4.As16()).As16()}.Append(nil)},
		{"families mixed", ip, wsa.MCAST_JOIN_SOURCE_GROUP, groupSourceOf(group4, peer6)},
		{"source is a group", ip, wsa.MCAST_BLOCK_SOURCE, groupSourceOf(group4, group4)},
		{"no family", ip, wsa.MCAST_JOIN_GROUP, make([]byte, 136)},
	} {
		before := ep.groups.Clone()
		assert.Equal(t, wsa.WSAEINVAL, Set(v, ep, bad.level, bad.opt, bad.optval), bad.name)
		assert.Equal(t, before, ep.groups, bad.name)
	}
	assert.Equal(t, wsa.WSAEADDRNOTAVAIL, Set(v, ep, ip, wsa.IP_ADD_MEMBERSHIP, at2))
}
