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

// A Message is what RecvMsg returns besides the data.
type Message struct {
	N       int            // bytes of data
	From    netip.AddrPort // the sender
	Control int            // bytes of control messages
	Flags   int32          // MSG_TRUNC, MSG_CTRUNC, MSG_BCAST, MSG_MCAST
}

// RecvMsg is WSARecvMsg: it receives one datagram into b and the control
// messages that the options have asked for, in the layout of package wsa, into
// control. Those that don't fit are left out.
//
// Errors are those of Recv, and WSAEOPNOTSUPP on a stream. Data or control
// messages that were cut off fail with WSAEMSGSIZE, with MSG_TRUNC or
// MSG_CTRUNC in Flags and the rest of the result valid (MS-2).
func (s *Socket) RecvMsg(b, control []byte, flags int32) (Message, wsa.Errno) {
	return s.RecvMsgUntil(b, control, flags, nil)
}

// RecvMsgUntil is RecvMsg that ends with wait.ErrDeadline when d has passed; nil never does.
func (s *Socket) RecvMsgUntil(b, control []byte, flags int32, d *wait.Deadline) (_ Message, code wsa.Errno) {
	defer s.debugCall("recvmsg", &code)
	if s.behaviour.connectionOriented() {
		return Message{}, wsa.WSAEOPNOTSUPP
	}
	if flags&wsa.MSG_ERRQUEUE != 0 {
		return s.recvError(b, control, flags)
	}
	m, err := s.recvMsgOnce(b, control, flags, d, false)
	if err != wsa.WSAEWOULDBLOCK || s.nonblocking.Load() {
		return m, err
	}
	c := d.Block(s.calls.Begin(s.host, waiter.ReadableEvents|waiter.EventErr|waiter.EventHUp, s.recvTimeout()))
	defer s.calls.End(c)
	for {
		m, err = s.recvMsgOnce(b, control, flags, d, true)
		switch {
		case err != wsa.WSAEWOULDBLOCK:
			return m, err
		case c.Expired():
			return Message{}, wsa.WSAETIMEDOUT
		}
		c.Wait("recv")
	}
}

func (s *Socket) recvMsgOnce(b, control []byte, flags int32, d *wait.Deadline, waited bool) (Message, wsa.Errno) {
	s.mu.Lock()
	err := s.checkRecvLocked(recvMsg, flags, waited)
	ep := s.ep
	s.mu.Unlock()
	if err == 0 && d.Passed() {
		err = wait.ErrDeadline
	}
	if err != 0 {
		return Message{}, err
	}
	res, segment, from, err := s.readMerged(ep, b, flags)
	s.reenable(recvEvent(flags))
	if err != 0 && err != wsa.WSAEMSGSIZE {
		return Message{}, err
	}
	m := Message{N: res.Count, From: from}
	if err == wsa.WSAEMSGSIZE {
		m.Flags |= wsa.MSG_TRUNC
	}
	f := s.opt.filter.Load()
	var complete bool
	m.Control, complete = f.putControl(control, &res)
	if segment != 0 && complete {
		m.Control, complete = putCoalesced(control, m.Control, segment)
	}
	if !complete {
		m.Flags |= wsa.MSG_CTRUNC
		err = wsa.WSAEMSGSIZE
	}
	switch _, to, _ := arrival(&res); {
	case to.IsMulticast():
		m.Flags |= wsa.MSG_MCAST
	case s.host.IsBroadcast(to):
		m.Flags |= wsa.MSG_BCAST
	}
	return m, err
}

// readMessage reads the next datagram that is for this socket. One that is
// longer than b fills it, the rest is lost and the call fails with WSAEMSGSIZE
// (MS-2).
func (s *Socket) readMessage(ep tcpip.Endpoint, b []byte, flags int32) (tcpip.ReadResult, netip.AddrPort, wsa.Errno) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	return s.readMessageRmuLocked(ep, b, flags)
}

// readMessageRmuLocked is readMessage for a caller that holds rmu.
func (s *Socket) readMessageRmuLocked(ep tcpip.Endpoint, b []byte, flags int32) (tcpip.ReadResult, netip.AddrPort, wsa.Errno) {
	opts := tcpip.ReadOptions{Peek: flags&wsa.MSG_PEEK != 0, NeedRemoteAddr: true}
	res, err := s.readAdmittedRmuLocked(ep, b, opts)
	if _, closed := err.(*tcpip.ErrClosedForReceive); closed {
		if next := s.endpoint(); next != nil && next != ep { // a connect was faster: see replaceDatagramRmuMuLocked
			res, err = s.readAdmittedRmuLocked(next, b, opts)
		}
	}
	switch err.(type) {
	case nil:
	case *tcpip.ErrBadBuffer: // b is empty and the datagram isn't
	case *tcpip.ErrClosedForReceive:
		return res, netip.AddrPort{}, wsa.WSAESHUTDOWN
	default:
		return res, netip.AddrPort{}, translate.Errno(err)
	}
	from := s.present(res.RemoteAddr)
	if res.Count < res.Total {
		return res, from, wsa.WSAEMSGSIZE
	}
	return res, from, 0
}

// readAdmittedRmuLocked reads the first datagram that waits and that the filter admits.
// The caller holds rmu.
func (s *Socket) readAdmittedRmuLocked(ep tcpip.Endpoint, b []byte, opts tcpip.ReadOptions) (tcpip.ReadResult, tcpip.Error) {
	defer func() { s.dst = nil }()
	for {
		s.dst = b
		res, err := s.readQueuedRmuLocked(ep, opts)
		if !s.refuseRmuLocked(ep, &res, err, opts.Peek) {
			return res, err
		}
	}
}

// endpoint is the one that the socket has now.
func (s *Socket) endpoint() tcpip.Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ep
}

// compartment is the routing compartment of everything.
const compartment = 1

// putControl writes the control messages that the options ask for, and reports
// whether all of them had room. IPv4 datagrams of a dual-stack socket are
// governed by the options of IPPROTO_IP.
func (f *recvFilter) putControl(control []byte, res *tcpip.ReadResult) (n int, complete bool) {
	w := cmsgWriter{buf: control[:0:len(control)], level: wsa.IPPROTO_IP, complete: true}
	nic, to, ipv6 := arrival(res)
	if !to.IsValid() {
		return 0, true
	}
	r, cm, index := f.report[ipv6], &res.ControlMessages, uint32(nic)
	var scratch [2][wsa.SizeofIn6PktinfoEx]byte // of what put copies: nothing is allocated
	var info, infoEx []byte
	ttl, ttlType, class, classType := uint32(cm.TTL), int32(wsa.IP_TTL), uint32(cm.TOS), int32(wsa.IP_TOS)
	if ipv6 == 1 {
		w.level = wsa.IPPROTO_IPV6
		p := wsa.In6Pktinfo{Addr: to.As16(), Ifindex: index}
		info = p.Append(scratch[0][:0])
		infoEx = wsa.In6PktinfoEx{In6Pktinfo: p, ScopeID: compartment}.Append(scratch[1][:0])
		ttl, ttlType, class, classType = uint32(cm.HopLimit), wsa.IPV6_HOPLIMIT, cm.TClass, wsa.IPV6_TCLASS
	} else {
		p := wsa.InPktinfo{Addr: to.As4(), Ifindex: index}
		info = p.Append(scratch[0][:0])
		infoEx = wsa.InPktinfoEx{InPktinfo: p, ScopeID: compartment}.Append(scratch[1][:0])
	}
	w.put(r.PacketInfo, wsa.IP_PKTINFO, info)
	w.put(r.PacketInfoEx, wsa.IP_PKTINFO_EX, infoEx)
	w.putInt(r.HopLimit, ttlType, ttl)
	w.putInt(r.TrafficClass, classType, class)
	w.putInt(r.ECN, wsa.IP_RECVECN, class&3)
	w.putInt(r.Interface, wsa.IP_RECVIF, index)
	destination := to.As16()
	w.put(r.Destination, wsa.IP_RECVDSTADDR, destination[len(destination)-to.BitLen()/8:])
	w.putInt(r.OriginalInterface, wsa.IP_ORIGINAL_ARRIVAL_IF, index) // nothing is tunnelled
	return len(w.buf), w.complete
}

// cmsgWriter appends control messages as long as there is room. The types of
// most are the same number at both levels.
type cmsgWriter struct {
	buf      []byte
	level    int32
	complete bool
}

func (w *cmsgWriter) put(wanted bool, typ int32, data []byte) {
	switch {
	case !wanted:
	case len(w.buf)+wsa.CmsgSpace(len(data)) > cap(w.buf):
		w.complete = false
	default:
		w.buf = wsa.AppendCmsg(w.buf, w.level, typ, data)
	}
}

func (w *cmsgWriter) putInt(wanted bool, typ int32, n uint32) {
	w.put(wanted, typ, binary.LittleEndian.AppendUint32(nil, n))
}
