package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/fifo"
	"github.com/wsstack/wsstack/stack"
)

// pings are the echo requests that go out by the host's ping sockets, one socket of IPv4 and one of
// IPv6, which are made for the first request. See icmp(7) and ping_group_range there.
type pings struct{ v4, v6 pinger }

func (p *pings) close() {
	p.v4.close()
	p.v6.close()
}

// Bounds of the requests that wait for a reply at a pinger: the number, and the bytes of what they
// carry. The oldest ones make room.
const (
	maxPings     = 4096
	maxPingBytes = 4 << 20
)

// icmpHeader is the size of the header of an echo request, in bytes.
const icmpHeader = 8

// A pinger is a ping socket. The kernel gives its requests an identifier; their numbers are our
// own.
type pinger struct {
	host *hostSide
	v6   bool

	mu      sync.Mutex // of the socket and the table; a leaf
	state   pingerState
	fd      int
	number  uint64 // of the watch
	next    uint16 // the number of the next request
	waiting map[uint16]*stack.EchoRequest
	order   fifo.Queue[uint16] // of waiting and of what was answered
	bytes   int                // of waiting
}

// A pingerState says whether there is a socket.
type pingerState uint8

const (
	pingerUnopened pingerState = iota
	pingerOpen
	pingerRefused // the host has no ping sockets for this process
	pingerClosed
)

// echo sends an echo request on.
func (g *Gateway) echo(_ context.Context, r *stack.EchoRequest) {
	to, err := g.resolve(r.Destination)
	if err != nil {
		r.Refuse(err)
		return
	}
	p := &g.host.pings.v4
	if to.Is6() {
		p = &g.host.pings.v6
	}
	opened, err := p.send(&g.host, r, to)
	switch {
	case !opened && ownAddress(to):
		r.Reply()
	case !opened:
		g.say("ping", "ping answers for this host's own addresses only: it may make no ping sockets",
			"hint", "sysctl net.ipv4.ping_group_range='0 2147483647'")
		r.Refuse(errProhibited)
	case err != nil:
		r.Refuse(err)
	}
}

// openLocked makes the socket, once. It reports that there is one.
func (p *pinger) openLocked(h *hostSide, v6 bool) bool {
	if p.state != pingerUnopened {
		return p.state == pingerOpen
	}
	p.host, p.v6, p.state, p.waiting = h, v6, pingerRefused, map[uint16]*stack.EchoRequest{}
	family, protocol, level, option := unix.AF_INET, unix.IPPROTO_ICMP, unix.IPPROTO_IP, unix.IP_RECVERR
	if v6 {
		family, protocol, level, option = unix.AF_INET6, unix.IPPROTO_ICMPV6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return false
	}
	if err = unix.SetsockoptInt(fd, level, option, 1); err == nil {
		p.number, err = h.watch.add(fd, p)
	}
	if err != nil {
		_ = unix.Close(fd)
		return false
	}
	p.fd, p.state = fd, pingerOpen
	return true
}

// send sends a request on. opened is false where there is no socket for it.
func (p *pinger) send(h *hostSide, r *stack.EchoRequest, to netip.Addr) (opened bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.openLocked(h, to.Is6()) {
		return p.state == pingerClosed, nil
	}
	number := p.addLocked(r)
	b := make([]byte, icmpHeader, icmpHeader+len(r.Payload))
	const echo4, echo6 = 8, 128 // RFC 792, RFC 4443 §4.1
	if b[0] = echo4; p.v6 {
		b[0] = echo6
	}
	binary.BigEndian.PutUint16(b[6:], number)
	b = append(b, r.Payload...)
	err = unix.Sendmsg(p.fd, b, p.hopLimit(r.TTL), sockaddr(netip.AddrPortFrom(to, 0)), unix.MSG_NOSIGNAL)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) {
		err = nil // no room: it is lost
	}
	if err != nil {
		p.takeLocked(number)
	}
	return true, err
}

// hopLimit is the control message that gives a request what it had, as far as that isn't
// used up by the way here.
func (p *pinger) hopLimit(ttl uint8) []byte {
	b := make([]byte, unix.CmsgSpace(4))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.SetLen(unix.CmsgLen(4))
	if h.Level, h.Type = unix.IPPROTO_IP, unix.IP_TTL; p.v6 {
		h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT
	}
	binary.NativeEndian.PutUint32(b[unix.CmsgLen(0):], uint32(max(ttl, 2)-1))
	return b
}

// addLocked lists a request, for which the oldest make room.
func (p *pinger) addLocked(r *stack.EchoRequest) (number uint16) {
	p.bytes += len(r.Payload)
	for p.order.Len() > 0 && (p.order.Len() >= maxPings || p.bytes > maxPingBytes) {
		p.takeLocked(p.order.Pop())
	}
	number = p.next
	p.next++
	p.waiting[number] = r
	p.order.Push(number)
	return number
}

// takeLocked takes a request off the list; nil: it isn't on it.
func (p *pinger) takeLocked(number uint16) *stack.EchoRequest {
	r := p.waiting[number]
	if r != nil {
		delete(p.waiting, number)
		p.bytes -= len(r.Payload)
	}
	return r
}

// close ends the socket. No request is answered any more.
func (p *pinger) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == pingerOpen {
		p.host.watch.forget(p.number)
		_ = unix.Close(p.fd)
	}
	p.state, p.waiting = pingerClosed, nil
}
