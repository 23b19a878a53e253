package options

import (
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// mcastRows are the options that join and leave multicast groups: those of
// IPPROTO_IP, those of IPPROTO_IPV6, and the ones for either (RFC 3678).
func mcastRows() []compiler {
	join4, leave4 := ipMreq(JoinGroup), ipMreq(LeaveGroup)
	join6, leave6 := ipv6Mreq(JoinGroup), ipv6Mreq(LeaveGroup)
	rows := []compiler{
		ip4.groupRow(wsa.IP_ADD_MEMBERSHIP, "IP_ADD_MEMBERSHIP", "Joins a group, for any source.", join4),
		ip4.groupRow(wsa.IP_DROP_MEMBERSHIP, "IP_DROP_MEMBERSHIP", "Leaves a group.", leave4),
		ip4.groupRow(wsa.IP_ADD_SOURCE_MEMBERSHIP, "IP_ADD_SOURCE_MEMBERSHIP", "Joins a group for one source.", ipMreqSource(JoinSource)),
		ip4.groupRow(wsa.IP_DROP_SOURCE_MEMBERSHIP, "IP_DROP_SOURCE_MEMBERSHIP", "Leaves a group for one source.", ipMreqSource(LeaveSource)),
		ip4.groupRow(wsa.IP_BLOCK_SOURCE, "IP_BLOCK_SOURCE", "Drops what a source sends to a group.", ipMreqSource(Block)),
		ip4.groupRow(wsa.IP_UNBLOCK_SOURCE, "IP_UNBLOCK_SOURCE", "Undoes IP_BLOCK_SOURCE.", ipMreqSource(Unblock)),
		ip6.groupRow(wsa.IPV6_ADD_MEMBERSHIP, "IPV6_ADD_MEMBERSHIP", "Joins a group, for any source. Also called IPV6_JOIN_GROUP.", join6),
		ip6.groupRow(wsa.IPV6_DROP_MEMBERSHIP, "IPV6_DROP_MEMBERSHIP", "Leaves a group. Also called IPV6_LEAVE_GROUP.", leave6),
	}
	for _, l := range []ipLevel{ip4, ip6} {
		for _, r := range []struct {
			name   int32
			symbol string
			op     MembershipOp
			text   string
		}{
			{wsa.MCAST_JOIN_GROUP, "MCAST_JOIN_GROUP", JoinGroup, "Joins a group on an interface, for any source."},
			{wsa.MCAST_LEAVE_GROUP, "MCAST_LEAVE_GROUP", LeaveGroup, "Leaves a group."},
			{wsa.MCAST_BLOCK_SOURCE, "MCAST_BLOCK_SOURCE", Block, "Drops what a source sends to a group."},
			{wsa.MCAST_UNBLOCK_SOURCE, "MCAST_UNBLOCK_SOURCE", Unblock, "Undoes MCAST_BLOCK_SOURCE."},
			{wsa.MCAST_JOIN_SOURCE_GROUP, "MCAST_JOIN_SOURCE_GROUP", JoinSource, "Joins a group for one source."},
			{wsa.MCAST_LEAVE_SOURCE_GROUP, "MCAST_LEAVE_SOURCE_GROUP", LeaveSource, "Leaves a group for one source."},
		} {
			c := groupSourceReq(r.op)
			if r.op == JoinGroup || r.op == LeaveGroup {
				c = groupReq(r.op)
			}
			row := l.groupRow(r.name, r.symbol, r.text, c).onlyInHeaders()
			rows = append(rows, row)
		}
	}
	return rows
}

// groupRow is one request about a group. The socket keeps the groups.
func (l ipLevel) groupRow(name int32, symbol, text string, c codec[MembershipRequest]) row[MembershipRequest] {
	r := row[MembershipRequest]{
		level: l.level, name: name, symbol: symbol, tier: 'B',
		doc: l.doc + " W-MC", text: text,
		access: setAccess, codec: c, lengths: classD, families: l.families,
		apply: func(ep Endpoint, _ *Values, r MembershipRequest) wsa.Errno {
			if err := r.check(l.level == wsa.IPPROTO_IP); err != 0 {
				return err
			}
			return ep.SetMembership(r)
		},
	}
	return r.only(messageKinds)
}

// check refuses what is no group, or not of the family of the level.
func (r MembershipRequest) check(is4 bool) wsa.Errno {
	ofSource := r.Op != JoinGroup && r.Op != LeaveGroup
	switch {
	case r.Group.Is4() != is4, r.Group.Is4In6(), !r.Group.IsMulticast():
		return wsa.WSAEINVAL
	case ofSource && (r.Source.Is4() != is4 || r.Source.Is4In6() || r.Source.IsMulticast() || r.Source.IsUnspecified()):
		return wsa.WSAEINVAL
	}
	return 0
}

func ipMreq(op MembershipOp) codec[MembershipRequest] {
	return codec[MembershipRequest]{
		typ: "struct ip_mreq", size: wsa.SizeofIPMreq,
		decode: func(b []byte) (MembershipRequest, wsa.Errno) {
			m, err := wsa.ParseIPMreq(b)
			return MembershipRequest{Op: op, Group: netip.AddrFrom4(m.Multiaddr)}.onInterface(m.Interface), err
		},
	}
}

func ipMreqSource(op MembershipOp) codec[MembershipRequest] {
	return codec[MembershipRequest]{
		typ: "struct ip_mreq_source", size: wsa.SizeofIPMreqSource,
		decode: func(b []byte) (MembershipRequest, wsa.Errno) {
			m, err := wsa.ParseIPMreqSource(b)
			r := MembershipRequest{Op: op, Group: netip.AddrFrom4(m.Multiaddr), Source: netip.AddrFrom4(m.Sourceaddr)}
			return r.onInterface(m.Interface), err
		},
	}
}

// onInterface adds the interface of an ip_mreq: an address, or 0.x.y.z for an index.
func (r MembershipRequest) onInterface(iface [4]byte) MembershipRequest {
	if iface[0] == 0 {
		r.Interface = uint32(iface[1])<<16 | uint32(iface[2])<<8 | uint32(iface[3])
	} else {
		r.Address = netip.AddrFrom4(iface)
	}
	return r
}

func ipv6Mreq(op MembershipOp) codec[MembershipRequest] {
	return codec[MembershipRequest]{
		typ: "struct ipv6_mreq", size: wsa.SizeofIPv6Mreq,
		decode: func(b []byte) (MembershipRequest, wsa.Errno) {
			m, err := wsa.ParseIPv6Mreq(b)
			return MembershipRequest{Op: op, Group: netip.AddrFrom16(m.Multiaddr), Interface: m.Interface}, err
		},
	}
}

func groupReq(op MembershipOp) codec[MembershipRequest] {
	return codec[MembershipRequest]{
		typ: "struct group_req", size: wsa.SizeofGroupReq,
		decode: func(b []byte) (MembershipRequest, wsa.Errno) {
			m, err := wsa.ParseGroupReq(b)
			return MembershipRequest{Op: op, Group: m.Group.Addr().WithZone(""), Interface: m.Interface}, err
		},
	}
}

func groupSourceReq(op MembershipOp) codec[MembershipRequest] {
	return codec[MembershipRequest]{
		typ: "struct group_source_req", size: wsa.SizeofGroupSourceReq,
		decode: func(b []byte) (MembershipRequest, wsa.Errno) {
			m, err := wsa.ParseGroupSourceReq(b)
			return MembershipRequest{
				Op: op, Group: m.Group.Addr().WithZone(""), Source: m.Source.Addr().WithZone(""), Interface: m.Interface,
			}, err
		},
	}
}
