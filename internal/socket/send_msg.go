package socket

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/wsa"
)

// sendControl is what the control messages of one datagram say.
type sendControl struct {
	messages tcpip.SendableControlMessages
	source   netip.Addr // of IPv4; not valid: the socket's
	nic      tcpip.NICID
	class    uint8 // TOS or traffic class
	hasClass bool
	ecnOnly  bool // class has the congestion bits only
}

// SendMsg is WSASendMsg: SendTo with control messages, which override the
// options of the socket for this datagram. They are, at both levels: PKTINFO
// (the interface and the source address), TTL or HOPLIMIT, TOS or TCLASS, and
// ECN.
//
// Errors are those of SendTo; WSAEOPNOTSUPP on a stream, in the measured profiles WSAEINVAL
// (WC-6); WSAEADDRNOTAVAIL for a
// source address that isn't the stack's; WSAEINVAL for control messages that are
// malformed, unknown or out of range, congestion experienced (3) included.
func (s *Socket) SendMsg(b, control []byte, flags int32, to netip.AddrPort) (int, wsa.Errno) {
	return s.SendMsgUntil(b, control, flags, to, nil)
}

// SendMsgUntil is SendMsg that ends with wait.ErrDeadline when d has passed; nil never does.
func (s *Socket) SendMsgUntil(b, control []byte, flags int32, to netip.AddrPort, d *wait.Deadline) (_ int, code wsa.Errno) {
	defer s.debugCall("sendmsg", &code)
	if s.behaviour.connectionOriented() {
		return 0, s.host.Profile().Streams().SendMsg
	}
	ctl, err := s.parseControl(&sendControl{}, control)
	if err != 0 {
		return 0, err
	}
	n, err := s.sendMsgOnce(b, flags, to, ctl, d, false)
	if err != wsa.WSAEWOULDBLOCK || s.nonblocking.Load() {
		return n, err
	}
	c := d.Block(s.calls.Begin(s.host, waiter.WritableEvents|waiter.EventErr|waiter.EventHUp, s.sendTimeout()))
	defer s.calls.End(c)
	for {
		n, err = s.sendMsgOnce(b, flags, to, ctl, d, true)
		switch {
		case err != wsa.WSAEWOULDBLOCK:
			return n, err
		case c.Expired():
			return 0, wsa.WSAETIMEDOUT
		}
		c.Wait("send")
	}
}

func (s *Socket) sendMsgOnce(b []byte, flags int32, to netip.AddrPort, ctl *sendControl, d *wait.Deadline, waited bool) (int, wsa.Errno) {
	s.mu.Lock()
	to = s.destinationLocked(to)
	err := s.checkSendLocked(sendMsg, len(b), flags, to, waited)
	ep := s.ep
	s.mu.Unlock()
	if err == 0 && d.Passed() {
		err = wait.ErrDeadline
	}
	switch {
	case err == wsa.WSAENOTCONN && !to.IsValid():
		return 0, wsa.WSAEDESTADDRREQ
	case err != 0:
		return 0, err
	}
	return s.writeDatagrams(ep, b, to, ctl)
}

// parseControl reads a control buffer into ctl, which it returns; nil: there is
// nothing.
func (s *Socket) parseControl(ctl *sendControl, control []byte) (*sendControl, wsa.Errno) {
	if len(control) == 0 {
		return nil, 0
	}
	if err := s.CheckOpen(); err != 0 {
		return nil, err
	}
	for len(control) > 0 {
		m, rest, ok := wsa.NextCmsg(control)
		if !ok {
			return nil, wsa.WSAEINVAL
		}
		control = rest
		var err wsa.Errno
		switch m.Level {
		case wsa.IPPROTO_IP:
			err = ctl.add4(s, m)
		case wsa.IPPROTO_IPV6:
			err = ctl.add6(m)
		default:
			err = wsa.WSAEINVAL
		}
		if err != 0 {
			return nil, err
		}
	}
	return ctl, 0
}

// add4 reads a control message of IPPROTO_IP.
func (c *sendControl) add4(s *Socket, m wsa.Cmsg) wsa.Errno {
	switch m.Type {
	case wsa.IP_PKTINFO:
		p, err := wsa.ParseInPktinfo(m.Data)
		if err != 0 {
			return wsa.WSAEINVAL
		}
		c.nic = tcpip.NICID(p.Ifindex)
		return c.setSource(s, netip.AddrFrom4(p.Addr))
	case wsa.IP_TTL, wsa.IP_HOPLIMIT:
		n, err := octetOf(m.Data)
		c.messages.HasTTL, c.messages.TTL = true, n
		return err
	case wsa.IP_TOS:
		return c.setClass(m.Data)
	case wsa.IP_ECN:
		return c.setECN(m.Data)
	}
	return wsa.WSAEINVAL
}

// setSource chooses the source address of a datagram over IPv4: netstack takes
// none, so that one leaves as an OwnPacket.
func (c *sendControl) setSource(s *Socket, a netip.Addr) wsa.Errno {
	switch {
	case a.IsUnspecified(), a == s.LastLocal().Addr().Unmap():
	case !s.host.IsLocal(a):
		return wsa.WSAEADDRNOTAVAIL
	default:
		c.source = a
	}
	return 0
}

// hasSource reports whether a datagram to an address has a source that netstack
// can't give it.
func (c *sendControl) hasSource(to netip.Addr) bool {
	return c != nil && c.source.IsValid() && to.Unmap().Is4()
}

// add6 reads a control message of IPPROTO_IPV6.
func (c *sendControl) add6(m wsa.Cmsg) wsa.Errno {
	switch m.Type {
	case wsa.IPV6_PKTINFO:
		p, err := wsa.ParseIn6Pktinfo(m.Data)
		if err != 0 {
			return wsa.WSAEINVAL
		}
		c.messages.HasIPv6PacketInfo = true
		c.messages.IPv6PacketInfo = tcpip.IPv6PacketInfo{Addr: translate.Address(netip.AddrFrom16(p.Addr)), NIC: tcpip.NICID(p.Ifindex)}
		return 0
	case wsa.IPV6_HOPLIMIT:
		n, err := octetOf(m.Data)
		c.messages.HasHopLimit, c.messages.HopLimit = true, n
		return err
	case wsa.IPV6_TCLASS:
		return c.setClass(m.Data)
	case wsa.IPV6_ECN:
		return c.setECN(m.Data)
	}
	return wsa.WSAEINVAL
}

func (c *sendControl) setClass(data []byte) (err wsa.Errno) {
	c.class, err = octetOf(data)
	c.hasClass, c.ecnOnly = true, false
	return err
}

// setECN: applications may not say that they have seen congestion.
func (c *sendControl) setECN(data []byte) wsa.Errno {
	n, err := octetOf(data)
	if err != 0 || n > 2 {
		return wsa.WSAEINVAL
	}
	if c.hasClass {
		c.class = c.class&^3 | n
		return 0
	}
	c.class, c.hasClass, c.ecnOnly = n, true, true
	return 0
}

// octetOf is an int from 0 to 255.
func octetOf(data []byte) (uint8, wsa.Errno) {
	if len(data) < 4 {
		return 0, wsa.WSAEINVAL
	}
	n := binary.LittleEndian.Uint32(data)
	if n > 255 {
		return 0, wsa.WSAEINVAL
	}
	return uint8(n), 0
}

// begin applies the control messages to a write, and returns what undoes it:
// netstack takes no type of service with a datagram, so that of the endpoint
// is changed for the time of the write. The caller holds wmu until then.
func (c *sendControl) begin(s *Socket, ep tcpip.Endpoint, opts *tcpip.WriteOptions) (end func()) {
	if c == nil {
		return func() {}
	}
	mapped := opts.ControlMessages
	opts.ControlMessages = c.messages
	if mapped.HasTTL && !c.messages.HasTTL {
		opts.ControlMessages.HasTTL, opts.ControlMessages.TTL = true, mapped.TTL
	}
	if c.nic != 0 && opts.To != nil {
		opts.To.NIC = c.nic
	}
	if !c.hasClass {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tos, class := c.class, c.class
	if c.ecnOnly {
		tos, class = s.values.IPv4.TOS&^3|c.class, s.values.IPv6.TOS&^3|c.class
	}
	_ = ep.SetSockOptInt(tcpip.IPv4TOSOption, int(tos))
	_ = ep.SetSockOptInt(tcpip.IPv6TrafficClassOption, int(class))
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = ep.SetSockOptInt(tcpip.IPv4TOSOption, int(s.values.IPv4.TOS))
		_ = ep.SetSockOptInt(tcpip.IPv6TrafficClassOption, int(s.values.IPv6.TOS))
	}
}
