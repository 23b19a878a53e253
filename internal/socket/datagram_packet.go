package socket

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/wsa"
)

// An OwnPacket is a message that a socket sends past netstack's endpoint, which
// sends no raw packet that is longer than the MTU and knows no MTU but the
// interface's.
type OwnPacket struct {
	NIC            tcpip.NICID
	Local, Remote  netip.Addr
	Protocol       tcpip.TransportProtocolNumber
	TTL, TOS       uint8
	DF             bool
	HeaderIncluded bool         // Payload begins with the IP header
	FragmentMTU    uint32       // bytes of the packets it is cut into; 0: as many as the interface takes
	Extras         *inet.Extras // what is added to the headers; nil: nothing
	Payload        []byte       // borrowed until the call returns
}

// ownPacketLocked fills in what the options and the control messages say of a
// message to an address.
func (s *Socket) ownPacketLocked(to netip.Addr, ctl *sendControl) (OwnPacket, wsa.Errno) {
	v := s.ipValuesLocked(to)
	p := OwnPacket{
		Remote: to.Unmap(), Protocol: tcpip.TransportProtocolNumber(s.protocol),
		TTL: v.TTL, TOS: v.TOS, DF: !v.DoesFragment(), HeaderIncluded: s.headerIncludedLocked(),
		Extras: extrasOf(v),
	}
	if p.Remote.IsMulticast() {
		p.TTL = v.MulticastTTL
	}
	var err wsa.Errno
	if p.Local, p.NIC, err = s.ownRouteLocked(to); err != 0 {
		return p, err
	}
	if ctl != nil {
		err = ctl.adjust(s, &p)
	}
	return p, err
}

// adjust applies control messages.
func (c *sendControl) adjust(s *Socket, p *OwnPacket) wsa.Errno {
	m := &c.messages
	switch v4 := p.Remote.Is4(); {
	case v4 && m.HasTTL:
		p.TTL = m.TTL
	case !v4 && m.HasHopLimit:
		p.TTL = m.HopLimit
	}
	switch {
	case c.ecnOnly:
		p.TOS = p.TOS&^3 | c.class
	case c.hasClass:
		p.TOS = c.class
	}
	if c.nic != 0 {
		p.NIC = c.nic
	}
	if c.hasSource(p.Remote) {
		p.Local = c.source
	}
	if p.Remote.Is4() || !m.HasIPv6PacketInfo {
		return 0
	}
	if nic := m.IPv6PacketInfo.NIC; nic != 0 {
		p.NIC = nic
	}
	if a := translate.WithZone(translate.Addr(m.IPv6PacketInfo.Addr), p.NIC); a.IsValid() {
		if !s.host.IsLocal(a) {
			return wsa.WSAEADDRNOTAVAIL
		}
		p.Local = a
	}
	return 0
}

// headerIncludedLocked is IP_HDRINCL or IPV6_HDRINCL.
func (s *Socket) headerIncludedLocked() bool {
	if s.family == wsa.AF_INET6 {
		return s.values.IPv6.HeaderIncluded
	}
	return s.values.IPv4.HeaderIncluded
}

// writeOwnWmuLocked sends a message as an OwnPacket: from a raw socket always, from a
// datagram socket when netstack can't cut it up as it must be. ok is false when
// it is netstack's to send, with opts. The caller holds wmu.
func (s *Socket) writeOwnWmuLocked(b []byte, to netip.AddrPort, ctl *sendControl, opts *tcpip.WriteOptions) (ok bool, err wsa.Errno) {
	s.mu.Lock()
	if !to.Addr().IsValid() {
		to = s.remote
	}
	if !to.IsValid() {
		s.mu.Unlock()
		return true, wsa.WSAENOTCONN // the peer was removed since the check
	}
	mtu := s.fragmentMTULocked(len(b), to.Addr())
	plain := mtu == 0 && !ctl.hasSource(to.Addr()) && extrasOf(s.ipValuesLocked(to.Addr())) == nil
	if plain && s.behaviour.hasPorts() {
		s.mappedTTLLocked(to.Addr(), opts)
		s.mu.Unlock()
		return false, 0
	}
	p, err := s.ownPacketLocked(to.Addr(), ctl)
	offset, noChecksum, port := s.checksumOffsetLocked(), s.values.UDP.NoChecksum, s.local.Port()
	s.mu.Unlock()
	if err != 0 {
		return true, err
	}
	switch p.FragmentMTU, p.Payload = mtu, b; {
	case p.HeaderIncluded:
		p.FragmentMTU = 0
		err = p.checkHeader()
	case s.behaviour.hasPorts():
		p.Payload = udpDatagram(&p, port, to.Port(), b, noChecksum)
	case offset >= 0:
		err = p.fillChecksum(offset)
	}
	if err != 0 {
		return true, err
	}
	return true, translate.Errno(s.host.SendPacket(&p))
}

// mappedTTLLocked is for multicast over IPv4 from an AF_INET6 socket: netstack has
// one time to live of multicast for both versions.
func (s *Socket) mappedTTLLocked(to netip.Addr, opts *tcpip.WriteOptions) {
	if a := to.Unmap(); to.Is4In6() && a.IsMulticast() {
		opts.ControlMessages.HasTTL, opts.ControlMessages.TTL = true, s.values.IPv4.MulticastTTL
	}
}

// checkHeader refuses a header that isn't one. Of a good one netstack fills in
// the length, the checksum of IPv4, and a source or an ID of zero.
func (p *OwnPacket) checkHeader() wsa.Errno {
	if p.Remote.Is4() {
		if len(p.Payload) < header.IPv4MinimumSize || p.Payload[0]>>4 != 4 ||
			int(header.IPv4(p.Payload).HeaderLength()) > len(p.Payload) ||
			header.IPv4(p.Payload).HeaderLength() < header.IPv4MinimumSize {
			return wsa.WSAEINVAL
		}
		return 0
	}
	if len(p.Payload) < header.IPv6MinimumSize || p.Payload[0]>>4 != 6 {
		return wsa.WSAEINVAL
	}
	return 0
}

// udpDatagram puts the UDP header in front of a payload.
func udpDatagram(p *OwnPacket, source, dest uint16, payload []byte, noChecksum bool) []byte {
	b := append(make([]byte, header.UDPMinimumSize, header.UDPMinimumSize+len(payload)), payload...)
	u := header.UDP(b)
	u.Encode(&header.UDPFields{SrcPort: source, DstPort: dest, Length: uint16(len(b))})
	if noChecksum && p.Remote.Is4() {
		return b
	}
	inet.PutChecksum(b[header.UDPMinimumSize-checksum.Size:], checksum.Checksum(b, p.pseudoHeader(len(b))), true)
	return b
}

func (p *OwnPacket) pseudoHeader(size int) uint16 {
	return header.PseudoHeaderChecksum(p.Protocol, translate.Address(p.Local), translate.Address(p.Remote), uint16(size))
}

// checksumOffsetLocked is where the stack computes a checksum (IPV6_CHECKSUM);
// negative: nowhere. ICMPv6 always has one (RFC 3542 §3.1).
func (s *Socket) checksumOffsetLocked() int {
	switch {
	case s.behaviour.hasPorts() || s.family != wsa.AF_INET6:
		return -1
	case s.protocol == wsa.IPPROTO_ICMPV6:
		return header.ICMPv6ChecksumOffset
	}
	return int(s.values.IPv6.Checksum)
}

// fillChecksum puts a checksum at an offset of a copy of the message.
func (p *OwnPacket) fillChecksum(offset int) wsa.Errno {
	if offset+checksum.Size > len(p.Payload) {
		return wsa.WSAEINVAL
	}
	p.Payload = append([]byte(nil), p.Payload...)
	field := p.Payload[offset:]
	binary.BigEndian.PutUint16(field, 0)
	inet.PutChecksum(field, checksum.Checksum(p.Payload, p.pseudoHeader(len(p.Payload))), false)
	return 0
}
