package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// overheadLocked is the headers that the stack puts in front of a message.
func (s *Socket) overheadLocked(to netip.Addr) int {
	n := header.IPv6MinimumSize
	if to.Unmap().Is4() {
		n = header.IPv4MinimumSize
	}
	if s.behaviour.hasPorts() {
		n += header.UDPMinimumSize
	}
	return n + extrasOf(s.ipValuesLocked(to)).Size()
}

// extrasOf is what the options of a level add to the headers of packets (IO-1, IO-5); nil: nothing.
func extrasOf(v *options.IPValues) *inet.Extras {
	if v.Options == "" && v.RoutingHeader == "" && v.DestOptions == "" {
		return nil
	}
	return &inet.Extras{Options: v.Options, Routing: v.RoutingHeader, Destination: v.DestOptions}
}

// checkFragmentLocked fails a message that is too long for a packet and may not
// be fragmented: netstack fragments all the same. What counts is the path MTU,
// with IP_PMTUDISC_PROBE that of the interface.
func (s *Socket) checkFragmentLocked(size int, to netip.AddrPort) wsa.Errno {
	v := s.ipValuesLocked(to.Addr())
	if v.DoesFragment() || s.headerIncludedLocked() {
		return 0
	}
	if segment := int(s.values.UDP.SendSize); segment != 0 {
		size = min(size, segment)
	}
	mtu, ok := s.mtuLocked(to.Addr())
	if v.MTUDiscover != options.MTUDiscoverProbe {
		mtu = s.pathMTULocked(to.Addr(), mtu)
	}
	if ok && uint64(size+s.overheadLocked(to.Addr())) > uint64(min(mtu, v.UserMTU)) {
		return wsa.WSAEMSGSIZE
	}
	return 0
}

// mtuLocked is the MTU of the interface that packets for an address leave by.
func (s *Socket) mtuLocked(to netip.Addr) (uint32, bool) {
	id := s.chosenNICLocked(to)
	if id == 0 {
		var err wsa.Errno
		if _, id, err = s.host.Source(s.boundAddr(), to.Unmap()); err != 0 {
			return 0, false
		}
	}
	nic, err := s.host.Netstack().GetNICByID(id)
	if err != nil {
		return 0, false
	}
	return nic.MTU(), true
}

// pathMTULocked is mtu, or less where a router has said so.
func (s *Socket) pathMTULocked(to netip.Addr, mtu uint32) uint32 {
	if path := s.host.PathMTU(to); path != 0 {
		return min(mtu, path)
	}
	return mtu
}

// PathMTU is IP_MTU.
func (v *optionView) PathMTU() (int, bool) {
	if v.state != options.Connected {
		return 0, false
	}
	s, to := (*Socket)(v), v.remote.Addr()
	mtu, ok := s.mtuLocked(to)
	return int(s.pathMTULocked(to, mtu)), ok
}

// fragmentMTULocked is the size of the packets that a message must be cut into
// by us, or 0 when netstack sends it: it knows no MTU but that of the interface.
// IP_USER_MTU is one reason, a path whose routers don't fragment, as those of
// IPv6, another.
func (s *Socket) fragmentMTULocked(size int, to netip.Addr) uint32 {
	v := s.ipValuesLocked(to)
	mtu, least := v.UserMTU, uint32(inet.MinMTU4)
	if to.Unmap().Is6() {
		least = inet.MinMTU6
		if v.MTUDiscover != options.MTUDiscoverDont && v.MTUDiscover != options.MTUDiscoverProbe {
			mtu = s.pathMTULocked(to, mtu)
		}
	}
	mtu = max(mtu, least)
	if uint64(size+s.overheadLocked(to)) <= uint64(mtu) {
		return 0
	}
	if nic, ok := s.mtuLocked(to); ok && nic <= mtu {
		return 0
	}
	return mtu
}

// ownRouteLocked is the local address and the interface of a packet that is sent
// past netstack's endpoint.
func (s *Socket) ownRouteLocked(to netip.Addr) (netip.Addr, tcpip.NICID, wsa.Errno) {
	source, nic, err := s.sourceLocked(to.Unmap())
	if err == 0 && s.state == options.Connected && !s.local.Addr().IsUnspecified() {
		source = s.local.Addr().Unmap()
	}
	return source, nic, err
}
