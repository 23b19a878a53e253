package endpoint

import (
	"net"
	"net/netip"
)

// ReadMsgUDP reads one datagram into b, and what the options ask for into oob:
// control messages in the layout of Windows, which wsa.ParseCmsgs reads. n and
// oobn are the bytes of both, flags such as wsa.MSG_MCAST.
//
//	option                            message            says
//	IP_PKTINFO, IPV6_PKTINFO          of the same name   the destination and the interface
//	IP_RECVTTL, IPV6_HOPLIMIT         IP_TTL, of the same name   the time to live
//	IP_RECVTOS, IPV6_RECVTCLASS       IP_TOS, IPV6_TCLASS  the type of service
//
// On a socket of both families the options of IPPROTO_IP count for IPv4. What is
// too long for b or oob is cut off and fails with WSAEMSGSIZE, with wsa.MSG_TRUNC
// or MSG_CTRUNC in flags and the rest of the result valid (MS-2).
func (c *PacketConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, oobn, flags, from, err := c.ReadMsgUDPAddrPort(b, oob)
	if from.IsValid() {
		addr = net.UDPAddrFromAddrPort(from)
	}
	return n, oobn, flags, addr, err
}

// ReadMsgUDPAddrPort is ReadMsgUDP with the other form of the address.
func (c *PacketConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	m, code := c.sock.RecvMsgUntil(b, oob, 0, &c.rd)
	from := c.named(netip.AddrPortFrom(m.From.Addr().Unmap(), m.From.Port()))
	return m.N, m.Control, int(m.Flags), from, c.wrap("read", code)
}

// WriteMsgUDP sends one datagram with control messages: IP_PKTINFO or
// IPV6_PKTINFO for the source address and the interface, IP_TTL or
// IPV6_HOPLIMIT, IP_TOS or IPV6_TCLASS, and IP_ECN; see wsa.AppendCmsg. Those that
// are malformed, unknown or out of range are WSAEINVAL, a source address that
// isn't the stack's is WSAEADDRNOTAVAIL. A dialled PacketConn takes no address,
// another one needs it.
func (c *PacketConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if addr == nil {
		return c.WriteMsgUDPAddrPort(b, oob, netip.AddrPort{})
	}
	return c.WriteMsgUDPAddrPort(b, oob, addr.AddrPort())
}

// WriteMsgUDPAddrPort is WriteMsgUDP with the other form of the address.
func (c *PacketConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	if addr.IsValid() {
		if err := c.notDialled(addr); err != nil {
			return 0, 0, err
		}
		addr = c.sock.Addressed(addr)
	}
	n, code := c.sock.SendMsgUntil(b, oob, 0, addr, &c.wd)
	if code != 0 {
		return n, 0, c.wrapTo(addr, code)
	}
	return n, len(oob), nil
}
