package socket

import (
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// An ICMPError is an ICMP error that quotes a datagram, as a hook has read it.
type ICMPError struct {
	Local, Remote netip.AddrPort // source and destination of the datagram
	Protocol      int32          // wsa.IPPROTO_ICMP or IPPROTO_ICMPV6
	Type, Code    uint8
	MTU           uint32 // of an error that says "too big", else 0
	Payload       []byte // of the datagram, as far as it is quoted; read only
}

// MaxQuote is how many bytes of a datagram's payload are kept of an ICMP error.
const MaxQuote = 128

// The bounds of what ICMP errors can make a socket hold.
const (
	maxReported  = 64 // waiting for MSG_ERRQUEUE; later ones are dropped
	maxUnchecked = 16 // waiting for the pump; later ones are dropped
	maxSentTo    = 64 // destinations remembered; the oldest goes
)

// icmpErrors are the ICMP errors of a datagram socket, on their way to it:
//
//	hook ──▶ unchecked ──pump──▶ sent there? ──▶ softErr and SO_ERROR, one at a time
//	                                         ├─▶ reported, for MSG_ERRQUEUE
//	                                         └─▶ the path's MTU
type icmpErrors struct {
	mu        sync.Mutex // a leaf; guards unchecked only, the rest belongs to Socket.mu
	unchecked []ICMPError

	sentTo   []netip.AddrPort // a ring: the oldest at next once it is full
	next     int
	last     netip.AddrPort
	reported []ICMPError
}

// ICMPError is how a hook tells of an error that quotes a datagram from the
// address and port of this socket. Whether it has sent it is seen later: a hook
// must not take the socket's lock.
func (s *Socket) ICMPError(e ICMPError) {
	s.icmp.mu.Lock()
	ok := len(s.icmp.unchecked) < maxUnchecked
	if ok {
		s.icmp.unchecked = append(s.icmp.unchecked, e)
	}
	s.icmp.mu.Unlock()
	if ok {
		s.host.Signal(s)
	}
}

// recordSentLocked remembers the destination of a datagram.
func (s *Socket) recordSentLocked(to netip.AddrPort) {
	if to == s.icmp.last {
		return
	}
	c := &s.icmp
	c.last = to
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if len(c.sentTo) < maxSentTo {
		c.sentTo = append(c.sentTo, to)
		return
	}
	c.sentTo[c.next] = to
	c.next = (c.next + 1) % maxSentTo
}

// serveICMPLocked is the pump's turn: it believes the errors that quote a
// datagram which this socket can have sent. Anybody can send one, so that is
// all the protection there is.
func (s *Socket) serveICMPLocked() {
	if s.datagram == nil {
		return
	}
	s.icmp.mu.Lock()
	list := s.icmp.unchecked
	s.icmp.unchecked = nil
	s.icmp.mu.Unlock()
	for _, e := range list {
		for _, to := range s.icmp.sentTo {
			if to == e.Remote {
				s.takeICMPLocked(e)
				break
			}
		}
	}
}

func (s *Socket) takeICMPLocked(e ICMPError) {
	if e.MTU != 0 {
		s.host.LearnPathMTU(e.Remote.Addr(), e.MTU)
	}
	if s.ipValuesLocked(e.Remote.Addr()).Report.Errors && len(s.icmp.reported) < maxReported {
		s.icmp.reported = append(s.icmp.reported, e)
	}
	err := e.code(s.values.UDP)
	if err == 0 || s.softErr != 0 {
		return
	}
	s.softErr, s.pending = err, err // EO-2
	s.calls.Wake(waiter.ReadableEvents | waiter.EventErr)
}

// code is what recv fails with: nothing, unless a port is unreachable or a time
// to live was over.
func (e *ICMPError) code(v options.UDPValues) wsa.Errno {
	port, expired := [2]uint8{3, 3}, [2]uint8{11, 0} // type and code: RFC 792
	if e.Protocol == wsa.IPPROTO_ICMPV6 {
		port, expired = [2]uint8{1, 4}, [2]uint8{3, 0} // RFC 4443
	}
	switch [2]uint8{e.Type, e.Code} {
	case port:
		if v.ConnReset {
			return wsa.WSAECONNRESET
		}
	case expired:
		if v.NetReset {
			return wsa.WSAENETRESET // KA-36
		}
	}
	return 0
}

// takeSoftErrorLocked is the ICMP error that recv reports. It is SO_ERROR, too:
// whoever reads it first has it (EO-9).
func (s *Socket) takeSoftErrorLocked() (err wsa.Errno) {
	err, s.softErr, s.pending = s.softErr, 0, 0
	return err
}

// recvError is RecvMsg with MSG_ERRQUEUE: the oldest ICMP error that IP_RECVERR
// or IPV6_RECVERR has kept. It never waits. The data is the start of the datagram
// that was sent, From its destination, the control message a struct in_recverr.
func (s *Socket) recvError(b, control []byte, flags int32) (Message, wsa.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.enterLocked()
	if err == 0 {
		err = recvMsg.checkFlags(flags, s.Kind(), s.nonblocking.Load())
	}
	switch {
	case err != 0:
		return Message{}, err
	case s.ep == nil:
		return Message{}, wsa.WSAEINVAL
	case len(s.icmp.reported) == 0:
		return Message{}, wsa.WSAEWOULDBLOCK
	}
	e := s.icmp.reported[0]
	if flags&wsa.MSG_PEEK == 0 {
		s.icmp.reported = append(s.icmp.reported[:0], s.icmp.reported[1:]...)
	}
	m := Message{N: copy(b, e.Payload), From: s.present(translate.FullAddress(0, e.Remote)), Flags: wsa.MSG_ERRQUEUE}
	w := cmsgWriter{buf: control[:0:len(control)], level: wsa.IPPROTO_IP, complete: true}
	if e.Protocol == wsa.IPPROTO_ICMPV6 {
		w.level = wsa.IPPROTO_IPV6
	}
	w.put(true, wsa.IP_RECVERR, wsa.InRecverr{Protocol: e.Protocol, Info: e.MTU, Type: e.Type, Code: e.Code}.Append(nil))
	m.Control = len(w.buf)
	if m.N < len(e.Payload) {
		m.Flags, err = m.Flags|wsa.MSG_TRUNC, wsa.WSAEMSGSIZE
	}
	if !w.complete {
		m.Flags, err = m.Flags|wsa.MSG_CTRUNC, wsa.WSAEMSGSIZE
	}
	return m, err
}
