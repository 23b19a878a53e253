package socket

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// The largest UDP payloads (MS-1): 65535 less the headers that count.
const (
	maxDatagram4 = 65507
	maxDatagram6 = 65527
	maxRaw       = 65515
	maxPacket    = 65535 // with its header
)

// maxMessageLocked is SO_MAX_MSG_SIZE.
func (s *Socket) maxMessageLocked() int {
	switch {
	case s.headerIncludedLocked():
		return maxPacket
	case !s.behaviour.hasPorts():
		return maxRaw
	case s.family == wsa.AF_INET6:
		return maxDatagram6
	}
	return maxDatagram4
}

// Send sends b. On a stream, a blocking call returns when all bytes are
// accepted, a non-blocking one with the number accepted, at least one. On a
// connected datagram socket, b is one datagram.
//
// Errors are those of the page of send.
func (s *Socket) Send(b []byte, flags int32) (int, wsa.Errno) {
	return s.SendUntil(b, flags, netip.AddrPort{}, nil)
}

// SendTo sends a datagram to an address; one that isn't valid means the peer
// of a connected socket, and WSAEDESTADDRREQ on another. On a stream the
// address is ignored (NB).
func (s *Socket) SendTo(b []byte, flags int32, to netip.AddrPort) (int, wsa.Errno) {
	return s.SendToOn(nil, b, flags, to)
}

// SendUntil is Send, or with an address that is valid the send of a datagram to it. It ends with
// wait.ErrDeadline when d has passed; nil never does.
func (s *Socket) SendUntil(b []byte, flags int32, to netip.AddrPort, d *wait.Deadline) (_ int, code wsa.Errno) {
	defer s.debugCall("send", &code)
	var u urgentSend
	n, err := s.sendAll(b, flags, to, d, &u)
	if n < len(b) {
		u.end()
	}
	return n, err
}

func (s *Socket) sendAll(b []byte, flags int32, to netip.AddrPort, d *wait.Deadline, u *urgentSend) (int, wsa.Errno) {
	before := s.undropped() && !s.nonblocking.Load()
	sent, err := s.sendOnce(b, flags, to, d, false, u)
	switch {
	case s.nonblocking.Load():
		return sent, err
	case err == 0 && sent == len(b) && (sent == 0 || s.quota.Load() != 0), err != 0 && err != wsa.WSAEWOULDBLOCK:
		return sent, s.caught(before, err)
	}
	c := d.Block(s.calls.Begin(s.host, waiter.WritableEvents|waiter.EventErr|waiter.EventHUp, s.sendTimeout()))
	defer s.calls.End(c)
	s.sending.Add(1)
	defer s.sendEnded()
	for {
		if sent > 0 && sent == len(b) {
			return sent, s.awaitAcked(c, s.accepted.Load(), d) // SO_SNDBUF 0
		}
		n, err := s.sendOnce(b[sent:], flags, to, d, true, u)
		sent += n
		switch {
		case err == 0 && sent == len(b) && s.quota.Load() != 0:
			return sent, 0
		case err == 0:
		case err != wsa.WSAEWOULDBLOCK:
			return sent, err
		case c.Expired():
			return sent, wsa.WSAETIMEDOUT // what was accepted is transmitted (TO-3)
		default:
			c.Wait("send")
		}
	}
}

// sendEnded follows a send that was in progress: a DisconnectEx waits for it.
func (s *Socket) sendEnded() {
	if s.sending.Add(-1) == 0 && s.ops.pending.Load() > 0 {
		s.host.Signal(s)
	}
}

func (s *Socket) sendTimeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ops.synchronous {
		return 0 // TO-6
	}
	return time.Duration(s.values.SendTimeout) * time.Millisecond
}

// sendOnce is one attempt; see recvOnce.
func (s *Socket) sendOnce(b []byte, flags int32, to netip.AddrPort, d *wait.Deadline, waited bool, u *urgentSend) (n int, err wsa.Errno) {
	s.mu.Lock()
	to = s.destinationLocked(to)
	err = s.checkSendLocked(sendCall, len(b), flags, to, waited)
	on := s.mediumLocked()
	s.mu.Unlock()
	if err == 0 && d.Passed() {
		err = wait.ErrDeadline
	}
	if err != 0 {
		return 0, err
	}
	if flags&wsa.MSG_OOB != 0 && len(b) > 0 { // which only streams take
		n, err = s.writeUrgent(on.conn, b, u, waited || !s.nonblocking.Load())
		err = s.sendFailed(err, waited)
	} else {
		n, err = s.behaviour.send(s, on, b, to, waited)
	}
	return n, s.enableWrite(err)
}

// checkSendLocked holds the rules of flags and states of a send, and binds a
// datagram socket that isn't bound. waited is as for checkRecvLocked.
func (s *Socket) checkSendLocked(call transfer, size int, flags int32, to netip.AddrPort, waited bool) wsa.Errno {
	err := s.enterLocked()
	if err == 0 && !waited && flags != 0 {
		err = call.checkFlags(flags, s.Kind(), s.nonblocking.Load())
	}
	switch {
	case err == wsa.WSAENOTSOCK && waited:
		return wsa.WSAEINTR
	case err != 0:
		return err
	}
	return s.behaviour.checkSendLocked(s, size, to, waited)
}

func (s *Socket) checkSendToLocked(size int, to netip.AddrPort) wsa.Errno {
	limit, rules := s.maxMessageLocked(), s.host.Profile().Datagrams()
	explicit := to.Addr().IsValid()
	switch {
	case s.shutSend:
		return wsa.WSAESHUTDOWN
	case !explicit && s.state != options.Connected:
		return wsa.WSAENOTCONN
	case !explicit:
		to = s.remote
	default:
		if err := s.checkFamily(to); err != 0 {
			return err
		}
		if s.portZero(to) && !rules.PortZero {
			return wsa.WSAEADDRNOTAVAIL
		}
		if err := s.checkHostLocked(to.Addr()); err != 0 {
			return err
		}
	}
	if (explicit || !rules.BroadcastPeers) && s.forbiddenLocked(to.Addr()) {
		return wsa.WSAEACCES // BC-1
	}
	if size > limit {
		return wsa.WSAEMSGSIZE
	}
	if err := s.checkFragmentLocked(size, to); err != 0 {
		return err
	}
	if s.ep == nil {
		wildcard := netip.IPv4Unspecified()
		if s.family == wsa.AF_INET6 {
			wildcard = netip.IPv6Unspecified()
		}
		if err := s.bindLocked(netip.AddrPortFrom(wildcard, 0), true); err != 0 {
			return err
		}
	}
	s.recordSentLocked(to)
	return 0
}

// forbiddenLocked reports a broadcast address on a socket without SO_BROADCAST.
func (s *Socket) forbiddenLocked(a netip.Addr) bool {
	return !s.values.Broadcast && s.host.IsBroadcast(a.Unmap())
}

// sendFailed is the code of a send that the connection has refused: the reason of its
// end. Success and WSAEWOULDBLOCK stay what they are.
func (s *Socket) sendFailed(err wsa.Errno, waited bool) wsa.Errno {
	if err == 0 || err == wsa.WSAEWOULDBLOCK {
		return err
	}
	return s.ended(waited, err)
}

// writeDatagram sends one datagram.
func (s *Socket) writeDatagram(ep tcpip.Endpoint, b []byte, to netip.AddrPort, ctl *sendControl) (int, wsa.Errno) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	var opts tcpip.WriteOptions
	switch own, err := s.writeOwnWmuLocked(b, to, ctl, &opts); {
	case err != 0:
		return 0, err
	case own:
		return len(b), 0
	}
	if to.Addr().IsValid() {
		s.out.to = translate.FullAddress(s.sendNIC(to.Addr()), to)
		opts.To = &s.out.to
	}
	defer ctl.begin(s, ep, &opts)()
	for {
		s.out.Reset(b)
		n, err := ep.Write(&s.out, opts)
		s.out.Reset(nil)
		if _, refused := err.(*tcpip.ErrConnectionRefused); refused {
			continue // netstack's view of an ICMP error: sends succeed (NB-3)
		}
		switch err.(type) {
		case *tcpip.ErrClosedForSend:
			return 0, wsa.WSAESHUTDOWN
		case *tcpip.ErrDestinationRequired: // the peer was removed since the check
			return 0, wsa.WSAENOTCONN
		}
		return int(n), translate.Errno(err)
	}
}

// sendNIC is the interface for a datagram from a socket bound to a specific
// address. Left to itself netstack sends through whichever interface it found
// the address on first, and the loopback has all of them.
func (s *Socket) sendNIC(to netip.Addr) tcpip.NICID {
	s.mu.Lock()
	bound, chosen := s.boundAddr(), s.chosenNICLocked(to)
	s.mu.Unlock()
	if chosen != 0 {
		return chosen
	}
	if !bound.IsValid() {
		return 0
	}
	_, nic, _ := s.host.Source(bound, to.Unmap())
	return nic
}
