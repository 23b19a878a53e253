package socket

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A recvFilter says which datagrams a socket receives: netstack hands every
// multicast and broadcast datagram to every socket on the port. It is applied
// when a datagram is read, so a change concerns those that wait as well. It is
// never modified; a set makes a new one.
type recvFilter struct {
	host   Host
	groups options.Memberships
	recvRules
}

// recvRules are the part of a filter that == compares.
type recvRules struct {
	membership    uint                     // counts the changes of groups
	interfaces    [2]options.InterfaceList // IPv4, IPv6
	loop          [2]bool                  // what this host sends to a group
	broadcast     bool
	multicastOnly bool // SO_REUSE_MULTICASTPORT
	report        [2]options.Report
	coalesce      uint32   // UDP_RECV_MAX_COALESCED_SIZE
	protection    [2]int32 // IP_PROTECTION_LEVEL, IPV6_PROTECTION_LEVEL

	// peer is the one of a connected socket, which receives nothing of others,
	// also if it was queued before connect; port 0 stands for any, as raw sockets
	// have none (pages of connect and WSARecv). Not valid: no peer.
	peer netip.AddrPort
}

// setFilterLocked makes the filter follow the options.
func (s *Socket) setFilterLocked() {
	v := &s.values
	s.opt.segment.Store(v.UDP.SendSize)
	rules := recvRules{
		membership:    s.opt.changes,
		interfaces:    [2]options.InterfaceList{v.IPv4.Interfaces, v.IPv6.Interfaces},
		loop:          [2]bool{v.IPv4.MulticastLoop, v.IPv6.MulticastLoop},
		broadcast:     v.TakesBroadcast(s.host.Profile()),
		multicastOnly: v.ReuseMulticastPort == 1,
		report:        [2]options.Report{v.IPv4.Report, v.IPv6.Report},
		coalesce:      v.UDP.CoalesceMax,
		protection:    [2]int32{v.IPv4.ProtectionLevel, v.IPv6.ProtectionLevel},
		peer:          s.peerOf(s.remote),
	}
	if f := s.opt.filter.Load(); f == nil || f.recvRules != rules {
		s.opt.filter.Store(&recvFilter{s.host, s.opt.groups.Clone(), rules})
	}
}

// admits reports whether the socket receives a datagram.
func (f *recvFilter) admits(res *tcpip.ReadResult) bool {
	if !isFrom(f.peer, res.RemoteAddr) {
		return false
	}
	nic, destination, ipv6 := arrival(res)
	if !destination.IsValid() {
		return true
	}
	if !f.interfaces[ipv6].Admits(uint32(nic)) || !options.AdmitsPeer(f.protection[ipv6], translate.Addr(res.RemoteAddr.Addr), destination) {
		return false
	}
	switch {
	case destination.IsMulticast():
		source := translate.AddrPort(res.RemoteAddr).Addr()
		return f.groups.Admits(uint32(nic), destination, source) && (f.loop[ipv6] || !f.host.IsLocal(source))
	case f.multicastOnly:
		return false
	case ipv6 == 0 && !f.broadcast:
		return !f.host.IsBroadcast(destination)
	}
	return true
}

// arrival is where a datagram arrived and what it was sent to, and 1 for IPv6.
func arrival(res *tcpip.ReadResult) (nic tcpip.NICID, to netip.Addr, ipv6 int) {
	switch cm := &res.ControlMessages; {
	case cm.HasIPPacketInfo:
		nic, to = cm.PacketInfo.NIC, netip.AddrFrom4(cm.PacketInfo.DestinationAddr.As4())
	case cm.HasIPv6PacketInfo:
		nic, to, ipv6 = cm.IPv6PacketInfo.NIC, netip.AddrFrom16(cm.IPv6PacketInfo.Addr.As16()), 1
	}
	return nic, to, ipv6
}

// refuseRmuLocked reports that a datagram which was read isn't for this socket. One that
// was only looked at is taken off the queue. The caller holds rmu.
func (s *Socket) refuseRmuLocked(ep tcpip.Endpoint, res *tcpip.ReadResult, err tcpip.Error, peek bool) bool {
	switch err.(type) {
	case nil, *tcpip.ErrBadBuffer:
	case *tcpip.ErrConnectionRefused:
		return true // netstack's view of an ICMP error: recv has ours
	default:
		return false
	}
	f := s.opt.filter.Load()
	if f == nil || f.admits(res) {
		return false
	}
	if peek {
		s.dst = nil
		_, _ = s.readQueuedRmuLocked(ep, tcpip.ReadOptions{})
	}
	return true
}

// catchUp makes what netstack has queued what recv would see.
func (s *Socket) catchUp() {
	s.behaviour.catchUp(s)
}

// dropRefused takes the datagrams that aren't for this socket off the front of
// the queue, so that it isn't readable because of them.
func (s *Socket) dropRefused() {
	if s.opt.filter.Load() == nil {
		return
	}
	s.rmu.Lock()
	defer s.rmu.Unlock()
	ep := s.endpoint()
	if ep == nil {
		return
	}
	s.gatherRmuLocked(ep)
	for s.kept.count.Load() > 0 || ep.Readiness(waiter.ReadableEvents)&waiter.ReadableEvents != 0 {
		s.dst = nil
		res, err := s.readQueuedRmuLocked(ep, tcpip.ReadOptions{Peek: true, NeedRemoteAddr: true})
		if !s.refuseRmuLocked(ep, &res, err, true) {
			return
		}
	}
}

// queued reports that a read without a buffer has found a datagram.
func queued(err tcpip.Error) bool {
	if err == nil {
		return true
	}
	_, ok := err.(*tcpip.ErrBadBuffer)
	return ok
}

// writeDatagrams sends a message, cut up by UDP_SEND_MSG_SIZE. To port 0, where a profile permits
// that, there is nobody to send it to (WC-31).
func (s *Socket) writeDatagrams(ep tcpip.Endpoint, b []byte, to netip.AddrPort, ctl *sendControl) (int, wsa.Errno) {
	if to.IsValid() && s.portZero(to) {
		return len(b), 0
	}
	segment := int(s.opt.segment.Load())
	if segment == 0 || len(b) <= segment {
		return s.writeDatagram(ep, b, to, ctl)
	}
	sent := 0
	for sent < len(b) {
		n, err := s.writeDatagram(ep, b[sent:min(sent+segment, len(b))], to, ctl)
		sent += n
		if err != 0 {
			return sent, err
		}
	}
	return sent, 0
}
