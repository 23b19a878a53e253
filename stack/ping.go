package stack

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/translate"
	"github.com/wsstack/wsstack/internal/wait"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/wsa"
)

// pingTimeout is how long Ping waits without a deadline, as long as Windows' ping
// does.
const pingTimeout = 4 * time.Second

// A PingReply is what came back of a Ping.
type PingReply struct {
	From  netip.Addr    // the address of the host that answered
	Local netip.Addr    // the address of the stack that the request came from
	RTT   time.Duration // the time from the request to the reply, by the stack's clock
	TTL   int           // the time to live, or hop limit, that the reply came with
}

// Ping sends an ICMP echo request of 32 bytes to an address of IPv4 or IPv6, one
// of the stack's own among them, and waits for the reply. It needs no raw socket,
// and no privilege: Config.DenyRaw doesn't concern it. Of a group or broadcast
// address it is the first reply; such requests have a time to live of 1. An
// unspecified address is the loopback's. Ping is safe for concurrent use: each call
// takes its own reply, by a number and a content that nobody guesses.
//
// ctx bounds the wait, its deadline also by the stack's clock; without a deadline
// it is 4 s. Errors are *net.OpError around:
//
//   - the error of ctx; WSAETIMEDOUT without a deadline
//   - an *ICMPError that came instead of a reply
//   - WSAENETUNREACH: there is no route, or no interface of addr's zone; WSAENETDOWN: the stack
//     is closed
//   - WSAEFAULT: addr isn't valid; WSAEADDRNOTAVAIL: it is link-local, has no zone, and there
//     are several interfaces
func (s *Stack) Ping(ctx context.Context, addr netip.Addr) (PingReply, error) {
	addr = addr.Unmap()
	reply, err := s.ping(ctx, addr)
	if err == nil {
		reply.From, reply.Local = s.zoneName(reply.From), s.zoneName(reply.Local)
		return reply, nil
	}
	network := "ip4:icmp"
	if addr.Is6() {
		network = "ip6:ipv6-icmp"
	}
	e := &net.OpError{Op: "ping", Net: network, Err: err}
	if addr.IsValid() {
		e.Addr = &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}
	}
	return PingReply{}, e
}

func (s *Stack) ping(ctx context.Context, addr netip.Addr) (PingReply, error) {
	switch {
	case !addr.IsValid():
		return PingReply{}, wsa.WSAEFAULT
	case addr.IsUnspecified():
		addr = netKind{family: familyOf(addr)}.reachable(addr)
	}
	if err := ctx.Err(); err != nil {
		return PingReply{}, err
	}
	if addr = s.onlyZone(addr); translate.Scoped(addr) && addr.Zone() == "" && !addr.IsMulticast() {
		return PingReply{}, wsa.WSAEADDRNOTAVAIL
	}
	local, nic, errno := s.source(netip.Addr{}, addr)
	if errno != 0 {
		return PingReply{}, errno
	}
	p := s.newEcho(local, addr)
	s.hooks.echoes.add(p)
	defer s.hooks.echoes.remove(p)
	if s.down.Load() { // since then, nobody wakes it
		return PingReply{}, wsa.WSAENETDOWN
	}
	return s.exchange(ctx, p, nic)
}

// exchange sends a request that is listed and waits for what becomes of it. The
// time runs before the packet leaves.
func (s *Stack) exchange(ctx context.Context, p *echoRequest, nic tcpip.NICID) (PingReply, error) {
	var expired atomic.Bool
	limit, late := s.pingLimit(ctx)
	timer := s.clock.AfterFunc(limit, func() {
		expired.Store(true)
		p.waiter.Signal()
	})
	defer timer.Stop()
	if ctx.Done() != nil {
		defer wait.AfterDone(ctx, p.waiter.Signal)()
	}
	if errno := translate.Errno(s.sendPacket(p.packet(nic))); errno != 0 {
		return PingReply{}, errno
	}
	for {
		over := expired.Load()
		switch reply, done, err := s.hooks.echoes.outcome(p); {
		case done:
			return reply, err
		case s.down.Load():
			return PingReply{}, wsa.WSAENETDOWN
		case ctx.Err() != nil:
			return PingReply{}, ctx.Err()
		case over:
			return PingReply{}, late
		}
		p.waiter.Wait("ping")
	}
}

// pingLimit is how long a Ping waits, and the error when that is over.
func (s *Stack) pingLimit(ctx context.Context) (time.Duration, error) {
	if at, ok := ctx.Deadline(); ok {
		return max(s.clock.Until(at), 0), context.DeadlineExceeded
	}
	return pingTimeout, wsa.WSAETIMEDOUT
}

// newEcho is a request that hasn't left yet.
func (s *Stack) newEcho(local, remote netip.Addr) *echoRequest {
	rng := s.ns.SecureRNG()
	p := &echoRequest{
		local: local, remote: remote,
		anybody: remote.IsMulticast() || s.isBroadcast(remote),
		waiter:  wait.NewWaiter(s.host()),
		number:  rng.Uint32(),
		sent:    s.clock.Now(),
	}
	for i := range p.content {
		p.content[i] = 'a' + byte(i%23) // Windows' are these letters, too
	}
	for i := range 8 {
		p.content[i] = byte(rng.Uint32())
	}
	return p
}

// packet is the request.
func (p *echoRequest) packet(nic tcpip.NICID) *socket.OwnPacket {
	o := &socket.OwnPacket{NIC: nic, Local: p.local, Remote: p.remote, Protocol: header.ICMPv4ProtocolNumber, TTL: defaultTTL}
	if p.remote.Is6() {
		o.Protocol = header.ICMPv6ProtocolNumber
	}
	if p.remote.IsMulticast() {
		o.TTL = 1
	}
	o.Payload = p.request()
	return o
}

// An ICMPError is an ICMP error that quotes what was sent: destination
// unreachable, time exceeded or parameter problem. Unwrap says it as a code of
// Winsock.
type ICMPError struct {
	From netip.Addr // the router or host that sent the error
	Type uint8      // the type of the message: RFC 792, or RFC 4443 where From is an IPv6 address
	Code uint8      // the code of the message, which its type says the meaning of
}

// Error says what the message means, with its numbers and its sender.
func (e *ICMPError) Error() string {
	return fmt.Sprintf("%s (ICMP type %d, code %d, from %v)", e.meaning(), e.Type, e.Code, e.From)
}

func (e *ICMPError) meaning() string {
	switch {
	case e.is(header.ICMPv4DstUnreachable, header.ICMPv6DstUnreachable):
		return "destination unreachable"
	case e.is(header.ICMPv4TimeExceeded, header.ICMPv6TimeExceeded):
		return "time exceeded"
	}
	return "parameter problem"
}

// is reports the type of one IP version or the other.
func (e *ICMPError) is(v4 header.ICMPv4Type, v6 header.ICMPv6Type) bool {
	if e.From.Is4() {
		return e.Type == uint8(v4)
	}
	return e.Type == uint8(v6)
}

// Unwrap is the code: WSAENETUNREACH where a router has no route, else
// WSAEHOSTUNREACH for what is unreachable; WSAENETRESET for a time to live that
// was over, as of a datagram (KA-36); WSAEINVAL for a header that somebody
// objected to.
func (e *ICMPError) Unwrap() error {
	switch {
	case e.is(header.ICMPv4DstUnreachable, header.ICMPv6DstUnreachable):
		if e.noRoute() {
			return wsa.WSAENETUNREACH
		}
		return wsa.WSAEHOSTUNREACH
	case e.is(header.ICMPv4TimeExceeded, header.ICMPv6TimeExceeded):
		return wsa.WSAENETRESET
	}
	return wsa.WSAEINVAL
}

// noRoute reports "net unreachable", "destination network unknown" and "net
// unreachable for the type of service" (RFC 1122 §3.2.2.1), "no route" (RFC 4443
// §3.1).
func (e *ICMPError) noRoute() bool {
	if !e.From.Is4() {
		return e.Code == uint8(header.ICMPv6NetworkUnreachable)
	}
	switch header.ICMPv4Code(e.Code) {
	case header.ICMPv4NetUnreachable, header.ICMPv4DestinationNetworkUnknown, header.ICMPv4NetUnreachableForTos:
		return true
	}
	return false
}
