package gateway

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/stack"
)

// ready implements watched: it answers the requests whose replies have come, and passes on what
// routers say.
func (p *pinger) ready(events uint32) {
	if events&unix.EPOLLERR != 0 {
		for p.takeError() {
		}
	}
	for p.takeReply() {
	}
}

// takeReply takes one reply off the socket, and reports whether there was one.
func (p *pinger) takeReply() bool {
	b := p.host.buffer
	p.mu.Lock()
	if p.state != pingerOpen {
		p.mu.Unlock()
		return false
	}
	n, from, err := unix.Recvfrom(p.fd, b, 0)
	var r *stack.EchoRequest
	if err == nil && n >= icmpHeader {
		r = p.answeredLocked(b[:n], from)
	}
	p.mu.Unlock()
	if r != nil {
		r.Reply()
	}
	return err == nil || errors.Is(err, unix.EINTR)
}

// answeredLocked is the request that a reply is for: it has the number, and says the same.
func (p *pinger) answeredLocked(reply []byte, from unix.Sockaddr) *stack.EchoRequest {
	const reply4, reply6 = 0, 129 // RFC 792, RFC 4443 §4.2
	number := binary.BigEndian.Uint16(reply[6:])
	r := p.waiting[number]
	if r == nil || reply[0] != reply4 && reply[0] != reply6 || string(reply[icmpHeader:]) != string(r.Payload) {
		return nil
	}
	if to, err := p.host.gateway.cfg.Policy.Resolve(r.Destination); err != nil || to != addressOf(from) {
		return nil
	}
	return p.takeLocked(number)
}

func addressOf(a unix.Sockaddr) netip.Addr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr)
	}
	return netip.Addr{}
}

// takeError takes one error off the socket's queue (IP_RECVERR in ip(7)), and reports whether there
// was one.
func (p *pinger) takeError() bool {
	var control [512]byte
	b := p.host.buffer
	p.mu.Lock()
	if p.state != pingerOpen {
		p.mu.Unlock()
		return false
	}
	n, controls, _, _, err := unix.Recvmsg(p.fd, b, control[:], unix.MSG_ERRQUEUE)
	var r *stack.EchoRequest
	if err == nil && n >= icmpHeader {
		r = p.takeLocked(binary.BigEndian.Uint16(b[6:])) // the request is quoted
	}
	p.mu.Unlock()
	if r != nil {
		r.Refuse(parseExtended(control[:controls]))
	}
	return err == nil || errors.Is(err, unix.EINTR)
}

// parseExtended is the error in control messages: an *stack.ICMPError if a router has sent it.
func parseExtended(control []byte) error {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return err
	}
	for _, m := range messages {
		const size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
		if m.Header.Type != unix.IP_RECVERR && m.Header.Type != unix.IPV6_RECVERR || len(m.Data) < size {
			continue
		}
		code := syscall.Errno(binary.NativeEndian.Uint32(m.Data))
		origin, typ, icmpCode := m.Data[4], m.Data[5], m.Data[6]
		from := offender(m.Data[size:])
		if (origin == unix.SO_EE_ORIGIN_ICMP || origin == unix.SO_EE_ORIGIN_ICMP6) && from.IsValid() {
			return &stack.ICMPError{From: from, Type: typ, Code: icmpCode}
		}
		return code
	}
	return stack.Ignored
}

// offender is the address in a sockaddr_in or sockaddr_in6.
func offender(b []byte) netip.Addr {
	const in4, in6 = unix.SizeofSockaddrInet4, unix.SizeofSockaddrInet6
	switch {
	case len(b) >= in4 && binary.NativeEndian.Uint16(b) == unix.AF_INET:
		return netip.AddrFrom4([4]byte(b[4:8]))
	case len(b) >= in6 && binary.NativeEndian.Uint16(b) == unix.AF_INET6:
		return netip.AddrFrom16([16]byte(b[8:24]))
	}
	return netip.Addr{}
}
