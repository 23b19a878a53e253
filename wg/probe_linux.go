package wg

import (
	"errors"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// A probe asks the system for the MTU of the path to an address, with a UDP socket of each family
// that never sends anything. The sockets are made where those of the Bind are, so they are in the
// same network namespace. Its methods are safe for concurrent use.
type probe struct {
	mu      sync.Mutex
	sockets []int // by family: IPv4, IPv6; none while the Bind isn't open
}

// open makes the sockets. What can't be had is missing then, and nothing is known of its paths.
func (p *probe) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			fd = -1
		}
		p.sockets = append(p.sockets, fd)
	}
}

// close closes the sockets. It is idempotent.
func (p *probe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fd := range p.sockets {
		unix.Close(fd)
	}
	p.sockets = nil
}

// setMark makes the packets of a firewall mark those whose path is asked for.
func (p *probe) setMark(mark uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fd := range p.sockets {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark))
	}
}

// pathMTU is the size in bytes of the largest packet that gets to an address in one piece, as far
// as the system knows; 0: it doesn't know, or there is no way to the address.
func (p *probe) pathMTU(a netip.Addr) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sockets) == 0 {
		return 0
	}
	// A socket that is connected has a path. Nobody gets a packet, whatever the port.
	if a.Is4() {
		fd := p.sockets[0]
		if unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: a.As4()}) != nil {
			return 0
		}
		mtu, _ := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
		return mtu
	}
	fd := p.sockets[1]
	if unix.Connect(fd, &unix.SockaddrInet6{Port: 9, Addr: a.As16()}) != nil {
		return 0
	}
	mtu, _ := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU)
	return mtu
}

// mayGoAlone reports whether an error of sending packets, several or from a certain address, may
// not come when they are sent one by one: a segment that is larger than the path takes isn't cut up
// into fragments, and the address or the interface to send from may be gone.
func mayGoAlone(err error) bool {
	for _, e := range []error{unix.EMSGSIZE, unix.EINVAL, unix.EADDRNOTAVAIL, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENODEV} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
