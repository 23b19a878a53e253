package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// SetMembership joins or leaves a group. The groups belong to the socket, not
// to its netstack endpoint: a socket may join before it is bound, and an
// AF_INET6 socket IPv4 groups. netstack counts the members of an interface.
func (v *optionView) SetMembership(r options.MembershipRequest) wsa.Errno {
	index, err := v.groupInterface(r)
	if err != 0 {
		return err
	}
	joined, dropped, err := v.opt.groups.Check(r, index)
	if err != 0 {
		return err
	}
	ns, nic, proto, group := v.host.Netstack(), tcpip.NICID(index), translate.Protocol(r.Group), translate.Address(r.Group)
	switch {
	case joined:
		if err := ns.JoinGroup(proto, nic, group); err != nil {
			return translate.Errno(err)
		}
	case dropped:
		// An interface that is gone took the membership with it.
		_ = ns.LeaveGroup(proto, nic, group)
	}
	v.opt.groups.Apply(r, index)
	v.opt.changes++
	return 0
}

// groupInterface is the interface of a request.
func (v *optionView) groupInterface(r options.MembershipRequest) (uint32, wsa.Errno) {
	switch {
	case r.Address.IsValid():
		if index, ok := v.InterfaceOf(r.Address); ok {
			return index, 0
		}
	case r.Interface != 0:
		if v.HasInterface(r.Interface) {
			return r.Interface, 0
		}
	default:
		return v.defaultInterface(r.Group)
	}
	return 0, wsa.WSAEADDRNOTAVAIL
}

// defaultInterface is the one that multicast leaves by: as the route table
// says, else the first device, else the loopback.
func (v *optionView) defaultInterface(group netip.Addr) (uint32, wsa.Errno) {
	if _, nic, err := v.host.Source(netip.Addr{}, group); err == 0 {
		return uint32(nic), 0
	}
	const loopback, device = 1, 2
	if v.HasInterface(device) {
		return device, 0
	}
	return loopback, 0
}

// leaveGroupsLocked leaves every group, when the socket is closed.
func (s *Socket) leaveGroupsLocked() {
	s.opt.groups.Joined(func(index uint32, group netip.Addr) {
		_ = s.host.Netstack().LeaveGroup(translate.Protocol(group), tcpip.NICID(index), translate.Address(group))
	})
	s.opt.groups = options.Memberships{}
}
