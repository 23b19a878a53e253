package socket

import (
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// LoopMark is the mark of the datagrams that sockets send. netstack hands a
// copy of a multicast or broadcast datagram to the sender's own host, with the
// mark: this is how a hook tells it from a forged one, whose source is ours as
// well.
const LoopMark = 0x5753

// optionState is what a socket keeps for its options besides the Values. Its
// fields are guarded by Socket.mu but for the atomic ones.
type optionState struct {
	known      bool      // the connection has been given live, or the endpoint applied
	live       liveState // what the connection of a stream was given
	applied    ipState   // what the endpoint of a datagram socket was given
	recvBuffer int64     // the SO_RCVBUF, in bytes, that the endpoint was given
	groups     options.Memberships
	changes    uint   // how often groups has changed
	handle     uint64 // the socket's handle at the Winsock face; 0 without one
	from       uint64 // the handle of the listener that accepted the socket; 0 without one

	filter  atomic.Pointer[recvFilter] // which datagrams are received; nil: the socket isn't bound
	segment atomic.Uint32              // UDP_SEND_MSG_SIZE, in bytes; 0: messages aren't cut up
}

// ipState is what netstack knows of the options.
type ipState struct {
	ttl, hops                  uint8  // the time to live of IPv4, the hop limit of IPv6
	tos, class                 uint8  // the type of service of IPv4, the traffic class of IPv6
	multicastTTL               uint8  // the time to live of what is sent to groups
	multicastIf4, multicastIf6 uint32 // the indexes of the interfaces for groups; 0: by route
	discover                   tcpip.PMTUDStrategy
	noChecksum                 bool  // datagrams leave without the checksum of UDP
	checksum                   int32 // the offset of the checksum of a raw IPv6 socket; -1: none
}

// ipStateLocked is what netstack should know.
func (s *Socket) ipStateLocked() ipState {
	v4, v6 := &s.values.IPv4, &s.values.IPv6
	st := ipState{
		ttl: v4.TTL, hops: v6.TTL, tos: v4.TOS, class: v6.TOS,
		multicastTTL: v4.MulticastTTL,
		multicastIf4: v4.MulticastIf, multicastIf6: v6.MulticastIf,
		discover:   tcpip.PMTUDiscoveryDo,
		noChecksum: s.values.UDP.NoChecksum,
		checksum:   v6.Checksum,
	}
	// netstack has one value for both families of each of these.
	if s.family == wsa.AF_INET6 {
		st.multicastTTL = v6.MulticastTTL
	}
	if v4.DoesFragment() {
		st.discover = tcpip.PMTUDiscoveryDont
	}
	return st
}

// applyDatagramIPLocked gives the endpoint of a datagram socket the values of the IP and UDP options
// that netstack acts on.
func (s *Socket) applyDatagramIPLocked(st, old ipState, fresh bool) {
	for _, o := range [...]struct {
		option   tcpip.SockOptInt
		old, new int
	}{
		{tcpip.IPv4TTLOption, int(old.ttl), int(st.ttl)},
		{tcpip.IPv6HopLimitOption, int(old.hops), int(st.hops)},
		{tcpip.IPv4TOSOption, int(old.tos), int(st.tos)},
		{tcpip.IPv6TrafficClassOption, int(old.class), int(st.class)},
		{tcpip.MTUDiscoverOption, int(old.discover), int(st.discover)},
	} {
		if fresh || o.old != o.new {
			mustApply(s.ep.SetSockOptInt(o.option, o.new))
		}
	}
	s.applyDatagramLocked(st, old, fresh)
}

func (s *Socket) applyDatagramLocked(st, old ipState, fresh bool) {
	ops := s.ep.SocketOptions()
	if fresh {
		receiveAll(ops)
		ops.SetMulticastLoop(true)
		ops.SetMark(LoopMark)
	}
	ops.SetNoChecksum(st.noChecksum)
	if fresh || st.multicastTTL != old.multicastTTL {
		mustApply(s.ep.SetSockOptInt(tcpip.MulticastTTLOption, int(st.multicastTTL)))
	}
	if !fresh && st.multicastIf4 == old.multicastIf4 && st.multicastIf6 == old.multicastIf6 {
		return
	}
	// An interface that is gone leaves the choice to the route table.
	_ = s.ep.SetSockOpt(&tcpip.MulticastInterfaceOption{NIC: tcpip.NICID(st.multicastIf4)})
	if s.family == wsa.AF_INET6 {
		_ = s.ep.SetSockOptInt(tcpip.IPv6MulticastInterfaceOption, int(st.multicastIf6))
	}
}

// receiveAll asks netstack for everything it can tell of a datagram: the layer
// looks where each was sent to, and decides on its own who receives what this
// host sends.
func receiveAll(ops *tcpip.SocketOptions) {
	ops.SetReceivePacketInfo(true)
	ops.SetIPv6ReceivePacketInfo(true)
	ops.SetReceiveTTL(true)
	ops.SetReceiveTOS(true)
	ops.SetReceiveHopLimit(true)
	ops.SetReceiveTClass(true)
}

// applyRawLocked: netstack's endpoint of a raw socket only receives.
func (s *Socket) applyRawLocked(st, _ ipState, fresh bool) {
	if fresh {
		receiveAll(s.ep.SocketOptions())
	}
	if s.family == wsa.AF_INET6 && s.protocol != wsa.IPPROTO_ICMPV6 { // which has one anyway
		mustApply(s.ep.SetSockOptInt(tcpip.IPv6Checksum, int(st.checksum)))
	}
}

// mustApply is for values that the option table has checked.
func mustApply(err tcpip.Error) {
	if err != nil {
		panic("endpoint: netstack refuses an option: " + err.String())
	}
}

// ipValuesLocked are the options that govern traffic with a.
func (s *Socket) ipValuesLocked(a netip.Addr) *options.IPValues {
	if a.Unmap().Is4() {
		return &s.values.IPv4
	}
	return &s.values.IPv6
}

// chosenNICLocked is the interface that IP_UNICAST_IF or IP_MULTICAST_IF names
// for a destination, or that of its zone, or 0.
func (s *Socket) chosenNICLocked(to netip.Addr) tcpip.NICID {
	if zone := translate.Zone(to); zone != 0 {
		return zone
	}
	v := s.ipValuesLocked(to)
	if to.Unmap().IsMulticast() {
		return tcpip.NICID(v.MulticastIf)
	}
	return tcpip.NICID(v.UnicastIf)
}

// sourceLocked chooses the local address for traffic with a, and the interface it
// leaves by: IP_UNICAST_IF and IP_MULTICAST_IF outrank the route table.
func (s *Socket) sourceLocked(a netip.Addr) (netip.Addr, tcpip.NICID, wsa.Errno) {
	bound := s.boundAddr()
	chosen := s.chosenNICLocked(a)
	if chosen == 0 || translate.Zone(a) != 0 {
		return s.host.Source(bound, a)
	}
	if bound.IsValid() {
		return bound.Unmap(), chosen, 0
	}
	nic, err := s.host.Netstack().GetNICByID(chosen)
	if err != nil {
		return netip.Addr{}, 0, wsa.WSAENETUNREACH
	}
	primary, err := nic.PrimaryAddress(translate.Protocol(a))
	source := translate.Addr(primary.Address)
	if err != nil || !source.IsValid() {
		return netip.Addr{}, 0, wsa.WSAENETUNREACH
	}
	return source, chosen, 0
}

func (v *optionView) HasInterface(index uint32) bool {
	return v.host.Netstack().HasNIC(tcpip.NICID(index))
}

// InterfaceOf passes over the loopback, which has all addresses, where another
// interface has this one.
func (v *optionView) InterfaceOf(local netip.Addr) (index uint32, ok bool) {
	want := translate.Address(local)
	for id, info := range v.host.Netstack().NICInfo() {
		for _, a := range info.ProtocolAddresses {
			if a.AddressWithPrefix.Address == want && uint32(id) > index {
				index, ok = uint32(id), true
			}
		}
	}
	return index, ok
}
